"""Histograms of a run's rows, as counts that its card draws."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.histogram import Bin, Sides, length_bins, share_bins

if TYPE_CHECKING:
    import pyarrow as pa


def histograms(accepted: Path, rejected: Path) -> dict[str, Any]:
    """Return the histograms of accepted and rejected rows.

    Args:
        accepted: the Parquet file of accepted rows.
        rejected: the Parquet file of rejected rows.

    Returns:
        `length`: characters of the completion, for rows that have one.
        `similarity`: ROUGE-L F1 with the most similar instruction, 0 to 1, if it was measured.
        The label of a bin is its lower edge.
    """
    length = Sides(lengths(accepted), lengths(rejected))
    similarity = Sides(
        values(accepted, "nearest_similarity"), values(rejected, "nearest_similarity")
    )

    found: dict[str, Any] = {}
    if length.accepted or length.rejected:
        found["length"] = counts(length_bins(length))
    if similarity.accepted:
        found["similarity"] = counts(share_bins(similarity))
    return found


def counts(bins: list[Bin]) -> dict[str, list[Any]]:
    """Return bins as three lists of equal length, as the lineage records them."""
    return {
        "labels": [b.label for b in bins],
        "accepted": [b.accepted for b in bins],
        "rejected": [b.rejected for b in bins],
    }


def lengths(file: Path) -> Counter[float]:
    """Return how many rows have a completion of each length in characters."""
    import pyarrow.parquet as pq

    found: Counter[float] = Counter()
    # without reading ahead: else Arrow keeps all that it has read until the last row
    with pq.ParquetFile(file, pre_buffer=False) as parquet:
        for batch in parquet.iter_batches(columns=["completion"]):
            found.update(length for length in lengths_of(batch.column(0)) if length)
    return found


def lengths_of(turns: pa.ListArray) -> list[int]:
    """Return the characters of all turns of each row, [rows]."""
    import numpy as np
    import pyarrow.compute as pc

    each = pc.utf8_length(turns.flatten().field("content")).fill_null(0)
    summed = np.bincount(pc.list_parent_indices(turns), weights=each, minlength=len(turns))
    return [int(length) for length in summed]


def values(file: Path, column: str) -> Counter[float]:
    """Return how many rows have each value of a column, rounded to three decimals.

    The result is empty if the file has no such column.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(file, pre_buffer=False) as parquet:
        if column not in parquet.schema_arrow.names:
            return Counter()
        found: Counter[float] = Counter()
        for batch in parquet.iter_batches(columns=[column]):
            found.update(round(value, 3) for value in batch.column(0).drop_null().to_pylist())
        return found
