"""What a version is made from: everything its card says, and all that is needed to make it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.schema import CONFIGS, Row

FORMAT = 1


def read_run(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and statistics of a finished run. Raises UserError for a folder that is none."""
    if not run.is_dir():
        raise UserError(f"no run folder {run}")
    if not (run / "config.json").is_file():
        raise UserError(f"{run} is no run folder: it has no config.json")
    config = read_json(run / "config.json")
    if not (run / "stats.json").is_file() or not (stats := read_json(run / "stats.json")).get("finished"):
        raise UserError(f"{run} is not finished: the command that made it, given again, goes on with it")
    if not sum(stats["accepted"].values()):
        raise UserError(f"{run} holds no accepted rows: nothing to publish")
    return config, stats


def build(run: Path, *, name: str, license: str | None, language: str | None) -> dict[str, Any]:
    """The lineage of a finished run as a version of `name`; number, date and predecessor are put in by the store.

    `content_sha256` covers method, columns and rows, not the bytes of the Parquet files: another release of the writer
    is no new version.
    """
    config, stats = read_run(run)
    files = {c: run / f"{c}.parquet" for c in CONFIGS if stats["accepted"].get(c) or c == "rejected"}
    configs = {c: describe(file) for c, file in files.items()}
    digests = [config["method"], {c: [d["columns"], d["rows_sha256"]] for c, d in configs.items()}]
    return {
        "format": FORMAT,
        "name": name,
        "method": config["method"],
        "license": license,
        "language": language,
        "teacher": config["teacher"],
        "source": config["source"],
        "settings": config["settings"],
        "code": {"version": config["code_version"], "commit": stats.get("code_commit")},
        "counts": {key: stats[key] for key in ("questions", "accepted", "rejected")},
        "quality": {key: stats[key] for key in ("samples", "agreement", "accuracy") if key in stats},
        "usage": {key: stats[key] for key in ("answers", "prompt_tokens", "completion_tokens")},
        "configs": configs,
        "content_sha256": hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest(),
    }


def describe(file: Path) -> dict[str, Any]:
    """Columns (name to type), number of rows and hash of the rows of a Parquet file."""
    import pyarrow.parquet as pq

    digest, count = hashlib.sha256(), 0
    for row in rows(file):
        digest.update(json.dumps(row, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass") + b"\n")
        count += 1
    columns = {field.name: str(field.type) for field in pq.read_schema(file)}
    return {"columns": columns, "rows": count, "rows_sha256": digest.hexdigest()}


def rows(file: Path) -> Iterator[Row]:
    """The rows of a Parquet file, a batch in memory at a time. Raises UserError where it is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches():
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{file} is missing or damaged: {str(error).splitlines()[0]}") from None


def file_sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_json(file: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}") from None
    return value
