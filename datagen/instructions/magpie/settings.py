"""The settings of `datagen magpie`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from datagen.flags import check
from datagen.prompts.settings import TemplateSettings


@dataclass(frozen=True)
class MagpieSettings(TemplateSettings):
    """Let an aligned model write instructions from nothing but its own chat template, and answer
    them.

    The teacher is micro, hf: or vllm:, a chat model; an endpoint hides its template.
    """

    target: int
    """How many rows to make."""
    temperature: float = 1.0
    """Temperature of the instructions. Above 0, or every instruction would be the same."""
    top_p: float = 1.0
    """Nucleus sampling of the instructions."""
    response_temperature: float = 0.0
    """Temperature of the responses; 0 is greedy."""
    max_tokens: int = 2048
    """Longest instruction or response, in tokens. A longer one is rejected as truncated."""
    patience: int = 100
    """Stop after this many rejected instructions in a row. What was found is kept."""
    reasoning: Literal["keep", "separate", "drop"] = "separate"
    """What a row holds of the reasoning of a model that reasons. separate: the response is the
    answer alone, and the column reasoning has the rest. keep: the response is the reasoning,
    between <think> and </think>, and then the answer. drop: the reasoning is left out."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        super().__post_init__()
        check(
            self,
            target=(self.target >= 1, "at least 1"),
            temperature=(self.temperature > 0, "above 0"),
            top_p=(0 < self.top_p <= 1, "above 0 and at most 1"),
            response_temperature=(self.response_temperature >= 0, "0 or more"),
            max_tokens=(self.max_tokens >= 1, "at least 1"),
            patience=(self.patience >= 1, "at least 1"),
        )
