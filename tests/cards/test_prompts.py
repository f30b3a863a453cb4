"""The prompts of a card are those that the teacher was asked: compared with what the commands
themselves show."""

import json

import pytest

import datagen
from datagen.cli import main
from datagen.instructions.templates import SHIPPED
from datagen.publish.prompts import prompts
from datagen.rationales.prompts import read_shots
from datagen.suites import Suite


def config_of(method, settings, suite="mine"):
    source = {"suite": suite}
    return {
        "method": method,
        "code_version": datagen.__version__,
        "source": source,
        "settings": settings,
    }


def shown_by(capsys, *command):
    assert main([*map(str, command), "--dry_run", "true"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("style", ["chat", "plain"])
@pytest.mark.parametrize(
    ("answer_type", "answer"), [("number", "5"), ("yesno", "yes"), ("text", "blue")]
)
def test_rationales(tmp_path, capsys, style, answer_type, answer):
    (tmp_path / "mine.jsonl").write_text(json.dumps({"question": "How many?", "answer": answer}))
    shots = tmp_path / "shots.jsonl"
    shots.write_text('{"question": "One?", "rationale": "It is one. The answer is 1."}\n')
    common = ["--answer_type", answer_type, "--prompt_style", style, "--shots", shots]
    shown = shown_by(capsys, "rationales", tmp_path / "mine.jsonl", *common)
    asked = [
        list(shot) for shot in read_shots(shots, Suite("mine", answer_type))
    ]  # as a run's configuration has them
    found = prompts(
        config_of("rationales", {"answer_type": answer_type, "prompt_style": style, "shots": asked})
    )
    assert found.keys() == {"question"}
    assert found["question"].replace("{question}", "How many?") in shown


def test_evol_instruct(tmp_path, capsys):
    (tmp_path / "tasks.jsonl").write_text(
        '{"instruction": "Name a colour.", "input": "", "output": "Red."}\n'
    )
    weights = "breadth=1, deepen=0, concretise=0, constraints=0, reasoning=0, complicate_input=0"
    command = ["evol-instruct", tmp_path / "tasks.jsonl", "--language", "en", "--weights", weights]
    shown = shown_by(capsys, *command)
    found = prompts(
        config_of("evol-instruct", {"language": "en", "weights": weights, "templates": {}})
    )
    assert [name for name in found if name.startswith("evolve/")] == ["evolve/breadth"]
    text = found["evolve/breadth"].replace("{instruction}", "Name a colour.")
    assert f"[user] {text}" == shown.split("---\n")[1].rstrip()


def test_demonstrations(capsys):
    shown = shown_by(
        capsys, "demonstrations", "micro", "--shots", "2", "--queries", "1", "--rules", "1"
    )
    settings = {"format": "arrow", "prompt_style": "chat", "describe": "instead", "generate": 0}
    template = prompts(config_of("demonstrations", settings))["query"].removeprefix("[user] ")
    asked = shown.split("asked of the teacher\n")[1].split("\n---")[0]
    pairs = [line.split(" -> ") for line in asked.splitlines()[:2]]
    fields = {"first input": pairs[0][0], "first output": pairs[0][1], "second input": pairs[1][0]}
    fields |= {"second output": pairs[1][1], "query": asked.splitlines()[2].removesuffix(" ->")}
    for name, value in fields.items():
        template = template.replace(f"{{{name}}}", value)
    assert template == asked


def test_a_users_own_template_is_shown_in_the_place_of_the_shipped_one():
    settings = {
        "language": "en",
        "style": "chat",
        "templates": {"classify.txt": "Labels? {instruction}\n"},
    }
    found = prompts(config_of("self-instruct", settings))
    assert found["classify"] == "Labels? {instruction}"
    assert found["instructions_chat"] == (SHIPPED / "en/instructions_chat.txt").read_text().strip()
    assert "instructions" not in found


def test_another_releases_prompts_are_not_guessed():
    config = config_of("rationales", {"answer_type": "number"})
    assert prompts(config)
    assert prompts(config | {"code_version": "0.0.9"}) == {}
    assert prompts(config_of("self-instruct", {"language": "no such"})) == {}
    assert prompts(config_of("filter", {"language": "en"})) == {}
