"""The arms of the comparison: what differs, in arguments of `train.fit_sft`, `fit_kd` and `fit_gkd`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SEEDS = 5
TOKENS = 600_000
"""Seen tokens of a student: prompts and completions, padding not counted."""
LONG = 5_000_000
COMMON = {
    "learning_rate": 2e-3,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 20,
    "per_device_train_batch_size": 32,
    "logging_steps": 50,
    "save_strategy": "no",
    "disable_tqdm": True,
    "report_to": "none",
}
CHAINS = "chains@1.0.0"
"""All chains of 500 questions, 8 each: config rationales those of the majority, rejected the
others."""


@dataclass(frozen=True)
class Arm:
    name: str
    flags: Mapping[str, Any]
    command: str = "sft"
    mode: str = "rationale"
    """How the student is asked."""
    max_length: int | None = 384
    """Of prompt and completion; None where the trainer bounds the completion alone."""
    start: str = ""
    """The arm whose student it goes on from; by default the base."""
    tokens: int = TOKENS
    steps: int = 0
    """Steps instead of tokens, where the student writes what it sees."""


def data(dataset: str, config: str = "rationales", **flags: Any) -> dict[str, Any]:
    """What an arm trains on, and the flags that it has of its own."""
    return {"data": dataset, "dataset_config": config, **flags}


GROUPS_OF_TWO = {"per_device_train_batch_size": 16}
GROUPS_OF_FIVE = {"per_device_train_batch_size": 12, "negatives": 2}
GENTLE = {"learning_rate": 5e-4, "warmup_steps": 5, "per_device_train_batch_size": 16}
TEACHER = {"teacher": "micro", "beta": 0.5, "max_new_tokens": 128}

ARMS = (
    Arm("answers", data(CHAINS, "answers"), mode="direct"),
    Arm("one", data("one@1.0.0")),
    Arm("unfiltered", data("unfiltered@1.0.0")),
    Arm("filtered", data(CHAINS)),
    Arm("diverse", data("diverse@1.0.0")),
    *(
        Arm(f"alpha-{alpha}", data(CHAINS, answer_weight=float(alpha)))
        for alpha in ("0", "0.3", "0.5", "0.7")
    ),
    Arm("consistency", data(CHAINS, consistency_weight=0.1, **GROUPS_OF_TWO)),
    Arm("contrast", data(CHAINS, contrast_weight=0.1, **GROUPS_OF_FIVE)),
    Arm("topk", data("topk@1.0.0"), "kd"),
    Arm("topk+nll", data("topk@1.0.0", sft_weight=0.5, kd_weight=0.5), "kd"),
    Arm("many", data("many@1.0.0")),
    Arm("answers-long", data("many@1.0.0", "answers"), mode="direct", tokens=LONG),
    Arm("filtered-long", data(CHAINS), tokens=LONG),
    Arm("many-long", data("many@1.0.0"), tokens=LONG),
    Arm("on-sft", data(CHAINS, **GENTLE), start="filtered", steps=60),
    *(
        Arm(
            f"on-gkd-{lmbda}",
            data(CHAINS, **GENTLE, **TEACHER, lmbda=float(lmbda)),
            "gkd",
            max_length=longest,
            start="filtered",
            steps=60,
        )
        for lmbda, longest in (("0", 384), ("0.5", 384), ("1", None))
    ),
)
