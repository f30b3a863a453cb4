"""The micro-world's rules as a benchmark of in-context learning.

A query and its rule are fixed. Only the demonstrations before it change: their number k, and which
ones are drawn. The demonstrations of one draw are nested: k of them are the last k of any longer
sequence. So the accuracy over k shows the effect of more demonstrations, not of other ones.

No demonstration has the input of the query. The two families of recall are the exception, because
there nothing else can answer the query.
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
"""The micro-world's models were trained on this format alone."""
PAIRS = 97
"""Pairs of a rule besides the query: six times the largest k of the suites, so that two draws share
few demonstrations. A rule of categories has fewer, but at least 24."""
RECALLED = 33
"""Pairs of a rule of recall. They use 11 to 16 keys, so every key comes about twice."""


@dataclass(frozen=True)
class RuleQuery:
    """A query, and the pairs from which its demonstrations are drawn."""

    id: str
    family: str
    rule: str
    input: str
    output: str
    pairs: tuple[Pair, ...]

    def demonstrations(self, k: int, *, seed: int = 0) -> list[Pair]:
        """Return k demonstrations in the order of the prompt.

        Args:
            k: The number of demonstrations, at least 0.
            seed: Which draw of the demonstrations.
        """
        rng = Random(f"{seed}:demonstrations:{self.id}")
        chosen = rng.sample(self.pairs, len(self.pairs))[-k:] if k else []

        # A query of recall has an answer only if its key stands among the demonstrations.
        if k and self.family in RECALL and all(x != self.input for x, _ in chosen):
            chosen[rng.randrange(k)] = (self.input, self.output)
        return chosen

    def text(self, k: int, *, seed: int = 0) -> str:
        """Return the prompt: k demonstrations and the query in the micro-world's format."""
        return Format(FORMAT).text(self.demonstrations(k, seed=seed), self.input)


def queries(split: str, n: int, *, families: Sequence[str] = (), seed: int = 0) -> list[RuleQuery]:
    """Return `n` queries of each family, family after family.

    Args:
        split: "train", "validation" or "test".
        n: Queries of each family. A larger number adds queries and keeps the first ones.
        families: The families of rules; by default all.
        seed: Decides which queries are drawn.

    Raises:
        UserError: The split or a family is unknown.
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
    """Return one query of a family. Its number and the seed decide which one."""
    identity = content_id("in-context", split, family, number, seed)
    length = RECALLED if family in RECALL else PAIRS + 1
    episode = draw(Random(f"in-context:{identity}"), split, family=family, length=length)
    *others, (x, y) = episode.pairs

    # Elsewhere a demonstration with the query's input would give the answer away.
    pairs = tuple(pair for pair in others if family in RECALL or pair[0] != x)
    return RuleQuery(identity, family, episode.rule, x, y, pairs)
