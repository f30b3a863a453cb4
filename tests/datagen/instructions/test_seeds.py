"""The shipped seeds, templates and word lists of English and Chinese keep what the methods rely
on."""

import json
from pathlib import Path

import pytest

from datagen.filters.novelty import Novelty
from datagen.instructions.evol_instruct.eliminate import Eliminator
from datagen.instructions.self_instruct import parse
from datagen.instructions.self_instruct.instances import faults
from datagen.instructions.self_instruct.rules import broken_rule, rules
from datagen.instructions.self_instruct.seed_tasks import SEEDS, shipped_seeds
from datagen.prompts.language import language
from datagen.prompts.templates import FIELD, SHIPPED, Templates
from datagen.teacher.base import Completion

LANGUAGES = ("en", "zh")
ALPHABET = {"en": "ascii", "zh": "unicode"}
LEAST = {"en": (185, 35), "zh": (70, 12)}
"""Tasks in all, and classification tasks. Self-Instruct has 175 and 26."""
WORDS = {"blocked", "blocked_alpaca", "starts", "refusals", "stopwords", "scaffolding", "yes", "no"}
EVOLUTIONS = {"constraints", "deepen", "concretise", "reasoning", "complicate_input", "breadth"}
FIELDS = {
    "instructions": set(),
    "item": {"number", "instruction"},
    "instructions_chat": {"tasks", "count"},
    "classify": {"instruction"},
    "input_first": {"instruction"},
    "output_first": {"instruction"},
    "alpaca": {"tasks", "count"},
    "unnatural": {"examples"},
    "unnatural_output": {"instruction", "input", "constraints"},
    "paraphrase": {"instruction", "input"},
    **{f"evolve/{name}": {"instruction"} for name in EVOLUTIONS},
    "same": {"first", "second"},
    "quality": {"instruction", "response"},
    "helpfulness": {"instruction", "response"},
    "difficulty": {"instruction"},
    "with_input": {"instruction", "input"},
}
"""What each template is given, by the functions that ask with it."""

pytestmark = pytest.mark.parametrize("name", LANGUAGES)


