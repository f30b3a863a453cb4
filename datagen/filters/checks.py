"""The checks of `datagen filter`: each looks at many rows and says which are rejected, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from datagen.filters.contamination import load_benchmarks
from datagen.filters.duplicates import (
    BLOCK,
    Duplicate,
    embedding_duplicates,
    exact_duplicates,
)
from datagen.filters.near import near_duplicates_by_block
from datagen.filters.responses import Responses
from datagen.filters.row_filter import Reason, RowFilter, detail_of
from datagen.filters.settings import FilterSettings
from datagen.filters.text import text_of
from datagen.progress import meter
from datagen.prompts.templates import Templates
from datagen.schema import Accepted, Outcome, Rejected, Row

Check: TypeAlias = Callable[[Sequence[Row]], Mapping[int, str]]
"""From rows to the reasons for those that are rejected, by index."""


def shipped_checks(settings: FilterSettings, templates: Templates) -> list[Check]:
    """Return the checks that the settings ask for, in the order in which they are applied."""
    found: list[Check] = []

    # filters of single rows come first, so that no row is a duplicate of a poor one
    if settings.responses:
        found.append(each_row(response_filter(settings, templates)))
    if settings.against:
        found.append(each_row(benchmark_filter(settings)))

    # the cheapest comparison comes first: fewer rows are left for the next one
    if settings.exact_duplicates:
        found.append(duplicates("exact_duplicate", exact_duplicates))
    if threshold := settings.near_duplicates:
        found.append(duplicates("near_duplicate", partial(find_near, threshold=threshold)))
    if threshold := settings.embedding_duplicates:
        find = partial(embedding_duplicates, threshold=threshold, encoder=settings.encoder)
        found.append(duplicates("embedding_duplicate", find))
    return found


def outcomes(rows: Sequence[Row], checks: Sequence[Check]) -> list[Outcome]:
    """Return every row, accepted or rejected.

    A check sees only the rows that passed the checks before it. So a duplicate is rejected because
    of a row that passed them, never because of a row that was rejected itself.
    """
    reasons: dict[int, str] = {}
    for check in checks:
        # by place, because a row may come twice with the same id
        left = [place for place in range(len(rows)) if place not in reasons]
        found = check([rows[place] for place in left])
        reasons |= {left[index]: reason for index, reason in found.items()}
    return [outcome(row, reasons.get(place)) for place, row in enumerate(rows)]


def outcome(row: Row, reason: str | None) -> Outcome:
    """Return the row, accepted or rejected. A rejected row has a `detail`, which may be null."""
    if reason is None:
        return Accepted(row, "instructions")
    return Rejected(row | {"detail": detail_of(reason)}, str(reason))


def each_row(row_filter: RowFilter) -> Check:
    """Turn a filter of single rows into a check of many."""

    def check(rows: Sequence[Row]) -> dict[int, str]:
        reasons = [row_filter(row) for row in rows]
        return {index: reason for index, reason in enumerate(reasons) if reason is not None}

    return check


def response_filter(settings: FilterSettings, templates: Templates) -> RowFilter:
    """Return the filter of poor responses that the settings describe."""
    return Responses(
        templates.language,
        templates=templates,
        shortest=settings.shortest,
        longest=settings.longest,
        repetition=settings.repetition,
    )


def benchmark_filter(settings: FilterSettings) -> RowFilter:
    """Return the filter of benchmark questions. Raises UserError for an unknown benchmark."""
    return load_benchmarks(
        [name.strip() for name in settings.against.split(",")],
        data_root=settings.data_root,
        covered=settings.ngram_share,
        contained=settings.rouge_l,
    )


def find_near(texts: Sequence[str], threshold: float) -> list[Duplicate]:
    """Return the near duplicates, and show how many texts are compared."""
    found: list[Duplicate] = []
    with meter("near duplicates", len(texts)) as progress:
        for block in near_duplicates_by_block(texts, threshold):
            found += block
            progress.advance(min(BLOCK, len(texts) - progress.done))
    return found


def duplicates(reason: str, find: Callable[[Sequence[str]], list[Duplicate]]) -> Check:
    """Return a check that rejects rows whose prompt repeats an earlier one."""

    def check(rows: Sequence[Row]) -> dict[int, str]:
        found = find([text_of(row["prompt"]) for row in rows])
        return {duplicate.index: met(duplicate, rows) for duplicate in found}

    def met(duplicate: Duplicate, rows: Sequence[Row]) -> Reason:
        kept = rows[duplicate.kept]["id"]
        return Reason(reason, detail=f"row {kept} ({duplicate.similarity:.3f})")

    return check
