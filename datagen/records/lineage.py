"""What a version is made from: `lineage.json` of a published version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datagen.errors import UserError
from datagen.records.config import SourceRecord, TeacherRecord
from datagen.records.serialise import from_json, optional
from datagen.schema import FAMILIES

FORMAT = 3
"""3 holds a run for each family. 2 held one run, whose facts stood beside the version's."""
VERSION_KEYS = ("name", "hub", "version", "created", "previous", "files", "content_sha256")
"""Keys of a lineage of format 2 that belong to the version. All others belong to its run."""


@dataclass(frozen=True, kw_only=True)
class CodeRecord:
    """The release, and the commit of the checkout, that made the rows."""

    version: str
    commit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Items, accepted rows by config, and rejected rows by reason."""

    questions: int
    accepted: Mapping[str, int]
    rejected: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What the run took."""

    answers: int | None = optional()
    prompt_tokens: int | None = optional()
    completion_tokens: int | None = optional()
    cached_tokens: int | None = optional()
    cost: float | None = optional()
    currency: str | None = optional()


@dataclass(frozen=True, kw_only=True)
class ConfigRecord:
    """The rows of one config."""

    columns: Mapping[str, str]
    """Name to Arrow type."""
    rows: int
    rows_sha256: str
    """Over columns and values, whatever the files' encoding."""
    features: tuple[Any, ...] | None = optional()
    """The columns as the card states them, where several families share the config."""


@dataclass(frozen=True, kw_only=True)
class RunLineage:
    """One run of a version: what was asked, what came of it, what was measured of its rows."""

    method: str
    teacher: TeacherRecord
    terms: str | None = None
    """What the teacher's terms say about training on its outputs."""
    source: SourceRecord
    settings: Mapping[str, Any]
    prompts: Mapping[str, str]
    code: CodeRecord
    counts: Counts
    quality: Mapping[str, Any]
    histograms: Mapping[str, Any]
    usage: Usage
    languages: Mapping[str, Any] | None = optional()
    duplicates: Mapping[str, Any] | None = optional()
    samples: Mapping[str, Any] | None = optional()
    configs: Mapping[str, ConfigRecord]
    content_sha256: str
    license: str | None = None
    """Of the dataset, as its publisher stated it."""
    language: str | None = None


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """A file of a version."""

    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Previous:
    """The version before this one."""

    version: str
    content_sha256: str


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """All that a card says of a version, and all that is needed to make it again.

    Example:
        >>> import datagen
        >>> version = datagen.load_version("sums", store=folder / "store")
        >>> version.lineage.teacher.name, version.lineage.method
        ('micro', 'rationales')
    """

    format: int = FORMAT
    name: str
    hub: bool | None = None
    """Whether the version was made on the Hub."""
    runs: Mapping[str, RunLineage]
    """By family of methods: rationales, instructions, demonstrations."""
    content_sha256: str
    files: Mapping[str, FileRecord]
    version: str
    created: str
    """ISO 8601, UTC."""
    previous: Previous | None = None

    @classmethod
    def read(cls, data: Any, where: str) -> Lineage:
        """The lineage in a JSON object of format 2 or 3. Raises UserError for another."""
        return from_json(cls, in_this_format(data, where), where)

    @property
    def run(self) -> RunLineage:
        """The run of a version that holds one; of several the first."""
        return next(iter(self.runs.values()))

    @property
    def method(self) -> str:
        """The method of `run`."""
        return self.run.method

    @property
    def teacher(self) -> TeacherRecord:
        """The teacher of `run`."""
        return self.run.teacher


def in_this_format(data: Any, where: str) -> Any:
    """The JSON object of a lineage as format 3 has it. Raises UserError for another format."""
    if not isinstance(data, dict):
        raise UserError(f"{where} is damaged: it lacks a JSON object")
    if data.get("format") not in (2, FORMAT):
        raise UserError(
            f"{where} has a lineage of format {data.get('format')}, and this release reads 2 and "
            f"{FORMAT}: publish its run anew, under another name"
        )
    if data["format"] == FORMAT:
        return data

    run = {key: value for key, value in data.items() if key not in (*VERSION_KEYS, "format")}
    family = family_of(run.get("configs", {}))
    # the hash was the run's and the version's at once
    run["content_sha256"] = data.get("content_sha256")
    return {"format": 2} | {key: data.get(key) for key in VERSION_KEYS} | {"runs": {family: run}}


def family_of(configs: Any) -> str:
    """The family that has these configs of accepted rows."""
    wanted = {config for config in configs if config != "rejected"}
    return next(family for family, its in FAMILIES.items() if wanted <= set(its))
