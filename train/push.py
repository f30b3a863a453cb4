"""`train push`: a student on the Hub, with its card, its lineage and what was measured of it, in
one commit.

After a failure the command looks again: it compares the files in the repository with its own by
their hashes. So the same command finishes one that was cut off, and it commits nothing where there
is nothing to add.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from datagen.errors import UserError
from datagen.publish.hub import NEUTRAL, create
from datagen.records.report import ReportRecord, SuiteModel, SuiteSection
from datagen.records.serialise import to_json
from datagen.records.student import ModelRetention, SuiteRetention
from datagen.versions.connection import connect, retry
from datagen.versions.hub import check_hub_name
from datagen.versions.lineage import read_json
from datagen.versions.parquet import file_sha256

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

KINDS = {".safetensors", ".json", ".jinja", ".model", ".txt"}
"""Suffixes of the files of a student. Optimizer states stay here, and `training_args.bin`, which
names places on this machine."""
OWN = {"README.md", "LICENSE", "lineage.json"}
"""Files that are pushed whatever their suffix."""
LEFT = {"trainer_state.json"}
"""Files with such a suffix that stay here."""


@dataclass(frozen=True)
class PushSettings:
    """Put a trained student on the Hub: weights, tokenizer, card and lineage in one commit."""

    positional: ClassVar[tuple[str, ...]] = ("student", "name")

    student: Path
    """The student's folder."""
    name: str
    """ORG/NAME of the model on the Hub."""
    report: Path | None = None
    """report.json of a `train evaluate` that measured this student. Its figures go into card and
    lineage."""
    public: bool = False
    """Make the repository public. By default it is private."""


@dataclass(frozen=True)
class Pushed:
    """A student on the Hub."""

    name: str
    """ORG/NAME."""
    commit: str
    """The head of the repository, which holds this student."""
    files: int
    new: bool
    """Whether something was committed."""

    @property
    def summary(self) -> str:
        """The closing lines that the command prints."""
        first = f"{self.name} holds this student already, at commit {self.commit}"
        if self.new:
            first = f"pushed {self.name}: {self.files} files, commit {self.commit}"
        call = f'from_pretrained("{self.name}", revision="{self.commit}")'
        return f"{first}\nopen it with transformers.AutoModelForCausalLM.{call}"


def push_and_print(settings: PushSettings) -> None:
    """Push, and print where the student lies. Raises UserError."""
    print(push(settings).summary)


def push(settings: PushSettings) -> Pushed:
    """Put a student on the Hub.

    Raises:
        UserError: the folder holds no finished student, the report measured another, or the Hub
            refuses.
    """
    name = check_hub_name(settings.name)
    lineage = read_student(settings.student)
    if settings.report is not None:
        measured_suites = retention(settings.report, settings.student)
        lineage["retention"] = [to_json(suite) for suite in measured_suites]
    with tempfile.TemporaryDirectory(prefix="train-") as scratch:
        files = files_of(settings.student, lineage, Path(scratch))
        commit, new = put(name, files, lineage, public=settings.public)
    return Pushed(name, commit, len(files), new)


def read_student(folder: Path) -> dict[str, Any]:
    """The lineage of a finished student. Raises UserError for a folder that holds none."""
    if not folder.is_dir():
        raise UserError(f"no student folder {folder}")
    if not (folder / "lineage.json").is_file():
        raise UserError(f"{folder} holds no student of `train`: it has no lineage.json")
    lineage = read_json(folder / "lineage.json", ("base", "dataset", "settings"))
    if "result" not in lineage or not list(folder.glob("*.safetensors")):
        raise UserError(
            f"{folder} is not finished: the command that trained it, given again, goes on with it"
        )
    return lineage


def retention(report: Path, student: Path) -> tuple[SuiteRetention, ...]:
    """What a report says of the student in this folder, of base and of teacher, for each suite.

    The student is found by the fingerprint of its files.

    Raises:
        UserError: the report measured other weights.
    """
    from datagen.teacher.fingerprint import fingerprint

    found = ReportRecord.read(read_json(report), str(report))
    mark = f"@{fingerprint(student)}"
    names = {
        (model.name, model.mode)
        for model in found.models
        if model.role == "student" and model.identity.endswith(mark)
    }
    if not names:
        raise UserError(
            f"{report} measured no student with these weights ({mark[1:]}): evaluate {student} anew"
        )
    return tuple(
        SuiteRetention(
            suite=section.suite,
            n=section.n,
            models=tuple(measured(model) for model in chosen(section, names)),
        )
        for section in found.suites
    )


