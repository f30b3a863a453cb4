"""What a rationales run is asked to do."""

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
    """Questions: a suite by name (gsm8k, svamp, bbh/navigate, microworld, ...), a JSONL, JSON, CSV
    or Parquet file, a dataset folder, or a dataset on the Hub (ORG/NAME)."""
    split: str = "train"
    """Split of a suite."""
    data_root: Path | None = None
    """Folder with the published files of the suites; without it they come from the Hub."""
    question_column: str = "question"
    """Column of a file that holds the question."""
    answer_column: str = "answer"
    """Column of a file that holds the gold answer; empty ("") where there is none."""
    answer_type: Literal["number", "choice", "yesno", "text"] = "number"
    """What a file's answers are; suites know theirs."""
    limit: int | None = None
    """Use the first LIMIT questions only (microworld: how many to make, 500 by default)."""
    samples: int = 8
    """Chains drawn per question; with --adaptive the most that are drawn."""
    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 512
    """Longest chain, in tokens. A chain cut off there is rejected as truncated."""
    prompt_style: Literal["chat", "plain"] = "chat"
    """chat sends messages; plain sends "Q: ... A: ..." text for base models."""
    shots: Path | None = None
    """JSONL of example chains (question, rationale) shown before every question; without it the
    prompt is zero-shot."""
    adaptive: float = 0.0
    """Stop drawing once the vote's leader is ahead with this posterior probability, e.g. 0.95
    (Adaptive-Consistency, arXiv 2305.11860). 0 always draws all samples."""
    keep_by: Literal["auto", "gold", "majority", "none"] = "auto"
    """What makes a chain right: its answer equals the gold, or the majority's; auto takes gold
    where the question has one; none keeps every chain that has an answer (the unfiltered arm)."""
    min_agreement: float = 0.5
    """With the majority: the least share of all chains that must give the winning answer."""
    weighted: bool = False
    """Weight votes by the chain's length-normalised probability instead of counting them."""
    keep: Literal["all", "best", "diverse"] = "all"
    """Which right chains stay: all, the most probable one, or the most different ones."""
    diverse: int = 4
    """How many chains keep=diverse leaves per question."""
    hints: int = 0
    """For a question with gold that no chain solved: draw this many chains with the answer as a
    hint, and keep the right ones without it (rationalisation, STaR)."""
    teacher_topk: int = 0
    """Store this many of the teacher's most probable tokens in the place of each token of a kept
    row, for `train kd`; what `datagen topk` does afterwards. 0: none."""

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
            adaptive=(self.adaptive == 0 or 0.5 < self.adaptive < 1, "0, or between 0.5 and 1"),
            min_agreement=(0 <= self.min_agreement <= 1, "between 0 and 1"),
            diverse=(self.diverse >= 1, "at least 1"),
            hints=(self.hints >= 0, "0 or more"),
            limit=(self.limit is None or self.limit >= 1, "at least 1"),
        )
