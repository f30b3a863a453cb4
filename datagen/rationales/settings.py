"""The settings of `datagen rationales`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from datagen.flags import check
from datagen.teacher.settings import TeacherSettings, sampling_checks


@dataclass(frozen=True)
class RationaleSettings(TeacherSettings):
    """Sample chains of thought for questions and keep those that agree."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Questions to reason about: a suite by name (gsm8k, svamp, bbh/navigate, microworld, ...),
    a JSONL, JSON, CSV or Parquet file, a dataset folder, or a dataset on the Hub (ORG/NAME)."""
    split: str = "train"
    """Split of the suite or the dataset. A file of one table has no splits."""
    data_root: Path | None = None
    """Folder that holds the published files of the suites. Default: they come from the Hub."""
    question_column: str = "question"
    """Column of a file that holds the question."""
    answer_column: str = "answer"
    """Column of a file that holds the gold answer. Set it to "" where the file has no answers;
    then chains are kept by majority."""
    answer_type: Literal["number", "choice", "yesno", "text"] = "number"
    """Type of the answers in a file. Suites know their own type."""
    limit: int | None = None
    """Use only the first LIMIT questions. The micro-world makes LIMIT questions; its default is
    500."""
    samples: int = 8
    """Chains to sample for each question. With --adaptive this is the most that are sampled."""
    temperature: float = 0.7
    """Sampling temperature. Above 0, or all chains of a question would be the same."""
    top_p: float = 1.0
    """Nucleus sampling: sample from the most probable tokens that reach this probability
    together."""
    max_tokens: int = 512
    """Longest chain in tokens. A longer chain is cut off, and rejected as truncated."""
    prompt_style: Literal["chat", "plain"] = "chat"
    """chat sends messages. plain sends text of the form "Q: ... A:", for base models."""
    shots: Path | None = None
    """JSONL file of example chains (columns question and rationale) to show before every
    question. Default: none, a zero-shot prompt."""
    adaptive: float = 0.0
    """Stop sampling a question once the leading answer will win the vote with this probability,
    such as 0.95 (Adaptive-Consistency, arXiv 2305.11860). 0 always draws all samples."""
    keep_by: Literal["auto", "gold", "majority", "none"] = "auto"
    """Which chains are correct. gold: their answer equals the gold answer. majority: it equals
    the most frequent answer. auto: gold where the question has a gold answer, else majority.
    none: keep every chain that has an answer, as an unfiltered baseline."""
    min_agreement: float = 0.5
    """With majority: reject all chains of a question if fewer than this share of them give the
    winning answer."""
    weighted: bool = False
    """Weight each vote by the chain's probability, normalised by its length, instead of counting
    every chain once."""
    keep: Literal["all", "best", "diverse"] = "all"
    """Which of the correct chains to keep: all of them, the most probable one (best), or the
    most different ones (diverse)."""
    diverse: int = 4
    """How many chains of a question --keep diverse keeps."""
    reasoning: Literal["keep", "separate", "drop"] = "keep"
    """What a row holds of the reasoning of a model that reasons. keep: the rationale is the
    reasoning, between <think> and </think>, and then the answer. separate: the rationale is the
    answer alone, and the column reasoning has the rest. drop: the reasoning is left out."""
    hints: int = 0
    """If no chain reached the gold answer, ask this many more times with the gold answer shown.
    Chains that are then correct are kept; the hint is removed from their prompts
    (rationalisation, STaR, arXiv 2203.14465). 0: never."""
    teacher_topk: int = 0
    """Store the teacher's K most probable tokens for every token of a kept completion, for
    `train kd`. `datagen topk` can do the same afterwards. 0: store nothing."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        super().__post_init__()
        check(
            self,
            **sampling_checks(
                samples=self.samples,
                temperature=self.temperature,
                top_p=self.top_p,
                max_tokens=self.max_tokens,
            ),
            # at 0.5 or less the vote would be settled before the first sample
            adaptive=(self.adaptive == 0 or 0.5 < self.adaptive < 1, "0, or between 0.5 and 1"),
            min_agreement=(0 <= self.min_agreement <= 1, "between 0 and 1"),
            diverse=(self.diverse >= 1, "at least 1"),
            hints=(self.hints >= 0, "0 or more"),
            limit=(self.limit is None or self.limit >= 1, "at least 1"),
        )
