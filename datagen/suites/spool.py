"""Keep a million questions on disk instead of in memory."""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import overload

from datagen.json_bytes import dumps, loads
from datagen.schema import content_id
from datagen.suites.question import Question


class Spool(Sequence[Question]):
    """Questions in a temporary file that are read when they are used.

    Only 8 bytes of each question stay in memory. As in `datagen.suites.question.distinct`, a
    repeated question gets an id of its own.

    Args:
        questions: The questions. They are read once.
    """

    def __init__(self, questions: Iterable[Question]):
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the questions
        self._ends = array("Q", [0])
        ids = array("Q")
        end = 0
        for question in questions:
            end += self._file.write(dumps([*vars(question).values()]))
            self._ends.append(end)
            ids.append(int(question.id, 16))
        self._file.flush()
        self._repeats = repeats(ids)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> Question: ...
    @overload
    def __getitem__(self, place: slice) -> list[Question]: ...
    def __getitem__(self, place: int | slice) -> Question | list[Question]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        # `range` handles negative numbers and raises IndexError.
        place = range(len(self))[place]
        content = self._read(self._ends[place], self._ends[place + 1])
        identity, text, gold, answer_type, options, rationale = loads(content)
        question = Question(identity, text, gold, answer_type, tuple(options), rationale)
        repeat = self._repeats.get(place)
        return replace(question, id=content_id(identity, repeat)) if repeat else question

    def _read(self, start: int, end: int) -> bytes:
        """Return some bytes of the file."""
        # Questions are mostly used in order, so the next one lies in the file's buffer.
        self._file.seek(start)
        return self._file.read(end - start)


def repeats(ids: array[int]) -> dict[int, int]:
    """Return, for each repeated question, how often its id occurred before it.

    Args:
        ids: The ids of all questions, as 64-bit numbers.

    Returns:
        A count by the place of the question. Questions that occur for the first time are left out.
    """
    import numpy as np

    # Sorting finds the few repeated ids without a Python object for every id.
    ordered = np.sort(np.frombuffer(ids, dtype=np.uint64))
    several = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    seen: Counter[int] = Counter()
    found = {}
    for place, identity in enumerate(ids if several else ()):
        if identity in several:
            if seen[identity]:
                found[place] = seen[identity]
            seen[identity] += 1
    return found
