"""An open run folder: the rows of every source item, and how to continue after a kill.

run/config.json       the configuration; another one is refused
run/journal.sqlite    every teacher answer (datagen.teacher.journal)
run/rows.sqlite       accepted and rejected rows, by the position of their item
run/<config>.parquet  written at the end, in the order of the positions; also when a run stops early
run/stats.json        counts, tokens, time; "finished" means that the Parquet files are whole
"""

from __future__ import annotations

import time
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import AbstractContextManager, aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from datagen.errors import UserError
from datagen.progress import Meter, meter
from datagen.records.config import RunConfig
from datagen.records.names import public_identity
from datagen.records.serialise import to_json
from datagen.records.stats import RunStats, SourceCounts
from datagen.run.folder import commit, keep_config, lock, make_folder, read_stats, write_json
from datagen.run.reasons import explain, why_nothing
from datagen.run.rows import Rows
from datagen.running import run_together
from datagen.schema import FAMILIES, Accepted, Outcome, Rejected, Row
from datagen.teacher.base import Teacher, TeacherError
from datagen.teacher.cost.budget import Account, BudgetSpent
from datagen.teacher.journal import JournaledTeacher

Item = TypeVar("Item")
Stats: TypeAlias = dict[str, Any]
Statistics: TypeAlias = Callable[[Iterable[list[Row]]], Stats]
"""Makes what a method adds to stats.json, from the rows of every item."""

FAILED = "failed"
"""The reason of an item whose request failed for good. The same command asks for it again the next
time."""
HOPELESS = 20
"""A run stops if this many items failed and none succeeded. Then the endpoint is at fault, not the
items. Fewer failures can be chance. More would waste the user's time and money."""


def no_statistics(items: Iterable[list[Row]]) -> Stats:
    """Return no statistics, for a method that has none of its own."""
    return {}


