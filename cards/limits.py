"""What is known to be wrong with a dataset, and what nobody looked for. Only what a run measured is stated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cards.render import inline

NOT_MEASURED = "not measured"


def limits(lineage: Mapping[str, Any]) -> dict[str, str]:
    """What a reader asks, and the answer in Markdown."""
    return {
        "Overlap with benchmarks": contamination(lineage),
        "Duplicates": duplicates(lineage),
        "Language": language(lineage),
        "Correctness": correctness(lineage),
    }


def contamination(lineage: Mapping[str, Any]) -> str:
    settings = lineage["settings"]
    if not settings.get("against"):
        return NOT_MEASURED
    return (
        f"compared with the test questions of {inline(settings['against'])}: {left_out(lineage, 'contaminated')} "
        f"(a share of {settings['ngram_share']} of a question in runs of words that both hold, or of "
        f"{settings['rouge_l']} in the longest common subsequence); other benchmarks were not looked at"
    )


def duplicates(lineage: Mapping[str, Any]) -> str:
    """By a filter run's checks, or by the novelty rule of a Self-Instruct run."""
    settings = lineage["settings"]
    found = []
    if settings.get("exact_duplicates"):
        found.append(f"prompts of the same words: {left_out(lineage, 'exact_duplicate')}")
    for name, measure in (("near", "Jaccard similarity"), ("embedding", "cosine")):
        if threshold := settings.get(f"{name}_duplicates"):
            found.append(f"{measure} of prompts from {threshold} on: {left_out(lineage, f'{name}_duplicate')}")
    if lineage.get("histograms", {}).get("similarity") and settings.get("similarity"):
        found.append(f"ROUGE-L of instructions above {settings['similarity']}: {left_out(lineage, 'similar')}")
    return "; ".join(found) or NOT_MEASURED


def left_out(lineage: Mapping[str, Any], reason: str) -> str:
    return f"{lineage['counts']['rejected'].get(reason, 0):,} rows were left out"


def language(lineage: Mapping[str, Any]) -> str:
    stated = f"stated by the publisher: {inline(lineage['language'])}; " if lineage["language"] else ""
    return stated + NOT_MEASURED


def correctness(lineage: Mapping[str, Any]) -> str:
    """How far the rows were checked."""
    text = "a model wrote these rows, and they can be wrong"
    if lineage["method"] == "rationales":
        return f"{text}; chains were kept by their answers, their reasoning was not checked"
    return f"{text} where no check could see it"
