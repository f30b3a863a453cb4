"""The `datagen` command: it parses flags, calls the function, and prints what it returns."""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from datagen.flags import Command, Commands, run_command
from datagen.terminal import show

if TYPE_CHECKING:
    from datagen.run.job import RunResult
    from datagen.teacher.cost.forecast import Forecast

COLLECT_AFTER = 50_000
"""How many new objects there must be before Python searches the youngest ones for cycles. Python's
default of 700 is for programs that keep few objects."""
ABOUT = "Generate distillation datasets: ask a teacher, filter what it says, publish versions."


GENERATORS = {
    "rationales": "datagen.rationales.command RationaleSettings rationales",
    "self-instruct": "datagen.instructions.self_instruct.command SelfInstructSettings "
    "self_instruct",
    "evol-instruct": "datagen.instructions.evol_instruct.command EvolSettings evol_instruct",
    "respond": "datagen.instructions.respond.command RespondSettings respond",
    "magpie": "datagen.instructions.magpie.command MagpieSettings magpie",
    "demonstrations": "datagen.demonstrations.command DemonstrationSettings demonstrations",
    "judge": "datagen.filters.judge.command JudgeSettings judge",
}
"""Module, settings, and the name behind `run_` and `forecast_`."""
# commands that return a finished run, without a forecast
OTHERS = {
    "filter": "datagen.filters.command FilterSettings run_filter",
    "topk": "datagen.topk.command TopkSettings run_topk",
}
PRINTERS = {
    "inspect": "datagen.inspect.command InspectSettings inspect",
    "publish": "datagen.publish.cli PublishSettings publish",
    "versions": "datagen.publish.cli VersionsSettings versions",
    "diff": "datagen.publish.cli DiffSettings diff",
    "pull": "datagen.publish.cli PullSettings pull",
    "verify": "datagen.publish.cli VerifySettings verify",
}
"""Module, settings, and the function of each command that prints its own lines."""
LINES = {
    "rationales": "Sample chains of thought for questions and keep those that agree.",
    "self-instruct": "Write new instructions from a few seed tasks, with inputs and outputs.",
    "evol-instruct": "Rewrite instructions into harder and rarer ones, round after round.",
    "respond": "Let the teacher answer an instruction set, several times each if wanted.",
    "magpie": "Let an aligned model write instructions from its own chat template.",
    "demonstrations": "Build episodes: demonstrations, a query, and the teacher's answer.",
    "filter": "Leave out duplicates, benchmark questions and poor responses.",
    "judge": "Score instruction rows by a rubric, and keep those that score enough.",
    "topk": "Store a teacher's probabilities for the rows of a run or a version.",
    "inspect": "Write one HTML page about a run: counts, lengths, samples, search.",
    "publish": "Make an immutable, numbered version of a finished run.",
    "versions": "List the versions of a dataset.",
    "diff": "Say what changed between two versions.",
    "pull": "Bring a version of the Hub into the local store.",
    "verify": "Recompute every hash of a version.",
}
"""The list of commands, without importing any."""


def commands() -> Commands:
    """Return all commands with their settings."""
    return Commands(LINES, load)


def load(name: str) -> Command:
    """Import a command, and return its settings and what it does."""
    module_name, settings, function = (GENERATORS | OTHERS | PRINTERS)[name].split()
    module = importlib.import_module(module_name)
    if name in GENERATORS:
        run = getattr(module, f"run_{function}")
        forecast = getattr(module, f"forecast_{function}")
        return getattr(module, settings), generating(run, forecast)
    found = getattr(module, function)
    return getattr(module, settings), found if name in PRINTERS else printing(found)


def generating(
    run: Callable[[Any], RunResult], forecast: Callable[[Any], Forecast]
) -> Callable[[Any], None]:
    """Return the command of a generator. With `--dry-run` it prints the forecast; else it runs."""

    def command(settings: Any) -> None:
        if settings.dry_run:
            show(forecast(settings))
        else:
            printing(run)(settings)

    return command


def printing(run: Callable[[Any], RunResult]) -> Callable[[Any], None]:
    """Return a command that prints the summary of its run, even if the run missed its target."""

    def command(settings: Any) -> None:
        from datagen.run.job import Incomplete

        try:
            show(run(settings).summary)
        except Incomplete as error:
            show(error.result.summary)
            raise

    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run `datagen COMMAND ...` and return the exit status."""
    with rare_collections():
        return run_command("datagen", ABOUT, commands(), argv)


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Search for reference cycles less often while a command runs.

    A run makes many objects and few cycles, and searching for cycles took a tenth of its time. Only
    the command line changes this, because the process is its own. A library must not change the
    collector of its caller.
    """
    before = gc.get_threshold()
    # the imported modules live as long as the process, so they need no search
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


if __name__ == "__main__":
    sys.exit(main())
