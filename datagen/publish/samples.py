"""A few rows for a card: accepted rows, and one rejected row for each frequent reason.

The run's seed decides which rows. So the same run always gets the same card.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from cards.dataset import SHOWN
from datagen.schema import Row

ACCEPTED = 3
"""Rows of the first config: enough to see the form, and the card stays short."""
REASONS = 4
"""Number of reasons, the most frequent first, for which a rejected row is shown."""


def samples(run: Path, configs: dict[str, Any], *, seed: int) -> dict[str, list[Row]]:
    """Return rows of the first config and of `rejected`, with the columns that a card shows.

    Args:
        run: the run folder.
        configs: the configs of the run, with their numbers of rows.
        seed: the seed of the run.
    """
    first = next(iter(configs))
    accepted = range(configs[first]["rows"])
    stream = Random(f"{seed}:card:{first}")
    places = sorted(stream.sample(accepted, min(ACCEPTED, len(accepted))))

    rejected = run / "rejected.parquet"
    return {
        first: rows_at(run / f"{first}.parquet", places),
        "rejected": rows_at(rejected, by_reason(rejected, Random(f"{seed}:card:rejected"))),
    }


def by_reason(file: Path, stream: Random) -> list[int]:
    """Return the place of one row for each frequent reason, the most frequent reason first."""
    import numpy as np
    import pyarrow.parquet as pq

    reasons = pq.read_table(file, columns=["reason"]).column(0).combine_chunks().dictionary_encode()
    codes = reasons.indices.to_numpy(zero_copy_only=False)
    names = reasons.dictionary.to_pylist()
    found = {name: np.flatnonzero(codes == code) for code, name in enumerate(names)}
    # equal counts are sorted by name, so that the result does not depend on the order of rows
    common = sorted(found, key=lambda name: (-len(found[name]), str(name)))[:REASONS]
    return [int(stream.choice(found[name])) for name in common]


def rows_at(file: Path, places: Sequence[int]) -> list[Row]:
    """Return the rows at these places, in the order of the places.

    Only the row groups that contain them are read: the file may be larger than the memory.
    """
    import pyarrow.parquet as pq

    found: dict[int, Row] = {}
    with pq.ParquetFile(file) as parquet:
        columns = [name for name in parquet.schema_arrow.names if name in SHOWN]
        start = 0
        for group in range(parquet.num_row_groups):
            end = start + parquet.metadata.row_group(group).num_rows
            inside = [place for place in places if start <= place < end]
            if inside:
                table = parquet.read_row_group(group, columns=columns)
                found |= {place: table.slice(place - start, 1).to_pylist()[0] for place in inside}
            start = end
    return [found[place] for place in places]
