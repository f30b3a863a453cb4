"""What a version is made from: `lineage.json` of a published version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from datagen.errors import UserError
from datagen.records.config import SourceRecord, TeacherRecord
from datagen.records.serialise import check_format, from_json, optional
from datagen.schema import FAMILIES

FORMAT = 3
"""Format 3 has a run for each family. Format 2 had one run, whose keys were mixed with those of the
version."""
READ = (2, FORMAT)
"""The formats that this release reads."""
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
    """The tokens and the cost of a run."""

    answers: int | None = optional()
    prompt_tokens: int | None = optional()
    completion_tokens: int | None = optional()
    cached_tokens: int | None = optional()
    estimated_answers: int | None = optional()
    """Answers whose tokens are estimated."""
    fields_left_out: Mapping[str, int] | None = optional()
    """Answers by the field of the request that the teacher's endpoint does not take."""
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
    """One run of a version: its configuration, its counts, and what was measured on its rows."""

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
    """All that a card states about a version, and all that is needed to make it again.

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
    version_sha256: str | None = optional()
    """Over all other keys, and so over card, rows and lineage. Earlier releases did not write
    it."""

    @classmethod
    def read(cls, data: Any, where: str) -> Lineage:
        """Return the lineage in a JSON object of format 2 or 3.

        Raises:
            UserError: the object is damaged, or has another format.
        """
        return from_json(cls, upgrade_format(data, where), where)

    @property
    def run(self) -> RunLineage:
        """The run of the version, or the first run if there are several."""
        return next(iter(self.runs.values()))

    @property
    def method(self) -> str:
        """The method of `run`."""
        return self.run.method

    @property
    def teacher(self) -> TeacherRecord:
        """The teacher of `run`."""
        return self.run.teacher


def upgrade_format(data: Any, where: str) -> Any:
    """Return the JSON object of a lineage in format 3.

    Raises:
        UserError: it has an unknown format.
    """
    check_format(data, READ, where)
    if data["format"] == FORMAT:
        return data

    run = {key: value for key, value in data.items() if key not in (*VERSION_KEYS, "format")}
    family = family_of(run.get("configs", {}), where)
    # a version had one run, so the hash of the version was also that of the run
    run["content_sha256"] = data.get("content_sha256")
    return {"format": 2} | {key: data.get(key) for key in VERSION_KEYS} | {"runs": {family: run}}


def family_of(configs: Iterable[str], where: str = "lineage.json") -> str:
    """Return the family that has these configs of accepted rows.

    Raises:
        UserError: no family has them.
    """
    wanted = {config for config in configs if config != "rejected"}
    for family, its in FAMILIES.items():
        if wanted <= set(its):
            return family
    raise UserError(f"{where} is damaged: no family of methods has {', '.join(sorted(wanted))}")


def configs_of(lineage: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the rows and the columns of each config of a version, over all its runs.

    Args:
        lineage: the JSON object of a lineage. It may be incomplete: a publisher adds number, date
            and files last.

    Returns:
        `rows`, `columns` (name to Arrow type) and `runs` (what each family has) of each config. The
        configs of the first run come first. `rejected`, which every family has, comes last.

    Example:
        >>> part = {"rows": 2, "columns": {"id": "string"}}
        >>> configs = configs_of({"runs": {"rationales": {"configs": {"rejected": part,
        ...                                                           "answers": part}}}})
        >>> list(configs), configs["answers"]["rows"]
        (['answers', 'rejected'], 2)
    """
    # a dict, because a set has no order
    names = dict.fromkeys(chain.from_iterable(run["configs"] for run in lineage["runs"].values()))
    # sorting is stable: only `rejected` moves
    order = sorted(names, key=lambda name: name == "rejected")
    return {name: merge_config(runs_of(lineage, name)) for name in order}


def runs_of(lineage: Mapping[str, Any], config: str) -> dict[str, Any]:
    """Return what each family has of a config, by the family's name.

    The families are sorted, so the order does not depend on which was published first.
    """
    runs = sorted(lineage["runs"].items())
    return {family: run["configs"][config] for family, run in runs if config in run["configs"]}


def merge_config(runs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows and the columns of a config, over the families that have it."""
    columns: dict[str, str] = {}
    for config in runs.values():
        columns |= config["columns"]
    return {
        "rows": sum(config["rows"] for config in runs.values()),
        "columns": columns,
        "runs": dict(runs),
    }
