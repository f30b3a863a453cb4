"""A few rows for a card, drawn by the run's seed: of kept rows any, of rejected ones one for each
reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from cards.dataset import SHOWN
from datagen.schema import Row

KEPT = 3
"""Rows of the first config."""
REASONS = 4
"""The commonest reasons, of which one row each is shown."""


def samples(run: Path, configs: dict[str, Any], *, seed: int) -> dict[str, list[Row]]:
    """Rows of the first config and of `rejected`, by config, with the columns that a card shows."""
    first = next(iter(configs))
    kept = range(configs[first]["rows"])
    places = sorted(Random(f"{seed}:card:{first}").sample(kept, min(KEPT, len(kept))))
    rejected = run / "rejected.parquet"
    return {
        first: rows_at(run / f"{first}.parquet", places),
        "rejected": rows_at(rejected, by_reason(rejected, Random(f"{seed}:card:rejected"))),
    }


def by_reason(file: Path, stream: Random) -> list[int]:
    """A place for each of the commonest reasons, the commonest first; of equals by name."""
    import numpy as np
    import pyarrow.parquet as pq

    reasons = pq.read_table(file, columns=["reason"]).column(0).combine_chunks().dictionary_encode()
    codes, names = reasons.indices.to_numpy(zero_copy_only=False), reasons.dictionary.to_pylist()
    found = {name: np.flatnonzero(codes == code) for code, name in enumerate(names)}
    common = sorted(found, key=lambda name: (-len(found[name]), str(name)))[:REASONS]
    return [int(stream.choice(found[name])) for name in common]


def rows_at(file: Path, places: Sequence[int]) -> list[Row]:
    """The rows at these places, in their order; the row groups that hold them are read, and no
    others.
    """
    import pyarrow.parquet as pq

    found: dict[int, Row] = {}
    with pq.ParquetFile(file) as parquet:
        columns, start = [name for name in parquet.schema_arrow.names if name in SHOWN], 0
        for group in range(parquet.num_row_groups):
            end = start + parquet.metadata.row_group(group).num_rows
            inside = [place for place in places if start <= place < end]
            if inside:
                table = parquet.read_row_group(group, columns=columns)
                found |= {place: table.slice(place - start, 1).to_pylist()[0] for place in inside}
            start = end
    return [found[place] for place in places]
