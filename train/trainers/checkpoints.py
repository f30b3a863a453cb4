"""The student's folder: its training, whether that is finished, and the checkpoint to resume."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.run.folder import differences

LINEAGE = "lineage.json"
WEIGHTS = ("model*.safetensors", "adapter_model.safetensors", "pytorch_model*.bin")
OTHERS = ("README.md", "config.json", *WEIGHTS)
"""Files that a training would overwrite in a folder that holds no student."""
DESCRIBING = ("result", "losses")
"""Parts of a lineage that do not decide the weights. `losses` holds only sentences for the card."""
RESUMING = ("optimizer.", "scheduler.", "rng_state")
"""Files of a checkpoint that a training needs to resume exactly."""


def check_folder_free(folder: Path, lineage: dict[str, Any]) -> None:
    """Check that a folder is free for this student.

    Raises:
        UserError: it holds another student or other files.
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
    differs = differences(deciding_parts(before), deciding_parts(now))
    # a folder with only a lineage is left by a command that stopped before its first checkpoint
    if differs and (first_file(folder, WEIGHTS) or complete_checkpoints(folder)):
        raise UserError(
            f"{folder} holds another training ({'; '.join(differs)}): take another --output_dir"
        )


def deciding_parts(lineage: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a lineage that decide the weights."""
    return {name: value for name, value in lineage.items() if name not in DESCRIBING}


def is_finished(folder: Path) -> bool:
    """Return whether a folder holds the result and the weights of a training."""
    return "result" in read_lineage(folder) and first_file(folder, WEIGHTS) is not None


def read_lineage(folder: Path) -> dict[str, Any]:
    """Return the lineage in a folder, or an empty dict if none can be read."""
    try:
        found: dict[str, Any] = json.loads((folder / LINEAGE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def first_file(folder: Path, patterns: Iterable[str]) -> str | None:
    """Return the name of the first file that fits one of the patterns."""
    files = chain.from_iterable(sorted(folder.glob(pattern)) for pattern in patterns)
    return next((file.name for file in files), None)


def last_checkpoint(folder: Path) -> str | None:
    """Return the newest checkpoint that was written completely, or None.

    Raises:
        UserError: it was damaged afterwards.
    """
    whole = complete_checkpoints(folder)
    if not whole:
        return None
    if file := damaged_file(whole[-1]):
        raise UserError(
            f"{whole[-1]}: {file} is damaged; remove this checkpoint, and the same command goes on "
            "from the one before"
        )
    return str(whole[-1])


def complete_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints that were written completely, oldest first."""
    # transformers writes trainer_state.json last, so a checkpoint with it is complete
    whole = [c for c in folder.glob("checkpoint-*") if (c / "trainer_state.json").is_file()]
    return sorted(whole, key=lambda c: int(c.name.rpartition("-")[2]))


def damaged_file(checkpoint: Path) -> str | None:
    """Return the name of a missing or broken file of a checkpoint, or None."""
    files = sorted(checkpoint.iterdir())
    if broken := next((file.name for file in files if not is_complete(file)), None):
        return broken
    # a sharded checkpoint has folders, whose files depend on the library that wrote them
    if any(file.is_dir() for file in files):
        return None
    if not first_file(checkpoint, WEIGHTS):
        return "the file of the weights"

    names = " ".join(file.name for file in files)
    resumes = [name for name in RESUMING if name in names]
    # with --save_only_model none of them was kept
    if len(resumes) in (0, len(RESUMING)):
        return None
    return f"one of optimizer, scheduler and rng_state, beside {resumes[0]},"


def is_complete(file: Path) -> bool:
    """Return whether a file is complete.

    JSON must parse. The lengths in a safetensors file must add up. Torch's files are archives and
    must have the end of an archive.
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
