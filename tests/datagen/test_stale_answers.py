"""A changed request is asked anew; an unchanged one never. Counted at a real server, with one
journal for both runs."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from datagen.run import OpenRun
from datagen.schema import Accepted
from datagen.teacher import Request, Sampling, connect
from tests.datagen.configs import config_of
from tests.datagen.endpoint import Endpoint, Served

ROWS = [f"What is {i} plus 3?" for i in range(5)]


class TwoModels(Endpoint):
    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "arith"}, {"id": "arith-2"}]})


def answer_all(
    folder: Path, *, rows=ROWS, model="arith", system="Be brief.", first=0, samples=2, **sampling
) -> None:
    """A run over all rows, of which nothing is left but the journal, should the folder hold an
    earlier one."""

    async def distil(row, teacher):
        messages = (("system", system), ("user", row))
        request = Request(messages, n=samples, first=first, sampling=Sampling(seed=1, **sampling))
        answers = await teacher.complete(request)
        return [
            Accepted({"id": row, "instruction": row, "output": a.text}, "instructions")
            for a in answers
        ]

    for file in ("rows.sqlite", "rows.sqlite-wal", "rows.sqlite-shm", "stats.json"):
        (folder / file).unlink(missing_ok=True)
    with OpenRun(folder, config_of("m"), family="instructions") as run:
        teacher = connect(f"openai:{model}")
        work = run.each(
            rows, distil, teacher=teacher, describe=dict, statistics=lambda rows: {}, concurrency=4
        )
        asyncio.run(work)


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({}, 0),
        ({"system": "Be exact."}, 5),
        ({"temperature": 0.9}, 5),
        ({"top_p": 0.9}, 5),
        ({"max_tokens": 9}, 5),
        ({"stop": ("\n",)}, 5),
        ({"model": "arith-2"}, 5),
        ({"rows": [*ROWS[:2], "What is 2 plus 4?", *ROWS[3:]]}, 1),
        ({"rows": ROWS[::-1]}, 0),
        ({"rows": ROWS[1:]}, 0),
        ({"first": 1, "samples": 1}, 0),
        ({"first": 2}, 5),
    ],
)
def test_what_changed_is_asked_again_and_nothing_else(tmp_path, monkeypatch, change, asked):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = TwoModels()
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        answer_all(tmp_path / "run")
        before = len(endpoint.bodies)
        assert before == len(ROWS)
        answer_all(tmp_path / "run", **change)
        assert len(endpoint.bodies) - before == asked
