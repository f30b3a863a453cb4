"""A run directory: what a generator made of every source item, and how to go on after a kill.

run/config.json       what was asked; another configuration is refused
run/journal.sqlite    every teacher answer (datagen.teacher.journal)
run/rows.sqlite       accepted and rejected rows, by the position of the item they come from
run/<config>.parquet  written at the end, in order of position: arrival changes nothing
run/stats.json        counts, tokens, time; "finished" says that the Parquet files are whole
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from datagen.errors import UserError
from datagen.progress import Meter, meter
from datagen.run_folder import commit, keep_config, lock, read_stats, write_json
from datagen.schema import FAMILIES, Accepted, Outcome, Rejected, Row, arrow_schema
from datagen.teacher.base import Teacher, TeacherError
from datagen.teacher.journal import JournaledTeacher, connect_database

Item = TypeVar("Item")
Statistics: TypeAlias = Callable[[Iterable[list[Row]]], dict[str, Any]]

FORMAT = 1
FAILED = "failed"
"""Reason of an item whose request failed for good. The next run of the same command asks for it again."""
HOPELESS = 20
"""A run stops when this many items failed before any succeeded: the endpoint is at fault, not the items."""
GATHER_S = 0.1
"""Rows that come within this time share a transaction."""
BATCH = 4096
"""Rows a Parquet row group holds, and the memory that writing it takes."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    position INTEGER NOT NULL,
    part     INTEGER NOT NULL,
    config   TEXT NOT NULL,
    reason   TEXT,
    row      TEXT NOT NULL,
    PRIMARY KEY (position, part)
) WITHOUT ROWID
"""


class Run:
    """An open run directory. One process at a time; `with` closes it."""

    def __init__(self, path: Path, config: dict[str, Any], *, family: str = "rationales"):
        """Create or resume a run that makes the configs of `family`.

        Raises UserError when the folder holds another run, or another process works in it.
        """
        self.path, self.config, self.family = path, {"format": FORMAT, **config}, family
        path.mkdir(parents=True, exist_ok=True)
        self._lock = lock(path)
        try:
            keep_config(path, self.config)
        except UserError:
            self._lock.close()
            raise
        self._database = connect_database(path / "rows.sqlite")
        self._database.execute(SCHEMA)
        query = "DELETE FROM rows WHERE position IN (SELECT position FROM rows WHERE reason = ?)"
        self._failed_before = self._database.execute(query, (FAILED,)).rowcount > 0
        self._counts = self._count()
        self._begun = 0.0

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self._commit()
        self._database.close()
        self._lock.close()

    async def each(
        self,
        items: Sequence[Item],
        distil: Callable[[Item, Teacher], Awaitable[list[Outcome]]],
        *,
        teacher: Teacher,
        describe: Callable[[Item], Row],
        statistics: Statistics,
        concurrency: int,
    ) -> dict[str, Any]:
        """Distil every item that has no rows yet, `concurrency` at a time; write Parquet and statistics; return these.

        `describe` gives the columns of an item that failed; `statistics` what to add to stats.json, from the rows of
        every item. Cancelling (Ctrl-C) loses nothing that had arrived.
        """
        done = self._done()
        waiting = ((position, item) for position, item in enumerate(items) if position not in done)
        journal = JournaledTeacher(teacher, self.path / "journal.sqlite")
        started = time.monotonic()

        async def work() -> None:
            for position, item in waiting:
                outcomes = await attempt(item)
                self._write(position, outcomes)
                self._report(progress, journal)
                self._give_up_if_hopeless(outcomes)

        async def attempt(item: Item) -> list[Outcome]:
            try:
                return await distil(item, journal)
            except TeacherError as error:
                return [Rejected(describe(item) | {"finish_reason": str(error)}, FAILED)]

        try:
            if len(done) == len(items) and (self.path / "stats.json").exists():
                return read_stats(self.path)
            if len(done) < len(items):
                await journal.check()
            with meter(self.config["method"], len(items), done=len(done)) as progress:
                await together(work() for _ in range(concurrency))
            return self._finish(journal, len(items), time.monotonic() - started, statistics)
        finally:
            await journal.close()

    async def stream(
        self,
        generate: Callable[[Teacher], AsyncGenerator[list[Outcome]]],
        *,
        teacher: Teacher,
        total: int,
        statistics: Statistics,
    ) -> dict[str, Any]:
        """Write what `generate` yields, in its order, then Parquet and statistics; return these.

        For a method whose next question depends on the answers so far. `generate` yields the same lists whatever the
        order of arrival; after a kill it starts anew, finds its answers in the journal, and only what is missing is
        written. From a request that failed for good on, all is made again: what follows may depend on its answer.
        `total` accepted rows make the progress bar full.
        """
        if (self.path / "stats.json").exists() and not self._failed_before:
            return read_stats(self.path)
        done, position = self._keep_unbroken(), -1
        journal = JournaledTeacher(teacher, self.path / "journal.sqlite")
        started = time.monotonic()
        try:
            await journal.check()
            with meter(self.config["method"], total, done=0) as progress:
                async with aclosing(generate(journal)) as lists:
                    async for outcomes in lists:
                        position += 1
                        if position >= done:
                            self._write(position, outcomes)
                        self._report(progress, journal, advance=sum(isinstance(o, Accepted) for o in outcomes))
            return self._finish(journal, position + 1, time.monotonic() - started, statistics)
        finally:
            await journal.close()

    def _keep_unbroken(self) -> int:
        """Drop the rows behind the first position that has none; return that position."""
        done = self._done()
        first = next(position for position in itertools.count() if position not in done)
        self._database.execute("DELETE FROM rows WHERE position >= ?", (first,))
        self._counts = self._count()
        return first

    def _done(self) -> set[int]:
        return {position for (position,) in self._database.execute("SELECT DISTINCT position FROM rows")}

    def _write(self, position: int, outcomes: list[Outcome]) -> None:
        """All rows of an item in one transaction: after a kill it has all of them or none.

        Items of a moment share it. What a kill loses of them is made again from the journal, which holds the answers.
        """
        assert outcomes, "an item ends accepted or rejected, never without a trace"
        rows = []
        for part, outcome in enumerate(outcomes):
            config, reason = (outcome.config, None) if isinstance(outcome, Accepted) else ("rejected", outcome.reason)
            rows.append((position, part, config, reason, json.dumps(outcome.row, ensure_ascii=False)))
            self._counts[config, reason] += 1
        if not self._database.in_transaction:
            self._database.execute("BEGIN")
            self._begun = time.monotonic()
        self._database.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", rows)
        if time.monotonic() - self._begun > GATHER_S:
            self._commit()

    def _commit(self) -> None:
        if self._database.in_transaction:
            self._database.execute("COMMIT")

    def _count(self) -> Counter[tuple[str, str | None]]:
        query = "SELECT config, reason, count(*) FROM rows GROUP BY config, reason"
        return Counter({(config, reason): number for config, reason, number in self._database.execute(query)})

    def _report(self, progress: Meter, journal: JournaledTeacher, *, advance: int = 1) -> None:
        usage = journal.usage
        rejected = sum(number for (config, _), number in self._counts.items() if config == "rejected")
        progress.advance(
            accepted=self._counts.total() - rejected,
            rejected=rejected,
            tokens=usage.prompt_tokens + usage.completion_tokens,
            by=advance,
        )

    def _give_up_if_hopeless(self, outcomes: list[Outcome]) -> None:
        failed = self._counts["rejected", FAILED]
        if HOPELESS <= failed == self._counts.total():
            raise UserError(
                f"all of the first {failed} requests failed, the last with: {outcomes[-1].row['finish_reason']}"
            )

    def _finish(self, journal: JournaledTeacher, items: int, seconds: float, statistics: Statistics) -> dict[str, Any]:
        self._commit()
        accepted = {config: n for (config, reason), n in sorted(self._counts.items(), key=str) if config != "rejected"}
        rejected = {reason: n for (config, reason), n in sorted(self._counts.items(), key=str) if reason}
        if not accepted:
            reasons = ", ".join(f"{reason} {number}" for reason, number in rejected.items())
            raise UserError(f"nothing was accepted of {items} items in {self.path}: {reasons}")
        for config in (*FAMILIES[self.family], "rejected"):
            self._export(config)
        stats = {
            "finished": True,
            "questions": items,
            "accepted": accepted,
            "rejected": rejected,
            **asdict(journal.usage),
            **statistics(self._items()),
            "seconds": round(seconds, 1),
            "code_commit": commit(),
        }
        write_json(self.path / "stats.json", stats)
        return stats

    def _items(self) -> Iterator[list[Row]]:
        """The rows of every item, in order."""
        found = self._database.execute("SELECT position, row FROM rows ORDER BY position, part")
        for _, group in itertools.groupby(found, key=lambda pair: pair[0]):
            yield [json.loads(row) for _, row in group]

    def _export(self, config: str) -> None:
        """Write a config's rows in order of position, a batch at a time, and put the file in place whole."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema, target = arrow_schema(config, family=self.family), self.path / f"{config}.parquet"
        query = "SELECT row, reason FROM rows WHERE config = ? ORDER BY position, part"
        cursor = self._database.execute(query, (config,))
        partial = target.with_suffix(".partial")
        with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            while batch := cursor.fetchmany(BATCH):
                rows = [json.loads(row) | {"reason": reason} for row, reason in batch]
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        os.replace(partial, target)


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all; the first error cancels the others and is raised once they have ended."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
