"""The losses on tokens of the prompt. Both are cross-entropies (`nll`).

`--lm_weight` takes all tokens of the prompt. `--demonstration_weight` takes the outputs of its
demonstrations.
"""

from __future__ import annotations

from train.data.grouping import Need, RowPlan
from train.data.roles import LEARNED
from train.losses.record import WEIGHT, Loss, likelihood_term

LANGUAGE_MODEL = Loss(
    name="lm",
    flag="lm_weight",
    range=WEIGHT,
    help=(
        "Weight of the language-modelling loss on the prompts and the demonstrations in them "
        "(in-context distillation)."
    ),
    sentence="language modelling of the prompts",
    term=likelihood_term(lambda batch: batch.of(batch.prompt, LEARNED)),
    tokens=frozenset({"prompt"}),
)

DEMONSTRATIONS = Loss(
    name="demonstrations",
    flag="demonstration_weight",
    range=WEIGHT,
    help=(
        "Weight of the outputs of the demonstrations in the prompt, each given the demonstrations "
        "before it. An episode of k demonstrations then teaches reading them k more times."
    ),
    sentence="outputs of the demonstrations in the prompt, each given those before it",
    term=likelihood_term(lambda batch: batch.of(batch.outputs, LEARNED)),
    need=Need("demonstrations", "demonstrations: `datagen demonstrations --kind meta-ict`"),
    rows=RowPlan(mark_outputs=True),
    tokens=frozenset({"outputs"}),
)