def chosen(section: SuiteSection, names: set[tuple[str, str]]) -> list[SuiteModel]:
    """The student in each of its modes, and the models that it is compared with."""
    return [
        model
        for model in section.models
        if model.role != "student" or (model.name, model.mode) in names
    ]


def measured(model: SuiteModel) -> ModelRetention:
    """The figures of a model that a card shows."""
    return ModelRetention(
        role=model.role,
        mode=model.mode,
        greedy_accuracy=model.greedy_accuracy,
        majority_accuracy=model.majority_accuracy,
        gap_closed=model.gap_closed,
    )


def files_of(student: Path, lineage: dict[str, Any], scratch: Path) -> dict[str, Path]:
    """What is uploaded, by its name: the student's files, with card and lineage made anew."""
    from cards.model import model_card

    kept = [file for file in sorted(student.iterdir()) if file.suffix in KINDS or file.name in OWN]
    files = {file.name: file for file in kept if file.is_file() and file.name not in LEFT}
    written = {
        "README.md": model_card(lineage),
        "lineage.json": json.dumps(lineage, indent=2, ensure_ascii=False) + "\n",
    }
    if "adapter_config.json" in files:
        written["adapter_config.json"] = adapter(
            files["adapter_config.json"], lineage["base"]["name"]
        )
    for name, text in written.items():
        files[name] = scratch / name
        files[name].write_text(text, encoding="utf-8")
    return files


def adapter(file: Path, base: str) -> str:
    """The configuration of an adapter, without the place of its base on this machine."""
    config = read_json(file)
    if Path(str(config.get("base_model_name_or_path"))).is_dir():
        config["base_model_name_or_path"] = base
        print(
            f"warning: the adapter's base {base} is a folder here: whoever opens it must have it",
            file=sys.stderr,
        )
    return json.dumps(config, indent=2) + "\n"


def put(
    name: str, files: dict[str, Path], lineage: Mapping[str, Any], *, public: bool
) -> tuple[str, bool]:
    """Make the repository hold these files.

    Returns:
        Its head, and whether a commit was made.

    Raises:
        UserError: the Hub refuses.
    """
    api = connect(name, write=True)
    before = retry(lambda: look_or_create(api, name, public=public), name)
    data = lineage["dataset"]
    message = (
        f"Push a student of {data.get('name', 'a mixture')} {data.get('version', '')}".rstrip()
    )
    head = retry(lambda: commit(api, name, files, message=message), name)
    return head, head != before


def look_or_create(api: HfApi, name: str, *, public: bool) -> str:
    """The repository's head. The repository is created where there is none.

    Raises:
        UserError: it is public and should be private, or the other way round.
    """
    if not api.repo_exists(name):
        create(api, name, private=not public, kind="model")
    info = api.repo_info(name)
    if not info.private and not public:
        raise UserError(
            f"{name} on the Hub is public: give --public to push there, or choose another name"
        )
    if info.private and public:
        raise UserError(
            f"{name} on the Hub is private: make it public on its page, or leave out --public"
        )
    return str(info.sha)


def commit(api: HfApi, name: str, files: dict[str, Path], *, message: str) -> str:
    """Commit what differs from the head. Returns the new head, or the old one if nothing
    differs.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.hf_api import RepoFile

    # the head is the parent of the commit: if somebody pushes in between, the Hub refuses
    head = str(api.repo_info(name).sha)
    tree = api.list_repo_tree(name, recursive=True, revision=head)
    there = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    if (foreign := sorted(there.keys() - NEUTRAL)) and "lineage.json" not in there:
        raise UserError(
            f"{name} on the Hub holds files that are no student ({foreign[0]}, ...): choose "
            "another name"
        )
    # weights of an earlier student, in shards that this one does not have
    stale = [
        path
        for path in there
        if path not in files and "/" not in path and Path(path).suffix in KINDS
    ]
    changed = [
        path for path, file in files.items() if path not in there or not same(there[path], file)
    ]
    if not (stale or changed):
        return head
    operations: list[Any] = [CommitOperationDelete(path, is_folder=False) for path in stale]
    operations += [CommitOperationAdd(path, files[path]) for path in changed]
    return api.create_commit(
        name, operations, commit_message=message, revision="main", parent_commit=head
    ).oid


def same(entry: RepoFile, file: Path) -> bool:
    """Whether the repository's file has these bytes.

    The Hub gives the SHA-256 of a large file, and git's hash of a small one.
    """
    if entry.size != file.stat().st_size:
        return False
    if entry.lfs is not None:
        return entry.lfs.sha256 == file_sha256(file)
    content = file.read_bytes()
    return entry.blob_id == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
