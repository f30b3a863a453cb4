"""What a run says at its end about the answers that it did not get."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from datagen.run.rows import Rows
from datagen.teacher.chat.kept import missing_answers
from datagen.terminal import show


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
            show(f"{reason + ':':<10} {count:,}, {which} with: {note}", error=True)


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


def why_nothing(rejected: Mapping[str, int], reasoning: Mapping[str, int]) -> str:
    """Return why a run accepted nothing: its reasons with their counts, and what to do.

    Args:
        rejected: the number of rejected rows by reason.
        reasoning: what `Rows.reasoning` counts.
    """
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in rejected.items())
    return reasons + "".join(f". {text}" for text in missing_answers(reasoning))
