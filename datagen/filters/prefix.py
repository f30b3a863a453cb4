"""Which pairs of token sequences can have 2·LCS/(|a|+|b|) over a threshold? An exact prefix filter.

The LCS of two sequences is at most the number of tokens that they share (as multisets). If the
score is over the threshold t, they share more than t·n/(2-t) tokens. Here n is the length of
either one. Now put the tokens of every sequence in one fixed order. Then two such sequences share
at least one of their first n - floor(t·n/(2-t)) tokens. Rare tokens come first, so that few
sequences share one.

Source: Chaudhuri et al. 2006; Bayardo et al. 2007.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

PLACE_BITS = 26
"""Bits of a key for the place of a sequence: up to 67 million sequences."""
REPEAT_BITS = 14
"""Bits of a key for how often a token came before in its sequence: up to 16,384 times. The other 24
bits of a 64-bit key hold a character, which needs 21."""
PLACE = (1 << PLACE_BITS) - 1
"""Mask for the place. A key is (rarity, repeat, place), so that one sorted array of keys is an
inverted index."""
WORDS = 5
"""64-bit words of a bag: one for all tokens, and four among which the tokens are divided. One word
alone fills up for long sequences, and then it excludes no pair."""
SLICE = 1 << 16
"""Index entries that are looked at together. It bounds memory."""
MIX = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: multiplying by it spreads neighbouring numbers far apart."""


