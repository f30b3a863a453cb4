"""What lies in a run folder beside its rows: the lock, the configuration, the statistics."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path
from typing import IO, Any

from datagen.errors import UserError
from datagen.records.config import RunConfig
from datagen.records.serialise import to_json
from datagen.records.stats import RunStats
from datagen.versions.lineage import read_json


def make_folder(path: Path) -> None:
    """Raises UserError where there can be none."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {path}: no folder can be made there ({error.strerror})") from None


def lock(path: Path) -> IO[str]:
    handle = (path / ".lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise UserError(
            f"another process is working in {path}: wait for it, or choose another --out"
        ) from None
    return handle


def keep_config(path: Path, config: RunConfig) -> None:
    """Write the configuration of a new run, or compare it with that of an old one.

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
        return

    try:
        before = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is damaged ({error}): choose another --out") from None
    # an older release wrote less: only what it wrote is compared, so that its runs go on
    written = config.as_written_by(RunConfig.read(before, str(file)).format)
    changes = differences(before, json.loads(json.dumps(written)))
    if changes:
        raise UserError(
            f"{path} holds a run of another configuration: {'; '.join(changes)}. "
            "Choose another --out"
        )


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """`settings.samples was 8, now 16`, for every leaf that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(k for k in now if k not in before)]
        return [
            line
            for k in keys
            for line in differences(before.get(k), now.get(k), f"{name}.{k}" if name else str(k))
        ]
    return [] if before == now else [f"{name} was {json.dumps(before)}, now {json.dumps(now)}"]


def write_json(path: Path, value: Any) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)


def commit() -> str | None:
    """The commit of the checkout that this code runs from; None where it was installed."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return None
    found = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def read_stats(path: Path) -> dict[str, Any]:
    stats: dict[str, Any] = json.loads((path / "stats.json").read_text(encoding="utf-8"))
    return stats


def read_run(run: Path) -> tuple[RunConfig, RunStats]:
    """The configuration and the statistics of a finished run.

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

    file = run / "stats.json"
    if not file.is_file() or read_json(file).get("finished") is not True:
        raise UserError(
            f"{run} is not finished: the command that made it, given again, goes on with it"
        )
    stats = RunStats.read(read_json(file), str(file))
    if config.settings.get("teacher_topk") and "teacher_topk" not in stats.measured:
        raise UserError(
            f"{run} has no stored probabilities yet: the command that made it, given again, "
            "adds them"
        )
    if not sum(stats.accepted.values()):
        raise UserError(f"{run} holds no accepted rows: nothing to publish")
    return config, stats
