"""Which pairs of token sequences can have 2·LCS/(|a|+|b|) over a threshold?

An exact prefix filter on arrays.

LCS is at most the number of tokens two sequences share (as multisets), and over the threshold t it
exceeds t·n/(2-t) for a sequence of n tokens, whatever the length of the other. So with all tokens
in one fixed order, two such sequences share one of their first n - floor(t·n/(2-t)) tokens
(Chaudhuri et al. 2006; Bayardo et al. 2007). Rare tokens go first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

PLACE_BITS, REPEAT_BITS = 26, 14
PLACE = (1 << PLACE_BITS) - 1
"""A key is (rarity, repeat, place): one sorted array of them is an inverted index."""
WORDS = 5
"""64-bit words of a bag: one for all tokens, and four that share them out."""
SLICE = 1 << 16
"""Index entries looked at together: bounds the memory."""


class PrefixIndex:
    """Grows by `add`; sequences are strings of code points, a higher one meaning a rarer token."""

    def __init__(self, threshold: Fraction):
        self.threshold = threshold
        self.lengths = np.zeros(0, dtype=np.int64)
        self._bags = bag([])
        self._runs: list[np.ndarray] = []

    def candidates(
        self, codes: Sequence[str], *, within: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places (i, j): code i can be over the threshold with sequence j of the index.

        `within`, j goes on counting with the codes themselves, those before i. No pair over the
        threshold is missing.
        """
        known, keys, lengths, bags = (
            len(self.lengths),
            self._keys(codes, 0),
            sizes(codes),
            bag(codes),
        )
        runs, all_lengths, all_bags = self._runs, self.lengths, self._bags
        if within:
            runs = [*runs, keys + known]  # the place is the low bits of a key
            all_lengths, all_bags = (
                np.concatenate([all_lengths, lengths]),
                np.concatenate([all_bags, bags], axis=1),
            )
        found = [np.zeros(0, dtype=np.int64)]
        for i, j in (pair for run in runs for pair in join(keys, run)):
            i, j = i[j < known + i], j[j < known + i]
            for words in (
                slice(0, 1),
                slice(1, WORDS),
            ):  # the narrow bag first: it is quick and decides most
                most = shared_at_most(
                    lengths[i], all_lengths[j], bags[words], all_bags[words], i, j
                )
                keep = over(most, lengths[i] + all_lengths[j], self.threshold)
                i, j = i[keep], j[keep]
            found.append(i << PLACE_BITS | j)
        pairs = distinct(np.concatenate(found))
        return pairs >> PLACE_BITS, pairs & PLACE

    def add(self, codes: Sequence[str]) -> None:
        """Append sequences.

        Runs of keys are merged as they grow, so that few stay: each key is sorted log(n) times.
        """
        self._runs.append(self._keys(codes, len(self.lengths)))
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            self._runs[-2:] = [np.sort(np.concatenate(self._runs[-2:]))]
        self.lengths = np.concatenate([self.lengths, sizes(codes)])
        self._bags = np.concatenate([self._bags, bag(codes)], axis=1)

    def _keys(self, codes: Sequence[str], first: int) -> np.ndarray:
        """Sorted keys of the prefixes; the sequences have the places first, first + 1, ..."""
        lengths = sizes(codes)
        place = np.repeat(np.arange(len(codes)), lengths)
        start = np.repeat(np.cumsum(lengths) - lengths, lengths)
        order = np.lexsort((ranks := -points(codes), place))
        ranks, nth = ranks[order], np.arange(len(order)) - start
        new = np.ones(len(order), dtype=bool)
        new[1:] = (ranks[1:] != ranks[:-1]) | (nth[1:] == 0)
        repeat = np.arange(len(order)) - np.maximum.accumulate(
            np.where(new, np.arange(len(order)), 0)
        )
        keys = (
            ranks << REPEAT_BITS | np.minimum(repeat, (1 << REPEAT_BITS) - 1)
        ) << PLACE_BITS | place + first
        numerator, denominator = self.threshold.numerator, self.threshold.denominator
        prefix = lengths - numerator * lengths // (2 * denominator - numerator)
        return np.sort(keys[nth < np.repeat(prefix, lengths)])


def join(keys: np.ndarray, run: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places (i, j) of the keys and of the run that have a token in common, a slice at a time."""
    low = np.searchsorted(run, keys & ~PLACE)
    count = np.searchsorted(run, keys | PLACE, side="right") - low
    ends = np.cumsum(count)
    cuts = np.searchsorted(ends, np.arange(SLICE, ends[-1] if len(ends) else 0, SLICE))
    for part in np.split(np.arange(len(keys)), np.unique(cuts)):
        counts = count[part]
        steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        yield (
            np.repeat(keys[part] & PLACE, counts),
            run[np.repeat(low[part], counts) + steps] & PLACE,
        )


def distinct(values: np.ndarray) -> np.ndarray:
    """Sorted; for many integers quicker than np.unique, which hashes them."""
    values = np.sort(values)
    return values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values


def over(common: np.ndarray, lengths: np.ndarray, threshold: Fraction) -> np.ndarray:
    """2·common/lengths > threshold, in whole numbers: no rounding decides."""
    return 2 * common * threshold.denominator > threshold.numerator * lengths


def shared_at_most(
    n: np.ndarray, m: np.ndarray, left: np.ndarray, right: np.ndarray, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
    """An upper bound of the tokens that sequences i and j, of n and m tokens, share; left and right
    are bags.
    """
    left_only, right_only = np.zeros(len(i), dtype=np.int64), np.zeros(len(i), dtype=np.int64)
    for left_word, right_word in zip(left, right, strict=True):
        a, b = left_word[i], right_word[j]
        left_only += np.bitwise_count(a & ~b)
        right_only += np.bitwise_count(b & ~a)
    return np.minimum(n - left_only, m - right_only)


def bag(codes: Sequence[str]) -> np.ndarray:
    """The tokens that a sequence has, as hashed bits: of shape (WORDS, sequences).

    A bit that another sequence lacks is a token that it lacks. The first word is a bag of all
    tokens, the others together are a wider one.
    """
    place, bags = (
        np.repeat(np.arange(len(codes)), sizes(codes)),
        np.zeros((WORDS, len(codes)), dtype=np.uint64),
    )
    hashed = points(codes).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(48)
    bit, word = (
        np.uint64(1) << (hashed & np.uint64(63)),
        (hashed >> np.uint64(6)).astype(np.int64) % (WORDS - 1) + 1,
    )
    np.bitwise_or.at(bags, (np.zeros_like(word), place), bit)
    np.bitwise_or.at(bags, (word, place), bit)
    return bags


def sizes(codes: Sequence[str]) -> np.ndarray:
    return np.fromiter(map(len, codes), np.int64, len(codes))


def points(codes: Sequence[str]) -> np.ndarray:
    """The code points of all sequences, one after the other."""
    return np.frombuffer(
        "".join(codes).encode("utf-32-le", "surrogatepass"), dtype=np.uint32
    ).astype(np.int64)
