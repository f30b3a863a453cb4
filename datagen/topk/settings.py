"""The settings of `datagen topk`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal


@dataclass(frozen=True)
class TopkSettings:
    """Store a teacher's probabilities for the rows of a finished run or a version, for `train
    kd`.
    """

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Rows to extend: a finished run's folder, or a version (NAME@1.0.0, NAME for its newest, or
    its folder)."""
    out: Path | None = None
    """The folder of the new run. Default: runs/SOURCE-topk. The same command again resumes it."""
    teacher: str | None = None
    """Whose probabilities to store: micro, hf:NAME_OR_PATH or vllm:NAME_OR_PATH. Default: the
    teacher that wrote the rows."""
    engine: Literal["local", "ray"] = "local"
    """Where the teacher answers: in this process, or on the workers of a Ray cluster. Changes no
    row."""
    workers: int | None = None
    """Number of teachers with ray. By default as many as the cluster's GPUs hold, or one a
    machine."""
    teacher_topk: int = 64
    """How many of the most probable tokens to store for each token of a completion. The
    probability of all other tokens is stored as one number. Each stored token takes 6 bytes, and
    each position 8 more."""
    prompts: bool = False
    """Store the same for the tokens of the student's prompts, demonstrations included. `train kd
    --lm_weight` learns from them."""
    family: str | None = None
    """Whose rows to take where a version holds several families: rationales, instructions or
    demonstrations."""
    store: Path | None = None
    """Folder that holds the versions. Default: $EMERGENT_STORE, else ./datasets."""
