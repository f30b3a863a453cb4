"""The flags that `train sft`, `train kd` and `train gkd` add to TRL's."""

from __future__ import annotations

import dataclasses
import inspect
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from datagen.errors import UserError
from train.losses import catalogue
from train.losses.divergences import DIVERGENCES
from train.losses.record import SHARE

Arguments = TypeVar("Arguments")


def with_loss_flags(kind: type[Arguments]) -> type[Arguments]:
    """Add a field for every loss of the catalogue and for its options, before `@dataclass`."""
    flags: dict[str, tuple[str, Any, str]] = {
        loss.flag: ("float | None", None, loss.help) for loss in catalogue.LOSSES
    }
    for option in catalogue.options_of(catalogue.LOSSES):
        flags[option.flag] = (type(option.default).__name__, option.default, option.help)
    # `@dataclass` takes the fields in this order, and the help lists them in it
    own = inspect.get_annotations(kind)
    kind.__annotations__ = own | {name: annotation for name, (annotation, _, _) in flags.items()}
    for name, (_, default, text) in flags.items():
        # TRL's parser takes the help of a field from its metadata
        setattr(kind, name, dataclasses.field(default=default, metadata={"help": text}))
    return kind


@dataclass(frozen=True, kw_only=True)
@with_loss_flags
class SftArguments:
    """What counts in the loss, and in which proportions the data come.

    Losses that compare rows of a question make a batch one of questions:
    `per_device_train_batch_size` then counts questions. Each loss of `train.losses.catalogue` has a
    flag here.
    """

    mixture: list[str] | None = None
    """Several versions in the place of --dataset: NAME@VERSION:CONFIG=WEIGHT for each. Their rows
    come exactly in proportion to the weights. In YAML, a map of NAME@VERSION:CONFIG to weights says
    the same."""
    mixture_rows: int | None = None
    """Rows of an epoch of the mixture. Default: as many as --max_steps takes; without it, the
    fewest that hold every version whole, where smaller versions repeat."""
    long_share: float | None = None
    """Train on one rationale of each question: the longest for this share of the questions, the
    shortest for the others."""

    if TYPE_CHECKING:
        # the flags of the losses are added at run time, so mypy does not see them
        def __getattr__(self, name: str) -> Any: ...

    def check(self) -> None:
        """Raise UserError for values out of range."""
        SHARE.check("long_share", self.long_share)
        if self.mixture_rows is not None and self.mixture_rows < 1:
            raise UserError(f"--mixture_rows {self.mixture_rows}: at least 1 is needed")
        catalogue.check(self)


@dataclass(frozen=True, kw_only=True)
class KdArguments:
    """What the student learns of the teacher."""

    kd_weight: float = 1.0
    """Weight of the divergence from the teacher's stored probabilities."""
    sft_weight: float = 0.0
    """Weight of the cross-entropy of the completion's tokens."""
    lm_weight: float = 0.0
    """Weight of the same loss on the prompts' tokens, with the demonstrations in them. It has both
    parts, in the proportion of --kd_weight and --sft_weight. It needs what `datagen topk --prompts`
    stores."""
    divergence: str = "forward_kl"
    """forward_kl, reverse_kl, jsd, skewed_kl or total_variation."""
    temperature: float = 1.0
    """Temperature of both distributions. The divergence is multiplied by its square."""

    def check(self) -> None:
        """Raise UserError for values out of range."""
        if self.divergence not in DIVERGENCES:
            raise UserError(f"--divergence {self.divergence}: there are {', '.join(DIVERGENCES)}")
        if not 0 < self.temperature < math.inf:
            raise UserError(f"--temperature {self.temperature}: a number above 0 is needed")
        # written as ranges that must hold, so that nan fails too
        both = self.kd_weight + self.sft_weight
        if not (self.kd_weight >= 0 and self.sft_weight >= 0 and 0 < both < math.inf):
            raise UserError(
                "--kd_weight and --sft_weight: at least one above 0 and none below is needed"
            )
        if not 0 <= self.lm_weight < math.inf:
            raise UserError(f"--lm_weight {self.lm_weight}: a number of at least 0 is needed")


@dataclass(frozen=True, kw_only=True)
class GkdArguments:
    """How the teacher's tokens relate to the student's."""

    cross_tokenizer: bool = False
    """The teacher has another tokenizer: align its tokens with the student's by their text (TRL's
    GOLD)."""
