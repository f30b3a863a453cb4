"""Versions in a folder: STORE/NAME/1.0.0, opened by plain `datasets.load_dataset`.

A version is written beside its place and renamed into it, so it is there whole or not at all; the rename fails where
another publisher was faster. Nothing is ever changed or moved afterwards.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cards.dataset import dataset_card
from datagen.errors import UserError
from datagen.publish.lineage import file_sha256, read_json, rows
from datagen.publish.versions import FIRST, Number, following, parse, show

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
SAMPLES = 2
"""Rows of a config that its card shows."""


@dataclass(frozen=True)
class Version:
    """A published version, as it lies in a folder."""

    name: str
    version: str
    path: Path
    content_sha256: str
    lineage: dict[str, Any]


def default_store() -> Path:
    return Path(os.environ.get("EMERGENT_STORE", "datasets"))


def check_name(name: str) -> None:
    if not NAME.fullmatch(name) or ".." in name:
        raise UserError(f"{name!r} is no dataset name: letters, digits, '-', '_' and '.', with at most one '/'")


def versions_of(name: str, *, store: Path | None = None) -> list[Version]:
    """All versions of a name, oldest first; empty where there is none."""
    folder = (store or default_store()) / name
    numbers = [(parse(p.name), p) for p in folder.iterdir() if p.is_dir()] if folder.is_dir() else []
    found = sorted((number, path) for number, path in numbers if number is not None)
    return [open_version(path) for _, path in found]


def open_version(path: Path) -> Version:
    lineage = read_json(path / "lineage.json")
    return Version(lineage["name"], lineage["version"], path, lineage["content_sha256"], lineage)


def resolve(reference: str, *, store: Path | None = None) -> Version:
    """The version that NAME@1.0.0, NAME (its newest) or a version's folder means. Raises UserError."""
    if (Path(reference) / "lineage.json").is_file():
        return open_version(Path(reference))
    name, _, number = reference.partition("@")
    check_name(name)
    found = versions_of(name, store=store)
    if not found:
        raise UserError(
            f"no dataset {name!r} in {store or default_store()}; it holds: {', '.join(names(store)) or '-'}"
        )
    if not number:
        return found[-1]
    for version in found:
        if parse(version.version) == parse(number):
            return version
    raise UserError(f"{name} has no version {number!r}; it has: {', '.join(v.version for v in found)}")


def names(store: Path | None = None) -> list[str]:
    """The names in a store that have a version."""
    folder = store or default_store()
    files = [*folder.glob("*/*/lineage.json"), *folder.glob("*/*/*/lineage.json")]
    return sorted({file.parent.parent.relative_to(folder).as_posix() for file in files})


def verify(version: Version) -> None:
    """Recompute the hash of every file. Raises UserError naming the first that differs from the lineage."""
    for name, expected in version.lineage["files"].items():
        file = version.path / name
        if not file.is_file() or file_sha256(file) != expected["sha256"]:
            state = "is missing" if not file.is_file() else "was changed after it was published"
            raise UserError(f"{version.name}@{version.version}: {name} {state}")


def publish(run: Path, lineage: dict[str, Any], *, store: Path, wanted: str | None = None) -> tuple[Version, bool]:
    """Put a run's lineage and rows into the store. Returns the version, and whether it is new.

    `wanted` asks for a number; it is refused where it exists. Raises UserError.
    """
    check_name(lineage["name"])
    while True:
        existing = versions_of(lineage["name"], store=store)
        same = next((v for v in existing if holds(v, lineage, run)), None)
        if wanted is None and same is not None:
            return same, False
        number = choose(wanted, existing, lineage)
        with contextlib.suppress(FileExistsError):
            return write(run, lineage, number, existing[-1] if existing else None, store=store), True


def choose(wanted: str | None, existing: list[Version], lineage: dict[str, Any]) -> Number:
    if wanted is None:
        return following(existing[-1].lineage, lineage) if existing else FIRST
    number = parse(wanted)
    if number is None:
        raise UserError(f"--version {wanted}: not of the form 1.0.0")
    if any(parse(v.version) == number for v in existing):
        there = ", ".join(v.version for v in existing)
        raise UserError(f"{lineage['name']} {show(number)} exists and is never changed; versions: {there}")
    return number


def holds(version: Version, lineage: dict[str, Any], run: Path) -> bool:
    """Whether a version already has this content and this card: the card is rendered as that version's and compared."""
    if version.content_sha256 != lineage["content_sha256"]:
        return False
    dated = {key: version.lineage[key] for key in ("version", "created", "previous")}
    return (version.path / "README.md").read_text(encoding="utf-8") == card(lineage | dated, run)


def card(lineage: dict[str, Any], run: Path) -> str:
    """The card of a run's lineage, with the first rows of every config."""
    samples = {c: list(itertools.islice(rows(run / f"{c}.parquet"), SAMPLES)) for c in lineage["configs"]}
    return dataset_card(lineage, samples)


def write(run: Path, lineage: dict[str, Any], number: Number, previous: Version | None, *, store: Path) -> Version:
    """Write a version beside its place and rename it. Raises FileExistsError where another publisher was faster."""
    folder = store / lineage["name"]
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    partial, place = folder / f".{show(number)}.{os.getpid()}.partial", folder / show(number)
    lineage = lineage | {
        "version": show(number),
        "created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "previous": previous and {"version": previous.version, "content_sha256": previous.content_sha256},
        "files": {},
    }
    for config in lineage["configs"]:
        file = partial / config / "train-00000-of-00001.parquet"
        file.parent.mkdir(parents=True)
        shutil.copyfile(run / f"{config}.parquet", file)
        name = file.relative_to(partial).as_posix()
        lineage["files"][name] = {"sha256": file_sha256(file), "bytes": file.stat().st_size}
    (partial / "README.md").write_text(card(lineage, run), encoding="utf-8")
    (partial / "lineage.json").write_text(json.dumps(lineage, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    settle(partial)
    try:
        partial.rename(place)
    except OSError as error:
        shutil.rmtree(partial)
        raise FileExistsError(place) from error
    return open_version(place)


def settle(folder: Path) -> None:
    """Bring every file to disk and make it read-only."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
            file.chmod(0o444)


def sweep(folder: Path) -> None:
    """Remove what a killed publisher left behind."""
    for partial in folder.glob(".*.partial"):
        pid = int(partial.name.split(".")[-2])
        if pid == os.getpid() or not alive(pid):
            shutil.rmtree(partial, ignore_errors=True)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
