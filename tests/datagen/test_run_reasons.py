"""What a run says and writes when something failed."""

import asyncio
import json

import pyarrow.parquet as pq
import pytest

from datagen.errors import Refused, UserError
from datagen.run import OpenRun
from datagen.run.reasons import commonest
from datagen.schema import Accepted, Rejected
from tests.datagen.configs import config_of


class Nobody:
    """A teacher that the items do not ask."""

    name, capabilities = "nobody", None

    async def identify(self):
        return "nobody"

    async def open(self): ...

    async def close(self): ...


def run(path, ends, *, concurrency=1):
    """Run items that end as `ends` says: True, a reason to reject, or an error."""

    async def distil(end, teacher):
        if isinstance(end, Exception):
            raise end
        row = {"id": "x", "question": "x", "finish_reason": "content_filter"}
        return [Accepted(row, "rationales") if end is True else Rejected(row, end)]

    async def go():
        with OpenRun(path, config_of("m")) as run:
            return await run.each(
                ends,
                distil,
                teacher=Nobody(),
                describe=lambda end: {"id": "x", "question": "x"},
                concurrency=concurrency,
            )

    return asyncio.run(go())


def reasons(path):
    return [row["reason"] for row in pq.read_table(path / "rejected.parquet").to_pylist()]


def test_the_commonest_reason_of_the_failures_is_said_at_the_end(tmp_path, capsys):
    slow = [Refused(f"no answer after {i} attempts in {i * 7} s: busy") for i in (8, 9)]
    stats = run(tmp_path, [True, Refused("400 too rude"), *slow])
    assert stats["rejected"] == {"failed": 3}
    assert capsys.readouterr().err == (
        "failed:    3, 2 of them with: no answer after 8 attempts in 56 s: busy\n"
    )


def test_nothing_is_said_of_a_run_without_failures(tmp_path, capsys):
    run(tmp_path, [True, "wrong"])
    assert capsys.readouterr().err == ""


def test_a_run_in_which_all_failed_says_why_and_writes_its_rows(tmp_path, capsys):
    with pytest.raises(UserError, match="nothing was accepted of 2 items"):
        run(tmp_path, [Refused("403 flagged")] * 2)
    assert capsys.readouterr().err == "failed:    2, each with: 403 flagged\n"
    assert reasons(tmp_path) == ["failed", "failed"]
    # without statistics the run is not finished, so the same command asks again
    assert not (tmp_path / "stats.json").exists()


def test_empty_answers_are_explained_by_how_they_ended(tmp_path, capsys):
    run(tmp_path, [True, "empty"])
    assert capsys.readouterr().err == "empty:     1, each with: content_filter\n"


def test_a_run_that_stops_early_writes_what_it_has(tmp_path):
    with pytest.raises(UserError, match="endpoint is gone"):
        run(tmp_path, [True, "wrong", UserError("the endpoint is gone"), True])
    assert reasons(tmp_path) == ["wrong"]
    assert pq.read_table(tmp_path / "rationales.parquet").num_rows == 1
    assert not (tmp_path / "stats.json").exists()
    assert run(tmp_path, [True, "wrong", True, True])["accepted"] == {"rationales": 3}
    assert json.loads((tmp_path / "stats.json").read_text())["finished"] is True


def test_the_first_of_the_commonest_notes():
    assert commonest(["a 1", "b", "a 2", "b", "a 3"]) == ("a 1", 3)
