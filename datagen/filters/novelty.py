"""Is an instruction new?

Exact ROUGE-L F1 against all that were admitted before (Self-Instruct, arXiv 2212.10560, 2.2).

ROUGE-L F1 of token sequences a and b is 2·LCS/(|a|+|b|). Every distinct token becomes one code
point, so that RapidFuzz finds the LCS of two strings bit-parallel; `datagen.filters.prefix` finds
the few pairs that can be over the threshold.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from datagen.errors import UserError
from datagen.filters.prefix import PrefixIndex, over
from datagen.filters.tokens import tokens

BLOCK = 1024
"""Texts judged together. Within a block all pairs are compared; beyond it only those with what was
admitted."""

Reason = Literal["similar", "untokenisable"]


@dataclass(frozen=True)
class Verdict:
    """What was found about a text."""

    novel: bool
    similarity: float | None
    """ROUGE-L F1 with the nearest admitted text, 0 to 1. None where there is none, or where nothing
    passed the threshold and no neighbours are asked for."""
    nearest: tuple[tuple[float, str], ...] = ()
    """(similarity, id), the most similar first, of equals the one admitted first. Without
    `neighbours` only the texts over the threshold."""
    reason: Reason | None = None
    """Why the text is not novel: "similar", or "untokenisable" when the alphabet leaves no token of
    it."""


class Novelty:
    """The pool of admitted texts.

    A text is novel when no ROUGE-L F1 with one of them is over the threshold.

    Source:
        Self-Instruct, arXiv 2212.10560, section 2.2.

    Example:
        >>> pool = Novelty(0.7)
        >>> pool.admit("Name three fruits that are red.", "a").novel
        True
        >>> pool.admit("Name three fruits that are very red.", "b").novel
        False
    """

    def __init__(
        self, threshold: float | Fraction = 0.7, alphabet: str = "ascii", *, neighbours: int = 0
    ):
        """`threshold` is compared exactly and passes itself; `neighbours` is how many nearest texts
        a verdict names, found by comparing with the whole pool. Raises UserError.
        """
        self.threshold, self.alphabet, self.neighbours = (
            Fraction(str(threshold)),
            alphabet,
            neighbours,
        )
        if not 0 < self.threshold <= 1:
            raise UserError(f"threshold {threshold}: must be above 0 and at most 1")
        if neighbours < 0:
            raise UserError(f"neighbours {neighbours}: must be 0 or more")
        tokens("", alphabet)
        self._vocabulary: dict[str, str] = {}
        self._codes: list[str] = []
        self._ids: list[str] = []
        self._texts: list[str] = []
        self._index = PrefixIndex(self.threshold)

    def __len__(self) -> int:
        return len(self._codes)

    def admit_all(self, texts: Sequence[str], ids: Sequence[str] | None = None) -> list[bool]:
        """Admit every text that is novel to those before it; which were. ids are "0", "1", ... by
        default.
        """
        names = [str(place) for place in range(len(texts))] if ids is None else ids
        codes = self._encode(texts)
        novel: list[bool] = []
        for start in range(0, len(codes), BLOCK):
            novel += self._admit_block(slice(start, start + BLOCK), codes, names, texts)
        return novel

    def _admit_block(
        self, block: slice, codes: Sequence[str], ids: Sequence[str], texts: Sequence[str]
    ) -> list[bool]:
        """The greedy pass over a block: a text is out when a pool text, or one admitted before it
        here, is similar.
        """
        fresh, known = codes[block], len(self._codes)
        probe, other = self._similar(fresh, within=True)
        novel = [bool(code) for code in fresh]
        for i, j in sorted(zip(probe.tolist(), other.tolist(), strict=True)):
            if j < known or novel[j - known]:
                novel[i] = False
        places = [place for place, admitted in enumerate(novel) if admitted]
        self._store(*([part[block][place] for place in places] for part in (codes, ids, texts)))
        return novel

    def admit(self, text: str, id: str) -> Verdict:
        """Judge a text, and add it when it is novel."""
        verdict = self.judge(text)
        if verdict.novel:
            self.add(text, id)
        return verdict

    def add(self, text: str, id: str) -> None:
        """Put a text into the pool whatever it resembles; what leaves no token takes part in no
        comparison.
        """
        self._store(self._encode([text]), [id], [text])

    def judge(self, text: str) -> Verdict:
        (code,) = self._encode([text])
        if not code:
            return Verdict(False, None, reason="untokenisable")
        places = np.arange(len(self._codes)) if self.neighbours else self._similar([code])[1]
        common = lcs_with_each(code, [self._codes[place] for place in places])
        lengths = self._index.lengths[places] + len(code)
        scores = 2 * common / lengths
        best = np.lexsort((places, -scores))[: self.neighbours or None]
        nearest = tuple((float(scores[b]), self._ids[places[b]]) for b in best)
        similar = bool(over(common, lengths, self.threshold).any())
        return Verdict(
            not similar, nearest[0][0] if nearest else None, nearest, "similar" if similar else None
        )

    def _similar(
        self, codes: Sequence[str], *, within: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places (i, j) where code i is over the threshold with pool text j; `within`, j goes on
        counting with the codes themselves, those before i.
        """
        probe, other = self._index.candidates(codes, within=within)
        everything = [*self._codes, *codes] if within else self._codes
        left, right = [codes[i] for i in probe], [everything[j] for j in other]
        lengths = np.fromiter(map(len, left), int, len(left)) + np.fromiter(
            map(len, right), int, len(right)
        )
        similar = over(lcs(left, right), lengths, self.threshold)
        return probe[similar], other[similar]

    def _encode(self, texts: Sequence[str]) -> list[str]:
        """Every token as a code point.

        New tokens get theirs by falling frequency: the later, the rarer.
        """
        words = [tokens(text, self.alphabet) for text in texts]
        code = self._vocabulary
        for word, _ in Counter(word for text in words for word in text).most_common():
            if word not in code:
                code[word] = code_point(len(code))
        return ["".join([code[word] for word in text]) for text in words]

    def _store(self, codes: Sequence[str], ids: Sequence[str], texts: Sequence[str]) -> None:
        self._index.add(codes)
        self._codes += codes
        self._ids += ids
        self._texts += texts

    def pool(self) -> list[tuple[str, str]]:
        """(id, text) of all that was added, in order."""
        return list(zip(self._ids, self._texts, strict=True))

    def save(self, path: Path) -> None:
        """Write the pool as JSON lines (id, text), after one with the settings."""
        settings = {
            "threshold": str(self.threshold),
            "alphabet": self.alphabet,
            "neighbours": self.neighbours,
        }
        rows = [{"id": id, "text": text} for id, text in self.pool()]
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in (settings, *rows))
        partial = path.with_name(path.name + ".partial")
        with partial.open("w", encoding="utf-8", errors="surrogatepass") as file:
            file.writelines(lines)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Novelty:
        """The pool that `save` wrote. Raises UserError for another file."""
        try:
            with path.open(encoding="utf-8", errors="surrogatepass") as file:
                settings, *rows = [json.loads(line) for line in file]
            threshold, alphabet = Fraction(settings["threshold"]), settings["alphabet"]
            pool = cls(threshold, alphabet, neighbours=settings["neighbours"])
            texts = [row["text"] for row in rows]
            pool._store(pool._encode(texts), [row["id"] for row in rows], texts)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is no saved novelty pool ({error})") from None
        return pool


def code_point(number: int) -> str:
    """Raises UserError when Unicode has no more of them."""
    if number > 0x10FFFF:
        raise UserError("more than 1,114,112 distinct tokens: split the pool")
    return chr(number)


def lcs(left: Sequence[str], right: Sequence[str]) -> np.ndarray:
    """Lengths of the longest common subsequences, pair by pair: integers of shape (pairs,)."""
    from rapidfuzz.distance import LCSseq
    from rapidfuzz.process import cpdist

    if not left:
        return np.zeros(0, dtype=np.int64)
    return cpdist(left, right, scorer=LCSseq.similarity, dtype=np.int32, workers=1).astype(np.int64)


def lcs_with_each(text: str, others: Sequence[str]) -> np.ndarray:
    """The same of one text with many, of shape (others,)."""
    from rapidfuzz.distance import LCSseq
    from rapidfuzz.process import cdist

    return cdist([text], others, scorer=LCSseq.similarity, dtype=np.int32, workers=1)[0].astype(
        np.int64
    )
