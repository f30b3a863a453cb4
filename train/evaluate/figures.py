"""The report as figures: accuracy of every model, and accuracy by the number of demonstrations."""

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
"""Colours of students that stand in one panel."""
GRID = "#e6e6e6"
COLUMNS = 4
"""Panels side by side: with more, the axes' labels run into each other on a page."""


def new_figure(width: float, height: float) -> Figure:
    """A figure without a display, in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure. The same report gives the same bytes."""
    # the name of the software holds a version, by which the bytes would differ
    figure.savefig(path, dpi=150, metadata={"Software": None})


def draw_accuracy(report: Mapping[str, Any], path: Path) -> None:
    """Draw the greedy accuracy of every model with its interval, a panel for each suite.

    Base and teacher run through as reference lines.
    """
    suites = report["suites"]
    rows = max(len(suite["models"]) for suite in suites)
    figure = new_figure(1.5 + 5 * len(suites), 1.4 + 0.42 * rows)
    for axes, suite in zip(figure.subplots(1, len(suites), squeeze=False)[0], suites, strict=True):
        accuracy_panel(axes, suite)
    save(figure, path)


def accuracy_panel(axes: Axes, suite: Mapping[str, Any]) -> None:
    """One suite."""
    models = suite["models"]
    for place, model in enumerate(models):
        add_model(axes, place, model, base_mode=suite["base_mode"])
    axes.set_yticks(range(len(models)), [f"{model['name']} ({model['mode']})" for model in models])
    axes.set_ylim(len(models) - 0.5, -0.7)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(f"greedy accuracy, 95% interval (n = {suite['n']})")
    axes.set_title(suite["suite"], fontsize=10, loc="left")
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    finish(axes)


def add_model(axes: Axes, place: int, model: Mapping[str, Any], *, base_mode: str | None) -> None:
    """One model: a point with its interval and its number; base and teacher also as a line."""
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
    is_base = model["role"] == "base" and model["mode"] == base_mode
    if model["role"] == "teacher" or is_base:
        axes.axvline(value, color=colour, linestyle="--", linewidth=1, alpha=0.7, zorder=0)


def draw_curves(sections: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw accuracy over k with its interval, a line for each model and a panel for each family.

    The mean of all families comes first.
    """
    panels = [(section, family) for section in sections for family in families(section)]
    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    figure = new_figure(1 + 3.2 * columns, 0.8 + 2.8 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel().tolist()
    for axes, (section, family) in zip(grid, panels, strict=False):
        curve_panel(axes, section, family)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)

    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(len(labels), 5), frameon=False
    )
    save(figure, path)


def families(section: Mapping[str, Any]) -> list[str]:
    """The panels of a section: `all` and every family. Where there is one family, it stands
    alone.
    """
    names = list(section["models"][0]["families"])
    return names if len(names) > 2 else names[1:]


def curve_panel(axes: Axes, section: Mapping[str, Any], family: str) -> None:
    """One family."""
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
    finish(axes)


def finish(axes: Axes) -> None:
    """The grid lies behind the points, and the box is open at the top and at the right."""
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
