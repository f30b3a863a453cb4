"""The settings of `datagen self-instruct`, and the defaults of each mode."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar, Literal

from datagen.flags import check
from datagen.prompts.settings import TemplateSettings


@dataclass(frozen=True)
class Recipe:
    """How a mode asks for instructions. Each number comes from its paper or its released code."""

    in_context: int
    """Demonstrations in a prompt."""
    machine: int
    """How many of them the teacher wrote."""
    per_call: int
    """New instructions that a call asks for."""
    temperature: float
    top_p: float
    max_tokens: int
    cut_off: Literal["all", "last"]
    """What is dropped from an answer that was cut off."""


RECIPES = {
    # arXiv 2212.10560, table 4 and released code
    "self-instruct": Recipe(8, 2, 7, 0.7, 0.5, 1024, "all"),
    # released code of Stanford Alpaca
    "alpaca": Recipe(3, 0, 20, 1.0, 1.0, 3072, "last"),
    # arXiv 2212.09689, section 2
    "unnatural": Recipe(3, 0, 1, 1.0, 0.99, 1024, "all"),
}
MICRO = {"in_context": 4, "machine": 1, "per_call": 3}
"""Fewer demonstrations and instructions, so that a call fits the embedded teacher's context."""


@dataclass(frozen=True)
class SelfInstructSettings(TemplateSettings):
    """Write new instructions from a few seed tasks, with inputs and outputs (Self-Instruct)."""

    positional: ClassVar[tuple[str, ...]] = ()

    target: int = 1000
    """Stop when this many instructions are accepted. An accepted instruction gives one row per
    sound instance; it can have none."""
    mode: Literal["self-instruct", "alpaca", "unnatural"] = "self-instruct"
    """self-instruct: ask for instructions, then for their instances (arXiv 2212.10560). alpaca:
    ask for 20 tasks at once, each with its output. unnatural: ask for instruction, input and
    constraints, then for the output, then for other wordings (arXiv 2212.09689)."""
    style: Literal["auto", "base", "chat"] = "auto"
    """base sends text to be continued, chat sends messages. auto takes base for micro and chat
    for all others."""
    seeds: Path | None = None
    """Your own seed tasks, in a file (such as JSONL) with id, instruction, instances and
    is_classification.
    Default: the seed tasks of this project."""
    in_context: int | None = None
    """Demonstrations in a prompt. Default: 8; alpaca and unnatural 3; micro 4."""
    machine: int | None = None
    """How many of the demonstrations are instructions that the teacher wrote, once there are
    any. Default: 2; alpaca and unnatural 0; micro 1."""
    per_call: int | None = None
    """New instructions to ask for in one call. Default: 7; alpaca 20; micro 3."""
    temperature: float | None = None
    """Temperature of the calls for instructions. Default: 0.7; alpaca and unnatural 1. Instances
    are always greedy."""
    top_p: float | None = None
    """Nucleus sampling in the calls for instructions. Default: 0.5; alpaca 1; unnatural 0.99."""
    max_tokens: int | None = None
    """Longest answer to a call for instructions, in tokens. Default: 1024; alpaca 3072."""
    cut_off: Literal["all", "last"] | None = None
    """What is dropped from an answer that was cut off: all of it (the default of self-instruct)
    or only its last task (the default of alpaca)."""
    instances: int = 5
    """Most instances of one instruction."""
    instance_tokens: int = 350
    """Longest answer that holds instances or an output, in tokens."""
    paraphrases: int = 2
    """Other wordings of each instruction to ask for in unnatural mode."""
    similarity: float = 0.7
    """Reject an instruction whose ROUGE-L F1 with a seed or an earlier instruction is above this
    value."""
    pool: Path | None = None
    """Folder of an earlier run. Its instructions, and those that it was compared with, count as
    known."""
    lag: int = 64
    """A call draws its demonstrations from the pool as it was this many calls ago. So that many
    calls can run at once, and the result does not depend on how many do. 1 is the paper's loop:
    one call after another."""
    reasoning: Literal["keep", "separate", "drop"] = "separate"
    """What a row holds of the reasoning of a model that reasons, before the text with the output.
    separate: the column reasoning has it. keep: the completion has it too, between <think> and
    </think>, before the output. drop: it is left out."""
    patience: int = 100
    """Stop after this many calls in a row without a new instruction. What was found is kept, and
    the command exits with an error."""

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
        """The defaults of the mode, changed for the embedded teacher and by the flags."""
        flags = {f.name: getattr(self, f.name) for f in fields(Recipe)}
        given = {name: value for name, value in flags.items() if value is not None}
        # the other modes have no templates in the language of the embedded teacher
        small = MICRO if self.teacher_spec.is_embedded and self.mode == "self-instruct" else {}
        return replace(RECIPES[self.mode], **(small | given))

    @property
    def spoken(self) -> str:
        """The name of the language."""
        return self.language or ("micro" if self.teacher_spec.is_embedded else "en")

    @property
    def asked_in(self) -> Literal["base", "chat"]:
        """The style in which this teacher is asked."""
        if self.style == "auto":
            return "base" if self.teacher_spec.is_embedded else "chat"
        return self.style
