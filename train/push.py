"""`train push`: put a student on the Hub in one commit, with card, lineage and measured figures.

The command compares the files in the repository with its own by their hashes. So the same command
finishes a push that was cut off. It commits nothing if the repository is already complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from datagen.errors import UserError
from datagen.publish.hub import NEUTRAL, create
from datagen.records.report import ReportRecord, SuiteModel, SuiteSection
from datagen.records.serialise import to_json
from datagen.records.student import ModelRetention, SuiteRetention
from datagen.scratch import scratch_folder
from datagen.terminal import show
from datagen.versions.connection import connect, retry
from datagen.versions.hub import check_hub_name
from datagen.versions.lineage import read_json
from datagen.versions.parquet import file_sha256

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

PUSHED_SUFFIXES = {".safetensors", ".json", ".jinja", ".model", ".txt"}
"""Suffixes of the files that are pushed. Optimizer states are not pushed. Neither is
`training_args.bin`, which contains paths of this machine."""
ALWAYS_PUSHED = {"README.md", "LICENSE", "lineage.json"}
"""Files that are pushed whatever their suffix is."""
NEVER_PUSHED = {"trainer_state.json"}
"""Files with such a suffix that are not pushed."""


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
    """The head of the repository, with this student."""
    files: int
    new: bool
    """Whether something was committed."""

    @property
    def summary(self) -> str:
        """The closing lines that the command prints."""
        known = f"{self.name} already holds this student, at commit {self.commit}"
        pushed = f"pushed {self.name}: {self.files} files, commit {self.commit}"
        first = pushed if self.new else known
        call = f'from_pretrained("{self.name}", revision="{self.commit}")'
        return f"{first}\nopen it with transformers.AutoModelForCausalLM.{call}"


def push_and_print(settings: PushSettings) -> None:
    """Push a student and print where it is."""
    show(push(settings).summary)


def push(settings: PushSettings) -> Pushed:
    """Put a student on the Hub.

    Raises:
        UserError: no finished student is there, the report measured another, or the Hub refuses.
    """
    name = check_hub_name(settings.name)
    lineage = read_student(settings.student)
    if settings.report is not None:
        measured = retention(settings.report, settings.student)
        lineage["retention"] = [to_json(suite) for suite in measured]
    with scratch_folder() as scratch:
        files = files_of(settings.student, lineage, scratch)
        commit, new = push_files(name, files, lineage, public=settings.public)
    return Pushed(name, commit, len(files), new)


def read_student(folder: Path) -> dict[str, Any]:
    """Return the lineage of a finished student.

    Raises:
        UserError: the folder holds no finished student.
    """
    if not folder.is_dir():
        raise UserError(f"no student folder {folder}")
    if not (folder / "lineage.json").is_file():
        raise UserError(f"{folder} holds no student of `train`: it has no lineage.json")
    lineage = read_json(folder / "lineage.json", ("base", "dataset", "settings"))
    # `result` is added to the lineage when the training has ended
    if "result" not in lineage or not list(folder.glob("*.safetensors")):
        raise UserError(
            f"{folder} is not finished: the command that trained it, given again, goes on with it"
        )
    return lineage


def retention(report: Path, student: Path) -> tuple[SuiteRetention, ...]:
    """Return the figures of the student in this folder, of base and of teacher, by suite.

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
            models=tuple(retention_of_model(model) for model in models_to_show(section, names)),
        )
        for section in found.suites
    )


def models_to_show(section: SuiteSection, names: set[tuple[str, str]]) -> list[SuiteModel]:
    """Return the student in each of its modes, and the base and the teacher."""
    return [
        model
        for model in section.models
        if model.role != "student" or (model.name, model.mode) in names
    ]


def retention_of_model(model: SuiteModel) -> ModelRetention:
    """Return the figures of a model that a card shows."""
    return ModelRetention(
        role=model.role,
        mode=model.mode,
        greedy_accuracy=model.greedy_accuracy,
        majority_accuracy=model.majority_accuracy,
        gap_closed=model.gap_closed,
    )


