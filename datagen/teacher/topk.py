"""The K most probable tokens of a teacher at each position of a given text.

`await teacher.topk(pairs, k)` is the interface. Engines with the capability `topk` have it. They
also have a tokenizer and, once they are open, a context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from datagen.errors import UserError
from datagen.teacher.base import Teacher
from datagen.teacher.spec import ENGINES

if TYPE_CHECKING:
    from numpy import ndarray

Tokens: TypeAlias = tuple[list[int], list[int]]
"""Tokens of a prompt, and of its completion. Together they fit the teacher's context."""


@dataclass(frozen=True)
class Topk:
    """The K most probable tokens at each of a completion's n positions.

    The ids of a position differ from one another. The most probable comes first.
    """

    ids: ndarray
    """(n, K) int32. The tokenizer knows all of them."""
    logprobs: ndarray
    """(n, K) float16: nats under the softmax of the whole vocabulary, at temperature 1."""
    tail: ndarray
    """(n,) float32: the probability of all other tokens together."""

    def __getitem__(self, places: slice) -> Topk:
        """Return the same for some of the positions."""
        return Topk(self.ids[places], self.logprobs[places], self.tail[places])


class TokenizingTeacher(Teacher, Protocol):
    """A teacher with the capability `tokenizer`."""

    def load_tokenizer(self) -> Any:
        """Return the model's own tokenizer, with its chat template.

        Loads no weights; the second call returns the same object.

        Raises:
            UserError: There is no such model.
        """
        ...


class TopkTeacher(TokenizingTeacher, Protocol):
    """A teacher with the capability `topk`."""

    @property
    def context(self) -> int:
        """The most tokens of prompt and completion together. Known once the teacher is open."""
        ...

    async def topk(self, pairs: Sequence[Tokens], k: int) -> list[Topk]:
        """Return the K most probable tokens at each position of each completion.

        The engine batches the pairs. The result depends on the pairs and on nothing else.
        """
        ...


def check_topk(teacher: Any, k: int) -> None:
    """Check that the engine has topk, and that its vocabulary has at least k tokens.

    Raises:
        UserError: it has no topk, or `k` is out of range.
    """
    if not teacher.capabilities.topk:
        able = [f"{name}:" if name != "micro" else name for name in ENGINES if ENGINES[name].topk]
        raise UserError(
            f"{teacher.name} does not give the probabilities of given tokens: "
            f"{', '.join(able[:-1])} and {able[-1]} do"
        )
    tokens = len(teacher.load_tokenizer())
    if not 1 <= k <= tokens:
        raise UserError(f"--teacher-topk {k}: from 1 to {tokens}, the tokens of {teacher.name}")


def empty_topk(k: int) -> Topk:
    """Return the result for a completion without tokens."""
    import numpy as np

    return Topk(np.empty((0, k), np.int32), np.empty((0, k), np.float16), np.empty(0, np.float32))
