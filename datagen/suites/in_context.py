"""The micro-world's rules as a benchmark: the same queries after k demonstrations, for every k and
every draw of them.

A query and its rule are fixed; only the demonstrations change. Those of one draw are nested: k of
them are the last k of any longer row, so that the curve over k is one of more of the same. No
demonstration has the query's input, except in the two families of recall, which nothing else
answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from datagen.errors import UserError
from datagen.microworld.rules import FAMILIES, RECALL, draw
from datagen.microworld.splits import check_split
from datagen.prompts.episodes import Format, Pair
from datagen.schema import content_id

FORMAT = "arrow"
"""The micro-world's models know no other."""
PAIRS = 97
"""Drawn of a rule beside the query; a category rule has fewer, 24 at least."""
RECALLED = 33
"""Pairs of a rule of recall: from 11 to 16 keys, the query's among them."""


@dataclass(frozen=True)
class RuleQuery:
    """A query, and what may be shown before it."""

    id: str
    family: str
    rule: str
    input: str
    output: str
    pairs: tuple[Pair, ...]

    def demonstrations(self, k: int, *, seed: int = 0) -> list[Pair]:
        """K pairs in the order shown, of the draw that `seed` names."""
        rng = Random(f"{seed}:demonstrations:{self.id}")
        shown = rng.sample(self.pairs, len(self.pairs))[-k:] if k else []
        if k and self.family in RECALL and all(x != self.input for x, _ in shown):
            shown[rng.randrange(k)] = (self.input, self.output)
        return shown

    def text(self, k: int, *, seed: int = 0) -> str:
        """The demonstrations and the query, as the micro-world writes them."""
        return Format(FORMAT).text(self.demonstrations(k, seed=seed), self.input)


def queries(split: str, n: int, *, families: Sequence[str] = (), seed: int = 0) -> list[RuleQuery]:
    """`n` queries of every family (all by default), family after family; the first are the same for
    every `n`.

    Raises UserError for an unknown split or family.
    """
    check_split(split)
    for family in families:
        if family not in FAMILIES:
            raise UserError(
                f"the micro-world has no rule family {family!r}: there are {', '.join(FAMILIES)}"
            )
    return [
        query(split, family, number, seed) for family in families or FAMILIES for number in range(n)
    ]


def query(split: str, family: str, number: int, seed: int) -> RuleQuery:
    identity = content_id("in-context", split, family, number, seed)
    length = RECALLED if family in RECALL else PAIRS + 1
    episode = draw(Random(f"in-context:{identity}"), split, family=family, length=length)
    *others, (x, y) = episode.pairs
    pairs = tuple(pair for pair in others if family in RECALL or pair[0] != x)
    return RuleQuery(identity, family, episode.rule, x, y, pairs)
