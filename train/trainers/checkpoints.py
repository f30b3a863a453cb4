"""The student's folder: which training it belongs to, whether that is finished, and the checkpoint
to go on from.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.run.folder import differences

LINEAGE = "lineage.json"
WEIGHTS = ("model*.safetensors", "adapter_model.safetensors", "pytorch_model*.bin")
OTHERS = ("README.md", "config.json", *WEIGHTS)
"""What training would overwrite in a folder that is no student's."""
DESCRIBING = ("result", "losses")
"""Parts of a lineage that say nothing of how the weights come about: `losses` holds sentences."""
RESUMING = ("optimizer.", "scheduler.", "rng_state")
"""Files of a checkpoint without which a training cannot go on as it was."""


def claim(folder: Path, lineage: dict[str, Any]) -> None:
    """Check that a folder is free for this student.

    Raises:
        UserError: it holds another student, or somebody's files.
    """
    before = read_lineage(folder)
    if not before:
        if held := first_file(folder, (*OTHERS, "checkpoint-*")):
            raise UserError(
                f"{folder} holds {held} and no {LINEAGE} of a student: take another --output_dir"
            )
        return
    # through JSON, so that tuples and enums compare as they were written
    now = json.loads(json.dumps(lineage))
    differs = differences(deciding(before), deciding(now))
    # a folder with a lineage alone is of a command that was stopped before its first checkpoint
    if differs and (first_file(folder, WEIGHTS) or whole_checkpoints(folder)):
        raise UserError(
            f"{folder} holds another training ({'; '.join(differs)}): take another --output_dir"
        )


def deciding(lineage: dict[str, Any]) -> dict[str, Any]:
    """What of a lineage decides the weights."""
    return {name: value for name, value in lineage.items() if name not in DESCRIBING}


def finished(folder: Path) -> bool:
    """Whether a training left its result here, and its weights."""
    return "result" in read_lineage(folder) and first_file(folder, WEIGHTS) is not None


def read_lineage(folder: Path) -> dict[str, Any]:
    """The lineage that lies in a folder; empty where none can be read."""
    try:
        found: dict[str, Any] = json.loads((folder / LINEAGE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def first_file(folder: Path, patterns: Iterable[str]) -> str | None:
    """The name of the first file that fits one of the patterns."""
    return next((file.name for pattern in patterns for file in sorted(folder.glob(pattern))), None)


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end, or None.

    Raises:
        UserError: it was damaged since.
    """
    whole = whole_checkpoints(folder)
    if not whole:
        return None
    if file := damaged(whole[-1]):
        raise UserError(
            f"{whole[-1]}: {file} is damaged; remove this checkpoint, and the same command goes on "
            "from the one before"
        )
    return str(whole[-1])


def whole_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints that were written to their end, oldest first."""
    # transformers writes this file last
    whole = [c for c in folder.glob("checkpoint-*") if (c / "trainer_state.json").is_file()]
    return sorted(whole, key=lambda c: int(c.name.rpartition("-")[2]))


def damaged(checkpoint: Path) -> str | None:
    """The name of a file of a checkpoint that is missing or cannot be read to its end, or None."""
    files = sorted(checkpoint.iterdir())
    if broken := next((file.name for file in files if not readable(file)), None):
        return broken
    if any(file.is_dir() for file in files):  # sharded: the parts are not ours to know
        return None
    if not first_file(checkpoint, WEIGHTS):
        return "the file of the weights"

    names = " ".join(file.name for file in files)
    resumes = [name for name in RESUMING if name in names]
    if len(resumes) in (0, len(RESUMING)):  # all are there, or none were kept
        return None
    return f"one of optimizer, scheduler and rng_state, beside {resumes[0]},"


def readable(file: Path) -> bool:
    """Whether a file is whole.

    JSON must parse, the lengths in a safetensors file must add up, and torch's files, which are
    archives, must have an end.
    """
    from safetensors import SafetensorError, safe_open

    try:
        if file.suffix == ".json":
            json.loads(file.read_bytes())
        if file.suffix == ".safetensors":
            with safe_open(file, "pt"):
                pass
    except (ValueError, SafetensorError):
        return False
    return file.suffix not in (".pt", ".pth", ".bin") or zipfile.is_zipfile(file)
