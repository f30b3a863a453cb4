"""Accuracy over demonstrations for people: tables and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.evaluate.show import COLOURS, decimal, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.console import Console
    from rich.table import Table

STUDENTS = ("#1f6fb4", "#2a9d5c", "#8e5bb5", "#c9a227", "#3ab0b8")


def print_shots(section: Mapping[str, Any], console: Console) -> None:
    console.print(curves(section) if "slope" in section else accuracies(section))
    for pair in section["comparisons"]:
        if pair.get("family", "all") == "all":
            what = "slope of " if "family" in pair else ""
            clear = "" if pair["clear"] else " (not clear: the interval holds 0)"
            line = f"{what}{pair['a']} − {pair['b']}: {shown(pair['difference'])}, paired by query{clear}"
            console.print(line, highlight=False)


def curves(section: Mapping[str, Any]) -> Table:
    """A line a family and model: accuracy at each k, mean/worst demonstration seed, and the slope
    over log2(k + 1)."""
    from rich.table import Table

    title = f"{section['suite']}: {section['n']} queries, {section['demonstration_seeds']} demonstration seeds"
    made = Table(title=f"{title}; mean/worst seed at each k", title_justify="left")
    made.add_column("family")
    made.add_column("model")
    for k in section["shots"]:
        made.add_column(f"k = {k}", justify="right")
    made.add_column("slope", justify="right")
    for family in section["models"][0]["families"]:
        for place, model in enumerate(section["models"]):
            found = model["families"][family]
            cells = [
                f"{decimal(a['value'])}/{decimal(a['worst'])}" for a in found["accuracy"].values()
            ]
            last = model is section["models"][-1]
            made.add_row(
                "" if place else family,
                model["name"],
                *cells,
                shown(found["slope"]),
                end_section=last,
            )
    return made


def accuracies(section: Mapping[str, Any]) -> Table:
    from rich.table import Table

    made = Table(
        title=f"{section['suite']}: {section['n']} queries, 95% intervals; the teacher sees what it saw",
        title_justify="left",
    )
    made.add_column("model")
    made.add_column("accuracy", justify="right")
    for k in section["shots"]:
        made.add_column(f"k = {k}", justify="right")
    for model in section["models"]:
        cells = [shown(found, interval=False) for found in model["by_k"].values()]
        made.add_row(model["name"], shown(model["accuracy"]), *cells)
    return made


def draw_shots(sections: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Accuracy over k with its interval, a line a model and a panel a family; the mean of all
    families first."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [(section, family) for section in sections for family in families(section)]
    columns = min(len(panels), 4)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(1 + 3.2 * columns, 0.8 + 2.8 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel().tolist()
    for axes, (section, family) in zip(grid, panels, strict=False):
        panel(axes, section, family)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(len(labels), 5), frameon=False
    )
    figure.savefig(path, dpi=150, metadata={"Software": None})


def families(section: Mapping[str, Any]) -> list[str]:
    """ "all" alone where there is one family."""
    names = list(section["models"][0]["families"])
    return names if len(names) > 2 else names[1:]


def panel(axes: Axes, section: Mapping[str, Any], family: str) -> None:
    fresh = (STUDENTS[number % len(STUDENTS)] for number in count())
    places = range(len(section["shots"]))
    for model in section["models"]:
        found = list(model["families"][family]["accuracy"].values())
        colour = next(fresh) if model["role"] == "student" else COLOURS[model["role"]]
        value, low, high = ([a[key] for a in found] for key in ("value", "low", "high"))
        style = "-" if model["role"] == "student" else "--"
        axes.plot(places, value, style, marker="o", markersize=3, color=colour, label=model["name"])
        axes.fill_between(places, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_xticks(places, [str(k) for k in section["shots"]])
    axes.set_ylim(-0.03, 1.03)
    axes.set_title(f"{section['suite']}: {family}", fontsize=9, loc="left")
    axes.set_xlabel("demonstrations k", fontsize=8)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
