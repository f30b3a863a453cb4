"""What a version is made from: everything its card says, and all that is needed to make it
again."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.render import public_name
from datagen.errors import UserError
from datagen.publish.content import rows_sha256
from datagen.publish.terms import warnings
from datagen.schema import CONFIGS, FAMILIES, Row
from datagen.topk_digest import digested

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 3
"""Of the lineage: 3 holds a run for each family. 2 held one, whose facts stood beside the
version's, and is read so."""
VERSION_KEYS = ("name", "hub", "version", "created", "previous", "files", "content_sha256")
"""What is a version's; all else belongs to one of its runs."""
RUN_KEYS = (
    *(
        "method",
        "license",
        "language",
        "teacher",
        "terms",
        "source",
        "settings",
        "prompts",
        "code",
        "counts",
    ),
    *("quality", "histograms", "usage", "configs", "content_sha256"),
)
BATCH = 200
"""Rows in memory at a time; one with stored probabilities can take a hundred kilobytes."""
PAGES = 1 << 20
"""Bytes of a column's buffer on the file."""
CONFIG_KEYS = ("method", "code_version", "teacher", "source", "settings")
QUALITY = ("samples", "agreement", "accuracy", "rounds", "operations")
USAGE = ("answers", "prompt_tokens", "completion_tokens", "cached_tokens", "cost", "currency")
"""What stats.json says of these goes into the lineage, and so into the card."""
STATS_KEYS = ("questions", "accepted", "rejected", "answers", "prompt_tokens", "completion_tokens")


