"""What a demonstrations run is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from datagen.errors import UserError
from datagen.flags import check
from datagen.teacher.settings import TeacherSettings

SHOTS = {"meta-ict": "0,1,2,4,8,16", "multitask-ict": "16", "context-distillation": "16"}
"""Numbers of demonstrations where the settings say nothing."""


@dataclass(frozen=True)
class DemonstrationSettings(TeacherSettings):
    """Build episodes: demonstrations, a query, and what the teacher makes of it."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Tasks: micro (rules of the micro-world), a shipped mapping by name (bbh, glue, mmlu,
    superglue), your own YAML mapping, or a JSONL file of instructions with several instances
    each."""
    kind: Literal["meta-ict", "multitask-ict", "context-distillation"] = "meta-ict"
    """meta-ict: the student sees the demonstrations and learns to read them, on tasks apart from
    the test tasks; the completion is the gold. multitask-ict: it sees them on the very tasks; the
    completion is the teacher's vote over random subsets (arXiv 2212.10670). context-distillation:
    only the teacher sees them; the student sees the query, and the completion is the teacher's
    prediction (arXiv 2209.15189)."""
    strategy: str = "random"
    """How demonstrations are chosen: random, bm25, knn, votek, dpp, mdl, cone or teacher."""
    shots: str = ""
    """Numbers of demonstrations, mixed evenly over the queries: 0,1,2,4,8,16 for meta-ict, 16 for
    the others."""
    episodes: int = 1
    """Episodes of a query, each with the next of the numbers of demonstrations."""
    split: Literal["train", "test"] = "train"
    """Which queries: the training queries, or the test queries (meta-ict: those of the held-out
    tasks)."""
    tasks: str = ""
    """Use these tasks or families only, separated by commas."""
    held_out: str = ""
    """Tasks or families kept for the test. By default meta-ict keeps a fifth of the families,
    chosen by their names, or of the tasks where there is one family."""
    data_root: Path | None = None
    """Folder with the files of a mapping; without it they come from the Hub."""
    limit: int | None = None
    """Read the first LIMIT rows of every split of a source only."""
    rules: int = 8
    """Rules of each family of the micro-world."""
    queries: int = 50
    """Most training queries of a task, and most test queries; each at most a quarter of its
    examples."""
    candidates: int | None = None
    """Most candidates of a task, drawn by the seed; all by default."""
    format: Literal["auto", "arrow", "qa", "input_output"] = "auto"
    """How an episode is written; auto takes arrow for micro and qa for other sources."""
    prompt_style: Literal["chat", "plain"] = "chat"
    """chat asks the teacher in one user turn; plain sends text for base models."""
    describe: Literal["always", "instead", "never"] = "instead"
    """Where the task's description stands: first in every prompt; only where the student sees it
    instead of the demonstrations (context-distillation); nowhere."""
    labels: Literal["natural", "symbolic", "flipped"] = "natural"
    """Labels of classification tasks: as they are, arbitrary words, or exchanged with one another;
    drawn anew for every episode with demonstrations, so that only reading these helps (arXiv
    2305.08298, 2303.03846)."""
    balance: bool = False
    """Choose every label of a classification task equally often."""
    considered: int = 32
    """Nearest candidates among which mdl, cone and teacher decide, and most scores that a row
    keeps."""
    encoder: str = ""
    """Sentence encoder of the strategies that compare texts, for sentence-transformers; by default
    one that needs no download."""
    generate: int = 0
    """Demonstrations that the teacher writes for each task, from its description and a few
    candidates. Those whose output it gives again when asked join the candidates, marked as
    generated."""
    agreement: float = 0.6
    """Least share of the votes that must give the output of a written demonstration."""
    votes: int = 5
    """Subsets of multitask-ict (the strategy's own and random ones), and questions about a written
    demonstration."""
    keep_by: Literal["all", "gold"] = "all"
    """With gold, an episode whose completion is the teacher's is kept only where that equals the
    gold."""
    prompt_tokens: int | None = None
    """Longest prompt: the demonstrations farthest from the query are dropped until it fits. Counted
    by the tokenizer of the teacher where it has one, else as characters / 4. The teacher's context
    is kept in any case."""
    max_tokens: int = 64
    """Longest prediction, in tokens."""

    @property
    def ks(self) -> tuple[int, ...]:
        """Numbers of demonstrations."""
        text = self.shots or SHOTS[self.kind]
        if not all(part.strip().isdecimal() for part in text.split(",")):
            raise UserError(f"--shots {text}: must be numbers separated by commas, such as 0,1,2,4")
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        blind = self.kind == "context-distillation" and self.describe != "always"
        super().__post_init__()
        check(
            self,
            shots=(
                not blind or 0 not in self.ks,
                "above 0 where the teacher sees demonstrations alone",
            ),
            labels=(
                self.kind != "context-distillation" or self.labels == "natural",
                "natural for context-distillation",
            ),
            episodes=(self.episodes >= 1, "at least 1"),
            rules=(self.rules >= 1, "at least 1"),
            queries=(self.queries >= 1, "at least 1"),
            candidates=(self.candidates is None or self.candidates >= 1, "at least 1"),
            limit=(self.limit is None or self.limit >= 1, "at least 1"),
            considered=(self.considered >= 1, "at least 1"),
            generate=(self.generate >= 0, "0 or more"),
            agreement=(0 <= self.agreement <= 1, "between 0 and 1"),
            votes=(self.votes >= 1, "at least 1"),
            prompt_tokens=(self.prompt_tokens is None or self.prompt_tokens >= 1, "at least 1"),
            max_tokens=(self.max_tokens >= 1, "at least 1"),
        )
