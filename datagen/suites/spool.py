"""A million questions without the memory for them."""

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
    """Questions in a temporary file, read when they are asked for: 8 bytes each stay in memory.

    As in `datagen.suites.question.distinct`, a repeated question gets an id of its own.
    """

    def __init__(self, questions: Iterable[Question]):
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the questions
        self._ends, ids, end = array("Q", [0]), array("Q"), 0
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
        place = range(len(self))[place]
        start, end = self._ends[place], self._ends[place + 1]
        identity, text, gold, answer_type, options, rationale = loads(self._read(start, end))
        question = Question(identity, text, gold, answer_type, tuple(options), rationale)
        repeat = self._repeats.get(place)
        return replace(question, id=content_id(identity, repeat)) if repeat else question

    def _read(self, start: int, end: int) -> bytes:
        self._file.seek(start)  # the next question is most often in the file's buffer
        return self._file.read(end - start)


def repeats(ids: array[int]) -> dict[int, int]:
    """Place → how often its id came before, where it did."""
    import numpy as np

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
