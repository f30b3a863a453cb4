"""The configuration of a run: `config.json` of a run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from datagen.records.serialise import check_format, from_json, optional, rest, to_json

FORMAT = 4
"""The format of the run folder. Format 4 records the prompts of the run, and format 3 does not.
Formats 2 and 1 are older and have the same keys as 3."""
READ = (1, 2, 3, FORMAT)
"""The formats that this release reads."""


@dataclass(frozen=True, kw_only=True)
class TeacherRecord:
    """The teacher that answered."""

    name: str
    """The spec, such as `openai:MODEL`."""
    identity: str
    """The name under which the journal stores answers: with endpoint, revision or weights."""
    license: str | None = None
    """The licence of the weights or the outputs, or None if it is not known."""


@dataclass(frozen=True, kw_only=True)
class SourceRecord:
    """What a run started from. It holds no machine path, and a hash of everything that is asked."""

    suite: str
    """Name of the benchmark, or of the user's file."""
    hub: str | None
    """Dataset on the Hub."""
    split: str | None
    more: Mapping[str, Any] = rest()
    questions: int
    """The number of items: questions, instructions or queries."""
    sha256: str


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All that decides the rows of a run, and nothing else: no machine path, key or speed setting.

    Example:
        >>> config = RunConfig.read(
        ...     {"format": 3, "method": "respond", "code_version": "0.1.0", "settings": {},
        ...      "teacher": {"name": "micro", "identity": "micro@1", "license": None},
        ...      "source": {"suite": "x", "hub": None, "split": None, "questions": 1,
        ...                 "sha256": "00"}}, "config.json")
        >>> config.teacher.name, config.prompts
        ('micro', None)
    """

    format: int = FORMAT
    method: str
    code_version: str
    teacher: TeacherRecord
    source: SourceRecord
    settings: Mapping[str, Any]
    """The settings of the method that decide the rows."""
    prompts: Mapping[str, str] | None = optional()
    """The prompt templates by name, with fields in place of the items. None in a run of an older
    release, which did not record them."""

    @classmethod
    def read(cls, data: Any, where: str) -> RunConfig:
        """Return the configuration in a JSON object.

        Raises:
            UserError: the object is damaged, or has an unknown format.
        """
        check_format(data, READ, where)
        return from_json(cls, data, where)

    def as_written_by(self, format: int) -> dict[str, Any]:
        """Return the JSON object as a release with that format would have written it.

        So a command recognises a run of an older release as its own, and continues it.
        """
        if format >= FORMAT:
            return to_json(self)
        return to_json(replace(self, format=format, prompts=None))
