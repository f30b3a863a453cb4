"""Benchmark questions in training prompts, found by shared words.

Two rules decide: shared 8-word sequences (as in Tulu 3, arXiv 2411.15124, section 3.2), and the
longest common subsequence relative to the length of the question (recall of ROUGE-L).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.filters.row_filter import Reason
from datagen.filters.text import text_of
from datagen.filters.tokens import tokens

GRAM = 8
"""Words of a shared sequence, as in Tulu 3. Shorter ones are shared by chance."""
SPLIT = "test"
"""The split whose questions must not be in training data."""


@dataclass(frozen=True)
class Hit:
    """A benchmark question that was found in a text."""

    benchmark: str
    row: int
    """Its place in the split, from 0."""
    rule: str
    """The rule that found it: "same" (all tokens are equal), "8-gram" or "rouge-l"."""
    share: float
    """Share of the question's tokens that the text has: within shared 8-grams, or in the longest
    common subsequence."""

    def __str__(self) -> str:
        return f"{self.benchmark} {SPLIT} row {self.row} ({self.rule} {self.share:.2f})"


class Benchmarks:
    """A filter that finds benchmark questions in training prompts.

    Two rules decide, on tokens of any script in lower case:

    - 8-gram: 8-grams that the text shares cover at least `covered` of the question's tokens. One
      shared 8-gram would be too little: fixed phrases ("options: ...") belong to no question.
    - rouge-l: LCS(text, question) / |question| is above `contained`.

    A question of fewer than 8 tokens matches only a text of the same tokens.

    Args:
        questions: (benchmark, row, text) of every question.
        covered: least share of the 8-gram rule, from 0 to 1.
        contained: share that the rouge-l rule must exceed, from 0 to 1.

    Source:
        8-grams: Tulu 3, arXiv 2411.15124, section 3.2.

    Example:
        >>> import datagen
        >>> question = "How many apples are left when Mia eats three of nine?"
        >>> known = datagen.Benchmarks([("sums", 0, question)])
        >>> str(known.hit(f"{question} Explain."))
        'sums test row 0 (8-gram 1.00)'
        >>> known({"prompt": [{"role": "user", "content": question}]})
        'contaminated'
    """

    def __init__(
        self,
        questions: Iterable[tuple[str, int, str]],
        *,
        covered: float = 0.5,
        contained: float = 0.7,
    ):
        # fractions of the decimal text: 0.7 as a binary number is a little below 7/10
        self.covered = Fraction(str(covered))
        self.contained = Fraction(str(contained))
        # tokens of any script: a benchmark may be in Chinese
        known = [(name, row, tokens(text, "unicode")) for name, row, text in questions]
        self._places = [(name, row) for name, row, _ in known]
        self._words = [words for _, _, words in known]

        # each distinct word is one character, so that RapidFuzz compares whole words
        self._code: dict[str, str] = {}
        self._codes = ["".join(self._encode(word) for word in words) for words in self._words]

        self._short: dict[tuple[str, ...], int] = {}
        self._grams: defaultdict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
        self._rare: defaultdict[str, list[int]] = defaultdict(list)
        self._index()

    def _index(self) -> None:
        """Index the questions by their 8-grams, and by their rarest tokens.

        A text that shares more than `contained` of a question's tokens has at least one of its
        rarest tokens (see `datagen.filters.prefix`). So few questions must be compared.
        """
        frequency: Counter[str] = Counter()
        for words in self._words:
            frequency.update(set(words))

        for number, words in enumerate(self._words):
            # of so few words any text has most; only an equal text is the question
            if len(words) < GRAM:
                self._short.setdefault(tuple(words), number)
                continue
            for start, gram in enumerate(grams(words)):
                self._grams[gram].append((number, start))
            rarest_first = sorted(words, key=lambda word: (frequency[word], word))
            for word in set(rarest_first[: len(words) - int(self.contained * len(words))]):
                self._rare[word].append(number)

    def __call__(self, row: Mapping[str, Any]) -> str | None:
        """Return "contaminated", with the question as detail, if a prompt holds a question."""
        hit = self.hit(text_of(row["prompt"]))
        return Reason("contaminated", detail=str(hit)) if hit else None

    def hit(self, text: str) -> Hit | None:
        """Return the question that a text holds most of, by the first rule that finds one.

        Returns:
            None for a clean text.
        """
        words = tokens(text, "unicode")
        number = self._short.get(tuple(words)) if words else None
        if number is not None:
            return Hit(*self._places[number], "same", 1.0)
        return self._by_grams(words) or self._by_lcs(words)

    def _by_grams(self, words: list[str]) -> Hit | None:
        # the places of each question that shared 8-grams cover
        covered: defaultdict[int, set[int]] = defaultdict(set)
        for gram in set(grams(words)):
            for number, start in self._grams.get(gram, ()):
                covered[number].update(range(start, start + GRAM))

        shares = {number: self._share(number, len(places)) for number, places in covered.items()}
        best = highest(shares)
        if best is None or shares[best] < self.covered:
            return None
        return Hit(*self._places[best], f"{GRAM}-gram", float(shares[best]))

    def _by_lcs(self, words: list[str]) -> Hit | None:
        from rapidfuzz.distance import LCSseq
        from rapidfuzz.process import cdist

        numbers: set[int] = set()
        for word in set(words):
            numbers.update(self._rare.get(word, ()))
        if not numbers:
            return None

        # a token of no question is in no common subsequence
        text = "".join(self._code[word] for word in words if word in self._code)
        ordered = sorted(numbers)
        codes = [self._codes[number] for number in ordered]
        (common,) = cdist([text], codes, scorer=LCSseq.similarity).tolist()
        shares = {
            number: self._share(number, int(length))
            for number, length in zip(ordered, common, strict=True)
        }

        best = highest(shares)
        if best is None or shares[best] <= self.contained:
            return None
        return Hit(*self._places[best], "rouge-l", float(shares[best]))

    def _share(self, number: int, common: int) -> Fraction:
        return Fraction(common, len(self._words[number]))

    def _encode(self, word: str) -> str:
        return self._code.setdefault(word, chr(len(self._code)))


def highest(shares: Mapping[int, Fraction]) -> int | None:
    """Return the number with the highest share, the lowest number among equals; None if empty."""
    return max(shares, key=lambda number: (shares[number], -number), default=None)


def grams(words: list[str]) -> list[tuple[str, ...]]:
    """Return every sequence of GRAM words."""
    return [tuple(words[start : start + GRAM]) for start in range(len(words) - GRAM + 1)]


def load_benchmarks(
    names: Iterable[str],
    *,
    data_root: Path | None = None,
    covered: float = 0.5,
    contained: float = 0.7,
) -> Benchmarks:
    """Return the filter of the test questions of suites.

    Args:
        names: suites by name. "bbh" means all its tasks.
        data_root: folder with the published files. Default: they come from the Hub.
        covered: see `Benchmarks`.
        contained: see `Benchmarks`.

    Raises:
        UserError: a suite is unknown, or its files cannot be read.
    """
    wanted = suites_named(names)
    if "microworld" in wanted:
        raise UserError(
            "--against microworld: its test split is made anew from a seed; name a published "
            "benchmark"
        )
    questions = questions_of(wanted, data_root)
    return Benchmarks(questions, covered=covered, contained=contained)


def suites_named(names: Iterable[str]) -> list[str]:
    """Return the names of suites, with all tasks of "bbh" in its place."""
    from datagen.suites import BBH_TASKS

    found: list[str] = []
    for name in names:
        found += [f"bbh/{task}" for task in BBH_TASKS] if name == "bbh" else [name]
    return found


def questions_of(suites: Iterable[str], data_root: Path | None) -> Iterator[tuple[str, int, str]]:
    """Yield (suite, row, text) of every test question."""
    from datagen.suites import load

    for name in suites:
        for row, question in enumerate(load(name, SPLIT, data_root=data_root)):
            yield name, row, without_options(question.question)


def without_options(question: str) -> str:
    """Return a question without its list of options.

    Options such as "(A) Yes" are common to many questions. They stay where the rest is too short to
    recognise the question by.
    """
    text = question.split("\nOptions:\n")[0]
    return text if len(tokens(text, "unicode")) >= GRAM else question
