"""Building the lineage of a run: all that its card states, and all that is needed to repeat it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.publish.terms import license_warnings
from datagen.records.config import RunConfig
from datagen.records.names import public_name
from datagen.records.serialise import to_json
from datagen.records.stats import RunStats
from datagen.run.folder import read_run
from datagen.schema import CONFIGS
from datagen.versions.lineage import FORMAT, content_of, content_sha256, family_of
from datagen.versions.parquet import describe

QUALITY = ("samples", "agreement", "accuracy", "rounds", "operations", "reasoning")
USAGE = (
    *("answers", "prompt_tokens", "completion_tokens", "cached_tokens"),
    *("estimated_answers", "fields_left_out", "cost", "currency"),
)
"""Keys of stats.json that the lineage repeats under `quality` and `usage`, for the card."""


def build(
    run: Path, *, name: str, license: str | None, language: str | None, hub: bool = False
) -> dict[str, Any]:
    """Return the lineage of a finished run, as the only run of a version.

    The store and the Hub add the runs of other families, the number, the date and the predecessor.

    Args:
        run: the run folder.
        name: the name of the dataset.
        license: the licence identifier of the dataset.
        language: the language code for the card.
        hub: whether the version will be on the Hub.

    Raises:
        UserError: the run is not finished or damaged, or an argument is not of its form.
    """
    check_words(license, language)
    config, stats = read_run(run)
    record = run_record(run, config, stats) | {"license": license, "language": language}
    lineage = {"format": FORMAT, "name": name, "hub": hub}
    return with_runs(lineage, {family_of(stats.accepted): record})


def run_record(run: Path, config: RunConfig, stats: RunStats) -> dict[str, Any]:
    """Return what the lineage states about one run: configuration, counts and row statistics.

    Raises:
        UserError: the Parquet files do not have the rows that stats.json counts.
    """
    # imported late: the command line imports this module even for `--help`
    from datagen.publish.histograms import histograms
    from datagen.publish.row_statistics import row_statistics
    from datagen.publish.samples import samples

    files = {c: run / f"{c}.parquet" for c in CONFIGS if stats.accepted.get(c) or c == "rejected"}
    configs = {c: describe(file) for c, file in files.items()}
    check_counts(run, stats, configs)

    accepted = {c: file for c, file in files.items() if c != "rejected"}
    rows = {c: configs[c]["rows"] for c in accepted}
    seed = config.settings.get("seed", 0)
    rejected = configs["rejected"] | {"features": features(files["rejected"])}
    return {
        "method": config.method,
        "teacher": public_record(to_json(config.teacher)),
        "terms": "; ".join(license_warnings(to_json(config.teacher))) or None,
        "source": to_json(config.source),
        "settings": config.settings,
        "prompts": dict(config.prompts or {}),
        "code": {"version": config.code_version, "commit": stats.code_commit},
        "counts": {key: to_json(stats)[key] for key in ("questions", "accepted", "rejected")},
        "quality": {key: stats[key] for key in QUALITY if key in stats.measured},
        "histograms": histograms(next(iter(files.values())), files["rejected"]),
        "usage": usage_of(stats),
        **row_statistics(accepted, rows, seed=seed),
        "samples": samples(run, configs, seed=seed),
        "configs": configs | {"rejected": rejected},
        "content_sha256": content_sha256(config.method, configs),
    }


def check_counts(run: Path, stats: RunStats, configs: dict[str, Any]) -> None:
    """Check that the Parquet files have as many rows as stats.json counts.

    Raises:
        UserError: a count differs, or a file is missing.
    """
    for config, rows in stats.accepted.items():
        if config not in configs or configs[config]["rows"] != rows:
            raise UserError(
                f"{run} is damaged: stats.json counts {rows} rows of {config}, "
                "its Parquet file does not"
            )


def public_record(teacher: dict[str, Any]) -> dict[str, Any]:
    """Return what a lineage states about the teacher, without paths of this machine."""
    return {
        key: public_name(value) if isinstance(value, str) else value
        for key, value in teacher.items()
    }


def with_runs(lineage: dict[str, Any], runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the lineage with these runs, by family, and the content hash of all of them."""
    return lineage | {"runs": runs, "content_sha256": content_of(runs)}


def check_words(license: str | None, language: str | None) -> None:
    """Check the licence and the language that the user gave for the card.

    Raises:
        UserError: one of them is not of its form.
    """
    # both go into the YAML header of the card, where any other character could break it
    if license is not None and not re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,79}", license, re.ASCII):
        raise UserError(
            f"--license {license!r}: give an identifier such as apache-2.0, without spaces"
        )
    if language is not None and not re.fullmatch(r"[a-z]{2,3}", language, re.ASCII):
        raise UserError(f"--language {language!r}: give a code of two or three letters such as en")


def features(file: Path) -> list[dict[str, Any]]:
    """Return the columns of a Parquet file in the form that `datasets` reads from a card."""
    import pyarrow.parquet as pq
    from datasets import Features

    return list(Features.from_arrow_schema(pq.read_schema(file))._to_yaml_list())


def usage_of(stats: RunStats) -> dict[str, Any]:
    """Return the answers, tokens and cost of a run. Unknown values are left out."""
    values = {key: getattr(stats, key) for key in USAGE}
    return {key: value for key, value in values.items() if value is not None}
