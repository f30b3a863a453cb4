"""`datagen filter`: keep the instruction rows that pass; give every other row its reason."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import fields
from functools import partial

from datagen.filters.contamination import load_benchmarks
from datagen.filters.duplicates import (
    Duplicate,
    embedding_duplicates,
    exact_duplicates,
    near_duplicates,
)
from datagen.filters.responses import Responses
from datagen.filters.row_filter import (
    Reason,
    RowFilter,
    checked_reason,
    detail_of,
    load_filter,
)
from datagen.filters.settings import FilterSettings
from datagen.prompts.language import language
from datagen.prompts.settings import recorded_templates
from datagen.prompts.templates import Templates
from datagen.run.job import Job, RunResult, default_out, run_job, source_record
from datagen.schema import Accepted, Outcome, Rejected, Row
from datagen.sources import rows as row_source
from datagen.teacher import Capabilities, Completion, Messages, Pair, Request, TeacherError

METHOD = "filter"
NOT_IN_CONFIG = {"source", "out", "data_root", "language", "templates", "filter", "teacher_license"}
"""Settings that change no row, and those that the configuration records in another form."""

Check = Callable[[Sequence[Row]], dict[int, str]]
"""Which of the rows go, by index, and the reason."""


def run_filter(settings: FilterSettings, *, filters: Sequence[RowFilter] = ()) -> RunResult:
    """Leave out the rows that a check or a filter rejects.

    Args:
        settings: the source, and the checks of this project.
        filters: further filters, asked first and in this order.

    Raises:
        UserError: the source, a benchmark or a filter cannot be read.
    """
    templates = Templates(settings.language or "en", settings.templates)
    rows = row_source.read_rows(settings.source, templates, method=METHOD)
    asked = [*(named_check(name) for name in settings.filter), *map(each_row, filters)]
    source = source_record(
        settings.source, len(rows), ([row["id"], row_source.fields(row)] for row in rows)
    )

    async def screened() -> AsyncGenerator[list[Outcome]]:
        for outcome in outcomes(rows, [*asked, *checks(settings, templates)]):
            yield [outcome]

    return run_job(
        Job(
            method=METHOD,
            family="instructions",
            out=settings.out or default_out(METHOD, source["suite"]),
            teacher=NoTeacher(),
            teacher_license=settings.teacher_license,
            source=source,
            settings=recorded(settings, templates, filters),
            work=lambda run, teacher: run.stream(
                lambda _: screened(), teacher=teacher, total=len(rows)
            ),
        )
    )


def recorded(
    settings: FilterSettings, templates: Templates, filters: Sequence[RowFilter]
) -> dict[str, object]:
    """The settings that decide the rows. User filters are recorded by name."""
    names = [field.name for field in fields(settings) if field.name not in NOT_IN_CONFIG]
    values: dict[str, object] = {name: getattr(settings, name) for name in names}
    own = [*settings.filter, *map(name_of, filters)]
    return values | ({"filter": own} if own else {}) | recorded_templates(templates)


def name_of(row_filter: RowFilter) -> str:
    """`module:function` of a filter, else its type."""
    kind = type(row_filter)
    module = getattr(row_filter, "__module__", kind.__module__)
    return f"{module}:{getattr(row_filter, '__qualname__', kind.__qualname__)}"


def outcomes(rows: Sequence[Row], checks: Sequence[Check]) -> list[Outcome]:
    """Every row, accepted or rejected.

    A check sees what the ones before it left, so that a duplicate goes because of a row that passed
    them.
    """
    why: dict[int, str] = {}
    for check in checks:
        left = [place for place in range(len(rows)) if place not in why]
        why |= {
            left[index]: verdict
            for index, verdict in check([rows[place] for place in left]).items()
        }
    return [
        Rejected(row | {"detail": detail_of(why[place])}, str(why[place]))
        if place in why
        else Accepted(row, "instructions")
        for place, row in enumerate(rows)
    ]


def checks(settings: FilterSettings, templates: Templates) -> list[Check]:
    """The checks that the settings ask for: those of single rows first."""
    found: list[Check] = []
    if settings.responses:
        found.append(each_row(response_filter(settings, templates)))
    if settings.against:
        found.append(each_row(contamination_filter(settings)))
    if settings.exact_duplicates:
        found.append(duplicates("exact_duplicate", exact_duplicates))
    if threshold := settings.near_duplicates:
        find = partial(near_duplicates, threshold=threshold)
        found.append(duplicates("near_duplicate", find))
    if threshold := settings.embedding_duplicates:
        find = partial(embedding_duplicates, threshold=threshold, encoder=settings.encoder)
        found.append(duplicates("embedding_duplicate", find))
    return found


def each_row(row_filter: RowFilter) -> Check:
    """A filter of single rows as a check of many."""

    def check(rows: Sequence[Row]) -> dict[int, str]:
        reasons = [row_filter(row) for row in rows]
        return {index: reason for index, reason in enumerate(reasons) if reason}

    return check


def named_check(name: str) -> Check:
    """The filter `module:function` as a check. Raises UserError."""
    row_filter = load_filter(name)
    return each_row(lambda row: checked_reason(name, row_filter(row)))


def response_filter(settings: FilterSettings, templates: Templates) -> RowFilter:
    """Rejects poor responses: empty, cut off, refusals, repetitive, too short, too long."""
    rules = Responses(
        templates,
        language(templates.language),
        shortest=settings.shortest,
        longest=settings.longest,
        repetition=settings.repetition,
    )
    return lambda row: rules.reason(text_of(row["completion"]), row.get("finish_reason"))


def contamination_filter(settings: FilterSettings) -> RowFilter:
    """Rejects prompts that hold a test question of a benchmark."""
    known = load_benchmarks(
        [name.strip() for name in settings.against.split(",")],
        data_root=settings.data_root,
        covered=settings.ngram_share,
        contained=settings.rouge_l,
    )

    def contaminated(row: Row) -> str | None:
        hit = known.hit(text_of(row["prompt"]))
        return Reason("contaminated", detail=str(hit)) if hit else None

    return contaminated  # type: ignore[return-value]


def duplicates(reason: str, find: Callable[[Sequence[str]], list[Duplicate]]) -> Check:
    """A check that rejects rows whose prompt repeats an earlier one."""

    def check(rows: Sequence[Row]) -> dict[int, str]:
        found = find([text_of(row["prompt"]) for row in rows])
        return {
            d.index: Reason(reason, detail=f"row {rows[d.kept]['id']} ({d.similarity:.3f})")
            for d in found
        }

    return check


def text_of(turns: Sequence[dict[str, str]]) -> str:
    """What was said, without system prompts."""
    return "\n".join(turn["content"] for turn in turns if turn["role"] != "system")


class NoTeacher:
    """The teacher of a run that asks nothing."""

    name = "none"
    capabilities = Capabilities()

    async def identify(self) -> str:
        return self.name

    async def open(self) -> None: ...

    async def complete(self, request: Request) -> list[Completion]:
        raise TeacherError("a filter asks nothing")

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        raise TeacherError("a filter asks nothing")

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        raise TeacherError("a filter asks nothing")

    async def close(self) -> None: ...
