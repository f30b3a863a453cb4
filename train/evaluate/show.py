"""The report for people: tables and one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.table import Table

LOG_WIDTH = 110
COLOURS = {"base": "#8a8a8a", "student": "#1f6fb4", "teacher": "#c0562b"}


def print_report(report: Mapping[str, Any]) -> None:
    """A table per suite, and the students compared."""
    from rich.console import Console

    from train.evaluate.show_shots import print_shots

    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    for suite in report["suites"]:
        console.print(table(suite, report["settings"]["samples"]))
        for line in comparison_lines(suite):
            console.print(line, highlight=False)
    for part in report["in_context"]:
        print_shots(part, console)


def table(suite: Mapping[str, Any], samples: int) -> Table:
    from rich.table import Table

    base = f", base in {suite['base_mode']} mode counts" if suite["base_mode"] else ""
    made = Table(
        title=f"{suite['suite']}: {suite['n']} questions, 95% intervals{base}; log p in nats per token",
        title_justify="left",
    )
    made.add_column("model")
    majority = [f"majority of {samples}"] if samples else []
    for name in ("greedy", *majority, "gap closed", "log p(gold)", "edit distance"):
        made.add_column(name, justify="right")
    for model in suite["models"]:
        made.add_row(
            f"{model['name']} ({model['mode']})",
            shown(model["greedy_accuracy"]),
            *[shown(model["majority_accuracy"]) for _ in majority],
            shown(model["gap_closed"]),
            shown(model["gold_logprob"], interval=False),
            shown(model["edit_distance"], interval=False),
        )
    return made


def shown(estimate: Mapping[str, float] | None, *, interval: bool = True) -> str:
    """ ".62 [.56, .68]", or a dash."""
    if estimate is None:
        return "–"
    value, low, high = (decimal(estimate[key]) for key in ("value", "low", "high"))
    return f"{value} [{low},\N{NO-BREAK SPACE}{high}]" if interval else value


def decimal(value: float) -> str:
    text = f"{value:.2f}"
    return (
        text.replace("0.", ".", 1) if abs(value) < 1 and text.lstrip("-").startswith("0.") else text
    )


def comparison_lines(suite: Mapping[str, Any]) -> list[str]:
    return [
        f"{pair['a']} − {pair['b']}: {shown(pair['difference'])}, paired by question"
        + ("" if pair["clear"] else " (not clear: the interval holds 0)")
        for pair in suite["comparisons"]
    ]


def draw(report: Mapping[str, Any], path: Path) -> None:
    """Greedy accuracy of every model with its interval, a panel per suite; base and teacher run
    through as reference lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    suites = report["suites"]
    rows = max(len(suite["models"]) for suite in suites)
    figure = Figure(figsize=(1.5 + 5 * len(suites), 1.4 + 0.42 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, suite in zip(figure.subplots(1, len(suites), squeeze=False)[0], suites, strict=True):
        panel(axes, suite)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def panel(axes: Axes, suite: Mapping[str, Any]) -> None:
    models = suite["models"]
    for place, model in enumerate(models):
        found, colour = model["greedy_accuracy"], COLOURS[model["role"]]
        ends = [[found["value"] - found["low"]], [found["high"] - found["value"]]]
        axes.errorbar(
            found["value"], place, xerr=ends, fmt="o", color=colour, capsize=3, markersize=6
        )
        axes.annotate(
            decimal(found["value"]),
            (found["value"], place),
            (0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
        if model["role"] == "teacher" or (
            model["role"] == "base" and model["mode"] == suite["base_mode"]
        ):
            axes.axvline(
                found["value"], color=colour, linestyle="--", linewidth=1, alpha=0.7, zorder=0
            )
    axes.set_yticks(range(len(models)), [f"{model['name']} ({model['mode']})" for model in models])
    axes.set_ylim(len(models) - 0.5, -0.7)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(f"greedy accuracy, 95% interval (n = {suite['n']})")
    axes.set_title(suite["suite"], fontsize=10, loc="left")
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
