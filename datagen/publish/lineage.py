"""What a version is made from: everything its card says, and all that is needed to make it
again.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.render import public_name
from datagen.errors import UserError
from datagen.publish.terms import warnings
from datagen.records.config import RunConfig
from datagen.records.serialise import to_json
from datagen.records.stats import RunStats
from datagen.run.folder import read_run
from datagen.schema import CONFIGS
from datagen.versions.lineage import FORMAT, content_of, content_sha256, family_of
from datagen.versions.parquet import describe

if TYPE_CHECKING:
    pass

QUALITY = ("samples", "agreement", "accuracy", "rounds", "operations")
USAGE = ("answers", "prompt_tokens", "completion_tokens", "cached_tokens", "cost", "currency")
"""What stats.json says of these goes into the lineage, and so into the card."""


def build(
    run: Path, *, name: str, license: str | None, language: str | None, hub: bool = False
) -> dict[str, Any]:
    """The lineage of a finished run as all that a version of `name` holds; what lies beside it,
    number, date and predecessor are put in by the store. `hub`: it is to be on the Hub. Raises
    UserError.
    """
    check_words(license, language)
    config, stats = read_run(run)
    about = described(run, config, stats) | {"license": license, "language": language}
    return holding({"format": FORMAT, "name": name, "hub": hub}, {family_of(stats.accepted): about})


def described(run: Path, config: RunConfig, stats: RunStats) -> dict[str, Any]:
    """What the lineage says of one run: what it was asked, what came of it, and what is measured of
    its rows.
    """
    from datagen.publish.histograms import histograms
    from datagen.publish.measured import measured
    from datagen.publish.samples import samples

    files = {c: run / f"{c}.parquet" for c in CONFIGS if stats.accepted.get(c) or c == "rejected"}
    configs = {c: describe(file) for c, file in files.items()}
    for c, rows in stats.accepted.items():
        if c not in configs or configs[c]["rows"] != rows:
            raise UserError(
                f"{run} is damaged: stats.json counts {rows} rows of {c}, its Parquet file does not"
            )
    kept, seed = (
        {c: file for c, file in files.items() if c != "rejected"},
        config.settings.get("seed", 0),
    )
    return {
        "method": config.method,
        "teacher": {
            k: public_name(v) if isinstance(v, str) else v
            for k, v in to_json(config.teacher).items()
        },
        "terms": "; ".join(warnings(to_json(config.teacher))) or None,
        "source": to_json(config.source),
        "settings": config.settings,
        "prompts": dict(config.prompts or {}),
        "code": {"version": config.code_version, "commit": stats.code_commit},
        "counts": {key: to_json(stats)[key] for key in ("questions", "accepted", "rejected")},
        "quality": {key: stats[key] for key in QUALITY if key in stats.measured},
        "histograms": histograms(next(iter(files.values())), files["rejected"]),
        "usage": usage_of(stats),
        **measured(kept, {c: configs[c]["rows"] for c in kept}, seed=seed),
        "samples": samples(run, configs, seed=seed),
        "configs": configs
        | {"rejected": configs["rejected"] | {"features": features(files["rejected"])}},
        "content_sha256": content_sha256(config.method, configs),
    }


def holding(lineage: dict[str, Any], runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The lineage with these runs, by family."""
    return lineage | {"runs": runs, "content_sha256": content_of(runs)}


def check_words(license: str | None, language: str | None) -> None:
    if license is not None and not re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,79}", license, re.ASCII):
        raise UserError(
            f"--license {license!r}: give an identifier such as apache-2.0, without spaces"
        )
    if language is not None and not re.fullmatch(r"[a-z]{2,3}", language, re.ASCII):
        raise UserError(f"--language {language!r}: give a code of two or three letters such as en")


def features(file: Path) -> list[dict[str, Any]]:
    """The columns of a Parquet file as a card tells them to `datasets`."""
    import pyarrow.parquet as pq
    from datasets import Features

    return list(Features.from_arrow_schema(pq.read_schema(file))._to_yaml_list())


def usage_of(stats: RunStats) -> dict[str, Any]:
    """What a run took, without what is not known."""
    values = {key: getattr(stats, key) for key in USAGE}
    return {key: value for key, value in values.items() if value is not None}
