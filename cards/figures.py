"""The figures of a dataset card: what they show is read from the lineage, so equal lineage gives
equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"accepted": "#2f6db3", "rejected": "#d9a441"}
"""Told apart by people who see few colours, and by their darkness."""
LABELS = 8
"""Labels that an axis of bins bears at most."""
SIZE = (6.4, 2.6)
"""Inches, at 150 dots each."""


@dataclass(frozen=True)
class Chart:
    """A bar chart: the bars of `series` stand on each other."""

    family: str
    name: str
    caption: str
    x: str
    y: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[float]]
    edges: bool = True
    """A label is the lower edge of its bin, not the name of its bar."""

    @property
    def path(self) -> str:
        """Its place in the version."""
        return f"figures/{self.family}-{self.name}.png"


def charts(family: str, run: Mapping[str, Any]) -> list[Chart]:
    """What a run of this family has measured."""
    quality, found = run["quality"], []
    if histogram := (quality.get("agreement") or {}).get("histogram"):
        share = [f"0.{tenth}" for tenth in range(len(histogram))]
        caption = (
            "Questions by the agreement of their chains: the share that gives the commonest answer."
        )
        found.append(
            Chart(
                family,
                "agreement",
                caption,
                "agreement",
                "questions",
                share,
                {"accepted": histogram},
            )
        )
    if by_k := accuracy_by_k(quality):
        caption = (
            "Share of the teacher's predictions that equal the gold, by the number of "
            "demonstrations it saw."
        )
        heights = {"accepted": [of["accuracy"] for of in by_k.values()]}
        x = "demonstrations shown"
        found.append(
            Chart(family, "accuracy", caption, x, "accuracy", list(by_k), heights, edges=False)
        )
    for name, (caption, x) in MEASURED.items():
        if bins := run.get("histograms", {}).get(name):
            series = {side: bins[side] for side in COLOURS if any(bins[side])}
            more = " The last bar holds what is longer." if bins["labels"][-1].endswith("+") else ""
            found.append(Chart(family, name, caption + more, x, "rows", bins["labels"], series))
    return found


MEASURED = {
    "length": (
        "Length of the completions, in characters.",
        "characters of the completion",
    ),
    "similarity": (
        "Similarity of each instruction with the one nearest to it among those that were there "
        "before.",
        "ROUGE-L F1 with the nearest instruction",
    ),
}
"""Histograms of the lineage: caption, and name of the axis."""


def accuracy_by_k(quality: Mapping[str, Any]) -> dict[str, Any]:
    """Accuracy by number of demonstrations, where a run measured it so."""
    accuracy = quality.get("accuracy") or {}
    return dict(accuracy) if accuracy and all(key.isdecimal() for key in accuracy) else {}


def figures(lineage: Mapping[str, Any]) -> dict[str, bytes]:
    """Path in the version to the PNG that stands there."""
    return {
        chart.path: png(chart)
        for family, run in lineage["runs"].items()
        for chart in charts(family, run)
    }


def png(chart: Chart) -> bytes:
    """The chart under matplotlib's own defaults, whatever a user set, without a date and the
    version's name.
    """
    from matplotlib import rc_context, rcParamsDefault
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    plain = {
        name: value for name, value in rcParamsDefault.items() if not name.startswith("backend")
    }
    with rc_context(plain):
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.subplots(), chart)
        image = io.BytesIO()
        figure.savefig(image, dpi=150, metadata={"Software": None})
    return image.getvalue()


def draw(axes: Axes, chart: Chart) -> None:
    from matplotlib.ticker import MaxNLocator

    places, bottom = range(len(chart.labels)), [0.0] * len(chart.labels)
    for side, heights in chart.series.items():
        width = 0.92 if chart.edges else 0.6
        axes.bar(
            places,
            heights,
            width,
            bottom,
            align="edge" if chart.edges else "center",
            color=COLOURS[side],
            label=side,
        )
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    every = max(1, -(-len(chart.labels) // LABELS)) if chart.edges else 1
    axes.set_xticks(places[::every], chart.labels[::every])
    axes.set_xlabel(chart.x)
    axes.set_ylabel(chart.y)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=chart.y != "accuracy"))
    if chart.y == "accuracy":
        axes.set_ylim(0, 1.05)
    if len(chart.series) > 1:
        axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