def test_seeds_have_the_published_form(name):
    records = [
        json.loads(line)
        for line in (SEEDS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [record["id"] for record in records] == [
        f"{name}-{n:03}" for n in range(1, len(records) + 1)
    ]
    assert all(
        list(record) == ["id", "instruction", "instances", "is_classification"]
        for record in records
    )
    assert all(
        set(instance) == {"input", "output"}
        for record in records
        for instance in record["instances"]
    )
    assert all(type(record["is_classification"]) is bool for record in records)


def test_seeds_are_many_and_of_both_kinds(name):
    tasks, (total, labelled) = shipped_seeds(name), LEAST[name]
    assert len(tasks) >= total
    assert sum(task.is_classification is True for task in tasks) >= labelled
    alone = sum(not task.instances[0].input for task in tasks)
    assert len(tasks) / 4 < alone < len(tasks) * 3 / 4, (
        "tasks with and without input are both common"
    )


def test_a_classification_has_short_labels_and_more_than_one(name):
    for task in shipped_seeds(name):
        if task.is_classification:
            outputs = [instance.output for instance in task.instances]
            assert len(set(outputs)) > 1, task.id
            assert max(map(len, outputs)) <= 25, task.id


def test_no_two_seed_instructions_are_alike(name):
    """By a threshold well below the 0.7 of the method."""
    tasks, pool = shipped_seeds(name), Novelty(threshold=0.5, alphabet=ALPHABET[name])
    alike = [task.id for task in tasks if not pool.admit(task.instruction, task.id).novel]
    assert alike == []


def test_seeds_pass_the_rules_that_their_children_must_pass(name):
    words = Templates(name).words
    asked = rules(
        language(name), blocked=words("blocked") + words("blocked_alpaca"), starts=words("starts")
    )
    assert {
        task.id: reason
        for task in shipped_seeds(name)
        if (reason := broken_rule(task.instruction, asked))
    } == {}
    assert {
        task.id for task in shipped_seeds(name) if any(faults(task.instances, cut=False))
    } == set()


def test_a_language_has_every_template_and_word_list(name):
    root = SHIPPED / name
    found = {path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.txt")}
    systems = {path for path in found if path.startswith("systems/")}
    assert found - systems == {*FIELDS, *(f"words/{words}" for words in WORDS)}
    assert len(systems) >= 8
    assert systems == {f"systems/{path.stem}" for path in (SHIPPED / "en" / "systems").iterdir()}


def test_templates_have_the_fields_they_are_given(name):
    assert {
        template: placeholders(SHIPPED / name / f"{template}.txt") for template in FIELDS
    } == FIELDS
    assert all(placeholders(path) == set() for path in (SHIPPED / name / "systems").iterdir())


def test_a_continued_line_has_no_line_break(name):
    continued = ["item", "classify", "unnatural_output", "paraphrase", "with_input"]
    assert [
        t
        for t in continued
        if Templates(name).path(f"{t}.txt").read_text(encoding="utf-8").endswith("\n")
    ] == []


def test_word_lists_hold_words(name):
    assert all(Templates(name).words(words) for words in WORDS)
    assert all(
        len(set(found)) == len(found) for words in WORDS if (found := Templates(name).words(words))
    )


def test_examples_in_the_prompts_are_what_the_parser_reads(name):
    templates = Templates(name)
    written = parse.input_first(templates.text("input_first", instruction=""))
    assert len(written) >= 6
    assert all(instance.output for instance in written)
    assert {bool(instance.input) for instance in written} == {True, False}
    labelled = parse.output_first(templates.text("output_first", instruction=""))
    assert len({instance.output for instance in labelled}) >= 8
    assert all(instance.input != instance.output for instance in labelled)


def test_a_seed_written_as_a_demonstration_is_read_back(name):
    """No seed holds a line that looks like a label or a separator."""
    label = parse.labels(name)
    for task in shipped_seeds(name):
        for instance in task.instances:
            written = [
                (label.instruction, task.instruction),
                (label.input, instance.input),
                (label.output, instance.output),
            ]
            read = parse.blocks(
                "1. " + "\n".join(f"{field}{label.colon}{value}" for field, value in written)
            )
            assert read == [
                {
                    "instruction": task.instruction,
                    "input": instance.input,
                    "output": instance.output,
                }
            ]


def test_examples_of_classification_say_yes_and_no(name):
    templates = Templates(name)
    said = [
        line
        for line in templates.text("classify", instruction="").splitlines()
        if "?" in line or "？" in line
    ]
    answers = [line.replace("？", "?").split("?")[-1] for line in said]
    assert sum(parse.begins_with(answer, templates.words("yes")) for answer in answers) >= 5
    assert sum(parse.begins_with(answer, templates.words("no")) for answer in answers) >= 6


@pytest.mark.parametrize("operation", sorted(EVOLUTIONS))
def test_a_copied_evolution_prompt_is_seen(name, operation):
    templates, parent = Templates(name), shipped_seeds(name)[0].instruction
    copied = templates.text(f"evolve/{operation}", instruction=parent)
    judge = Eliminator(templates, language(name))
    assert judge.of_rewriting(parent, Completion(copied, "stop")) == "scaffolding"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (
            {"en": "I’m sorry, but I can’t help with that.", "zh": "非常抱歉，我无法回答。"},
            "refusal",
        ),
        ({"en": "And so on, and so on ...", "zh": "嗯，然后呢……"}, "stopwords_only"),
        ({"en": "B", "zh": "乙"}, None),
        ({"en": "Yes.", "zh": "是。"}, None),
        ({"en": "It rains on Monday.", "zh": "不对。"}, None),
    ],
)
def test_refusals_and_fillers_are_told_from_short_answers(name, answers, reason):
    judge = Eliminator(Templates(name), language(name))
    assert judge.of_response(Completion(answers[name], "stop")) == reason


def test_no_seed_output_is_eliminated(name):
    """Good answers all: whatever the word lists drop of them would be dropped wrongly, but an
    apology in a letter."""
    judge = Eliminator(Templates(name), language(name))
    outputs = {i.output for task in shipped_seeds(name) for i in task.instances}
    dropped = {output for output in outputs if judge.of_response(Completion(output, "stop"))}
    assert all("sorry" in output for output in dropped)


def placeholders(path: Path) -> set[str]:
    return set(FIELD.findall(path.read_text(encoding="utf-8")))
