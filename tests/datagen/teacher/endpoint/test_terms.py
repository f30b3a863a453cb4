"""Servers that refuse fields, over a socket: what they are asked then, what the user reads, and what
a run records."""

import asyncio
import json
import math

import pyarrow.parquet as pq
import pytest

from datagen.cli import main
from datagen.errors import UserError
from datagen.teacher import Completion, Request, Sampling, connect
from tests.datagen.endpoint import Endpoint, Served
from tests.datagen.teacher.endpoint.batch_server import BatchEndpoint

ASK = Request((("user", "What is 3 plus 4?"),), n=3, sampling=Sampling(seed=5, stop=("!",)))


def refusal(field, words="is not supported by this model"):
    return 400, {"error": {"message": f"'{field}' {words}", "param": field}}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")


def ask(endpoint, monkeypatch, *requests, gather=False):
    async def go():
        teacher = connect("openai:arith")
        try:
            if gather:
                return await asyncio.gather(*map(teacher.complete, requests))
            return [await teacher.complete(request) for request in requests]
        finally:
            await teacher.close()

    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        return asyncio.run(go())


def test_fields_are_left_out_one_after_another_and_stay_out(monkeypatch, capsys):
    fields = ("temperature", "max_tokens", "seed", "stop")
    endpoint = Endpoint(refuses={field: refusal(field) for field in fields})
    [first], [second] = (answers[:1] for answers in ask(endpoint, monkeypatch, ASK, ASK))
    assert "The answer is" in first.text
    assert first.left_out == second.left_out == tuple(sorted(fields))
    # four refusals, one answer, and one more for the second request
    assert len(endpoint.bodies) == 6
    for body in endpoint.bodies[-2:]:
        assert not set(fields) & set(body)
        assert body["max_completion_tokens"] == 512
        assert body["n"] == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("openai:arith refused a part of the request: from now on temperature")
    assert "max_tokens is sent as max_completion_tokens" in said


def test_the_user_is_told_once_however_many_are_refused_at_once(monkeypatch, capsys):
    endpoint = Endpoint(refuses={"seed": refusal("seed")}, latency=0.02)
    requests = [Request((("user", f"What is {i} plus 1?"),)) for i in range(20)]
    assert all(ask(endpoint, monkeypatch, *requests, gather=True))
    assert capsys.readouterr().err.count("seed is left out") == 1


def test_a_server_that_takes_one_sample_a_call_is_called_for_each(monkeypatch):
    class Single(Endpoint):
        def reply(self, body, fault):
            assert "n" not in body
            return super().reply(body, fault)

    endpoint = Single(
        refuses={"n": (422, {"detail": [{"loc": ["body", "n"], "msg": "at most 1"}]})}
    )
    [answers] = ask(endpoint, monkeypatch, ASK)
    assert len(answers) == 3
    assert [body["seed"] for body in endpoint.bodies] == [5, 5, 6, 7]


def test_a_system_turn_is_put_before_the_question(monkeypatch, capsys):
    words = {"error": {"message": "Conversation roles must alternate user/assistant/..."}}
    endpoint = Endpoint(refuses={"system": (400, words)})
    request = Request((("system", "Be brief."), ("user", "What is 3 plus 4?")))
    [[answer]] = ask(endpoint, monkeypatch, request)
    assert answer.left_out == ("system",)
    assert endpoint.bodies[-1]["messages"] == [
        {"role": "user", "content": "Be brief.\n\nWhat is 3 plus 4?"}
    ]
    assert "the system turn is put before the first user turn" in capsys.readouterr().err


def test_a_change_that_does_not_help_is_not_kept(monkeypatch, capsys):
    """An odd question is refused with and without the field that the words seem to blame."""

    class Odd(Endpoint):
        async def complete(self, request):
            body = await request.json()
            self.refuses = (
                {"seed": refusal("seed")} if "odd" in body["messages"][0]["content"] else {}
            )
            if self.refuses and "seed" not in body:
                self.refuses = {"messages": (400, {"error": {"message": "odd question"}})}
            return await super().complete(request)

    odd = Odd()
    with pytest.raises(Exception, match="400 odd question"):
        ask(odd, monkeypatch, Request((("user", "odd"),)))
    [[answer]] = ask(odd, monkeypatch, Request((("user", "What is 3 plus 4?"),)))
    assert answer.left_out == ()
    assert "seed" in odd.bodies[-1]
    assert capsys.readouterr().err == ""


