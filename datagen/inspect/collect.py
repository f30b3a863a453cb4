"""Collect in one pass over a run what the page shows.

Few rows are in memory at a time. Only counts grow with the run.
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

REPEATED = set(chain.from_iterable(configs[1:] for configs in FAMILIES.values()))
"""Configs with the rows of another config in another form, such as `answers` besides `rationales`.
Their rows are only counted."""
FIRST = 200
"""The language is guessed from this many rows. They are kept in memory until then."""
TREE = 40
"""The page shows at most this many rows of an evolution. More of them cannot be compared by eye."""


@dataclass
class Reservoir:
    """A uniform sample of a stream of unknown length, in the order of the stream.

    Args:
        size: The size of the sample.
        stream: The source of random numbers.

    Source:
        Vitter, Random Sampling with a Reservoir, 1985, algorithm R.
    """

    size: int
    stream: Random
    seen: int = 0
    _kept: list[tuple[int, Entry]] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Take the next row of the stream."""
        # The i-th row replaces a random one with probability size / i, which keeps the sample
        # uniform.
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
    """The rows of one round of evolution. `length` and `scores` are those of accepted rows."""

    accepted: int = 0
    rejected: int = 0
    length: int = 0
    scores: Counter[float] = field(default_factory=Counter)

    def add(self, entry: Entry, length: int) -> None:
        """Count a row whose instruction has this length."""
        if not entry.accepted:
            self.rejected += 1
            return
        self.accepted += 1
        self.length += length
        if (score := entry.row.get("score")) is not None:
            self.scores[score] += 1


@dataclass
class Summary:
    """Everything that the page shows."""

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
    """For each root, the last round with an accepted row."""
    trees: dict[str, list[Entry]] = field(default_factory=dict)
    """For each root on the page, its rows in order of their rounds."""
    _last: tuple[str, str] | None = None

    def add(self, entry: Entry) -> None:
        """Take a row into all figures."""
        self.configs[entry.config] += 1
        if entry.config in REPEATED:
            return

        self.verdicts[entry.verdict] += 1
        self.rows.add(entry)
        self.sample(entry)
        self.measure(entry)

    def sample(self, entry: Entry) -> None:
        """Offer a row to the samples of its verdict."""
        # Each verdict has random numbers of its own: a new reason does not change other samples.
        if entry.verdict not in self.samples:
            stream = Random(f"{self.settings.seed}:samples:{entry.verdict}")
            self.samples[entry.verdict] = Reservoir(self.settings.samples, stream)
        self.samples[entry.verdict].add(entry)

    def measure(self, entry: Entry) -> None:
        """Take a row into the lengths, rounds and evolutions."""
        row = entry.row
        if entry.response:
            self.responses.add(self.language.length(entry.response), entry.accepted)
        if row.get("round") is not None or row.get("score") is not None:
            self.rounds[row.get("round")].add(entry, self.language.length(entry.instruction))
        if entry.accepted and row.get("root") and row.get("round"):
            self.deepest[row["root"]] = max(row["round"], self.deepest.get(row["root"], 0))

        # Neighbouring rows can be chains or instances of one instruction, which counts once.
        instruction = (entry.asked, entry.verdict)
        if self._last != instruction:
            self.measure_instruction(entry)
            self._last = instruction

    def measure_instruction(self, entry: Entry) -> None:
        """Take an instruction into the lengths, similarities and verbs."""
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
    """Read a run, and collect what the page shows.

    Args:
        source: The run or the version.
        settings: The numbers of rows, samples and evolutions.

    Raises:
        UserError: The run cannot be read.
    """
    entries = source.entries()
    first = list(islice(entries, FIRST))
    rows = Reservoir(settings.rows, Random(f"{settings.seed}:rows"))
    summary = Summary(language_of(source, first), settings, rows)
    for entry in chain(first, entries):
        summary.add(entry)

    # Which evolutions are the longest is known only now. Their rows need a second pass.
    if chosen := longest(summary.deepest, settings):
        summary.trees = trees(source.entries(), chosen)
    return summary


def language_of(source: Source, first: list[Entry]) -> Language:
    """Return the language that the run's settings name, else the language of its first rows."""
    name = (source.config.get("settings") or {}).get("language")
    if name not in LANGUAGES:
        name = guess_language(entry.instruction for entry in first)
    return LANGUAGES[name]


def longest(deepest: dict[str, int], settings: InspectSettings) -> list[str]:
    """Return the roots of the evolutions with the most rounds."""

    def key(root: str) -> tuple[int, str]:
        # Equal roots are drawn by a hash, which depends on the seed alone.
        text = f"{settings.seed}:{root}"
        return -deepest[root], hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()

    return sorted(deepest, key=key)[: settings.trees]


def trees(entries: Iterable[Entry], roots: list[str]) -> dict[str, list[Entry]]:
    """Return at most TREE rows of each root, the seed first, then round by round."""
    found: dict[str, list[Entry]] = {root: [] for root in roots}
    for entry in entries:
        root = entry.row.get("root")
        if root in found and entry.row.get("round") is not None and len(found[root]) < TREE:
            found[root].append(entry)
    return {
        root: sorted(rows, key=lambda entry: entry.row["round"]) for root, rows in found.items()
    }
