"""What a rationales run is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from datagen.errors import UserError


@dataclass(frozen=True)
class RationaleSettings:
    """Sample chains of thought for questions and keep those that agree."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Questions: a suite by name (gsm8k, svamp, bbh/navigate, microworld, ...), a JSONL, JSON, CSV or Parquet file,
    a dataset folder, or a dataset on the Hub (ORG/NAME)."""
    out: Path | None = None
    """The run folder, by default runs/SOURCE-SPLIT. The same command again resumes it."""
    teacher: str = "micro"
    """Who answers: micro (embedded, no key, no GPU), hf:NAME_OR_PATH, or openai:MODEL (with OPENAI_BASE_URL and
    OPENAI_API_KEY)."""
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
    """JSONL of example chains (question, rationale) shown before every question; without it the prompt is zero-shot."""
    adaptive: float = 0.0
    """Stop drawing once the vote's leader is ahead with this posterior probability, e.g. 0.95 (Adaptive-Consistency,
    arXiv 2305.11860). 0 always draws all samples."""
    keep_by: Literal["auto", "gold", "majority", "none"] = "auto"
    """What makes a chain right: its answer equals the gold, or the majority's; auto takes gold where the question has
    one; none keeps every chain that has an answer (the unfiltered arm)."""
    min_agreement: float = 0.5
    """With the majority: the least share of all chains that must give the winning answer."""
    weighted: bool = False
    """Weight votes by the chain's length-normalised probability instead of counting them."""
    keep: Literal["all", "best", "diverse"] = "all"
    """Which right chains stay: all, the most probable one, or the most different ones."""
    diverse: int = 4
    """How many chains keep=diverse leaves per question."""
    hints: int = 0
    """For a question with gold that no chain solved: draw this many chains with the answer as a hint, and keep the
    right ones without it (rationalisation, STaR)."""
    seed: int = 0
    concurrency: int = 64
    """Questions under way at once. Changes nothing but speed."""
    dry_run: bool = False
    """Show the first prompts and what the run would ask for; ask nothing, write nothing."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        checks = [
            (self.samples >= 1, "--samples", self.samples, "at least 1"),
            (self.temperature >= 0, "--temperature", self.temperature, "0 or more"),
            (
                self.samples == 1 or self.temperature > 0,
                "--temperature",
                self.temperature,
                "above 0 for several samples",
            ),
            (0 < self.top_p <= 1, "--top_p", self.top_p, "above 0 and at most 1"),
            (self.max_tokens >= 1, "--max_tokens", self.max_tokens, "at least 1"),
            (self.adaptive == 0 or 0.5 < self.adaptive < 1, "--adaptive", self.adaptive, "0, or between 0.5 and 1"),
            (0 <= self.min_agreement <= 1, "--min_agreement", self.min_agreement, "between 0 and 1"),
            (self.diverse >= 1, "--diverse", self.diverse, "at least 1"),
            (self.hints >= 0, "--hints", self.hints, "0 or more"),
            (self.concurrency >= 1, "--concurrency", self.concurrency, "at least 1"),
            (self.limit is None or self.limit >= 1, "--limit", self.limit, "at least 1"),
        ]
        for holds, flag, value, wanted in checks:
            if not holds:
                raise UserError(f"{flag} {value}: must be {wanted}")
