"""Make histograms of accepted and rejected rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class Sides:
    """How often each value occurs among the accepted and among the rejected rows."""

    accepted: Counter[float] = field(default_factory=Counter)
    rejected: Counter[float] = field(default_factory=Counter)

    def add(self, value: float, accepted: bool) -> None:
        """Count the value of one row."""
        (self.accepted if accepted else self.rejected)[value] += 1


BINS = 24
"""A histogram of lengths has at most this many bins, and one more for the longest 1% of the rows.
As many bins fit a terminal and a card without scrolling."""


@dataclass(frozen=True)
class Bin:
    """A bin of a histogram: its lower edge as text, and the rows that fall into it."""

    label: str
    accepted: int
    rejected: int


def length_bins(sides: Sides) -> list[Bin]:
    """Return bins of equal, round width up to the 99th percentile, and one bin for the rest.

    Args:
        sides: Lengths of rows, in words or characters.

    Returns:
        The bins in order. The last one is left out if it is empty.
    """
    # A few very long rows would otherwise press all others into the first bin.
    both = sides.accepted + sides.rejected
    end = percentile(both, 0.99)
    width = round_width((end + 1) / BINS)
    edges = [number * width for number in range(int(end // width) + 2)]
    found = [bin_of(sides, low, high, str(low)) for low, high in pairwise(edges)]
    last = bin_of(sides, edges[-1], float("inf"), f"{edges[-1]}+")
    return [*found, last] if last.accepted + last.rejected else found


def percentile(counts: Counter[float], share: float) -> float:
    """Return the smallest value that at least `share` of all values do not exceed.

    Returns 0 if there are no values.
    """
    below = 0
    for value, number in sorted(counts.items()):
        below += number
        if below >= share * counts.total():
            return value
    return 0


def round_width(least: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50, ... that is at least `least`."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power >= least:
                return digit * power
        power *= 10


def share_bins(sides: Sides, number: int = 20) -> list[Bin]:
    """Return `number` bins of equal width for values between 0 and 1, both included."""
    # The last edge lies above 1, because an upper edge does not belong to its bin.
    edges = [*(n / number for n in range(number)), 1.001]
    return [bin_of(sides, low, high, f"{low:.2f}") for low, high in pairwise(edges)]


def bin_of(sides: Sides, low: float, high: float, label: str) -> Bin:
    """Return the bin of the values from `low` to below `high`."""

    def inside(counts: Counter[float]) -> int:
        return sum(number for value, number in counts.items() if low <= value < high)

    return Bin(label, inside(sides.accepted), inside(sides.rejected))
