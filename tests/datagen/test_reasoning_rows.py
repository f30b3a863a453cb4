"""What rows hold of a teacher's reasoning, from the reply of a server to the files of a run."""

import asyncio
import json
import re

import pyarrow.parquet as pq
import pytest

from datagen.cli import main
from datagen.filters.responses import Responses
from datagen.instructions.evol_instruct.command import evolution_of
from datagen.instructions.evol_instruct.generate import evolve
from datagen.instructions.evol_instruct.settings import EvolSettings
from datagen.instructions.magpie.generate import Magpie, synthesise_one
from datagen.instructions.self_instruct.asking import Asking
from datagen.instructions.self_instruct.instances import Candidate, Proposal, write_instances
from datagen.prompts.templates import Templates
from datagen.sources.instructions import Prompt
from datagen.teacher import Completion, Sampling
from datagen.teacher.journal import completion_of
from tests.datagen.endpoint import Endpoint, Served

FORMS = {
    "field": lambda thought, said: {"content": said, "reasoning_content": thought},
    "tags": lambda thought, said: {"content": f"<think>\n{thought}\n</think>\n\n{said}"},
    "orphan": lambda thought, said: {"content": f"{thought}\n</think>\n\n{said}"},
}


class Thinking(Endpoint):
    """Thinks before every sum, first about a wrong answer; `form` is how it returns that."""

    def __init__(self, form="field", finish="stop", said=None):
        super().__init__()
        self.form, self.finish, self.said = form, finish, said

    def reply(self, body, fault):
        reply = super().reply(body, fault)
        for choice in reply["choices"]:
            prompt = body["messages"][-1]["content"]
            total = sum(map(int, re.findall(r"\d+", prompt)[:2]))
            thought = f"Try {choice['index']}. Perhaps the answer is 99. No, count on."
            said = f"The answer is {total}." if self.said is None else self.said
            message = {"content": said}
            if self.form:
                message = FORMS[self.form](thought, said)
            choice |= {"finish_reason": self.finish, "message": message}
        return reply


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    servers = []

    def start(endpoint):
        servers.append(Served(endpoint))
        monkeypatch.setenv("OPENAI_BASE_URL", servers[-1].__enter__())
        return endpoint

    yield start
    for server in servers:
        server.__exit__()