class OpenRun:
    """An open run folder. Only one process works in it at a time; `with` closes it.

    Args:
        path: the run folder. It is created, or the run in it is continued.
        config: what decides the rows.
        family: which configs the rows belong to.
        account: what the run may spend. Default: no limit.
        read: what was read of the source.

    Raises:
        UserError: the folder holds another run, or another process works in it.
    """

    def __init__(
        self,
        path: Path,
        config: RunConfig,
        *,
        family: str = "rationales",
        account: Account | None = None,
        read: SourceCounts | None = None,
    ):
        self.read = read
        self.path = path
        self.family = family
        self.account = account or Account()

        make_folder(path)
        self._lock = lock(path)
        try:
            self.config = keep_config(path, config)
        except UserError:
            self._lock.close()
            raise
        self._rows = Rows(path / "rows.sqlite")

        # items that failed last time are asked again
        self._failed_before = self._rows.drop(FAILED)

    def __enter__(self) -> OpenRun:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()
        self._lock.close()

    async def each(
        self,
        items: Sequence[Item],
        distil: Callable[[Item, Teacher], Awaitable[list[Outcome]]],
        *,
        teacher: Teacher,
        describe: Callable[[Item], Row],
        statistics: Statistics = no_statistics,
        concurrency: int,
    ) -> Stats:
        """Process every item that has no rows yet, then write Parquet files and statistics.

        If it is cancelled (Ctrl-C), everything that had arrived is kept.

        Args:
            items: the source, in the order of the rows.
            distil: makes the outcomes of an item, at least one.
            teacher: the teacher. Its answers go through the journal of the run.
            describe: the columns of an item whose request failed for good.
            statistics: what the method adds to stats.json.
            concurrency: how many items are worked on at once.

        Returns:
            The statistics.

        Raises:
            UserError: nothing was accepted, or every request fails.
        """
        done = self._rows.done(len(items))
        left = done.count(0)
        # one iterator for all workers: each takes the next item when it has finished one
        waiting = ((place, items[place]) for place, is_done in enumerate(done) if not is_done)
        journal = self._journal(teacher)

        spent: list[BudgetSpent] = []

        async def work() -> None:
            for position, item in waiting:
                try:
                    outcomes = await distil(item, journal)
                except TeacherError as error:
                    failed = describe(item) | {"finish_reason": str(error)}
                    outcomes = [Rejected(failed, FAILED)]
                except BudgetSpent as error:
                    # the other items under way may have their answers: they still get their rows
                    spent.append(error)
                    return
                self._rows.write(position, outcomes)
                progress.advance()
                self._give_up_if_hopeless(outcomes)

        try:
            if not left and self._finished:
                return read_stats(self.path)

            # opening can load a large model, which a run without open items does not need
            if left:
                await journal.open()
            started = time.monotonic()
            meter = self._meter(journal, len(items), done=len(items) - left)
            with self._exported(), meter as progress:
                await run_together(work() for _ in range(concurrency))
                if spent:
                    raise spent[0]
            return self._finish(journal, len(items), time.monotonic() - started, statistics)
        finally:
            await journal.close()

    async def stream(
        self,
        generate: Callable[[Teacher], AsyncGenerator[list[Outcome]]],
        *,
        teacher: Teacher,
        total: int,
        statistics: Statistics = no_statistics,
    ) -> Stats:
        """Write the rows that `generate` yields, in its order, then Parquet files and statistics.

        This is for a method whose next question depends on the answers so far. After a kill,
        `generate` starts from the beginning and finds its answers in the journal. Only the missing
        rows are written. If a request failed for good in the last run, the rows from there on are
        made again, because they may depend on its answer.

        Args:
            generate: yields the same lists in whatever order the answers arrive.
            teacher: the teacher. Its answers go through the journal of the run.
            total: how many accepted rows make the progress bar full.
            statistics: what the method adds to stats.json.

        Returns:
            The statistics.

        Raises:
            UserError: nothing was accepted.
        """
        if self._finished and not self._failed_before:
            return read_stats(self.path)
        done = self._rows.unbroken()
        self._rows.drop_from(done)
        journal = self._journal(teacher)
        position = -1

        try:
            await journal.open()
            started = time.monotonic()
            with self._exported(), self._meter(journal, total) as progress:
                # closed at once also after an error, so that its tasks end before the journal
                async with aclosing(generate(journal)) as lists:
                    async for outcomes in lists:
                        position += 1
                        if position >= done:
                            self._rows.write(position, outcomes)
                        progress.advance(by=sum(isinstance(o, Accepted) for o in outcomes))
            return self._finish(journal, position + 1, time.monotonic() - started, statistics)
        finally:
            await journal.close()

    @property
    def _finished(self) -> bool:
        return (self.path / "stats.json").exists()

    def _journal(self, teacher: Teacher) -> JournaledTeacher:
        # an older release stored answers under the whole address of an endpoint
        known = self.config.teacher.identity
        identity = None if known == public_identity(known) else known
        return JournaledTeacher(
            teacher, self.path / "journal.sqlite", identity=identity, account=self.account
        )

    def _meter(
        self, journal: JournaledTeacher, total: int, *, done: int = 0
    ) -> AbstractContextManager[Meter]:
        def counts() -> dict[str, int]:
            return {
                "accepted": self._rows.accepted,
                "rejected": self._rows.rejected,
                "tokens": journal.usage.prompt_tokens + journal.usage.completion_tokens,
            }

        return meter(self.config.method, total, done=done, counts=counts)

    def _give_up_if_hopeless(self, outcomes: list[Outcome]) -> None:
        """Raise UserError if all of the first items failed."""
        failed = self._rows.counts["rejected", FAILED]
        if failed >= HOPELESS and failed == self._rows.accepted + self._rows.rejected:
            last = outcomes[-1].row["finish_reason"]
            raise UserError(f"all of the first {failed} requests failed, the last with: {last}")

    def _finish(
        self, journal: JournaledTeacher, items: int, seconds: float, statistics: Statistics
    ) -> Stats:
        """Write the Parquet files and then the statistics, and return the statistics."""
        self._export()
        accepted = self._rows.accepted_by_config()
        rejected = self._rows.rejected_by_reason()
        reasoning = self._rows.reasoning()
        if not accepted:
            raise UserError(
                f"nothing was accepted of {items} items in {self.path}: "
                f"{why_nothing(rejected, reasoning)}"
            )
        stats = RunStats(
            finished=True,
            questions=items,
            accepted=accepted,
            rejected=rejected,
            **journal.usage.statistics(),
            **self.account.statistics(journal.usage),
            measured=statistics(self._rows.by_item())
            | ({"reasoning": reasoning} if reasoning else {}),
            seconds=round(seconds, 2),
            code_commit=commit(),
            source=self.read,
        )
        # the statistics come last: they say that the Parquet files are whole
        write_json(self.path / "stats.json", to_json(stats))
        return to_json(stats)

    def _export(self) -> None:
        """Write the Parquet files of all rows, and say what the teacher gave as reasons."""
        self._rows.export(self.path, (*FAMILIES[self.family], "rejected"), family=self.family)
        explain(self._rows, (FAILED, "empty"))

    @contextmanager
    def _exported(self) -> Iterator[None]:
        """Write the Parquet files also if the block stops early, such as for a spent budget."""
        try:
            yield
        except UserError:
            # the error of the run is what the user must see, not one of the export
            with suppress(UserError, OSError):
                if self._rows.counts:
                    self._export()
            raise
