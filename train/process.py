"""The process of a training command: errors as one line, and no network if all data is local."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datagen.errors import DatagenError
from datagen.teacher.spec import TeacherSpec
from datagen.terminal import show
from train.flags import is_yes, peek, split_config

NAMES = ("model_name_or_path", "teacher_model_name_or_path", "dataset", "mixture", "store")


def guard(run: Callable[[], None]) -> int:
    """Run a command and return the exit status.

    For bad input, one line is printed to standard error.
    """
    try:
        run()
    except DatagenError as error:
        show(f"train: {error}", error=True)
        return error.status
    except KeyboardInterrupt:
        print(
            "\ntrain: stopped. The same command goes on from the last checkpoint, if there is one.",
            file=sys.stderr,
        )
        # the usual exit status after Ctrl-C
        return 130
    return 0


def offline_if_local(argv: Sequence[str]) -> None:
    """Turn the Hub off if all models are folders and the data is in the store.

    `--push_to_hub` keeps the Hub on. `HF_HUB_OFFLINE=0` in the environment overrides this. The
    libraries read the environment when they are imported, so call this before.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    words, values = split_config(argv)
    # the parser of all flags would import the libraries, which then read the environment
    words = [re.sub("^--model(?=$|=)", "--model_name_or_path", word) for word in words]
    flags = peek(words, values, NAMES, switch="push_to_hub")
    if is_yes(flags["push_to_hub"]):
        return
    # a command without a teacher counts as local, like one with the embedded teacher
    teacher = str(flags["teacher_model_name_or_path"] or "micro")
    base = flags["model_name_or_path"]
    teacher_here = TeacherSpec.of_model(teacher).folder is not None
    base_here = base and Path(str(base)).is_dir()
    if base_here and teacher_here and not data_on_hub(flags):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")


def data_on_hub(flags: Mapping[str, Any]) -> bool:
    """Return whether a dataset of `--dataset` or `--mixture` comes from the Hub."""
    from datagen.versions.locate import on_hub

    store = Path(str(flags["store"])) if flags.get("store") else None
    mixture = [re.split("[:=]", str(source))[0] for source in flags.get("mixture") or []]
    names = [flags.get("dataset"), *mixture]
    return any(on_hub(str(name), store=store) for name in names if name)
