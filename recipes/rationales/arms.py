"""The arms of the comparison: settings of `train.fit_sft`, `train.fit_kd` and `train.fit_gkd`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Flags = Mapping[str, Any]
"""Settings by the names of the flags."""

SEEDS = 5
"""Students of each arm. Fewer would make the t intervals very wide."""
TOKENS = 600_000
"""Tokens of prompts and completions that a student sees, without padding. All arms of a comparison
see as many, so that no arm wins by longer training."""
LONG = 5_000_000
"""Tokens of the arms that ask what longer training changes."""
COMMON: Flags = {
    "learning_rate": 2e-3,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 20,
    "per_device_train_batch_size": 32,
    "logging_steps": 50,
    "save_strategy": "no",
    "disable_tqdm": True,
    "report_to": "none",
}
"""Settings of all arms. An arm can replace them."""
CHAINS = "chains@1.0.0"
"""The chains of 500 questions, 8 of each. The config `rationales` has the chains with the answer of
the majority, the config `rejected` has the others."""


@dataclass(frozen=True)
class Arm:
    """One way to train a student."""

    name: str
    flags: Flags
    command: str = "sft"
    mode: str = "rationale"
    """How the evaluation asks the student: for a rationale, or for the answer alone."""
    max_length: int | None = 384
    """The most tokens of prompt and completion. None if the trainer limits the completion alone."""
    start: str = ""
    """The arm whose student is trained further. By default the training begins with the base."""
    tokens: int = TOKENS
    steps: int = 0
    """The number of steps. It replaces `tokens` if the student writes what it sees."""


def data(dataset: str, config: str = "rationales") -> Flags:
    """Return the flags that name a dataset."""
    return {"dataset": dataset, "dataset_config": config}


FILTERED = data(CHAINS)
# The rows of one question stand in one batch. So fewer groups than rows fill a batch.
GROUPS_OF_TWO = {"per_device_train_batch_size": 16}
GROUPS_OF_FIVE = {"per_device_train_batch_size": 12, "negatives": 2}
# For students that are trained further. A lower learning rate makes them forget less.
GENTLE = {"learning_rate": 5e-4, "warmup_steps": 5, "per_device_train_batch_size": 16}
LIVE_TEACHER = {"teacher": "micro", "beta": 0.5, "max_new_tokens": 128}


def weighted(alpha: float) -> Arm:
    """Return the arm that weighs the final answer by `alpha`."""
    return Arm(f"alpha-{alpha:g}", {**FILTERED, "answer_weight": alpha})


def on_policy(lmbda: float, max_length: int | None) -> Arm:
    """Return the arm in which a fraction `lmbda` of the completions are the student's own."""
    return Arm(
        f"on-gkd-{lmbda:g}",
        {**FILTERED, **GENTLE, **LIVE_TEACHER, "lmbda": lmbda},
        "gkd",
        max_length=max_length,
        start="filtered",
        steps=60,
    )


ARMS = (
    Arm("answers", data(CHAINS, "answers"), mode="direct"),
    Arm("one", data("one@1.0.0")),
    Arm("unfiltered", data("unfiltered@1.0.0")),
    Arm("filtered", FILTERED),
    Arm("diverse", data("diverse@1.0.0")),
    *(weighted(alpha) for alpha in (0, 0.3, 0.5, 0.7)),
    Arm("consistency", {**FILTERED, "consistency_weight": 0.1, **GROUPS_OF_TWO}),
    Arm("contrast", {**FILTERED, "contrast_weight": 0.1, **GROUPS_OF_FIVE}),
    Arm("topk", data("topk@1.0.0"), command="kd"),
    Arm("topk+nll", {**data("topk@1.0.0"), "sft_weight": 0.5, "kd_weight": 0.5}, command="kd"),
    Arm("many", data("many@1.0.0")),
    Arm("answers-long", data("many@1.0.0", "answers"), mode="direct", tokens=LONG),
    Arm("filtered-long", FILTERED, tokens=LONG),
    Arm("many-long", data("many@1.0.0"), tokens=LONG),
    Arm("on-sft", {**FILTERED, **GENTLE}, start="filtered", steps=60),
    on_policy(0, 384),
    on_policy(0.5, 384),
    # All completions are the student's own, which `max_new_tokens` limits.
    on_policy(1, None),
)
