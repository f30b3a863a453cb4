"""`train push`: a student on the Hub, with its card, its lineage and what was measured of it, in
one commit.

Any failure is met by looking again: what the repository holds is compared with the files by their
hashes, so a command that was cut off is finished by giving it again, and one that has nothing to
add commits nothing."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cards.model import MEASURES
from datagen.errors import UserError
from datagen.publish.hub import NEUTRAL, create
from datagen.versions.connection import connect, retried
from datagen.versions.hub import checked
from datagen.versions.lineage import read_json
from datagen.versions.parquet import file_sha256

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

KINDS = {".safetensors", ".json", ".jinja", ".model", ".txt"}
"""Suffixes of what a student consists of. Optimizer states and `training_args.bin`, which names
places on this machine, stay here."""
OWN = {"README.md", "LICENSE", "lineage.json"}
LEFT = {"trainer_state.json"}


@dataclass(frozen=True)
class PushSettings:
    """Put a trained student on the Hub: weights, tokenizer, card and lineage in one commit."""

    positional: ClassVar[tuple[str, ...]] = ("student", "name")

    student: Path
    """The student's folder."""
    name: str
    """ORG/NAME of the model on the Hub."""
    report: Path | None = None
    """report.json of a `train evaluate` that measured this student: its figures go into card and
    lineage."""
    public: bool = False
    """For everybody to see; by default the repository is a private one."""


def push(settings: PushSettings) -> None:
    """Put a student on the Hub, and print where it lies. Raises UserError."""
    name, lineage = checked(settings.name), read_student(settings.student)
    if settings.report is not None:
        lineage["retention"] = retention(settings.report, settings.student)
    with tempfile.TemporaryDirectory(prefix="train-") as scratch:
        files = files_of(settings.student, lineage, Path(scratch))
        commit, new = put(name, files, lineage, public=settings.public)
    if new:
        print(f"pushed {name}: {len(files)} files, commit {commit}")
    else:
        print(f"{name} holds this student already, at commit {commit}")
    print(
        f'open it with transformers.AutoModelForCausalLM.from_pretrained("{name}", revision="{commit}")'
    )


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


def retention(report: Path, student: Path) -> list[dict[str, Any]]:
    """What a report says of the student in this folder: of each suite its measures, and those of
    base and teacher.

    The student is found by the fingerprint of its files. Raises UserError where the report measured
    other weights."""
    from datagen.teacher.fingerprint import fingerprint

    said, mark = read_json(report, ("models", "suites")), f"@{fingerprint(student)}"
    names = {
        (m["name"], m["mode"])
        for m in said["models"]
        if m["role"] == "student" and m["identity"].endswith(mark)
    }
    if not names:
        raise UserError(
            f"{report} measured no student with these weights ({mark[1:]}): evaluate {student} anew"
        )
    return [
        {
            "suite": suite["suite"],
            "n": suite["n"],
            "models": [measured(model) for model in chosen(suite, names)],
        }
        for suite in said["suites"]
    ]


def chosen(suite: Mapping[str, Any], names: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """The student, in each mode that it was asked in, and whom it is compared with."""
    return [m for m in suite["models"] if m["role"] != "student" or (m["name"], m["mode"]) in names]


def measured(model: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: model.get(key) for key in ("role", "mode", *MEASURES) if model.get(key) is not None
    }


def files_of(student: Path, lineage: dict[str, Any], scratch: Path) -> dict[str, Path]:
    """What is uploaded, by its name: the student's files, with card and lineage as they are to
    be."""
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
    """An adapter's configuration, without its base's place on this machine."""
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
    """Make the repository hold these files. Returns its head, and whether a commit was made. Raises
    UserError."""
    api = connect(name, write=True)
    before = retried(lambda: look_or_create(api, name, public=public), name)
    data = lineage["dataset"]
    message = (
        f"Push a student of {data.get('name', 'a mixture')} {data.get('version', '')}".rstrip()
    )
    head = retried(lambda: commit(api, name, files, message=message), name)
    return head, head != before


def look_or_create(api: HfApi, name: str, *, public: bool) -> str:
    """The repository's head; the repository is made where there is none.

    Raises UserError where it is public and should not be, or private and should not be.
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
    """One commit with what differs from the head; the head itself where nothing does."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.hf_api import RepoFile

    head = str(api.repo_info(name).sha)
    tree = api.list_repo_tree(name, recursive=True, revision=head)
    there = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    if (foreign := sorted(there.keys() - NEUTRAL)) and "lineage.json" not in there:
        raise UserError(
            f"{name} on the Hub holds files that are no student ({foreign[0]}, ...): choose another name"
        )
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
    """Whether the repository's file has these bytes: by SHA-256 where it is a large one, else by
    git's hash."""
    if entry.size != file.stat().st_size:
        return False
    if entry.lfs is not None:
        return entry.lfs.sha256 == file_sha256(file)
    content = file.read_bytes()
    return entry.blob_id == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
