"""The Batch API, with a server that repeats the key in answers, errors, ids and states."""

import base64
import json

import pytest

from datagen.cli import main
from datagen.teacher.endpoint import batch, batch_client
from tests.datagen.endpoint import Served
from tests.datagen.secrets.search import leaks
from tests.datagen.teacher.endpoint.batch_server import BatchEndpoint

KEY = "test-key"
"""The one that the server of the tests takes."""


class Telling(BatchEndpoint):
    """Tells the key in every text and reason."""

    def reply(self, body, fault):
        found = super().reply(body, fault)
        for choice in found["choices"]:
            told = f"Bearer {KEY} {base64.b64encode(KEY.encode()).decode()}"
            choice["message"]["content"] = f"{told}\n{choice['message']['content']}"
            choice["finish_reason"] = told
        return found


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(batch, "GATHER_S", 0.05)
    monkeypatch.setattr(batch, "FIRST_POLL_S", 0.02)
    monkeypatch.setattr(batch_client, "FIRST_RETRY_S", 0.02)
    rows = [{"question": f"What is {n} plus 2?", "answer": str(n + 2)} for n in range(8)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["rationales", str(tmp_path / "sums.jsonl"), "--teacher", "openai:arith", "--batch"]
    return [*words, "--samples", "2", "--out", str(tmp_path / "work/run")]


def run(server, words, tmp_path, monkeypatch, capfd):
    with Served(server) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        status = main(words)
    said = "".join(capfd.readouterr())
    (tmp_path / "work/printed.txt").write_text(said)
    return status, said


def test_no_byte_of_a_batched_run_holds_the_key(words, tmp_path, monkeypatch, capfd):
    server = Telling(faults=["echo", "", "500", ""])
    assert run(server, words, tmp_path, monkeypatch, capfd)[0] == 0
    assert main(["publish", str(tmp_path / "work/run"), "sums", "--store", f"{tmp_path}/work"]) == 0
    assert (tmp_path / "work/run/batches.sqlite").stat().st_size > 0
    assert leaks(tmp_path / "work", [KEY]) == []


def test_a_batch_that_fails_tells_its_reason_without_the_key(words, tmp_path, monkeypatch, capfd):
    class Failing(BatchEndpoint):
        def end(self, batch):
            super().end(batch)
            batch["errors"]["data"][0]["message"] = f"\x1b[31mno credit for {KEY}"

    status, said = run(Failing(ends=["failed"]), words, tmp_path, monkeypatch, capfd)
    assert status == 2
    assert "failed <U+001B>[31mno credit for ***: the same command submits again" in said
    assert leaks(tmp_path / "work", [KEY]) == []


def test_an_id_that_holds_the_key_is_refused(words, tmp_path, monkeypatch, capfd):
    class Naming(BatchEndpoint):
        async def create(self, request):
            response = await super().create(request)
            response.text = response.text.replace("batch-", f"batch-{KEY}-")
            return response

    status, said = run(Naming(), words, tmp_path, monkeypatch, capfd)
    assert status == 2
    assert "repeats a key in the id of a batch" in said
    assert leaks(tmp_path / "work", [KEY]) == []
