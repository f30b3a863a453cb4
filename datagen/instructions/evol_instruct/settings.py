"""The settings of `datagen evol-instruct`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from datagen.errors import UserError
from datagen.flags import check
from datagen.prompts.settings import TemplateSettings
from datagen.prompts.templates import Templates


@dataclass(frozen=True)
class EvolSettings(TemplateSettings):
    """Rewrite instructions into harder and rarer ones, round after round, with responses."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Instructions to begin with: a run folder, a dataset version (NAME or NAME@VERSION), a
    file (JSONL, JSON, CSV, TSV or Parquet), a dataset folder, or a dataset on the Hub
    (ORG/NAME)."""
    limit: int | None = None
    """Begin with only the first LIMIT instructions."""
    rounds: int = 4
    """Rounds of evolution. Each round tries one operation on every instruction."""
    weights: str = ""
    """How often each operation (a template in `evolve/`) is drawn, such as
    "breadth=2,deepen=0.5". An operation that is not named has weight 1; weight 0 leaves it out."""
    keep_seeds: bool = True
    """Keep the instructions of the source as rows of round 0, with the teacher's response."""
    temperature: float = 1.0
    """Temperature of the rewriting."""
    top_p: float = 0.95
    """Nucleus sampling of the rewriting and of the responses."""
    response_temperature: float = 1.0
    """Temperature of the responses; 0 is greedy. The judgement is always greedy."""
    max_tokens: int = 2048
    """Longest text that the teacher may write, in tokens. A longer text is rejected as
    truncated."""
    refusal_words: int = 80
    """Reject a response that holds a refusal phrase if it has fewer words than this (Chinese:
    characters)."""
    reasoning: Literal["keep", "separate", "drop"] = "separate"
    """What a row holds of the reasoning of a model that reasons. separate: the response is the
    answer alone, and the column reasoning has the rest. keep: the response is the reasoning,
    between <think> and </think>, and then the answer. drop: the reasoning is left out. What the
    model thinks about the instruction is never kept."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        super().__post_init__()
        check(
            self,
            limit=(self.limit is None or self.limit >= 1, "at least 1"),
            rounds=(self.rounds >= 1, "at least 1"),
            temperature=(self.temperature >= 0, "0 or more"),
            top_p=(0 < self.top_p <= 1, "above 0 and at most 1"),
            response_temperature=(self.response_temperature >= 0, "0 or more"),
            max_tokens=(self.max_tokens >= 1, "at least 1"),
            refusal_words=(self.refusal_words >= 0, "0 or more"),
        )


def read_weights(text: str, templates: Templates) -> dict[str, float]:
    """Return the weight of every operation that has a template.

    Args:
        text: such as "breadth=2,deepen=0.5". Operations that are not named have weight 1.
        templates: a file in `evolve/` is an operation.

    Raises:
        UserError: an operation or a number cannot be read, or all weights are 0.
    """
    # a new file in `evolve/` is a new operation, without any change of code
    weights = dict.fromkeys(templates.names("evolve"), 1.0)
    parts = [part.strip() for part in text.split(",")]
    for part in filter(None, parts):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in weights:
            raise UserError(
                f"--weights {part}: no operation {name!r}; there are {', '.join(weights)}"
            )
        weights[name] = weight(value, part)
    if not sum(weights.values()) > 0:
        raise UserError(f"--weights {text}: at least one operation must have a weight above 0")
    return weights


def weight(value: str, part: str) -> float:
    """Return a weight as a number. Raises UserError, which names the `part` of the flag."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise UserError(f"--weights {part}: give OPERATION=NUMBER, with a number of 0 or more")
    return number