def questions(tmp_path):
    path = tmp_path / "sums.jsonl"
    rows = [{"question": f"What is {i} plus 5?", "answer": str(i + 5)} for i in (20, 30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rationales(tmp_path, out, *more):
    words = ["rationales", questions(tmp_path), "--teacher", "openai:arith", "--samples", "2"]
    # a fixed name of the source: another port would be another identity
    return main([*map(str, words), "--out", str(tmp_path / out), *more])


def rows_of(folder, config):
    return pq.read_table(folder / f"{config}.parquet").to_pylist()


THOUGHT = "Try 0. Perhaps the answer is 99. No, count on."


@pytest.mark.parametrize("form", FORMS)
def test_the_rationale_of_a_model_that_reasons_holds_its_reasoning(tmp_path, serve, capsys, form):
    serve(Thinking(form))
    assert rationales(tmp_path, "run") == 0
    rows = rows_of(tmp_path / "run", "rationales")
    # two chains of a question differ in their reasoning alone, and both stay
    assert len(rows) == 4
    assert rows[0]["completion"][0]["content"] == (
        f"<think>\n{THOUGHT}\n</think>\n\nThe answer is 25."
    )
    assert rows[0]["rationale"] == rows[0]["completion"][0]["content"]
    assert [row["answer"] for row in rows] == ["25", "25", "35", "35"]
    assert "reasoning" not in rows[0]
    assert "reasoning: in the completions of 4 rows" in capsys.readouterr().out
    assert "reasoning" not in json.loads((tmp_path / "run/config.json").read_text())["settings"]


def test_reasoning_can_stand_in_a_column(tmp_path, serve, capsys):
    serve(Thinking())
    assert rationales(tmp_path, "run", "--reasoning", "separate") == 0
    rows = rows_of(tmp_path / "run", "rationales")
    assert [row["reasoning"][:5] for row in rows] == ["Try 0", "Try 1"] * 2
    assert rows[0]["completion"][0]["content"] == rows[0]["rationale"] == "The answer is 25."
    assert "reasoning" in pq.read_schema(tmp_path / "run/rejected.parquet").names
    assert "reasoning" not in pq.read_schema(tmp_path / "run/answers.parquet").names
    assert "of 4 answers, in the column reasoning" in capsys.readouterr().out
    settings = json.loads((tmp_path / "run/config.json").read_text())["settings"]
    assert settings["reasoning"] == "separate"


def test_reasoning_that_is_left_out_is_counted(tmp_path, serve, capsys):
    serve(Thinking())
    assert rationales(tmp_path, "run", "--reasoning", "drop") == 0
    # without the reasoning the two chains of a question are the same
    assert len(rows_of(tmp_path / "run", "rationales")) == 2
    assert [r["reason"] for r in rows_of(tmp_path / "run", "rejected")] == ["redundant"] * 2
    assert "left out of 4 answers (--reasoning drop)" in capsys.readouterr().out
    stored = [file.read_bytes() for file in (tmp_path / "run").glob("*.parquet")]
    assert not any(b"Perhaps" in content for content in stored)
    assert json.loads((tmp_path / "run/stats.json").read_text())["reasoning"] == {"drop": 4}


def test_without_reasoning_the_files_are_the_same_under_every_setting(tmp_path, serve):
    serve(Thinking(form=None))
    files = {}
    for kept in ("keep", "separate", "drop"):
        assert rationales(tmp_path, kept, "--reasoning", kept) == 0
        folder = tmp_path / kept
        files[kept] = {file.name: file.read_bytes() for file in folder.glob("*.parquet")}
        assert "reasoning" not in json.loads((folder / "stats.json").read_text())
    assert files["keep"] == files["separate"] == files["drop"]
    assert "reasoning" not in pq.read_schema(tmp_path / "separate/rationales.parquet").names


@pytest.mark.parametrize("form", ["field", "tags"])
def test_an_answer_that_was_cut_off_in_its_reasoning_is_none(tmp_path, serve, capsys, form):
    class Cut(Thinking):
        def reply(self, body, fault):
            reply = super().reply(body, fault)
            for choice in reply["choices"]:
                text = "<think>\nThe answer is 25."
                if form == "field":
                    choice["message"] = {"content": None, "reasoning_content": text}
                else:
                    choice["message"] = {"content": text}
            return reply

    serve(Cut(finish="length"))
    assert rationales(tmp_path, "run") == 2
    said = capsys.readouterr().err
    assert "truncated 4" in said
    assert "4 were cut off before they began; give a larger --max_tokens" in said


def test_reasoning_without_an_answer_is_told(tmp_path, serve, capsys):
    """A server whose parser takes all of the text for reasoning."""
    serve(Thinking("field", said=""))
    assert rationales(tmp_path, "run", "--keep_by", "none") == 2
    said = capsys.readouterr().err
    assert "empty 4" in said
    assert "4 are reasoning alone" in said


def test_a_run_that_goes_on_finds_the_reasoning_in_its_journal(tmp_path, serve):
    endpoint = serve(Thinking("orphan"))
    assert rationales(tmp_path, "run") == 0
    before = (tmp_path / "run/rationales.parquet").read_bytes()
    for name in ("rows.sqlite", "stats.json", "rationales.parquet"):
        (tmp_path / "run" / name).unlink()
    asked = len(endpoint.bodies)
    assert rationales(tmp_path, "run") == 0
    assert (tmp_path / "run/rationales.parquet").read_bytes() == before
    assert len(endpoint.bodies) == asked


def test_other_options_of_the_template_are_other_requests(tmp_path, serve, capsys):
    endpoint = serve(Thinking())
    assert rationales(tmp_path, "run") == 0
    assert rationales(tmp_path, "run", "--thinking", "false") == 2
    assert "[thinking=false]" in capsys.readouterr().err
    kwargs = '{"enable_thinking": false}'
    assert rationales(tmp_path, "other", "--chat_template_kwargs", kwargs) == 0
    assert endpoint.bodies[-1]["chat_template_kwargs"] == {"enable_thinking": False}
    identity = json.loads((tmp_path / "other/config.json").read_text())["teacher"]["identity"]
    assert f"chat_template_kwargs={kwargs}" in identity


def test_a_journal_of_an_older_release_is_read():
    old = {"text": "7", "finish_reason": "stop", "tokens": 1, "reasoning": None}
    assert completion_of(old) == Completion("7", tokens=1)
    del old["reasoning"]
    assert completion_of(old).reasoning == ""


@pytest.mark.parametrize("form", FORMS)
def test_a_response_is_the_answer_and_its_reasoning_stays_with_it(tmp_path, serve, form):
    serve(Thinking(form))
    path = tmp_path / "asked.jsonl"
    path.write_text('{"instruction": "Add 20 and 5."}\n{"instruction": "Add 30 and 5."}\n')
    words = ["respond", str(path), "--teacher", "openai:arith", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    rows = rows_of(tmp_path / "run", "instructions")
    assert [row["output"] for row in rows] == ["The answer is 25.", "The answer is 35."]
    assert [row["completion"][0]["content"] for row in rows] == [row["output"] for row in rows]
    assert [row["reasoning"] for row in rows] == [THOUGHT, THOUGHT]

    # a command that goes on with the rows keeps the column, and the card names it
    filtered = ["filter", str(tmp_path / "run"), "--out", str(tmp_path / "filtered")]
    assert main(filtered) == 0
    assert rows_of(tmp_path / "filtered", "instructions")[0]["reasoning"] == THOUGHT
    store = ["--store", str(tmp_path / "store")]
    assert main(["publish", str(tmp_path / "run"), "reasoned", *store]) == 0
    card = (tmp_path / "store/reasoned/1.0.0/README.md").read_text()
    assert "The column `reasoning` has what the teacher wrote before its answer. 2 rows" in card


class Scripted:
    """Gives the same completion to every request that holds a word, else an empty yes or no."""

    name = "scripted"

    def __init__(self, **answers):
        self.answers = answers

    async def complete(self, request):
        prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1][1]
        found = next((a for word, a in self.answers.items() if word in prompt), Completion("No."))
        return [found] * request.n


WRITTEN = Completion("Green.", reasoning="Leaves.", tokens=9)


def test_an_evolved_instruction_has_the_reasoning_of_its_response(tmp_path):
    settings = EvolSettings("none", rounds=1, language="en", reasoning="keep")
    rewritten = Completion("Name a rare colour of leaves.", reasoning="Make it harder.")
    teacher = Scripted(Rewrite=rewritten, Name=WRITTEN)
    teacher.answers = {"Name a colour.": WRITTEN, "rare": WRITTEN}

    async def complete(request):
        prompt = request.prompt[-1][1]
        if prompt in ("Name a colour.", rewritten.text):
            return [WRITTEN]
        return [Completion("No.") if rewritten.text in prompt else rewritten]

    teacher.complete = complete
    seed = Prompt(id="s", text="Name a colour.", instruction="Name a colour.", input="")
    outcomes = asyncio.run(evolve(seed, teacher, evolution=evolution_of(settings)))
    held = "<think>\nLeaves.\n</think>\n\nGreen."
    assert [outcome.row["output"] for outcome in outcomes] == [held, held]
    # what the teacher thought about the instruction is no part of it
    assert outcomes[1].row["instruction"] == rewritten.text


@pytest.mark.parametrize(
    ("kept", "completion", "reasoning"),
    [
        ("separate", "mouse", "A small one."),
        ("keep", "<think>\nA small one.\n</think>\n\nmouse", None),
        ("drop", "mouse", None),
    ],
)
def test_instances_have_the_reasoning_of_their_answer(kept, completion, reasoning):
    text = Completion("Input: squeaks\nOutput: mouse", reasoning="A small one.")
    asking = Asking(Templates("en"), "chat", kept=kept)

    async def complete(request):
        is_question = "classification" in request.prompt[-1][1].lower()
        return [Completion("No.", reasoning="Hm.") if is_question else text]

    teacher = Scripted()
    teacher.complete = complete
    proposal = Proposal(Candidate("Name the animal."), "self-instruct", ())
    [outcome] = asyncio.run(
        write_instances(teacher, proposal, asking=asking, most=5, max_tokens=99)
    )
    assert outcome.row["completion"][0]["content"] == outcome.row["output"] == completion
    assert outcome.row.get("reasoning") == reasoning


def test_a_classification_that_was_cut_off_in_its_reasoning_is_no_no():
    cut = Completion("", finish_reason="length", reasoning="Well")
    asking = Asking(Templates("en"), "chat")
    teacher = Scripted(**{"": cut})
    proposal = Proposal(Candidate("Name the animal."), "self-instruct", ())
    [outcome] = asyncio.run(write_instances(teacher, proposal, asking=asking, most=5, max_tokens=9))
    assert (outcome.reason, outcome.row["detail"]) == ("truncated", "classification")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (WRITTEN, None),
        (Completion("", "length", reasoning="Leaves"), "truncated"),
        (Completion("", "stop", reasoning="Leaves"), "empty"),
    ],
)
def test_magpie_tells_the_response_from_its_reasoning(answer, reason):
    async def complete(request):
        return [Completion("Name a colour.") if isinstance(request.prompt, str) else answer]

    teacher = Scripted()
    teacher.complete = complete
    magpie = Magpie(
        before="[user]",
        target=1,
        patience=1,
        ahead=1,
        asking=Sampling(),
        answering=Sampling(),
        checks=Responses("en"),
    )
    outcome = asyncio.run(synthesise_one(0, teacher=teacher, magpie=magpie))
    assert getattr(outcome, "reason", None) == reason
    assert outcome.row["output"] == answer.text
    assert outcome.row["reasoning"] == answer.reasoning