def files_of(student: Path, lineage: dict[str, Any], scratch: Path) -> dict[str, Path]:
    """Return the files to upload, by name; card and lineage are written anew."""
    from cards.model import model_card

    kept = [
        file
        for file in sorted(student.iterdir())
        if file.suffix in PUSHED_SUFFIXES or file.name in ALWAYS_PUSHED
    ]
    files = {file.name: file for file in kept if file.is_file() and file.name not in NEVER_PUSHED}
    written = {
        "README.md": model_card(lineage),
        "lineage.json": json.dumps(lineage, indent=2, ensure_ascii=False) + "\n",
    }
    if "adapter_config.json" in files:
        written["adapter_config.json"] = adapter_without_path(
            files["adapter_config.json"], lineage["base"]["name"]
        )
    for name, text in written.items():
        files[name] = scratch / name
        files[name].write_text(text, encoding="utf-8")
    return files


def adapter_without_path(file: Path, base: str) -> str:
    """Return the configuration of an adapter, without the local path of its base."""
    config = read_json(file)
    if Path(str(config.get("base_model_name_or_path"))).is_dir():
        config["base_model_name_or_path"] = base
        show(
            f"warning: the adapter's base {base} is a folder here: whoever opens it must have it",
            error=True,
        )
    return json.dumps(config, indent=2) + "\n"


def push_files(
    name: str, files: dict[str, Path], lineage: Mapping[str, Any], *, public: bool
) -> tuple[str, bool]:
    """Put these files into the repository.

    Returns:
        The head of the repository, and whether a commit was made.

    Raises:
        UserError: the Hub refuses.
    """
    api = connect(name, write=True)
    before = retry(lambda: find_or_create(api, name, public=public), name)
    data = lineage["dataset"]
    message = (
        f"Push a student of {data.get('name', 'a mixture')} {data.get('version', '')}".rstrip()
    )
    head = retry(lambda: commit(api, name, files, message=message), name)
    # the head moves only if something was committed
    return head, head != before


def find_or_create(api: HfApi, name: str, *, public: bool) -> str:
    """Return the head of the repository, which is created if it does not exist.

    Raises:
        UserError: the repository is public and should be private, or the other way round.
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
    """Commit the files that differ from the head, and return the new head.

    If no file differs, nothing is committed and the old head is returned.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.hf_api import RepoFile

    # the head is the parent of the commit: if somebody pushes in between, the Hub refuses
    head = str(api.repo_info(name).sha)
    tree = api.list_repo_tree(name, recursive=True, revision=head)
    remote = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    # every push writes lineage.json, so files without it are of somebody else
    if (foreign := sorted(remote.keys() - NEUTRAL)) and "lineage.json" not in remote:
        raise UserError(
            f"{name} on the Hub holds files that are no student ({foreign[0]}, ...): choose "
            "another name"
        )
    # files of an earlier student that this one does not have, such as further shards of weights
    stale = [
        path
        for path in remote
        if path not in files and "/" not in path and Path(path).suffix in PUSHED_SUFFIXES
    ]
    changed = [
        path
        for path, file in files.items()
        if path not in remote or not has_same_bytes(remote[path], file)
    ]
    if not (stale or changed):
        return head
    operations: list[Any] = [CommitOperationDelete(path, is_folder=False) for path in stale]
    operations += [CommitOperationAdd(path, files[path]) for path in changed]
    return api.create_commit(
        name, operations, commit_message=message, revision="main", parent_commit=head
    ).oid


def has_same_bytes(entry: RepoFile, file: Path) -> bool:
    """Return whether the repository's file has these bytes.

    The Hub gives the SHA-256 of a large file, and git's hash of a small one.
    """
    if entry.size != file.stat().st_size:
        return False
    if entry.lfs is not None:
        return entry.lfs.sha256 == file_sha256(file)
    # git hashes a header with the length in front of the content
    content = file.read_bytes()
    return entry.blob_id == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