class PrefixIndex:
    """An index of sequences that finds candidates for similar pairs.

    Args:
        threshold: the score that a pair must exceed.

    Sequences are strings. A higher character is a rarer token.
    """

    def __init__(self, threshold: Fraction):
        self.threshold = threshold
        self.lengths = np.zeros(0, dtype=np.int64)
        self._bags = bag([])
        self._runs: list[np.ndarray] = []

    def candidates(
        self, codes: Sequence[str], *, within: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs that can be over the threshold. No pair over it is missing.

        Args:
            codes: sequences.
            within: compare each code also with the codes before it.

        Returns:
            Places (i, j): code i and sequence j of the index. `within` numbers the codes after the
            sequences of the index.
        """
        known = len(self.lengths)
        keys = self._keys(codes, 0)
        lengths = sizes(codes)
        bags = bag(codes)
        runs = self._runs
        all_lengths = self.lengths
        all_bags = self._bags
        if within:
            runs = [*runs, keys + known]  # the place is the low bits of a key
            all_lengths = np.concatenate([all_lengths, lengths])
            all_bags = np.concatenate([all_bags, bags], axis=1)

        found = [np.zeros(0, dtype=np.int64)]
        for run in runs:
            for i, j in join(keys, run):
                # a code is compared with what comes before it
                i, j = i[j < known + i], j[j < known + i]
                # the narrow bag first: it is quick and decides most pairs
                for words in (slice(0, 1), slice(1, WORDS)):
                    shared = shared_at_most(
                        lengths[i], all_lengths[j], bags[words, i], all_bags[words, j]
                    )
                    keep = over(shared, lengths[i] + all_lengths[j], self.threshold)
                    i, j = i[keep], j[keep]
                found.append(i << PLACE_BITS | j)
        pairs = distinct(np.concatenate(found))
        return pairs >> PLACE_BITS, pairs & PLACE

    def add(self, codes: Sequence[str]) -> None:
        """Append sequences to the index."""
        self._runs.append(self._keys(codes, len(self.lengths)))
        # runs are merged as they grow: few are left, and each key is sorted only log(n) times
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            self._runs[-2:] = [np.sort(np.concatenate(self._runs[-2:]))]
        self.lengths = np.concatenate([self.lengths, sizes(codes)])
        self._bags = np.concatenate([self._bags, bag(codes)], axis=1)

    def _keys(self, codes: Sequence[str], first: int) -> np.ndarray:
        """Return the sorted keys of the prefixes. The sequences have places from `first` on."""
        lengths = sizes(codes)
        place = np.repeat(np.arange(len(codes)), lengths)
        start = np.repeat(np.cumsum(lengths) - lengths, lengths)

        # the tokens of each sequence, the rarest first
        ranks = -points(codes)
        order = np.lexsort((ranks, place))
        ranks = ranks[order]
        nth = np.arange(len(order)) - start

        # how often the token came before in its sequence: sequences are multisets
        new = np.ones(len(order), dtype=bool)
        new[1:] = (ranks[1:] != ranks[:-1]) | (nth[1:] == 0)
        first_of_token = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
        repeat = np.arange(len(order)) - first_of_token

        token = ranks << REPEAT_BITS | np.minimum(repeat, (1 << REPEAT_BITS) - 1)
        keys = token << PLACE_BITS | place + first
        numerator = self.threshold.numerator
        denominator = self.threshold.denominator
        prefix = lengths - numerator * lengths // (2 * denominator - numerator)
        return np.sort(keys[nth < np.repeat(prefix, lengths)])


def join(keys: np.ndarray, run: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield places (i, j) of keys and run entries that share a token, a slice at a time."""
    low = np.searchsorted(run, keys & ~PLACE)
    count = np.searchsorted(run, keys | PLACE, side="right") - low
    ends = np.cumsum(count)
    cuts = np.searchsorted(ends, np.arange(SLICE, ends[-1] if len(ends) else 0, SLICE))

    for part in np.split(np.arange(len(keys)), np.unique(cuts)):
        counts = count[part]
        steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        left = np.repeat(keys[part] & PLACE, counts)
        right = run[np.repeat(low[part], counts) + steps] & PLACE
        yield left, right


def distinct(values: np.ndarray) -> np.ndarray:
    """Return the sorted distinct values. For many integers it is quicker than np.unique."""
    values = np.sort(values)
    return values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values


def over(common: np.ndarray, lengths: np.ndarray, threshold: Fraction) -> np.ndarray:
    """Return whether 2·common/lengths > threshold, in whole numbers: no rounding decides."""
    return 2 * common * threshold.denominator > threshold.numerator * lengths


def shared_at_most(n: np.ndarray, m: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return an upper bound of the tokens that the sequences of each pair share.

    Args:
        n: lengths of the left sequences, of shape (pairs,).
        m: lengths of the right sequences, of shape (pairs,).
        left: bags of the left sequences, of shape (words, pairs).
        right: bags of the right sequences, of shape (words, pairs).
    """
    left_only = np.zeros(len(n), dtype=np.int64)
    right_only = np.zeros(len(m), dtype=np.int64)
    for a, b in zip(left, right, strict=True):
        left_only += np.bitwise_count(a & ~b)
        right_only += np.bitwise_count(b & ~a)
    return np.minimum(n - left_only, m - right_only)


def bag(codes: Sequence[str]) -> np.ndarray:
    """Return the tokens of each sequence as hashed bits, uint64 of shape (WORDS, sequences).

    A bit that another sequence lacks is a token that it lacks. The first word has a bit for every
    token. The other words together have one as well, with more room for long sequences.
    """
    place = np.repeat(np.arange(len(codes)), sizes(codes))
    hashed = points(codes).astype(np.uint64) * np.uint64(MIX) >> np.uint64(48)
    bit = np.uint64(1) << (hashed & np.uint64(63))
    word = (hashed >> np.uint64(6)).astype(np.int64) % (WORDS - 1) + 1

    bags = np.zeros((WORDS, len(codes)), dtype=np.uint64)
    np.bitwise_or.at(bags, (np.zeros_like(word), place), bit)
    np.bitwise_or.at(bags, (word, place), bit)
    return bags


def sizes(codes: Sequence[str]) -> np.ndarray:
    """Return the lengths of the sequences."""
    return np.fromiter(map(len, codes), np.int64, len(codes))


def points(codes: Sequence[str]) -> np.ndarray:
    """Return the code points of all sequences, one after the other."""
    encoded = "".join(codes).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(encoded, dtype=np.uint32).astype(np.int64)
