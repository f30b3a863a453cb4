"""The arms of the comparison: what differs, in flags of `train sft`, `train kd` and `train gkd`."""

from __future__ import annotations

from dataclasses import dataclass

SEEDS = 5
TOKENS = 600_000
"""Seen tokens of a student: prompts and completions, padding not counted."""
LONG = 5_000_000
COMMON = (
    *("--learning_rate", "2e-3", "--lr_scheduler_type", "cosine", "--warmup_steps", "20"),
    *("--per_device_train_batch_size", "32", "--logging_steps", "50"),
    *("--save_strategy", "no", "--disable_tqdm", "True", "--report_to", "none"),
)
CHAINS = "chains@1.0.0"
"""All chains of 500 questions, 8 each: config rationales those of the majority, rejected the
others."""


@dataclass(frozen=True)
class Arm:
    name: str
    flags: tuple[str, ...]
    command: str = "sft"
    mode: str = "rationale"
    """How the student is asked."""
    max_length: str = "384"
    """Of prompt and completion; empty where the trainer bounds the completion alone."""
    start: str = ""
    """The arm whose student it goes on from; by default the base."""
    tokens: int = TOKENS
    steps: int = 0
    """Steps instead of tokens, where the student writes what it sees."""


def data(dataset: str, config: str = "rationales") -> tuple[str, ...]:
    return ("--dataset", dataset, "--dataset_config", config)


FILTERED = data(CHAINS)
GROUPS_OF_TWO = ("--per_device_train_batch_size", "16")
GROUPS_OF_FIVE = ("--per_device_train_batch_size", "12", "--negatives", "2")
GENTLE = ("--learning_rate", "5e-4", "--warmup_steps", "5", "--per_device_train_batch_size", "16")
ON = {"start": "filtered", "steps": 60}
TEACHER = ("--teacher_model_name_or_path", "micro", "--beta", "0.5", "--max_new_tokens", "128")

ARMS = (
    Arm("answers", data(CHAINS, "answers"), mode="direct"),
    Arm("one", data("one@1.0.0")),
    Arm("unfiltered", data("unfiltered@1.0.0")),
    Arm("filtered", FILTERED),
    Arm("diverse", data("diverse@1.0.0")),
    *(
        Arm(f"alpha-{alpha}", (*FILTERED, "--answer_weight", alpha))
        for alpha in ("0", "0.3", "0.5", "0.7")
    ),
    Arm("consistency", (*FILTERED, "--consistency_weight", "0.1", *GROUPS_OF_TWO)),
    Arm("contrast", (*FILTERED, "--contrast_weight", "0.1", *GROUPS_OF_FIVE)),
    Arm("topk", data("topk@1.0.0"), command="kd"),
    Arm(
        "topk+nll", (*data("topk@1.0.0"), "--sft_weight", "0.5", "--kd_weight", "0.5"), command="kd"
    ),
    Arm("many", data("many@1.0.0")),
    Arm("answers-long", data("many@1.0.0", "answers"), mode="direct", tokens=LONG),
    Arm("filtered-long", FILTERED, tokens=LONG),
    Arm("many-long", data("many@1.0.0"), tokens=LONG),
    Arm("on-sft", (*FILTERED, *GENTLE), **ON),
    *(
        Arm(
            f"on-gkd-{lmbda}",
            (*FILTERED, *GENTLE, *TEACHER, "--lmbda", lmbda),
            "gkd",
            max_length=longest,
            **ON,
        )
        for lmbda, longest in (("0", "384"), ("0.5", "384"), ("1", ""))
    ),
)