def read_run(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and statistics of a finished run. Raises UserError for a folder that is
    none."""
    if not run.is_dir():
        raise UserError(f"no run folder {run}")
    if not (run / "config.json").is_file():
        raise UserError(f"{run} is no run folder: it has no config.json")
    config = read_json(run / "config.json", CONFIG_KEYS)
    if (
        not (run / "stats.json").is_file()
        or read_json(run / "stats.json").get("finished") is not True
    ):
        raise UserError(
            f"{run} is not finished: the command that made it, given again, goes on with it"
        )
    stats = read_json(run / "stats.json", STATS_KEYS)
    if config["settings"].get("teacher_topk") and "teacher_topk" not in stats:
        raise UserError(
            f"{run} has no stored probabilities yet: the command that made it, given again, adds them"
        )
    if not sum(stats["accepted"].values()):
        raise UserError(f"{run} holds no accepted rows: nothing to publish")
    return config, stats


def build(
    run: Path, *, name: str, license: str | None, language: str | None, hub: bool = False
) -> dict[str, Any]:
    """The lineage of a finished run as all that a version of `name` holds; what lies beside it,
    number, date and predecessor are put in by the store. `hub`: it is to be on the Hub. Raises
    UserError."""
    check_words(license, language)
    config, stats = read_run(run)
    about = described(run, config, stats) | {"license": license, "language": language}
    return holding(
        {"format": FORMAT, "name": name, "hub": hub}, {family_of(stats["accepted"]): about}
    )


def described(run: Path, config: dict[str, Any], stats: dict[str, Any]) -> dict[str, Any]:
    """What the lineage says of one run: what it was asked, what came of it, and what is measured of
    its rows."""
    from datagen.publish.histograms import histograms
    from datagen.publish.measured import measured
    from datagen.publish.prompts import prompts
    from datagen.publish.samples import samples

    files = {
        c: run / f"{c}.parquet" for c in CONFIGS if stats["accepted"].get(c) or c == "rejected"
    }
    configs = {c: describe(file) for c, file in files.items()}
    for c, rows in stats["accepted"].items():
        if c not in configs or configs[c]["rows"] != rows:
            raise UserError(
                f"{run} is damaged: stats.json counts {rows} rows of {c}, its Parquet file does not"
            )
    kept, seed = (
        {c: file for c, file in files.items() if c != "rejected"},
        config["settings"].get("seed", 0),
    )
    return {
        "method": config["method"],
        "teacher": {
            k: public_name(v) if isinstance(v, str) else v for k, v in config["teacher"].items()
        },
        "terms": "; ".join(warnings(config["teacher"])) or None,
        "source": config["source"],
        "settings": config["settings"],
        "prompts": prompts(config),
        "code": {"version": config["code_version"], "commit": stats.get("code_commit")},
        "counts": {key: stats[key] for key in ("questions", "accepted", "rejected")},
        "quality": {key: stats[key] for key in QUALITY if key in stats},
        "histograms": histograms(next(iter(files.values())), files["rejected"]),
        "usage": {key: stats[key] for key in USAGE if stats.get(key) is not None},
        **measured(kept, {c: configs[c]["rows"] for c in kept}, seed=seed),
        "samples": samples(run, configs, seed=seed),
        "configs": configs
        | {"rejected": configs["rejected"] | {"features": features(files["rejected"])}},
        "content_sha256": content_sha256(config["method"], configs),
    }


def family_of(configs: Iterable[str]) -> str:
    """The family that has these configs of accepted rows."""
    wanted = {config for config in configs if config != "rejected"}
    return next(family for family, its in FAMILIES.items() if wanted <= set(its))


def holding(lineage: dict[str, Any], runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The lineage with these runs, by family."""
    return lineage | {"runs": runs, "content_sha256": content_of(runs)}


def content_of(runs: dict[str, dict[str, Any]]) -> str:
    """One hash over the content of all runs, whichever came first; that of a single run is its
    own."""
    hashes = {family: run["content_sha256"] for family, run in runs.items()}
    if len(hashes) == 1:
        return str(*hashes.values())
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def content_sha256(method: str, configs: dict[str, dict[str, Any]]) -> str:
    """One hash over a run's method and every config's columns and rows, as `describe` gives them;
    not over the bytes of the Parquet files: another release of the writer is no new version."""
    digests = [
        method,
        {name: [config["columns"], config["rows_sha256"]] for name, config in configs.items()},
    ]
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def read_lineage(folder: Path) -> dict[str, Any]:
    """The lineage of a version, in today's form. Raises UserError where it is damaged, or of a form
    that is no more."""
    file = folder / "lineage.json"
    lineage = read_json(file, VERSION_KEYS[:1] + VERSION_KEYS[2:])
    if lineage.get("format") not in (2, FORMAT):
        raise UserError(
            f"{lineage['name']}@{lineage['version']} has a lineage of format {lineage.get('format')}, and this release "
            f"reads 2 and {FORMAT}: publish its run anew, under another name"
        )
    return (
        lineage if lineage["format"] == FORMAT else of_one_run(lineage, read_json(file, RUN_KEYS))
    )


def of_one_run(lineage: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """A lineage of format 2 in the form of 3."""
    runs = {family_of(run["configs"]): {key: run[key] for key in RUN_KEYS}}
    return {"format": 2} | {key: lineage.get(key) for key in VERSION_KEYS} | {"runs": runs}


def check_words(license: str | None, language: str | None) -> None:
    if license is not None and not re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,79}", license, re.ASCII):
        raise UserError(
            f"--license {license!r}: give an identifier such as apache-2.0, without spaces"
        )
    if language is not None and not re.fullmatch(r"[a-z]{2,3}", language, re.ASCII):
        raise UserError(f"--language {language!r}: give a code of two or three letters such as en")


def describe(*files: Path) -> dict[str, Any]:
    """Columns (name to type), number of rows and hash of the rows of Parquet files that follow each
    other."""
    import pyarrow.parquet as pq

    batches = itertools.chain.from_iterable(map(batches_of, files))
    try:
        schema = pq.read_schema(files[0])
    except (OSError, ValueError) as error:
        raise damaged(files[0], error) from None
    digest, count = rows_sha256(schema, batches)
    return {
        "columns": {field.name: str(field.type) for field in schema},
        "rows": count,
        "rows_sha256": digest,
    }


def features(file: Path) -> list[dict[str, Any]]:
    """The columns of a Parquet file as a card tells them to `datasets`."""
    import pyarrow.parquet as pq
    from datasets import Features

    return list(Features.from_arrow_schema(pq.read_schema(file))._to_yaml_list())


def rows(file: Path) -> Iterator[Row]:
    """The rows of a Parquet file, a batch in memory at a time; of stored probabilities only their
    hash.

    Raises UserError where it is missing or damaged.
    """
    for batch in batches_of(file):
        yield from digested(batch).to_pylist()


def batches_of(file: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """A Parquet file in pieces. Raises UserError where it is missing or damaged.

    A row group at a time and without reading ahead: Arrow would keep all that it has read until the
    last row."""
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, buffer_size=PAGES, pre_buffer=False) as parquet:
            for group in range(parquet.num_row_groups):
                yield from parquet.iter_batches(
                    batch_size=BATCH, row_groups=[group], columns=columns
                )
    except (OSError, ValueError) as error:  # Arrow's exceptions are these
        raise damaged(file, error) from None


def damaged(file: Path, error: Exception) -> UserError:
    return UserError(f"{file} is missing or damaged: {str(error).splitlines()[0]}")


def file_sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_json(file: Path, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """A JSON object. Raises UserError where it cannot be read, or lacks one of the keys."""
    try:
        value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}") from None
    missing = (
        [key for key in keys if key not in value] if isinstance(value, dict) else ["a JSON object"]
    )
    if missing:
        raise UserError(f"{file} is damaged: it lacks {', '.join(missing)}")
    return value
