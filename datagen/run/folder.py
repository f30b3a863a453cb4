"""The files of a run folder other than its rows: lock, configuration and statistics."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from datagen.errors import UserError
from datagen.records.config import RunConfig
from datagen.records.names import public_identity
from datagen.records.serialise import to_json
from datagen.records.stats import RunStats
from datagen.versions.lineage import read_json


def make_folder(path: Path) -> None:
    """Create the run folder, if it does not exist.

    Raises:
        UserError: it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {path}: no folder can be made there ({error.strerror})") from None


def lock(path: Path) -> IO[str]:
    """Lock a run folder for this process. Closing the returned file ends the lock.

    Raises:
        UserError: another process holds the lock.
    """
    # the system frees the lock of a killed process, so no lock is left behind
    handle = (path / ".lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise UserError(
            f"another process is working in {path}: wait for it, or choose another --out"
        ) from None
    return handle


def keep_config(path: Path, config: RunConfig) -> RunConfig:
    """Write the configuration of a new run, or compare it with that of an old one.

    A run without any answer or row does not bind its folder: another configuration replaces it.

    Returns:
        The configuration under which the run goes on. Its teacher has the identity with which the
        run began, because the journal finds answers by it.

    Raises:
        UserError: the folder holds another run, or files that are no run.
    """
    file = path / "config.json"
    if not file.exists():
        others = [p.name for p in path.iterdir() if p.name != ".lock"]
        if others:
            raise UserError(
                f"{path} is no run folder and not empty (it holds {others[0]}): "
                "choose another --out"
            )
        write_json(file, to_json(config))
        return config

    try:
        before = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is damaged ({error}): choose another --out") from None

    old = RunConfig.read(before, str(file))
    # an older release recorded the whole address of an endpoint, which can hold a key
    identity = old.teacher.identity
    before["teacher"]["identity"] = public_identity(identity)
    # it also wrote less: only what it wrote is compared, so that its runs go on
    changes = differences(before, json.loads(json.dumps(config.as_written_by(old.format))))
    if changes and holds_nothing(path):
        # a wrong flag was noticed before the teacher was asked: its folder is free again
        write_json(file, to_json(config))
        return config
    if changes:
        raise UserError(
            f"{path} holds a run of another configuration: {'; '.join(changes)}. "
            "Choose another --out"
        )
    return replace(config, teacher=replace(config.teacher, identity=identity))


def holds_nothing(path: Path) -> bool:
    """Return whether a run stopped before it had an answer or a row."""
    others = [p for p in path.iterdir() if p.name not in (".lock", "config.json")]
    if any(not re.search(r"\.sqlite(-wal|-shm)?$", p.name) for p in others):
        return False
    return not any(has_rows(p) for p in others if p.suffix == ".sqlite")


def has_rows(file: Path) -> bool:
    """Return whether a table of a database holds a row."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        counts = [database.execute(f'SELECT EXISTS (SELECT 1 FROM "{name}")') for (name,) in tables]
        return any(count.fetchone()[0] for count in counts)


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Return one line for every value that differs between two JSON values.

    Args:
        before: the old value.
        now: the new value.
        name: the path to the values, for the lines.

    Example:
        >>> differences({"settings": {"samples": 8}}, {"settings": {"samples": 16}})
        ['settings.samples was 8, now 16']
    """
    if isinstance(before, dict) and isinstance(now, dict):
        lines: list[str] = []
        for key in [*before, *(key for key in now if key not in before)]:
            inner = f"{name}.{key}" if name else str(key)
            lines += differences(before.get(key), now.get(key), inner)
        return lines
    return [] if before == now else [f"{name} was {json.dumps(before)}, now {json.dumps(now)}"]


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file. After a kill the old or the new file is there, and it is whole."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)


def commit() -> str | None:
    """Return the commit of the checkout that this code runs from, or None without a checkout."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    found = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def read_stats(path: Path) -> dict[str, Any]:
    """Return the statistics of a finished run as a JSON object."""
    stats: dict[str, Any] = json.loads((path / "stats.json").read_text(encoding="utf-8"))
    return stats


def read_run(run: Path) -> tuple[RunConfig, RunStats]:
    """Return the configuration and the statistics of a finished run.

    Args:
        run: the run folder.

    Raises:
        UserError: there is no run folder, or the run is not finished, or a file is damaged.
    """
    if not run.is_dir():
        raise UserError(f"no run folder {run}")
    if not (run / "config.json").is_file():
        raise UserError(f"{run} is no run folder: it has no config.json")
    config = RunConfig.read(read_json(run / "config.json"), str(run / "config.json"))

    # stats.json is written last, so its presence says that the Parquet files are whole
    file = run / "stats.json"
    if not file.is_file() or read_json(file).get("finished") is not True:
        raise UserError(
            f"{run} is not finished: the command that made it, given again, goes on with it"
        )
    stats = RunStats.read(read_json(file), str(file))
    if config.settings.get("teacher_topk") and stats.teacher_topk is None:
        raise UserError(
            f"{run} has no stored probabilities yet: the command that made it, given again, "
            "adds them"
        )
    if not sum(stats.accepted.values()):
        raise UserError(f"{run} holds no accepted rows: nothing to publish")
    return config, stats
