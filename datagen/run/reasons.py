"""What a run says at its end about the answers that it did not get."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from datagen.run.rows import Rows


def explain(rows: Rows, reasons: Sequence[str]) -> None:
    """Tell the user the commonest words of the endpoint about the rows rejected for these reasons.

    They are an error, or why an answer without text ended.
    """
    for reason in reasons:
        count = rows.counts["rejected", reason]
        note, number = commonest(rows.notes(reason)) if count else ("", 0)
        # an answer that ended on its own is empty for no further reason
        if note not in ("", "stop"):
            which = f"{number:,} of them" if number < count else "each"
            print(f"{reason + ':':<10} {count:,}, {which} with: {note}", file=sys.stderr)


def commonest(notes: Iterable[str]) -> tuple[str, int]:
    """Return the first of the notes that come most often, and how often they come.

    Two that differ only in numbers, such as seconds, are one. There is at least one note.

    Example:
        >>> commonest(["busy", "gone after 3 s", "gone after 5 s"])
        ('gone after 3 s', 2)
    """
    counts: Counter[str] = Counter()
    firsts: dict[str, str] = {}
    for note in notes:
        form = re.sub(r"\d+", "0", note)
        firsts.setdefault(form, note)
        counts[form] += 1
    [(form, number)] = counts.most_common(1)
    return firsts[form], number
