"""The prompts of a card are those that the teacher was asked: compared with what the commands
themselves show."""

import json

import pytest

from datagen.cli import main
from datagen.demonstrations.command import plan_of
from datagen.demonstrations.command import recorded_prompts as demonstration_prompts
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.instructions.evol_instruct.command import evolution_of, prompts_asked
from datagen.instructions.evol_instruct.settings import EvolSettings
from datagen.instructions.self_instruct.command import plan_of as self_instruct_plan
from datagen.instructions.self_instruct.command import prompt_names
from datagen.instructions.self_instruct.settings import SelfInstructSettings
from datagen.prompts.templates import SHIPPED, recorded_prompts
from datagen.rationales.command import read_source
from datagen.rationales.prompts import recorded_prompts as rationale_prompts
from datagen.rationales.settings import RationaleSettings
from datagen.sources.tally import SourceTally
from datagen.teacher import connect


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
    settings = RationaleSettings(
        str(tmp_path / "mine.jsonl"), answer_type=answer_type, prompt_style=style, shots=shots
    )
    prompts, _ = read_source(settings, SourceTally())
    found = rationale_prompts(prompts, hints=False)
    assert found.keys() == {"question"}
    assert found["question"].replace("{question}", "How many?") in shown


def test_evol_instruct(tmp_path, capsys):
    (tmp_path / "tasks.jsonl").write_text(
        '{"instruction": "Name a colour.", "input": "", "output": "Red."}\n'
    )
    weights = "breadth=1, deepen=0, concretise=0, constraints=0, reasoning=0, complicate_input=0"
    command = ["evol-instruct", tmp_path / "tasks.jsonl", "--language", "en", "--weights", weights]
    shown = shown_by(capsys, *command)
    settings = EvolSettings(str(tmp_path / "tasks.jsonl"), language="en", weights=weights)
    found = prompts_asked(evolution_of(settings))
    assert [name for name in found if name.startswith("evolve/")] == ["evolve/breadth"]
    text = found["evolve/breadth"].replace("{instruction}", "Name a colour.")
    assert f"[user] {text}" == shown.split("---\n")[1].rstrip()


def test_demonstrations(capsys):
    shown = shown_by(
        capsys, "demonstrations", "micro", "--shots", "2", "--queries", "1", "--rules", "1"
    )
    plan = plan_of(DemonstrationSettings("micro", format="arrow"), connect("micro"))
    template = demonstration_prompts(plan)["query"].removeprefix("[user] ")
    asked = shown.split("asked of the teacher\n")[1].split("\n---")[0]
    pairs = [line.split(" -> ") for line in asked.splitlines()[:2]]
    fields = {"first input": pairs[0][0], "first output": pairs[0][1], "second input": pairs[1][0]}
    fields |= {"second output": pairs[1][1], "query": asked.splitlines()[2].removesuffix(" ->")}
    for name, value in fields.items():
        template = template.replace(f"{{{name}}}", value)
    assert template == asked


def test_a_users_own_template_is_shown_in_the_place_of_the_shipped_one(tmp_path):
    (tmp_path / "classify.txt").write_text("Labels? {instruction}\n")
    settings = SelfInstructSettings(language="en", style="chat", templates=tmp_path)
    _, asking = self_instruct_plan(settings, SourceTally())
    found = recorded_prompts(asking.templates, prompt_names(asking, settings))
    assert found["classify"] == "Labels? {instruction}"
    assert found["instructions_chat"] == (SHIPPED / "en/instructions_chat.txt").read_text().strip()
    assert "instructions" not in found


def test_a_run_records_the_prompts_and_its_version_has_them(tmp_path, capsys):
    """What `publish` copies is what the run asked; an older run, which recorded none, has none."""
    from datagen.publish.lineage import build

    out = tmp_path / "run"
    words = ["microworld", "--limit", "3", "--samples", "1", "--out", str(out), "--keep_by", "none"]
    assert main(["rationales", *words]) == 0
    asked = json.loads((out / "config.json").read_text())["prompts"]
    assert asked.keys() == {"question"}
    assert "{question}" in asked["question"]
    lineage = build(out, name="sums", license=None, language=None)
    assert lineage["runs"]["rationales"]["prompts"] == asked

    older = json.loads((out / "config.json").read_text()) | {"format": 3}
    del older["prompts"]
    (out / "config.json").write_text(json.dumps(older))
    lineage = build(out, name="sums", license=None, language=None)
    assert lineage["runs"]["rationales"]["prompts"] == {}
    assert main(["rationales", *words]) == 0  # the same command still takes it for its own
