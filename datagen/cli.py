"""The `datagen` command: it parses flags, calls the function, and prints what it returns."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from datagen.flags import Command, run_command
from datagen.run.job import Incomplete, RunResult
from datagen.teacher.forecast import Forecast

COLLECT_AFTER = 50_000
"""Objects made, and still there, before the youngest are searched for cycles. Python's own 700 is for
programs that keep little."""
ABOUT = "Generate distillation datasets: ask a teacher, filter what it says, publish versions."


def commands() -> dict[str, Command]:
    """Every command with its settings and what it does."""
    from datagen.demonstrations import command as demonstrations
    from datagen.filters import command as filters
    from datagen.filters import judging
    from datagen.inspect.command import inspect
    from datagen.inspect.settings import InspectSettings
    from datagen.instructions.evol_instruct import command as evol_instruct
    from datagen.instructions.magpie import command as magpie
    from datagen.instructions.respond import command as respond
    from datagen.instructions.self_instruct import command as self_instruct
    from datagen.publish.cli import COMMANDS
    from datagen.rationales import command as rationales
    from datagen.topk import command as topk

    return {
        "rationales": (
            rationales.RationaleSettings,
            generating(rationales.run_rationales, rationales.forecast_rationales),
        ),
        "self-instruct": (
            self_instruct.SelfInstructSettings,
            generating(self_instruct.run_self_instruct, self_instruct.forecast_self_instruct),
        ),
        "evol-instruct": (
            evol_instruct.EvolSettings,
            generating(evol_instruct.run_evol_instruct, evol_instruct.forecast_evol_instruct),
        ),
        "respond": (
            respond.RespondSettings,
            generating(respond.run_respond, respond.forecast_respond),
        ),
        "magpie": (
            magpie.MagpieSettings,
            generating(magpie.run_magpie, magpie.forecast_magpie),
        ),
        "demonstrations": (
            demonstrations.DemonstrationSettings,
            generating(demonstrations.run_demonstrations, demonstrations.forecast_demonstrations),
        ),
        "filter": (filters.FilterSettings, printing(filters.run_filter)),
        "judge": (judging.JudgeSettings, generating(judging.run_judge, judging.forecast_judge)),
        "topk": (topk.TopkSettings, printing(topk.run_topk)),
        "inspect": (InspectSettings, inspect),
        **COMMANDS,
    }


def generating(
    run: Callable[[Any], RunResult], forecast: Callable[[Any], Forecast]
) -> Callable[[Any], None]:
    """The command of a generator: with `--dry-run` it prints the forecast, else it runs."""

    def command(settings: Any) -> None:
        if settings.dry_run:
            print(forecast(settings))
        else:
            printing(run)(settings)

    return command


def printing(run: Callable[[Any], RunResult]) -> Callable[[Any], None]:
    """A command that prints the summary of its run, also of one that missed its target."""

    def command(settings: Any) -> None:
        try:
            print(run(settings).summary)
        except Incomplete as error:
            print(error.result.summary)
            raise

    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run `datagen COMMAND ...`. Returns the exit status."""
    with rare_collections():
        return run_command("datagen", ABOUT, commands(), argv)


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Search for reference cycles rarely while a command runs.

    A run makes many objects and few cycles: searching for these took a tenth of its time. Only the
    command line does this, because the process is its own; a library leaves the collector alone.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


if __name__ == "__main__":
    sys.exit(main())
