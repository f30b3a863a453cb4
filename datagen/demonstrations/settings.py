"""The settings of `datagen demonstrations`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from datagen.errors import UserError
from datagen.flags import check
from datagen.teacher.settings import TeacherSettings

SHOTS = {"meta-ict": "0,1,2,4,8,16", "multitask-ict": "16", "context-distillation": "16"}
"""Default numbers of demonstrations. A student of meta-ict learns to read demonstrations, so it
sees prompts of every size. The other kinds want the teacher at its best."""


@dataclass(frozen=True)
class DemonstrationSettings(TeacherSettings):
    """Build episodes: demonstrations, a query, and what the teacher makes of it."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Tasks to build episodes of: micro (rules of the micro-world), a shipped mapping by name
    (bbh, glue, mmlu, superglue), your own YAML mapping, or a file of instructions with
    several instances each."""
    kind: Literal["meta-ict", "multitask-ict", "context-distillation"] = "meta-ict"
    """meta-ict: the student sees the demonstrations and learns to read them; test tasks are kept
    apart; the completion is the gold answer. multitask-ict: it sees them for the very tasks; the
    completion is the teacher's majority over random subsets (arXiv 2212.10670).
    context-distillation: only the teacher sees them; the completion is the teacher's prediction
    (arXiv 2209.15189)."""
    strategy: str = "random"
    """How demonstrations are chosen for a query: random, bm25, knn, votek, dpp, mdl, cone or
    teacher."""
    shots: str = ""
    """Numbers of demonstrations, spread evenly over the queries. Default: 0,1,2,4,8,16 for
    meta-ict, 16 for the other kinds."""
    episodes: int = 1
    """Episodes to build for each query. Each takes the next number of demonstrations."""
    split: Literal["train", "test"] = "train"
    """Which queries to use: the training queries or the test queries. For meta-ict the test
    queries are those of the held-out tasks."""
    tasks: str = ""
    """Use only these tasks or families. Separate names with commas."""
    held_out: str = ""
    """Tasks or families to keep for the test. Default: meta-ict keeps a fifth of the families,
    chosen by their names; where there is one family, a fifth of the tasks."""
    data_root: Path | None = None
    """Folder with the files that a mapping names. Default: they come from the Hub."""
    limit: int | None = None
    """Read only the first LIMIT rows of every split."""
    rules: int = 8
    """Rules to draw from each family of the micro-world."""
    queries: int = 50
    """Most training queries, and most test queries, of a task. Neither takes more than a quarter
    of its examples."""
    candidates: int | None = None
    """Most candidate demonstrations of a task; the seed draws them. Default: all."""
    format: Literal["auto", "arrow", "qa", "input_output"] = "auto"
    """How an episode is written. auto takes arrow for micro and qa for other sources."""
    prompt_style: Literal["chat", "plain"] = "chat"
    """chat asks the teacher in one user turn. plain sends text, for base models."""
    describe: Literal["always", "instead", "never"] = "instead"
    """Where the description of the task stands. always: first in every prompt. instead: only in
    the student's prompt of context-distillation, in the place of the demonstrations. never:
    nowhere."""
    labels: Literal["natural", "symbolic", "flipped"] = "natural"
    """Labels of classification tasks. natural: as they are. symbolic: arbitrary words. flipped:
    exchanged with one another. New labels are drawn for every episode, so that only reading the
    demonstrations helps (arXiv 2305.08298, 2303.03846)."""
    balance: bool = False
    """Choose every label of a classification task equally often."""
    considered: int = 32
    """How many of the nearest candidates mdl, cone and teacher compare. A row keeps at most this
    many scores."""
    encoder: str = ""
    """Sentence encoder for strategies that compare texts, by its sentence-transformers name.
    Default: a built-in encoder that needs no download."""
    generate: int = 0
    """Demonstrations that the teacher writes for each task, from its description and a few
    candidates. A written demonstration joins the candidates, marked as generated, if the teacher
    gives the same output again when asked."""
    agreement: float = 0.6
    """Keep a written demonstration only if at least this share of the votes gives its output."""
    votes: int = 5
    """Subsets that multitask-ict votes over (the strategy's own and random ones), and questions
    asked about each written demonstration."""
    keep_by: Literal["all", "gold"] = "all"
    """all: keep every episode. gold: keep an episode whose completion is the teacher's only if
    it equals the gold answer."""
    reasoning: Literal["keep", "separate", "drop"] = "separate"
    """What a row holds of the reasoning of a model that reasons. separate: the completion is the
    prediction alone, and the column reasoning has the rest. keep: the completion is the reasoning,
    between <think> and </think>, and then the prediction (not for meta-ict, whose completion is the
    gold answer). drop: the reasoning is left out."""
    prompt_tokens: int | None = None
    """Longest prompt in tokens. The demonstrations farthest from the query are left out until
    the prompt fits. Tokens are counted by the teacher's tokenizer, or as characters / 4 where it
    has none here. The teacher's context is never exceeded."""
    max_tokens: int = 64
    """Longest prediction in tokens."""

    @property
    def ks(self) -> tuple[int, ...]:
        """The numbers of demonstrations. Raises UserError if --shots cannot be read."""
        text = self.shots or SHOTS[self.kind]
        if not all(part.strip().isdecimal() for part in text.split(",")):
            raise UserError(f"--shots {text}: must be numbers separated by commas, such as 0,1,2,4")
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        # without description and demonstrations the teacher would see a bare query
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
            reasoning=(
                self.kind != "meta-ict" or self.reasoning != "keep",
                "separate or drop for meta-ict, whose completion is the gold answer",
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
