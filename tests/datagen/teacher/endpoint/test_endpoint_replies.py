"""What stands in a reply beside its text: reasoning, refusals; and answers by a schema, asked for
by the judge."""

import asyncio
import json

import pyarrow.parquet as pq
import pytest

from datagen.cli import main
from datagen.filters.judge.score import read_structured
from datagen.teacher import Completion, Request, connect
from tests.datagen.endpoint import Endpoint, Served


class Saying(Endpoint):
    """Gives every choice this message."""

    def __init__(self, message, **more):
        super().__init__(**more)
        self.message = message

    def reply(self, body, fault):
        reply = super().reply(body, fault)
        choices = [c | {"message": {"role": "assistant", **self.message}} for c in reply["choices"]]
        return reply | {"choices": choices}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")


def ask(endpoint, monkeypatch):
    async def go():
        teacher = connect("openai:arith")
        try:
            return await teacher.complete(Request((("user", "What is 3 plus 4?"),)))
        finally:
            await teacher.close()

    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        return asyncio.run(go())


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_what_a_model_thought_is_kept_apart_from_what_it_said(monkeypatch, name):
    [answer] = ask(Saying({"content": "7", name: "3, and 4 more"}), monkeypatch)
    assert (answer.text, answer.reasoning) == ("7", "3, and 4 more")


def test_a_thought_without_an_answer_is_no_answer_to_ask_for_again(monkeypatch):
    endpoint = Saying({"content": None, "reasoning_content": "3, and then"})
    [answer] = ask(endpoint, monkeypatch)
    assert (answer.text, answer.reasoning, len(endpoint.bodies)) == ("", "3, and then", 1)


def test_a_refusal_is_the_answer(monkeypatch):
    endpoint = Saying({"content": None, "refusal": "I cannot."})
    [answer] = ask(endpoint, monkeypatch)
    assert (answer.text, len(endpoint.bodies)) == ("I cannot.", 1)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"reasons": "Good. Score: 3", "score": 7}', 7),
        ('{"score": 10}', 10),
        ('{"score": 0}', None),
        ('{"score": 11}', None),
        ('{"score": true}', None),
        ('{"score": 7.5}', None),
        ('{"score": "7"}', None),
        ("[7]", None),
        ("7", None),
        ('{"score": 7', None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_a_structured_judgement_has_one_whole_score(text, score):
    assert read_structured(Completion(text)) == score


def test_the_judge_asks_for_a_schema_and_reads_what_follows_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "rows.jsonl").write_text('{"instruction": "Say 5.", "output": "5"}\n')
    words = ["judge", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "run"), "--structured"]
    endpoint = Saying({"content": '{"reasons": "It does.", "score": 9}'})
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert main([*words, "--teacher", "openai:arith"]) == 0
    schema = endpoint.bodies[0]["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert (
        schema["schema"]["required"] == list(schema["schema"]["properties"]) == ["reasons", "score"]
    )
    assert pq.read_table(tmp_path / "run" / "instructions.parquet")["score"].to_pylist() == [9]
    assert main([*words, "--teacher", "micro"]) == 2
    assert "--structured: micro knows no schemas" in capsys.readouterr().err


def patiently(tmp_path, *more):
    (tmp_path / "q.jsonl").write_text(
        "".join(
            json.dumps({"question": f"What is {i} plus 2?", "answer": str(i + 2)}) + "\n"
            for i in range(4)
        )
    )
    words = [
        "rationales",
        str(tmp_path / "q.jsonl"),
        "--teacher",
        "openai:arith",
        "--keep_by",
        "none",
    ]
    return main([*words, "--samples", "1", "--out", str(tmp_path / "run"), *more])


def failed(tmp_path):
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    return stats["rejected"].get("failed", 0)


def test_an_attempt_that_takes_longer_than_the_timeout_is_made_again(tmp_path, monkeypatch):
    endpoint = Endpoint(faults=["hang"])
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert patiently(tmp_path, "--timeout", "0.3") == 0
    assert failed(tmp_path) == 0
    assert len(endpoint.bodies) == 5


def test_a_request_that_reaches_its_deadline_fails_and_is_all_that_is_asked_again(
    tmp_path, monkeypatch
):
    endpoint = Endpoint(faults=["hang"])
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert patiently(tmp_path, "--deadline", "0.3") == 0
        assert failed(tmp_path) == 1
        assert patiently(tmp_path, "--deadline", "0.3") == 0
    assert failed(tmp_path) == 0
    assert len(endpoint.bodies) == 5


def test_an_outage_that_is_too_long_ends_the_run(tmp_path, monkeypatch, capsys):
    endpoint = Endpoint(rates={"503": 1.0})
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert patiently(tmp_path, "--outage", "0.5") == 2
    assert "has been down" in capsys.readouterr().err
    assert patiently(tmp_path, "--outage", "-1") == 2
    assert "--outage -1.0: must be 0 or more" in capsys.readouterr().err


def test_no_file_of_a_run_and_nothing_said_tells_the_key(tmp_path, monkeypatch, capsys):
    endpoint = Endpoint(faults=["echo", "echo"])
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert patiently(tmp_path) == 0
    assert failed(tmp_path) == 2
    reasons = pq.read_table(tmp_path / "run" / "rejected.parquet")["finish_reason"].to_pylist()
    assert reasons.count("400 bad credentials Bearer ***") == 2
    assert "test-key" not in "".join(capsys.readouterr())
    files = [file for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert {"journal.sqlite", "rows.sqlite", "config.json"} <= {file.name for file in files}
    assert not any(b"test-key" in file.read_bytes() for file in files)
