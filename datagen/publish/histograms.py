"""How a run's values are spread, as counts that its card draws."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.histogram import Bin, Sides, length_bins, share_bins

if TYPE_CHECKING:
    import pyarrow as pa


def histograms(accepted: Path, rejected: Path) -> dict[str, Any]:
    """Bins of accepted and rejected rows, from the Parquet files of a run.

    length: characters of the completion, where there is one. similarity: ROUGE-L F1 with the
    instruction most similar to it, 0 to 1, where it was measured. A label is the lower edge of its
    bin.
    """
    length = Sides(lengths(accepted), lengths(rejected))
    similarity = Sides(
        values(accepted, "nearest_similarity"), values(rejected, "nearest_similarity")
    )
    found = {"length": counts(length_bins(length))} if length.accepted or length.rejected else {}
    return found | ({"similarity": counts(share_bins(similarity))} if similarity.accepted else {})


def counts(bins: list[Bin]) -> dict[str, list[Any]]:
    return {
        "labels": [b.label for b in bins],
        "accepted": [b.accepted for b in bins],
        "rejected": [b.rejected for b in bins],
    }


def lengths(file: Path) -> Counter[float]:
    """How many rows have a completion of each number of characters."""
    import pyarrow.parquet as pq

    found: Counter[float] = Counter()
    with pq.ParquetFile(file, pre_buffer=False) as parquet:
        for batch in parquet.iter_batches(columns=["completion"]):
            found.update(length for length in lengths_of(batch.column(0)) if length)
    return found


def lengths_of(turns: pa.ListArray) -> list[int]:
    """Characters of all turns of each row, [rows]."""
    import numpy as np
    import pyarrow.compute as pc

    each = pc.utf8_length(turns.flatten().field("content")).fill_null(0)
    summed = np.bincount(pc.list_parent_indices(turns), weights=each, minlength=len(turns))
    return [int(length) for length in summed]


def values(file: Path, column: str) -> Counter[float]:
    """How many rows have each value of a column, to three decimals; nothing where there is no such
    column.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(file, pre_buffer=False) as parquet:
        if column not in parquet.schema_arrow.names:
            return Counter()
        found: Counter[float] = Counter()
        for batch in parquet.iter_batches(columns=[column]):
            found.update(round(value, 3) for value in batch.column(0).drop_null().to_pylist())
        return found
