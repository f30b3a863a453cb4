"""Is a text new? Exact ROUGE-L F1 with all texts that were admitted before.

ROUGE-L F1 of token sequences a and b is 2·LCS/(|a|+|b|). Every distinct token becomes one
character, so that RapidFuzz finds the LCS of two strings with bit operations.
`datagen.filters.prefix` finds the few pairs that can be over the threshold.
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
from datagen.filters.prefix import PrefixIndex, over, sizes
from datagen.filters.tokens import tokens

BLOCK = 1024
"""Texts that are compared at once. Within a block all pairs are compared, also with texts that turn
out not to be novel. So larger blocks waste work, and smaller ones make more calls."""
UNICODE_POINTS = 0x110000


@dataclass(frozen=True)
class Verdict:
    """What a comparison with the pool found about a text."""

    novel: bool
    similarity: float | None
    """ROUGE-L F1 with the nearest text of the pool, 0 to 1. None if the pool is empty. Without
    `neighbours` also None if no text of the pool is over the threshold."""
    nearest: tuple[tuple[float, str], ...] = ()
    """(similarity, id) of the most similar texts, highest first. Without `neighbours` these are the
    texts over the threshold."""
    reason: Literal["similar", "untokenisable"] | None = None
    """Why the text is not novel. "untokenisable": the alphabet finds no token in it."""


class Novelty:
    """A pool of texts that says whether a new text is novel.

    A text is novel if its ROUGE-L F1 with every text of the pool is at most the threshold.

    Args:
        threshold: highest ROUGE-L F1 of a novel text, above 0 and at most 1. It is compared
            exactly: no rounding decides.
        alphabet: which tokens are compared, "ascii" or "unicode" (see `datagen.filters.tokens`).
        neighbours: how many nearest texts a verdict names. Above 0, a text is compared with the
            whole pool, which is slower.

    Raises:
        UserError: the threshold, the alphabet or the number of neighbours cannot be used.

    Source:
        Self-Instruct, arXiv 2212.10560, section 2.2.

    Example:
        >>> import datagen
        >>> pool = datagen.Novelty(0.7)
        >>> pool.admit("Name three fruits that are red.", "a").novel
        True
        >>> pool.admit("Name three fruits that are very red.", "b").reason
        'similar'
        >>> len(pool)
        1
    """

    def __init__(
        self, threshold: float | Fraction = 0.7, alphabet: str = "ascii", *, neighbours: int = 0
    ):
        # a fraction of the decimal text: 0.7 as a binary number is a little below 7/10
        self.threshold = Fraction(str(threshold))
        self.alphabet = alphabet
        self.neighbours = neighbours
        if not 0 < self.threshold <= 1:
            raise UserError(f"threshold {threshold}: must be above 0 and at most 1")
        if neighbours < 0:
            raise UserError(f"neighbours {neighbours}: must be 0 or more")
        tokens("", alphabet)  # raises for an unknown alphabet

        self._vocabulary: dict[str, str] = {}
        self._codes: list[str] = []
        self._ids: list[str] = []
        self._texts: list[str] = []
        self._index = PrefixIndex(self.threshold)

    def __len__(self) -> int:
        return len(self._codes)

    def compare(self, text: str) -> Verdict:
        """Compare a text with the pool. The pool stays as it is."""
        (code,) = self._encode([text])
        # a text in another script would be novel forever: it has no tokens to compare
        if not code:
            return Verdict(False, None, reason="untokenisable")

        places = np.arange(len(self._codes)) if self.neighbours else self._similar([code])[1]
        common = lcs_with_each(code, [self._codes[place] for place in places])
        lengths = self._index.lengths[places] + len(code)
        scores = 2 * common / lengths

        # the most similar first; among equals, the one that was admitted first
        best = np.lexsort((places, -scores))[: self.neighbours or None]
        nearest = tuple((float(scores[b]), self._ids[places[b]]) for b in best)
        similarity = nearest[0][0] if nearest else None
        if over(common, lengths, self.threshold).any():
            return Verdict(False, similarity, nearest, "similar")
        return Verdict(True, similarity, nearest)

    def admit(self, text: str, id: str) -> Verdict:
        """Compare a text with the pool, and add it if it is novel."""
        verdict = self.compare(text)
        if verdict.novel:
            self.add(text, id)
        return verdict

    def admit_all(self, texts: Sequence[str], ids: Sequence[str] | None = None) -> list[bool]:
        """Admit many texts in order. The result equals that of `admit`, one after another.

        Args:
            texts: what is compared with the pool and with the texts before it.
            ids: of the texts. Default: "0", "1", ...

        Returns:
            Whether each text was novel.
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
        """Admit a block of texts. Returns whether each was novel."""
        fresh = codes[block]
        known = len(self._codes)
        probe, other = self._similar(fresh, within=True)

        # in order: a text that is not novel itself makes no later text similar
        novel = [bool(code) for code in fresh]
        for i, j in sorted(zip(probe.tolist(), other.tolist(), strict=True)):
            if j < known or novel[j - known]:
                novel[i] = False

        places = [place for place, admitted in enumerate(novel) if admitted]
        self._store(*([part[block][place] for place in places] for part in (codes, ids, texts)))
        return novel

    def add(self, text: str, id: str) -> None:
        """Put a text into the pool, novel or not. A text without tokens resembles nothing."""
        self._store(self._encode([text]), [id], [text])

    def pool(self) -> list[tuple[str, str]]:
        """Return (id, text) of every text of the pool, in the order in which they were added."""
        return list(zip(self._ids, self._texts, strict=True))

    def _similar(
        self, codes: Sequence[str], *, within: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs that are over the threshold.

        Args:
            codes: encoded texts.
            within: compare each code also with the codes before it.

        Returns:
            Places (i, j): code i and pool text j. `within` numbers the codes after the pool.
        """
        probe, other = self._index.candidates(codes, within=within)
        everything = [*self._codes, *codes] if within else self._codes
        left = [codes[i] for i in probe]
        right = [everything[j] for j in other]
        lengths = sizes(left) + sizes(right)
        similar = over(lcs(left, right), lengths, self.threshold)
        return probe[similar], other[similar]

    def _encode(self, texts: Sequence[str]) -> list[str]:
        """Return each text with one character for each token.

        New tokens get characters by falling frequency. So a higher character is a rarer token,
        which the prefix filter needs.
        """
        words = [tokens(text, self.alphabet) for text in texts]
        frequency: Counter[str] = Counter()
        for found in words:
            frequency.update(found)

        code = self._vocabulary
        for word, _ in frequency.most_common():
            if word not in code:
                code[word] = code_point(len(code))
        return ["".join([code[word] for word in found]) for found in words]

    def _store(self, codes: Sequence[str], ids: Sequence[str], texts: Sequence[str]) -> None:
        self._index.add(codes)
        self._codes += codes
        self._ids += ids
        self._texts += texts

    def save(self, path: Path) -> None:
        """Write the pool as JSON lines: the settings, then (id, text) of every text."""
        settings = {
            "threshold": str(self.threshold),
            "alphabet": self.alphabet,
            "neighbours": self.neighbours,
        }
        rows = [{"id": id, "text": text} for id, text in self.pool()]
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in (settings, *rows))

        # the file is put in place whole, so that a kill leaves no half of it
        partial = path.with_name(path.name + ".partial")
        with partial.open("w", encoding="utf-8", errors="surrogatepass") as file:
            file.writelines(lines)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Novelty:
        """Read the pool that `save` wrote. Raises UserError for another file."""
        try:
            with path.open(encoding="utf-8", errors="surrogatepass") as file:
                settings, *rows = [json.loads(line) for line in file]
            threshold = Fraction(settings["threshold"])
            pool = cls(threshold, settings["alphabet"], neighbours=settings["neighbours"])
            texts = [row["text"] for row in rows]
            pool._store(pool._encode(texts), [row["id"] for row in rows], texts)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is no saved novelty pool ({error})") from None
        return pool


def code_point(number: int) -> str:
    """Return the character of a token. Raises UserError if Unicode has no more characters."""
    if number >= UNICODE_POINTS:
        raise UserError(f"more than {UNICODE_POINTS:,} distinct tokens: split the pool")
    return chr(number)


def lcs(left: Sequence[str], right: Sequence[str]) -> np.ndarray:
    """Return the LCS length of each pair, as int64 of shape (pairs,)."""
    from rapidfuzz.distance import LCSseq
    from rapidfuzz.process import cpdist

    if not left:
        return np.zeros(0, dtype=np.int64)
    # one worker: a run's requests are under way in other threads
    found = cpdist(left, right, scorer=LCSseq.similarity, dtype=np.int32, workers=1)
    return found.astype(np.int64)


def lcs_with_each(text: str, others: Sequence[str]) -> np.ndarray:
    """Return the LCS length of one text with each of the others, as int64 of shape (others,)."""
    from rapidfuzz.distance import LCSseq
    from rapidfuzz.process import cdist

    found = cdist([text], others, scorer=LCSseq.similarity, dtype=np.int32, workers=1)
    return found[0].astype(np.int64)
