"""The figures of a report: accuracy of every model, and by the number of demonstrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.evaluate.numbers import decimal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"base": "#8a8a8a", "student": "#1f6fb4", "teacher": "#c0562b"}
STUDENTS = ("#1f6fb4", "#2a9d5c", "#8e5bb5", "#c9a227", "#3ab0b8")
"""Colours of the students in one panel."""
GRID = "#e6e6e6"
COLUMNS = 4
"""Panels in a row. With more, the labels of the axes overlap at the width of a page."""


def new_figure(width: float, height: float) -> Figure:
    """Return a figure that needs no display; width and height are in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure, with the same bytes for the same report."""
    # the default name of the software contains matplotlib's version, which would change the bytes
    figure.savefig(path, dpi=150, metadata={"Software": None})


def draw_accuracy(report: Mapping[str, Any], path: Path) -> None:
    """Draw the greedy accuracy of every model with its interval, a panel for each suite.

    Base and teacher are also drawn as vertical reference lines.
    """
    suites = report["suites"]
    rows = max(len(suite["models"]) for suite in suites)
    figure = new_figure(1.5 + 5 * len(suites), 1.4 + 0.42 * rows)
    for axes, suite in zip(figure.subplots(1, len(suites), squeeze=False)[0], suites, strict=True):
        accuracy_panel(axes, suite)
    save(figure, path)


def accuracy_panel(axes: Axes, suite: Mapping[str, Any]) -> None:
    """Draw the panel of one suite."""
    models = suite["models"]
    for place, model in enumerate(models):
        add_model(axes, place, model, base_mode=suite["base_mode"])
    axes.set_yticks(range(len(models)), [f"{model['name']} ({model['mode']})" for model in models])
    # upside down: the first model is at the top, with room for its number
    axes.set_ylim(len(models) - 0.5, -0.7)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(f"greedy accuracy, 95% interval (n = {suite['n']})")
    axes.set_title(suite["suite"], fontsize=10, loc="left")
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    style_axes(axes)


def add_model(axes: Axes, place: int, model: Mapping[str, Any], *, base_mode: str | None) -> None:
    """Draw one model: a point with interval and number, for base and teacher also a line."""
    found = model["greedy_accuracy"]
    colour = COLOURS[model["role"]]
    value = found["value"]

    ends = [[value - found["low"]], [found["high"] - value]]
    axes.errorbar(value, place, xerr=ends, fmt="o", color=colour, capsize=3, markersize=6)
    axes.annotate(
        decimal(value),
        (value, place),
        (0, 7),
        textcoords="offset points",
        ha="center",
        fontsize=8,
    )
    # the base has two modes, and only one of them is the reference
    is_base = model["role"] == "base" and model["mode"] == base_mode
    if model["role"] == "teacher" or is_base:
        axes.axvline(value, color=colour, linestyle="--", linewidth=1, alpha=0.7, zorder=0)


def draw_curves(sections: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw accuracy over k with its interval, a line for each model and a panel for each family.

    The mean of all families comes first.
    """
    panels = [(section, family) for section in sections for family in panel_families(section)]
    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    figure = new_figure(1 + 3.2 * columns, 0.8 + 2.8 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel().tolist()
    for axes, (section, family) in zip(grid, panels, strict=False):
        curve_panel(axes, section, family)
    for axes in grid[len(panels) :]:
        # the last row of panels may not be full
        axes.set_visible(False)

    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(len(labels), 5), frameon=False
    )
    save(figure, path)


def panel_families(section: Mapping[str, Any]) -> list[str]:
    """Return the panels of a section: `all` and every family, or the only family."""
    names = list(section["models"][0]["families"])
    # with one family the panel `all` would show the same curves
    return names if len(names) > 2 else names[1:]


def curve_panel(axes: Axes, section: Mapping[str, Any], family: str) -> None:
    """Draw the panel of one family."""
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
    axes.grid(color=GRID, linewidth=0.8)
    style_axes(axes)


def style_axes(axes: Axes) -> None:
    """Put the grid behind the points, and remove the top and the right line of the box."""
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
