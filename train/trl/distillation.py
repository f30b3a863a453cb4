"""TRL's `DistillationTrainer` for any share of the student's own completions (TRL 1.16).

TRL's trainer has only the student's own completions (lambda = 1). Its loss is the one that is
wanted at every lambda: a mean over the tokens of the whole step that are really learned, on all
processes, with the temperature in the divergence, and without the logits of all positions at once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from trl import DistillationConfig, DistillationTrainer
from trl.experimental.server_distillation import ServerDistillationConfig
from trl.kernels import chunked_divergence

from datagen.teacher.tokens import row_tokens

TILE = {"TOKEN_CHUNK_SIZE": 256, "VOCAB_CHUNK_SIZE": 2048}
"""Positions and tokens of the logits that exist at once on a CPU: 2 MiB in float32.

TRL's own tiles are 256 times as large. On a GPU its kernels need two of them. On a CPU, PyTorch
makes about twelve tensors of this size: with a vocabulary of 49,152, eight times the logits of 1024
positions. The small ones are also faster, because they stay in the cache."""


@dataclass
class ShareFlags:
    """The flags that TRL's configurations of this trainer lack."""

    lmbda: float = field(
        default=0.5,
        metadata={
            "help": "Share of the steps whose completions the student writes itself, from 0 to 1. "
            "The other steps have the completions of the dataset."
        },
    )
    max_length: int | None = field(
        default=None,
        metadata={
            "help": "Most tokens of a row's prompt and completion; a longer completion is cut "
            "there. It does not bound what the student writes: max_new_tokens does."
        },
    )
    pad_token: str | None = field(
        default=None,
        metadata={"help": "The token that pads. Default: the tokenizer's, or its end."},
    )
    eos_token: str | None = field(
        default=None,
        metadata={"help": "A token that ends a completion. Default: the tokenizer's."},
    )
    chat_template_path: str | None = field(
        default=None,
        metadata={"help": "A file with the chat template, for a base that has none (.jinja, .j2)."},
    )


@dataclass
class GkdConfig(ShareFlags, DistillationConfig):
    """TRL's `DistillationConfig`, with a share of the student's own completions."""


@dataclass
class ServerGkdConfig(ShareFlags, ServerDistillationConfig):
    """The same with the teacher on a server."""


class MixedCompletions:
    """A mixin that comes before `DistillationTrainer` among the base classes.

    With probability `lmbda` the completions of a step are the student's own, otherwise those of the
    dataset. All processes and batches of a step make the same choice.

    Source:
        GKD: Agarwal et al., arXiv 2306.13649, algorithm 1.
    """

    args: Any
    state: Any
    _tokenizer: Any
    given: list[list[int]] | None = None

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        # seeded by the step's number, so that a resumed training makes the same choices
        choice = Random(f"{self.args.seed}:lmbda:{self.state.global_step}").random()
        self.given = None if choice < self.args.lmbda else [self.completion(row) for row in inputs]
        found: dict[str, Any] = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        return found

    def completion(self, row: Mapping[str, Any]) -> list[int]:
        """Return the tokens of a row's completion, cut where the row is longer than allowed."""
        prompt, completion = row_tokens(row, self._tokenizer)
        return completion[: (self.args.max_length or sys.maxsize) - len(prompt)]

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        if self.given is not None:
            return self.given
        return super()._generate_single_turn(*args, **kwargs)  # type: ignore[misc]

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["prompt", "completion"]


class GkdTrainer(MixedCompletions, DistillationTrainer):
    """TRL's trainer with a teacher in memory, for any share of the student's own completions."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self.accelerator.device.type == "cpu":
            vars(chunked_divergence).update(TILE)
