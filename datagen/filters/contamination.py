"""Benchmark questions in training prompts: shared word 8-grams (as in Tulu 3, arXiv 2411.15124,
3.2), and ROUGE-L containment, the longest common subsequence by the length of the question.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from datagen.errors import UserError
from datagen.filters.tokens import tokens

GRAM = 8
SPLIT = "test"


@dataclass(frozen=True)
class Hit:
    """The question that a text holds."""

    benchmark: str
    row: int
    """Its place in the split, from 0."""
    rule: str
    """ "same" (all tokens, for a question of fewer than 8), "8-gram" or "rouge-l"."""
    share: float
    """Share of the question's tokens: within shared 8-grams, or in the longest common
    subsequence."""

    def __str__(self) -> str:
        return f"{self.benchmark} {SPLIT} row {self.row} ({self.rule} {self.share:.2f})"


class Benchmarks:
    """Questions to keep out of training prompts.

    Two rules decide, on tokens of any script in lower case:

    - 8-gram: 8-grams that the text shares cover at least `covered` of the question's tokens. One
      shared 8-gram would be too little: fixed phrases ("options: ...") belong to no question.
    - rouge-l: LCS(text, question) / |question| is above `contained`.

    A question of fewer than 8 tokens matches only a text of the same tokens.

    Example:
        >>> known = Benchmarks(
        ...     [("sums", 0, "How many apples are left when Mia eats three of nine?")]
        ... )
        >>> str(known.hit("How many apples are left when Mia eats three of nine? Explain."))
        'sums test row 0 (8-gram 1.00)'
    """

    def __init__(
        self,
        questions: Iterable[tuple[str, int, str]],
        *,
        covered: float = 0.5,
        contained: float = 0.7,
    ):
        """`questions` are (benchmark, row, text)."""
        self.covered, self.contained = Fraction(str(covered)), Fraction(str(contained))
        known = [(name, row, tokens(text, "unicode")) for name, row, text in questions]
        self._places = [(name, row) for name, row, _ in known]
        self._words = [words for _, _, words in known]
        self._code: dict[str, str] = {}
        self._codes = ["".join(self._encode(word) for word in words) for words in self._words]
        self._short: dict[tuple[str, ...], int] = {}
        self._grams: defaultdict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
        self._rare: defaultdict[str, list[int]] = defaultdict(list)
        self._index()

    def _index(self) -> None:
        """8-grams by where they stand, and the rarest tokens of every question: a text that shares
        more than `contained` of its tokens has at least one of these (see
        `datagen.filters.prefix`).
        """
        frequency = Counter(word for words in self._words for word in set(words))
        for number, words in enumerate(self._words):
            if len(words) < GRAM:
                self._short.setdefault(tuple(words), number)
                continue
            for start, gram in enumerate(grams(words)):
                self._grams[gram].append((number, start))
            prefix = len(words) - int(self.contained * len(words))
            for word in set(sorted(words, key=lambda word: (frequency[word], word))[:prefix]):
                self._rare[word].append(number)

    def hit(self, text: str) -> Hit | None:
        """The question that a text holds most of, by the first rule that finds one; None for a
        clean text.
        """
        words = tokens(text, "unicode")
        if (number := self._short.get(tuple(words))) is not None and words:
            return Hit(*self._places[number], "same", 1.0)
        return self._by_grams(words) or self._by_lcs(words)

    def _by_grams(self, words: list[str]) -> Hit | None:
        met: defaultdict[int, set[int]] = defaultdict(set)
        for gram in set(grams(words)):
            for number, start in self._grams.get(gram, ()):
                met[number].update(range(start, start + GRAM))
        shares = [
            (Fraction(len(places), len(self._words[number])), -number)
            for number, places in met.items()
        ]
        share, number = max(shares, default=(Fraction(0), 0))
        return (
            Hit(*self._places[-number], f"{GRAM}-gram", float(share))
            if shares and share >= self.covered
            else None
        )

    def _by_lcs(self, words: list[str]) -> Hit | None:
        from rapidfuzz.distance import LCSseq
        from rapidfuzz.process import cdist

        numbers = sorted({number for word in set(words) for number in self._rare.get(word, ())})
        if not numbers:
            return None
        # a token of no question is in no common subsequence
        text = "".join(self._code[word] for word in words if word in self._code)
        (common,) = cdist(
            [text], [self._codes[number] for number in numbers], scorer=LCSseq.similarity
        ).tolist()
        shares = [
            (Fraction(int(n), len(self._words[number])), -number)
            for n, number in zip(common, numbers, strict=True)
        ]
        share, number = max(shares)
        return (
            Hit(*self._places[-number], "rouge-l", float(share)) if share > self.contained else None
        )

    def _encode(self, word: str) -> str:
        return self._code.setdefault(word, chr(len(self._code)))


def grams(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + GRAM]) for start in range(len(words) - GRAM + 1)]


def load_benchmarks(
    names: Iterable[str],
    *,
    data_root: Path | None = None,
    covered: float = 0.5,
    contained: float = 0.7,
) -> Benchmarks:
    """The test splits of suites by name; "bbh" means all its tasks. Raises UserError."""
    from datagen.suites import BBH_TASKS, load

    wanted = [
        part
        for name in names
        for part in ([f"bbh/{t}" for t in BBH_TASKS] if name == "bbh" else [name])
    ]
    if "microworld" in wanted:
        raise UserError(
            "--against microworld: its test split is made anew from a seed; name a published "
            "benchmark"
        )
    questions = (
        (name, row, stem(question.question))
        for name in wanted
        for row, question in enumerate(load(name, SPLIT, data_root=data_root))
    )
    return Benchmarks(questions, covered=covered, contained=contained)


def stem(question: str) -> str:
    """A question without its options, where enough is left to tell it by."""
    text = question.split("\nOptions:\n")[0]
    return text if len(tokens(text, "unicode")) >= GRAM else question