def demonstrate(tmp_path, out, *more):
    words = ["demonstrations", "micro", "--rules", "1", "--queries", "2", "--format", "qa"]
    words += ["--shots", "2", "--teacher", "openai:arith", "--out", str(tmp_path / out)]
    return main([*words, *more])


def test_an_episode_has_the_reasoning_of_its_prediction(tmp_path, serve, capsys):
    serve(Thinking("tags", said="blue"))
    assert demonstrate(tmp_path, "apart", "--kind", "context-distillation") == 0
    [row, *_] = rows_of(tmp_path / "apart", "demonstrations")
    assert (row["prediction"], row["completion"][0]["content"]) == ("blue", "blue")
    assert row["reasoning"] == THOUGHT

    votes = ["--kind", "multitask-ict", "--reasoning", "keep", "--votes", "2"]
    assert demonstrate(tmp_path, "kept", *votes) == 0
    [row, *_] = rows_of(tmp_path / "kept", "demonstrations")
    assert row["completion"][0]["content"] == f"<think>\n{THOUGHT}\n</think>\n\nblue"
    assert row["prediction"] == "blue"

    assert demonstrate(tmp_path, "gold", "--kind", "meta-ict", "--reasoning", "keep") == 2
    assert "--reasoning keep: must be separate or drop for meta-ict" in capsys.readouterr().err
