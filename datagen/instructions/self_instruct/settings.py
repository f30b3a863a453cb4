"""What a Self-Instruct run is asked to do, and what each mode takes where nothing is said."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar, Literal

from datagen.flags import check
from datagen.prompts.settings import TemplateSettings


@dataclass(frozen=True)
class Recipe:
    """How instructions are asked for; one a mode, each number from its paper or released code."""

    in_context: int
    machine: int
    per_call: int
    temperature: float
    top_p: float
    max_tokens: int
    cut_off: Literal["all", "last"]


RECIPES = {
    "self-instruct": Recipe(
        8, 2, 7, 0.7, 0.5, 1024, "all"
    ),  # arXiv 2212.10560, table 4 and released code
    "alpaca": Recipe(3, 0, 20, 1.0, 1.0, 3072, "last"),  # released code of Stanford Alpaca
    "unnatural": Recipe(3, 0, 1, 1.0, 0.99, 1024, "all"),  # arXiv 2212.09689, section 2
}
MICRO = {"in_context": 4, "machine": 1, "per_call": 3}
"""What fits the embedded teacher's context."""


@dataclass(frozen=True)
class SelfInstructSettings(TemplateSettings):
    """Write new instructions from a few seed tasks, with inputs and outputs (Self-Instruct)."""

    positional: ClassVar[tuple[str, ...]] = ()

    target: int = 1000
    """Stop when this many instructions are accepted. Each gives a row an instance, or none if all
    of them fail."""
    mode: Literal["self-instruct", "alpaca", "unnatural"] = "self-instruct"
    """self-instruct: instructions first, then instances (arXiv 2212.10560). alpaca: 20 tasks a
    call, each with its output. unnatural: instruction, input and constraints, then the output, then
    other wordings (arXiv 2212.09689)."""
    style: Literal["auto", "base", "chat"] = "auto"
    """base sends text to complete, chat sends messages; auto takes base for micro and chat for
    others."""
    seeds: Path | None = None
    """Seed tasks (JSONL: id, instruction, instances, is_classification) instead of this project's
    own."""
    in_context: int | None = None
    """Demonstrations in a prompt: 8, alpaca and unnatural 3, micro 4."""
    machine: int | None = None
    """How many of them are of the machine's own, once there are any: 2, alpaca and unnatural 0,
    micro 1."""
    per_call: int | None = None
    """New instructions asked for in a call: 7, alpaca 20, micro 3. A base model is stopped at the
    item after them."""
    temperature: float | None = None
    """Of the calls for instructions: 0.7, alpaca and unnatural 1. Instances are greedy."""
    top_p: float | None = None
    """Of the calls for instructions: 0.5, alpaca 1, unnatural 0.99."""
    max_tokens: int | None = None
    """Longest answer to a call for instructions: 1024, alpaca 3072."""
    cut_off: Literal["all", "last"] | None = None
    """What an answer that reached its longest loses: all of it (Self-Instruct), or its last task
    (alpaca)."""
    instances: int = 5
    """Most instances of an instruction."""
    instance_tokens: int = 350
    """Longest answer that writes instances or an output."""
    paraphrases: int = 2
    """Other wordings of each instruction in unnatural mode."""
    similarity: float = 0.7
    """An instruction more similar than this to a seed or to one before it is dropped (ROUGE-L
    F1)."""
    pool: Path | None = None
    """Folder of an earlier run: its instructions and those it was compared with count as there
    already."""
    lag: int = 64
    """A call draws its demonstrations from the pool as it stood this many calls before, so that as
    many can be under way and the result does not depend on how many are. 1 is the paper's loop, one
    call after another."""
    patience: int = 100
    """Stop after so many calls in a row that gave nothing new, keep what there is, and exit with an
    error."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        super().__post_init__()
        recipe = self.recipe
        check(
            recipe,
            in_context=(recipe.in_context >= 1, "at least 1"),
            machine=(0 <= recipe.machine < recipe.in_context, "0 or more, and below --in_context"),
            per_call=(recipe.per_call >= 1, "at least 1"),
            temperature=(recipe.temperature >= 0, "0 or more"),
            top_p=(0 < recipe.top_p <= 1, "above 0 and at most 1"),
            max_tokens=(recipe.max_tokens >= 1, "at least 1"),
        )
        check(
            self,
            target=(self.target >= 1, "at least 1"),
            instances=(self.instances >= 1, "at least 1"),
            instance_tokens=(self.instance_tokens >= 1, "at least 1"),
            paraphrases=(self.paraphrases >= 0, "0 or more"),
            similarity=(0 < self.similarity <= 1, "above 0 and at most 1"),
            lag=(self.lag >= 1, "at least 1"),
            patience=(self.patience >= 1, "at least 1"),
        )

    @property
    def recipe(self) -> Recipe:
        """The mode's, with what the embedded teacher needs, and what was asked for."""
        given = {
            f.name: value for f in fields(Recipe) if (value := getattr(self, f.name)) is not None
        }
        small = MICRO if self.teacher_spec.is_embedded and self.mode == "self-instruct" else {}
        return replace(RECIPES[self.mode], **(small | given))

    @property
    def spoken(self) -> str:
        """The language's name."""
        return self.language or ("micro" if self.teacher_spec.is_embedded else "en")

    @property
    def asked_in(self) -> Literal["base", "chat"]:
        if self.style == "auto":
            return "base" if self.teacher_spec.is_embedded else "chat"
        return self.style
