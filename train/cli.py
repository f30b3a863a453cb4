"""The `train` command.

`sft`, `kd` and `gkd` take TRL's flags beside their own, so they have TRL's parser. `evaluate`,
`probe` and `push` are parsed as in `datagen`.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any

from datagen import __version__
from datagen.flags import run_command
from train.flags import HELP
from train.help import print_help
from train.process import guard

ABOUT = "Train students on published dataset versions, and measure what they learned."
USAGE = f"""usage: train COMMAND [--config FILE.yaml] [--FLAG VALUE ...]

{ABOUT}

commands:
  sft       fine-tune a student on dataset versions, with losses on what the rows hold
  kd        distil the teacher's probabilities that a dataset version stores
  gkd       distil from a live teacher, also on the student's own completions
  evaluate  accuracy of base, students and teacher with intervals, and the gap closed
  probe     how likely a student finds every row of a version, and whether it is right
  push      put a student on the Hub, with its card, lineage and figures

train COMMAND --help lists its flags."""

COMMANDS = ("sft", "kd", "gkd", "evaluate", "probe", "push")


def main(argv: Sequence[str] | None = None) -> int:
    """Run `train COMMAND ...`.

    Returns:
        The exit status: 0, 2 for bad input (one line on standard error), 130 when interrupted.
    """
    command, *rest = (sys.argv[1:] if argv is None else argv) or [""]
    if command in ("sft", "kd", "gkd"):
        return run_training(command, rest)
    if command in COMMANDS:
        return run_other(command, rest)
    if command in ("-h", "--help"):
        print(USAGE)
        return 0
    if command == "--version":
        print(f"train {__version__}")
        return 0
    print(
        f"train: no command {command!r}: there are {', '.join(COMMANDS)} (train --help)",
        file=sys.stderr,
    )
    return 2


def run_training(command: str, words: Sequence[str]) -> int:
    """Run `train sft`, `kd` or `gkd`."""
    if set(words) & set(HELP):
        print_help(command)
        return 0
    from train import gkd, kd, sft

    commands = {"sft": sft.main, "kd": kd.main, "gkd": gkd.main}
    return guard(lambda: commands[command](words))


def run_other(command: str, words: Sequence[str]) -> int:
    """Run a command whose flags are a dataclass of its own."""
    if command == "evaluate":
        from train.evaluate.command import run
        from train.evaluate.settings import EvaluateSettings

        words = as_lists(words, EvaluateSettings)
        return run_command("train", ABOUT, {command: (EvaluateSettings, run)}, [command, *words])
    if command == "probe":
        from train.probe import ProbeSettings, run_and_print

        commands = {command: (ProbeSettings, run_and_print)}
        return run_command("train", ABOUT, commands, [command, *words])
    from train.push import PushSettings, push_and_print

    return run_command("train", ABOUT, {command: (PushSettings, push_and_print)}, [command, *words])


def as_lists(words: Sequence[str], settings: type[Any]) -> list[str]:
    """Return the words with `--suite a b` written as `--suite ["a", "b"]`.

    jsonargparse takes a list only in this form.
    """
    flags = {f"--{f.name}" for f in dataclasses.fields(settings) if str(f.type).startswith("tuple")}
    found: list[str] = []
    rest = list(words)
    while rest:
        found.append(rest.pop(0))
        # a value in brackets is a list in JSON already
        if found[-1] in flags:
            values = []
            while rest and not rest[0].startswith("--"):
                values.append(rest.pop(0))
            found += values if values[:1] and values[0].startswith("[") else [json.dumps(values)]
    return found


if __name__ == "__main__":
    sys.exit(main())
