"""The tables of a report for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import StringIO
from typing import TYPE_CHECKING, Any

from train.evaluate.numbers import decimal, format_interval

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LOG_WIDTH = 110
"""Width in characters if the output is no terminal. The widest table fits, and most editors show
whole lines of that width."""


def print_report(report: Mapping[str, Any]) -> None:
    """Print a table for each suite, and the comparisons of models."""
    from rich.console import Console

    console = Console()
    write_report(report, console if console.is_terminal else Console(width=LOG_WIDTH))


def report_text(report: Mapping[str, Any]) -> str:
    """Return the tables as plain text."""
    from rich.console import Console

    text = StringIO()
    write_report(report, Console(file=text, width=LOG_WIDTH))
    return text.getvalue()


def write_report(report: Mapping[str, Any], console: Console) -> None:
    """Write the tables to a console."""
    if plain := plain_models(report):
        console.print(f"asked in plain text, without a chat template: {', '.join(plain)}")
    for suite in report["suites"]:
        console.print(suite_table(suite, report["settings"]["samples"]))
        for line in comparison_lines(suite):
            # rich would colour the numbers of the line
            console.print(line, highlight=False)
    for section in report["in_context"]:
        console.print(curve_table(section) if "slope" in section else episode_table(section))
        for line in shot_comparison_lines(section):
            console.print(line, highlight=False)


def plain_models(report: Mapping[str, Any]) -> list[str]:
    """Return the names of the models that were asked in plain text."""
    # a report of version 0.1 has no style for each model
    names = [model["name"] for model in report["models"] if model.get("prompt_style") == "plain"]
    return list(dict.fromkeys(names))


def suite_table(suite: Mapping[str, Any], samples: int) -> Table:
    """Return the table of the models on one suite of questions."""
    base = f", base in {suite['base_mode']} mode counts" if suite["base_mode"] else ""
    title = f"{suite['suite']}: {suite['n']} questions, 95% intervals{base}"
    table = new_table(f"{title}; log p in nats per token")
    table.add_column("model")
    majority = [f"majority of {samples}"] if samples else []
    for name in ("greedy", *majority, "gap closed", "log p(gold)", "edit distance"):
        table.add_column(name, justify="right")

    for model in suite["models"]:
        table.add_row(
            f"{model['name']} ({model['mode']})",
            format_interval(model["greedy_accuracy"]),
            *[format_interval(model["majority_accuracy"]) for _ in majority],
            format_interval(model["gap_closed"]),
            format_interval(model["gold_logprob"], interval=False),
            format_interval(model["edit_distance"], interval=False),
        )
    return table


def comparison_lines(suite: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for every two students."""
    for pair in suite["comparisons"]:
        difference = format_interval(pair["difference"])
        yield f"{pair['a']} − {pair['b']}: {difference}, paired by question{clarity_note(pair)}"


def shot_comparison_lines(section: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for every two models; for curves it compares the slopes over all families."""
    for pair in section["comparisons"]:
        if pair.get("family", "all") == "all":
            what = "slope of " if "family" in pair else ""
            difference = format_interval(pair["difference"])
            names = f"{what}{pair['a']} − {pair['b']}"
            yield f"{names}: {difference}, paired by query{clarity_note(pair)}"


def clarity_note(pair: Mapping[str, Any]) -> str:
    """Return a note for a difference whose interval contains 0."""
    return "" if pair["clear"] else " (not clear: the interval holds 0)"


def curve_table(section: Mapping[str, Any]) -> Table:
    """Return the table of curves: accuracy at each k and slope, for each family and model."""
    queries = section["n"]
    seeds = section["demonstration_seeds"]
    title = f"{section['suite']}: {queries} queries, {seeds} demonstration seeds"
    table = new_table(f"{title}; mean/worst seed at each k")
    table.add_column("family")
    table.add_column("model")
    for k in section["shots"]:
        table.add_column(f"k = {k}", justify="right")
    table.add_column("slope", justify="right")
    for family in section["models"][0]["families"]:
        add_family(table, family, section["models"])
    return table


def add_family(table: Table, family: str, models: list[Any]) -> None:
    """Add the lines of one family, with a rule below the last one."""
    for place, model in enumerate(models):
        found = model["families"][family]
        cells = [f"{decimal(a['value'])}/{decimal(a['worst'])}" for a in found["accuracy"].values()]
        table.add_row(
            # only the first line of a family has its name
            "" if place else family,
            model["name"],
            *cells,
            format_interval(found["slope"]),
            end_section=model is models[-1],
        )


def episode_table(section: Mapping[str, Any]) -> Table:
    """Return the table of the models on the rows of a demonstrations version."""
    title = f"{section['suite']}: {section['n']} queries, 95% intervals"
    table = new_table(f"{title}; the teacher sees what it saw")
    table.add_column("model")
    table.add_column("accuracy", justify="right")
    for k in section["shots"]:
        table.add_column(f"k = {k}", justify="right")
    for model in section["models"]:
        cells = [format_interval(found, interval=False) for found in model["by_k"].values()]
        table.add_row(model["name"], format_interval(model["accuracy"]), *cells)
    return table


def new_table(title: str) -> Table:
    """Return an empty table with a title on the left."""
    from rich.table import Table

    return Table(title=title, title_justify="left")
