"""Demonstrations that the teacher writes: only those it agrees with enter the pool, and they are
marked."""

import json
import re

import pyarrow.parquet as pq
import pytest

from datagen.demonstrations.command import run_demonstrations
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.prompts.episodes import Format
from tests.datagen.demonstrations.reading import Reading, label_by_reading, write_tasks
from tests.datagen.endpoint import Served


class Writing(Reading):
    """Asked for examples it writes in turn a right one, a wrong one, a known one, nonsense, and one
    with a label of its own; else it reads."""

    def reply(self, body, fault):
        prompt = body["messages"][-1]["content"]
        if "Write one more example" not in prompt:
            return super().reply(body, fault)
        place = body["seed"] % 5
        text = ["1000 -> even", "1003 -> even", "3 -> odd", "I cannot.", "1005 -> maybe"][place]
        return {
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text},
                }
            ]
        }


def test_only_confirmed_demonstrations_join_the_candidates(tmp_path, monkeypatch):
    endpoint, out = Writing(), tmp_path / "run"
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        run_demonstrations(
            DemonstrationSettings(
                str(write_tasks(tmp_path)),
                out=out,
                teacher="openai:arith",
                format="arrow",
                shots="20",
                kind="context-distillation",
                tasks="red",
                queries=8,
                generate=5,
            )
        )
    written = [
        b for b in endpoint.bodies if "Write one more example" in b["messages"][0]["content"]
    ]
    assert len(written) == 5  # once a task, however many queries wait
    assert all(len(re.findall("->", b["messages"][0]["content"])) == 4 for b in written)
    rows = pq.read_table(out / "demonstrations.parquet").to_pylist()
    candidates = {d["input"]: d["output"] for row in rows for d in row["demonstrations"]}
    assert candidates["1000"] == "even"
    assert not {"1003", "1005"} & set(candidates)
    shows = [any(d["input"] == "1000" for d in row["demonstrations"]) for row in rows]
    assert [row["generated"] for row in rows] == shows
    assert json.loads((out / "stats.json").read_text())["generated"] == sum(shows) > 0
    assert label_by_reading("1003 -> even\n3 -> odd\n5 -> odd\n1003 ->") == "odd"


@pytest.mark.parametrize(
    ("name", "text", "pair"),
    [
        ("arrow", " 5 -> odd\n6 -> even", ("5", "odd")),
        ("qa", "Q: How many?\nTwo lines.\nA: 7\n\nQ: And", ("How many?\nTwo lines.", "7")),
        ("qa", " How many?\nA: 7", ("How many?", "7")),
        ("input_output", "Input: x\nOutput:", None),
        ("arrow", "no arrow", None),
    ],
)
def test_a_written_demonstration_is_read_in_its_format(name, text, pair):
    assert Format(name).pair(text) == pair
