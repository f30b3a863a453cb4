"""What is known to be wrong with a dataset, and what nobody looked for.

Only what a run measured is stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cards.render import inline

NOT_MEASURED = "not measured"
NAMED = 5
"""Languages that a card names, the commonest; the lineage has all."""


def limits(run: Mapping[str, Any]) -> dict[str, str]:
    """What a reader asks, and the answer in Markdown."""
    return {
        "Overlap with benchmarks": contamination(run),
        "Duplicates": duplicates(run),
        "Language": language(run),
        "Correctness": correctness(run),
    }


def contamination(run: Mapping[str, Any]) -> str:
    settings = run["settings"]
    if not settings.get("against"):
        known = "instructions" in run["configs"]
        return NOT_MEASURED + ("; `datagen filter` with `--against` compares them" if known else "")
    return (
        f"compared with the test questions of {inline(settings['against'])}: "
        f"{left_out(run, 'contaminated')} "
        f"(a share of {settings['ngram_share']} of a question in runs of words that both hold, "
        "or of "
        f"{settings['rouge_l']} in the longest common subsequence); other benchmarks were not "
        "looked at"
    )


def duplicates(run: Mapping[str, Any]) -> str:
    """By a filter run's checks, by the novelty rule of a Self-Instruct run, and counted when it was
    published.
    """
    settings = run["settings"]
    found = []
    if settings.get("exact_duplicates"):
        found.append(f"prompts of the same words: {left_out(run, 'exact_duplicate')}")
    for name, measure in (("near", "Jaccard similarity"), ("embedding", "cosine")):
        if threshold := settings.get(f"{name}_duplicates"):
            found.append(
                f"{measure} of prompts from {threshold} on: {left_out(run, f'{name}_duplicate')}"
            )
    if run.get("histograms", {}).get("similarity") and settings.get("similarity"):
        found.append(
            f"ROUGE-L of instructions above {settings['similarity']}: {left_out(run, 'similar')}"
        )
    for config, repeated in run.get("duplicates", {}).items():
        rows = run["configs"][config]["rows"]
        found.append(
            f"of {rows:,} rows of {config}, {repeated['prompts']:,} have the prompt of an "
            "earlier one, "
            f"{repeated['rows']:,} its completion too"
        )
    return "; ".join(found) or NOT_MEASURED


def left_out(run: Mapping[str, Any], reason: str) -> str:
    return f"{run['counts']['rejected'].get(reason, 0):,} rows were left out"


def language(run: Mapping[str, Any]) -> str:
    stated = f"stated by the publisher: {inline(run['language'])}; " if run["language"] else ""
    return stated + ("what a detector sees stands below" if run.get("languages") else NOT_MEASURED)


def languages(run: Mapping[str, Any]) -> list[tuple[str, int, str, str, int]]:
    """Config, rows drawn, part of them, languages found in them, and how many texts were too short
    to tell.
    """
    return [
        (
            config,
            found["sample"],
            f"{part}s",
            commonest(found[part]["languages"]),
            found[part]["too_short"],
        )
        for config, found in run.get("languages", {}).get("configs", {}).items()
        for part in ("prompt", "completion")
    ]


def commonest(found: Mapping[str, int]) -> str:
    named = [f"{inline(code)} {count:,}" for code, count in list(found.items())[:NAMED]]
    return ", ".join(named) + (", and others" if len(found) > NAMED else "") or "-"


def correctness(run: Mapping[str, Any]) -> str:
    """How far the rows were checked."""
    text = "a model wrote these rows, and they can be wrong"
    if run["method"] == "rationales":
        return f"{text}; chains were kept by their answers, their reasoning was not checked"
    return f"{text} where no check could see it"