def test_a_refusal_that_blames_no_field_is_not_asked_again(monkeypatch):
    endpoint = Endpoint(refuses={"messages": (400, {"error": {"message": "bad question"}})})
    with pytest.raises(Exception, match="400 bad question"):
        ask(endpoint, monkeypatch, ASK)
    assert len(endpoint.bodies) == 1


def run(tmp_path, *more, questions=4, samples="1"):
    lines = [
        json.dumps({"question": f"What is {i} plus 2?", "answer": str(i + 2)}) + "\n"
        for i in range(questions)
    ]
    (tmp_path / "q.jsonl").write_text("".join(lines))
    words = ["rationales", str(tmp_path / "q.jsonl"), "--teacher", "openai:arith"]
    words += ["--keep_by", "none", "--samples", samples, "--out", str(tmp_path / "run")]
    return main([*words, *more])


def stats(tmp_path):
    return json.loads((tmp_path / "run" / "stats.json").read_text())


def test_a_run_records_what_was_left_out_and_a_resumed_run_finds_its_answers(
    tmp_path, monkeypatch, capsys
):
    endpoint = Endpoint(
        refuses={"seed": refusal("seed")}, faults=["", "", "", "", "400"], change=without_usage
    )
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert run(tmp_path, "--concurrency", "1") == 0
        assert stats(tmp_path)["rejected"] == {"failed": 1}
        said = capsys.readouterr()
        assert "failed:    1, each with: 400 injected 400" in said.err
        assert "openai:arith does not count tokens" in said.err
        assert "(estimated for 3 of 3 answers)" in said.out
        before = len(endpoint.bodies)
        assert run(tmp_path, "--concurrency", "1") == 0
        # the refusal, and the one question that had failed
        assert len(endpoint.bodies) - before == 2
    assert stats(tmp_path)["fields_left_out"] == {"seed": 4}
    assert stats(tmp_path)["estimated_answers"] == 4


def without_logprobs(reply):
    for choice in reply["choices"]:
        del choice["logprobs"]
    return reply


def without_usage(reply):
    return reply | {"usage": None}


def test_a_run_of_a_server_that_takes_all_records_nothing_of_it(tmp_path, monkeypatch):
    with Served(Endpoint()) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert run(tmp_path) == 0
    assert not {"fields_left_out", "estimated_answers"} & set(stats(tmp_path))


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 10**30, "completion_tokens": 10**30},
        {"prompt_tokens": -5, "completion_tokens": -5},
    ],
)
def test_a_budget_ends_a_run_at_a_server_that_does_not_count(tmp_path, monkeypatch, capsys, usage):
    endpoint = Endpoint(change=lambda reply: reply | {"usage": usage})
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        budget = ("--budget", "600tokens", "--max_tokens", "60")
        assert run(tmp_path, *budget, questions=60) == 3
    assert "is spent" in (said := capsys.readouterr().err)
    assert "(estimated) so far" in said
    # prompt and answer are between 160 and 240 bytes together, so 40 to 60 tokens
    assert 8 <= len(endpoint.bodies) <= 15
    rows = pq.read_table(tmp_path / "run" / "rationales.parquet")
    assert rows.num_rows == len(endpoint.bodies)
    assert not (tmp_path / "run" / "stats.json").exists()


@pytest.mark.parametrize("flags", [("--weighted", "true"), ("--keep", "best")])
@pytest.mark.parametrize("how", ["refused", "missing"])
def test_a_setting_that_needs_log_probabilities_stops_without_them(
    tmp_path, monkeypatch, capsys, flags, how
):
    refuses = {"logprobs": refusal("logprobs")} if how == "refused" else {}
    with Served(Endpoint(refuses=refuses, change=without_logprobs)) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert run(tmp_path, *flags, samples="3") == 2
    [said] = capsys.readouterr().err.splitlines()
    assert "gives no log-probabilities, which --weighted and --keep best need" in said


