"""One pass over a run: what the page says about it.

Rows in memory are few; with the run only counts grow.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from random import Random

from datagen.histogram import Sides
from datagen.inspect.read import Entry, Source
from datagen.inspect.settings import InspectSettings
from datagen.inspect.words import Pair, guess_language, pair_of
from datagen.prompts.language import LANGUAGES, Language
from datagen.schema import FAMILIES

SECOND = {config for configs in FAMILIES.values() for config in configs[1:]}
"""Configs that hold the rows of another once more (answers beside rationales): they are only
counted."""
FIRST = 200
"""Rows that are looked at to tell the language."""
TREE = 40
"""Rows of one evolution that are shown."""


@dataclass
class Reservoir:
    """A uniform sample of a stream of unknown length (Vitter 1985, algorithm R), in the stream's
    order.
    """

    size: int
    stream: Random
    seen: int = 0
    _kept: list[tuple[int, Entry]] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        place = self.seen if self.seen < self.size else self.stream.randrange(self.seen + 1)
        if place < len(self._kept):
            self._kept[place] = (self.seen, entry)
        elif place < self.size:
            self._kept.append((self.seen, entry))
        self.seen += 1

    def __iter__(self) -> Iterator[Entry]:
        return (entry for _, entry in sorted(self._kept, key=lambda kept: kept[0]))


@dataclass
class Round:
    """Rows of one round of evolution. `length` and `score` count accepted rows only."""

    accepted: int = 0
    rejected: int = 0
    length: int = 0
    scores: Counter[float] = field(default_factory=Counter)

    def add(self, entry: Entry, length: int) -> None:
        if not entry.accepted:
            self.rejected += 1
            return
        self.accepted += 1
        self.length += length
        if (score := entry.row.get("score")) is not None:
            self.scores[score] += 1


@dataclass
class Summary:
    """All that the page shows."""

    language: Language
    settings: InspectSettings
    rows: Reservoir
    configs: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    instructions: Sides = field(default_factory=Sides)
    responses: Sides = field(default_factory=Sides)
    similarity: Sides = field(default_factory=Sides)
    pairs: Counter[Pair] = field(default_factory=Counter)
    unpaired: int = 0
    rounds: defaultdict[int | None, Round] = field(default_factory=lambda: defaultdict(Round))
    samples: dict[str, Reservoir] = field(default_factory=dict)
    deepest: dict[str, int] = field(default_factory=dict)
    """By root, the last round that was accepted."""
    trees: dict[str, list[Entry]] = field(default_factory=dict)
    """By root, its rows in order of round."""
    _last: tuple[str, str] | None = None

    def add(self, entry: Entry) -> None:
        self.configs[entry.config] += 1
        if entry.config in SECOND:
            return
        self.verdicts[entry.verdict] += 1
        self.rows.add(entry)
        self.sample(entry)
        self.measure(entry)

    def sample(self, entry: Entry) -> None:
        if entry.verdict not in self.samples:
            stream = Random(f"{self.settings.seed}:samples:{entry.verdict}")
            self.samples[entry.verdict] = Reservoir(self.settings.samples, stream)
        self.samples[entry.verdict].add(entry)

    def measure(self, entry: Entry) -> None:
        row = entry.row
        if entry.response:
            self.responses.add(self.language.length(entry.response), entry.accepted)
        if row.get("round") is not None or row.get("score") is not None:
            self.rounds[row.get("round")].add(entry, self.language.length(entry.instruction))
        if entry.accepted and row.get("root") and row.get("round"):
            self.deepest[row["root"]] = max(row["round"], self.deepest.get(row["root"], 0))
        if self._last != (entry.asked, entry.verdict):
            self.measure_instruction(entry)
            self._last = entry.asked, entry.verdict

    def measure_instruction(self, entry: Entry) -> None:
        """Once for neighbouring rows of one instruction (its instances, its chains) with one
        verdict.
        """
        self.instructions.add(self.language.length(entry.instruction), entry.accepted)
        if (nearest := entry.row.get("nearest_similarity")) is not None:
            self.similarity.add(round(nearest, 3), entry.accepted)
        if not entry.accepted:
            return
        if pair := pair_of(entry.asked, self.language):
            self.pairs[pair] += 1
        else:
            self.unpaired += 1


def collect(source: Source, settings: InspectSettings) -> Summary:
    """Read a run. Raises UserError."""
    entries = source.entries()
    first = list(islice(entries, FIRST))
    rows = Reservoir(settings.rows, Random(f"{settings.seed}:rows"))
    summary = Summary(language_of(source, first), settings, rows)
    for entry in chain(first, entries):
        summary.add(entry)
    if chosen := longest(summary.deepest, settings):
        summary.trees = trees(source.entries(), chosen)
    return summary


def language_of(source: Source, first: list[Entry]) -> Language:
    """As the run's settings say, else as its first rows look."""
    asked = (source.config.get("settings") or {}).get("language")
    return LANGUAGES[
        asked if asked in LANGUAGES else guess_language(entry.instruction for entry in first)
    ]


def longest(deepest: dict[str, int], settings: InspectSettings) -> list[str]:
    """The roots with the most rounds; of equals, those whose hash comes first."""

    def key(root: str) -> tuple[int, str]:
        return -deepest[root], hashlib.sha256(
            f"{settings.seed}:{root}".encode("utf-8", "replace")
        ).hexdigest()

    return sorted(deepest, key=key)[: settings.trees]


def trees(entries: Iterable[Entry], roots: list[str]) -> dict[str, list[Entry]]:
    """The rows of each root, the seed first, then by round; at most TREE of them."""
    found: dict[str, list[Entry]] = {root: [] for root in roots}
    for entry in entries:
        root = entry.row.get("root")
        if root in found and entry.row.get("round") is not None and len(found[root]) < TREE:
            found[root].append(entry)
    return {
        root: sorted(rows, key=lambda entry: entry.row["round"]) for root, rows in found.items()
    }
