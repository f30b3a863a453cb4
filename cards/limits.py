"""The known limits of a dataset, and what nobody measured.

A card states only what a run measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cards.render import inline

NOT_MEASURED = "not measured"
NAMED = 5
"""How many languages a card names, the most common first. The lineage names all of them, but a
detector finds a long tail of wrong ones."""


def limits(run: Mapping[str, Any]) -> dict[str, str]:
    """Return what readers ask about a dataset, with the answers in Markdown.

    Args:
        run: one run of a lineage.
    """
    return {
        "Overlap with benchmarks": contamination(run),
        "Duplicates": duplicates(run),
        "Language": language(run),
        "Correctness": correctness(run),
    }


def contamination(run: Mapping[str, Any]) -> str:
    """Return the benchmarks that the rows were compared with, and how many were rejected."""
    settings = run["settings"]
    if not settings.get("against"):
        # `datagen filter` works on instructions only
        known = "instructions" in run["configs"]
        return NOT_MEASURED + ("; `datagen filter --against` measures it" if known else "")
    return (
        f"compared with the test questions of {inline(settings['against'])}: "
        f"{rejected(run, 'contaminated')} "
        f"(a row shares at least {settings['ngram_share']} of a question's words in sequences, or "
        f"at least {settings['rouge_l']} in the longest common subsequence); no other benchmarks "
        "were compared"
    )


def duplicates(run: Mapping[str, Any]) -> str:
    """Return how many duplicates a run rejected, and how many are left.

    A filter run rejects them by its filters, a Self-Instruct run by its novelty rule. `publish`
    counts those that are left.
    """
    settings = run["settings"]
    found = []
    if settings.get("exact_duplicates"):
        found.append(f"prompts with the same words: {rejected(run, 'exact_duplicate')}")
    for name, measure in (("near", "Jaccard similarity"), ("embedding", "cosine")):
        if threshold := settings.get(f"{name}_duplicates"):
            found.append(
                f"{measure} of prompts of at least {threshold}: "
                f"{rejected(run, f'{name}_duplicate')}"
            )

    if run.get("histograms", {}).get("similarity") and settings.get("similarity"):
        found.append(
            f"ROUGE-L of instructions above {settings['similarity']}: {rejected(run, 'similar')}"
        )

    # `publish` counts these, whatever method made the rows
    for config, repeated in run.get("duplicates", {}).items():
        rows = run["configs"][config]["rows"]
        found.append(
            f"of {rows:,} rows of {config}, {repeated['prompts']:,} have the prompt of an earlier "
            f"row, and {repeated['rows']:,} also its completion"
        )
    return "; ".join(found) or NOT_MEASURED


def rejected(run: Mapping[str, Any], reason: str) -> str:
    """Return how many rows a run rejected for a reason."""
    return f"{run['counts']['rejected'].get(reason, 0):,} rows were rejected"


def language(run: Mapping[str, Any]) -> str:
    """Return the language that the publisher stated, and where to find the detected ones."""
    stated = f"the publisher states {inline(run['language'])}; " if run["language"] else ""
    detected = "the table below has what a detector found"
    return stated + (detected if run.get("languages") else NOT_MEASURED)


def languages(run: Mapping[str, Any]) -> list[tuple[str, int, str, str, int]]:
    """Return the rows of the table of languages.

    Returns:
        For each config and each part of its rows: config, rows drawn, part, languages, and how many
        texts were too short for the detector.
    """
    rows = []
    for config, found in run.get("languages", {}).get("configs", {}).items():
        for part in ("prompt", "completion"):
            counted = found[part]
            most = commonest(counted["languages"])
            rows.append((config, found["sample"], f"{part}s", most, counted["too_short"]))
    return rows


def commonest(found: Mapping[str, int]) -> str:
    """Return the most common languages with their number of texts."""
    named = [f"{inline(code)} {count:,}" for code, count in list(found.items())[:NAMED]]
    return ", ".join(named) + (", and others" if len(found) > NAMED else "") or "-"


def correctness(run: Mapping[str, Any]) -> str:
    """Return how far the rows were checked."""
    text = "a model wrote these rows, and they can be wrong"
    if run["method"] == "rationales":
        return f"{text}; chains were kept by their answers, and nobody checked their reasoning"
    return f"{text} where no filter detects it"