def test_one_answer_with_a_bad_log_probability_does_not_stop_a_run(tmp_path, monkeypatch):
    def change(reply):
        for i, choice in enumerate(reply["choices"]):
            value = -0.5 if i else math.nan
            choice["logprobs"] = {"content": [{"token": "x", "logprob": value}]}
        return reply

    with Served(Endpoint(change=change)) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert run(tmp_path, "--keep", "best", samples="3") == 0
    kept = pq.read_table(tmp_path / "run" / "rationales.parquet").to_pylist()
    assert {row["mean_logprob"] for row in kept} == {-0.5}


def test_stop_strings_are_applied_where_the_server_ignores_them(tmp_path, monkeypatch):
    def change(reply):
        for choice in reply["choices"]:
            choice["text"] += "\n\nQ: What is 50 plus 50?\nA: The answer is 100."
        return reply

    with Served(Endpoint(change=change)) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert run(tmp_path, "--prompt_style", "plain") == 0
    kept = pq.read_table(tmp_path / "run" / "rationales.parquet").to_pylist()
    assert len(kept) == 4
    assert not any("50" in row["rationale"] for row in kept)


def test_a_budget_counts_what_a_journal_holds_as_estimated(tmp_path, monkeypatch, capsys):
    with Served(Endpoint(change=without_usage)) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        budget = ("--max_tokens", "60")
        assert run(tmp_path, "--budget", "300tokens", *budget, questions=60) == 3
        assert run(tmp_path, "--budget", "300tokens", *budget, questions=60) == 3
    spent = [line for line in capsys.readouterr().err.splitlines() if "is spent" in line]
    assert len(set(spent)) == 1


def test_the_batch_api_learns_what_a_server_refuses(tmp_path, monkeypatch, capsys):
    from datagen.teacher.endpoint import batch

    monkeypatch.setattr(batch, "GATHER_S", 0.05)
    monkeypatch.setattr(batch, "FIRST_POLL_S", 0.01)
    endpoint = BatchEndpoint(refuses={"seed": refusal("seed")})
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert run(tmp_path, "--batch") == 0
    assert ["seed" in line["body"] for line in endpoint.asked] == [True] * 4 + [False] * 4
    assert "seed is left out" in capsys.readouterr().err


def test_an_answer_remembers_its_marks_in_the_journal(tmp_path):
    from datagen.teacher.journal import JournaledTeacher

    class Marked:
        name, capabilities = "marked", None

        async def identify(self):
            return "marked"

        async def complete(self, request):
            return [Completion("7", tokens=1, estimated=True, left_out=("n", "seed"))]

        async def close(self): ...

    async def go():
        journal = JournaledTeacher(Marked(), tmp_path / "journal.sqlite")
        found = await journal.complete(Request("3 + 4 ="))
        counts = journal.usage.statistics()
        await journal.close()
        return found, counts

    first, counts = asyncio.run(go())
    again, counts_again = asyncio.run(go())
    assert first == again == [Completion("7", tokens=1, estimated=True, left_out=("n", "seed"))]
    assert counts == counts_again
    assert counts["fields_left_out"] == {"n": 1, "seed": 1}
    assert counts["estimated_answers"] == 1


def test_a_count_that_no_database_holds_fails_and_does_not_hang(tmp_path):
    from datagen.teacher.journal import JournaledTeacher

    class Huge:
        name, capabilities = "huge", None

        async def identify(self):
            return "huge"

        async def complete(self, request):
            return [Completion("7", tokens=10**30)]

        async def close(self): ...

    async def go():
        journal = JournaledTeacher(Huge(), tmp_path / "journal.sqlite")
        try:
            await asyncio.wait_for(journal.complete(Request("3 + 4 =")), 5)
        finally:
            await journal.close()

    with pytest.raises(UserError, match="cannot be written"):
        asyncio.run(go())
