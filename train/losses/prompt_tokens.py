"""Losses on what stands in the prompt: all of it (`--lm_weight`), or the outputs of its
demonstrations (`--demonstration_weight`). Both are cross-entropies (`nll`).
"""

from __future__ import annotations

from train.data.grouping import Need, RowPlan
from train.data.roles import LEARNED
from train.losses.record import WEIGHT, Loss, likelihood

LANGUAGE_MODEL = Loss(
    name="lm",
    flag="lm_weight",
    range=WEIGHT,
    help=(
        "Weight of the language-modelling loss on the prompts and the demonstrations in them "
        "(in-context distillation)."
    ),
    sentence="language modelling of the prompts",
    term=likelihood(lambda batch: batch.of(batch.prompt, LEARNED)),
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
    term=likelihood(lambda batch: batch.of(batch.outputs, LEARNED)),
    need=Need("demonstrations", "demonstrations: `datagen demonstrations --kind meta-ict`"),
    rows=RowPlan(mark_outputs=True),
    tokens=frozenset({"outputs"}),
)
