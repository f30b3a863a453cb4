"""Large configs in several files: the same rows in the same order, the same version."""

import random

import pyarrow.parquet as pq
import pytest

from datagen.publish.folder import split
from datagen.versions import resolve, verify
from tests.datagen.publish.conftest import make_run
from tests.hub.conftest import datagen


@pytest.fixture
def large(tmp_path):
    """A run whose rationales take more than three megabytes, which no codec makes smaller."""
    text = random.Random("shards").randbytes(3_200_000).hex()
    run = make_run(tmp_path / "large", rows=1_000)
    table = pq.read_table(run / "rationales.parquet").to_pylist()
    for place, row in enumerate(table):
        row["rationale"] = text[place * 6400 : (place + 1) * 6400]
    schema = pq.read_schema(run / "rationales.parquet")
    import pyarrow as pa

    pq.write_table(
        pa.Table.from_pylist(table, schema=schema), run / "rationales.parquet", compression="zstd"
    )
    return run


def test_a_large_config_is_cut_and_loads_as_one(large, tmp_path, store):
    size = (large / "rationales.parquet").stat().st_size
    assert datagen("publish", large, "org/sums", "--store", store, "--shard-mb", "1") == 0
    version = resolve("org/sums", store=store)
    verify(version)
    shards = version.files_of("rationales")
    assert len(shards) == -(-size // 1_000_000) > 3
    assert [shard.name[:20] for shard in shards] == [
        f"train-{i:05}-of-{len(shards):05}" for i in range(len(shards))
    ]
    assert max(shard.stat().st_size for shard in shards) < 1_100_000
    assert len(version.files_of("rejected")) == 1
    from datasets import load_dataset

    loaded = load_dataset(
        str(version.path), "rationales", split="train", cache_dir=str(tmp_path / "c")
    )
    assert loaded.to_list() == pq.read_table(large / "rationales.parquet").to_pylist()


def test_another_size_of_shards_is_no_new_version(large, store, capsys):
    assert datagen("publish", large, "org/sums", "--store", store, "--shard-mb", "1") == 0
    assert datagen("publish", large, "org/sums", "--store", store) == 0
    assert "1.0.0 holds this content already" in capsys.readouterr().out
    assert datagen("publish", large, "org/sums", "--store", store, "--shard-mb", "0") == 2


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_cutting_keeps_every_row_in_order(large, tmp_path, count):
    shards = [tmp_path / f"{i}.parquet" for i in range(count)]
    split(large / "rationales.parquet", shards)
    tables = [pq.read_table(shard) for shard in shards]
    ids = [id for table in tables for id in table["id"].to_pylist()]
    assert ids == pq.read_table(large / "rationales.parquet")["id"].to_pylist()
    assert max(map(len, tables)) - min(map(len, tables)) <= 1
