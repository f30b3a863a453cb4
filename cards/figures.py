"""The figures of a dataset card.

They show only what the lineage contains. So equal lineages give equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"accepted": "#2f6db3", "rejected": "#d9a441"}
"""Blue and amber: people with colour blindness can distinguish them, also by brightness."""
LABELS = 8
"""The most labels on an axis of bins. More would overlap at this size."""
SIZE = (6.4, 2.6)
"""Width and height in inches, at 150 dots each: the width of a card's page."""


@dataclass(frozen=True)
class Chart:
    """A bar chart, with the bars of `series` stacked."""

    family: str
    name: str
    caption: str
    x: str
    y: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[float]]
    edges: bool = True
    """Whether a label is the lower edge of its bin. Otherwise it is the name of its bar."""

    @property
    def path(self) -> str:
        """The path of the file in the version."""
        return f"figures/{self.family}-{self.name}.png"


def charts(family: str, run: Mapping[str, Any]) -> list[Chart]:
    """Return the charts of everything that a run measured."""
    quality = run["quality"]
    found = []
    if histogram := (quality.get("agreement") or {}).get("histogram"):
        # one label for each tenth of the agreement: its lower edge
        share = [f"0.{tenth}" for tenth in range(len(histogram))]
        caption = (
            "Number of questions by agreement: the share of a question's chains that gives the "
            "most common answer."
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
        caption = "Accuracy of the teacher by the number of demonstrations in its prompt."
        heights = {"accepted": [of["accuracy"] for of in by_k.values()]}
        x = "demonstrations shown"
        found.append(
            Chart(family, "accuracy", caption, x, "accuracy", list(by_k), heights, edges=False)
        )

    for name, (caption, x) in MEASURED.items():
        if bins := run.get("histograms", {}).get(name):
            series = {side: bins[side] for side in COLOURS if any(bins[side])}
            more = (
                " The last bar holds all longer completions."
                if bins["labels"][-1].endswith("+")
                else ""
            )
            found.append(Chart(family, name, caption + more, x, "rows", bins["labels"], series))
    return found


MEASURED = {
    "length": (
        "Length of the completions, in characters.",
        "characters of the completion",
    ),
    "similarity": (
        "Similarity of each instruction to the most similar one among the earlier instructions.",
        "ROUGE-L F1 with the nearest instruction",
    ),
}
"""The histograms of a lineage by name: the caption, and the name of the x axis."""


def accuracy_by_k(quality: Mapping[str, Any]) -> dict[str, Any]:
    """Return accuracy by the number of demonstrations, or nothing if a run did not measure it."""
    accuracy = quality.get("accuracy") or {}
    return dict(accuracy) if accuracy and all(key.isdecimal() for key in accuracy) else {}


def figures(lineage: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the figures of a version: the bytes of each PNG by its path in the version."""
    found: dict[str, bytes] = {}
    for family, run in lineage["runs"].items():
        found |= {chart.path: png(chart) for chart in charts(family, run)}
    return found


def png(chart: Chart) -> bytes:
    """Return the bytes of a chart as PNG.

    Matplotlib's own defaults are used, whatever the user has set. The file contains neither a date
    nor the release of matplotlib. So equal charts give equal bytes.
    """
    from matplotlib import rc_context, rcParamsDefault
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    plain = {
        name: value for name, value in rcParamsDefault.items() if not name.startswith("backend")
    }
    with rc_context(plain):
        figure = Figure(figsize=SIZE, layout="constrained")
        # this canvas needs no display
        FigureCanvasAgg(figure)
        draw(figure.subplots(), chart)
        image = io.BytesIO()
        # the default name of the software contains matplotlib's version
        figure.savefig(image, dpi=150, metadata={"Software": None})
    return image.getvalue()


def draw(axes: Axes, chart: Chart) -> None:
    """Draw a chart: bars, axes and legend."""
    from matplotlib.ticker import MaxNLocator

    places = range(len(chart.labels))
    bottom = [0.0] * len(chart.labels)
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
    # names of bars are all shown; of bins only some, because they have an order
    every = max(1, -(-len(chart.labels) // LABELS)) if chart.edges else 1
    axes.set_xticks(places[::every], chart.labels[::every])
    axes.set_xlabel(chart.x)
    axes.set_ylabel(chart.y)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=chart.y != "accuracy"))
    # all accuracies have the same scale, so that cards can be compared
    if chart.y == "accuracy":
        axes.set_ylim(0, 1.05)
    if len(chart.series) > 1:
        axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
