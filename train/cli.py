"""The `train` command. `sft`, `kd` and `gkd` take TRL's flags beside their own, so they have TRL's
parser; `evaluate` and `push` are parsed as in `datagen`."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from datagen.errors import UserError
from datagen.flags import run_command

ABOUT = "Train students on published dataset versions, and measure what came across."
USAGE = f"""usage: train COMMAND [--config FILE.yaml] [--FLAG VALUE ...]

{ABOUT}

commands:
  sft       fine-tune a student on dataset versions, with losses on what the rows hold
  kd        distil the teacher's probabilities that a dataset version stores
  gkd       distil from a teacher in memory or on a vLLM server, on the student's own completions too
  evaluate  accuracy of base, students and teacher with intervals, and the gap closed
  probe     what a student makes of every row of a version: its likelihood, and whether it is right
  push      put a student on the Hub, with its card, lineage and figures

train COMMAND --help lists its flags."""

COMMANDS = ("sft", "kd", "gkd", "evaluate", "probe", "push")


def main(argv: Sequence[str] | None = None) -> int:
    """Run `train COMMAND ...`. Returns the exit status: 0, 2 for bad input (one line on standard
    error), 130 when interrupted."""
    command, *rest = (sys.argv[1:] if argv is None else argv) or [""]
    if command == "sft":
        from train import sft

        return guard(lambda: sft.main(rest))
    if command == "kd":
        from train import kd

        return guard(lambda: kd.main(rest))
    if command == "gkd":
        from train import gkd

        return guard(lambda: gkd.main(rest))
    if command == "evaluate":
        from train.evaluate.command import run
        from train.evaluate.settings import EvaluateSettings

        words = [command, *listed(rest, EvaluateSettings)]
        return run_command("train", ABOUT, {command: (EvaluateSettings, run)}, words)
    if command == "probe":
        from train.probe import ProbeSettings, probe

        return run_command("train", ABOUT, {command: (ProbeSettings, probe)}, [command, *rest])
    if command == "push":
        from train.push import PushSettings, push

        return run_command("train", ABOUT, {command: (PushSettings, push)}, [command, *rest])
    if command in ("-h", "--help"):
        print(USAGE)
        return 0
    print(
        f"train: no command {command!r}: there are {', '.join(COMMANDS)} (train --help)",
        file=sys.stderr,
    )
    return 2


def guard(run: Callable[[], None]) -> int:
    """Run; bad input becomes one line on standard error and status 2."""
    try:
        run()
    except UserError as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\ntrain: stopped. The same command goes on from the last checkpoint, if there is one.",
            file=sys.stderr,
        )
        return 130
    return 0


def listed(words: Sequence[str], settings: type[Any]) -> list[str]:
    """`--suite a b` as `--suite ["a", "b"]`, the form in which jsonargparse takes a list."""
    flags = {f"--{f.name}" for f in dataclasses.fields(settings) if str(f.type).startswith("tuple")}
    found: list[str] = []
    rest = list(words)
    while rest:
        found.append(rest.pop(0))
        if found[-1] in flags:
            values = []
            while rest and not rest[0].startswith("--"):
                values.append(rest.pop(0))
            found += values if values[:1] and values[0].startswith("[") else [json.dumps(values)]
    return found


if __name__ == "__main__":
    sys.exit(main())
