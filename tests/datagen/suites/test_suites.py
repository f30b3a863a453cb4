"""Suites from small files in their published formats, written here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from datagen.answers import ANSWER_TYPES, extract
from datagen.errors import UserError
from datagen.suites import BBH_TASKS, SUITES, direct_prompt, load, rationale_prompt
from datagen.suites.load import from_hub, to_question
from datagen.suites.rows import ROWS

GSM8K = [
    {
        "question": "Ann has 2 hens and gets 3. How many now?",
        "answer": "2 + 3 = <<2+3=5>>5\n#### 5",
    },
    {"question": "And 1,000 more?", "answer": "<<5+1000=1005>>\n#### 1,005"},
]
AQUA = [
    {
        "question": "What is 6 * 7?",
        "options": ["A)41", "B)42", "C)6(\u221a2)"],
        "rationale": "x",
        "correct": "B",
    }
]
MATHQA = [
    {
        "Problem": "half of 76?",
        "options": "a ) 38 , b ) 27.675 , c ) rs . 3,000 , d ) 2 : 3 , e ) none",
        "correct": "a",
    },
    {
        "Problem": "half of 6?",
        "options": "['a ) 1', 'b ) 2', 'c ) 3', 'd ) 4', 'e ) 5']",
        "correct": "c",
    },
]
COMMONSENSE = [
    {
        "answerKey": "B",
        "question": {
            "stem": "Where are books?",
            "choices": [{"label": "A", "text": "bank"}, {"label": "B", "text": "library"}],
        },
    }
]
ADDSUB = [{"iIndex": 1, "lSolutions": ["9.43"], "sQuestion": "How much is it ? "}]
MULTIARITH = [
    {"lSolutions": [39.0], "sQuestion": " How many? "},
    {"lSolutions": [39.0], "sQuestion": " How many? "},
]
SVAMP = [{"Body": "A pen costs 3 dollars", "Question": "How much are 2?", "Answer": 6.0}]
STRATEGY = {
    "canary": "x",
    "examples": [
        {"input": "Do hens fly?", "target_scores": {"Yes": 0, "No": 1}, "target": "No. Hens walk."}
    ],
}
LETTERS = {"examples": [{"question": 'Last letters of "Ann Bo"?', "answer": "no"}]}


def bbh(text: str, target: str) -> dict[str, object]:
    return {"canary": "x", "examples": [{"input": text, "target": target}]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    def lines(rows: Sequence[Mapping[str, object]]) -> str:
        return "".join(json.dumps(row) + "\n" for row in rows)

    contents = {
        "gsm8k/test.jsonl": lines(GSM8K),
        "cot_suites/aqua_test.json": lines(AQUA),
        "mathqa/test.json": json.dumps(MATHQA),
        "cot_suites/commonsenseqa_dev.jsonl": lines(COMMONSENSE),
        "cot_suites/addsub.json": json.dumps(ADDSUB),
        "cot_suites/multiarith.json": json.dumps(MULTIARITH),
        "cot_suites/svamp.json": json.dumps(SVAMP),
        "cot_suites/strategyqa.json": json.dumps(STRATEGY),
        "cot_suites/last_letters.json": json.dumps(LETTERS),
        "bbh/navigate.json": json.dumps(bbh("Do you return?\nOptions:\n- Yes\n- No", "No")),
        "bbh/snarks.json": json.dumps(
            bbh("Which one?\nOptions:\n(A) good day\n(B) great, day", "(B)")
        ),
        "bbh/ruin_names.json": json.dumps(
            bbh("Which?\nOptions:\n(A) earth\n(B) bind", "earth, bind")
        ),
        "bbh/boolean_expressions.json": json.dumps(bbh("not True is", "False")),
        "bbh/dyck_languages.json": json.dumps(bbh("Complete: [ [ <", "> ] ]")),
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "split", "golds"),
    [
        ("gsm8k", "test", ["5", "1005"]),
        ("aqua", "test", ["B"]),
        ("mathqa", "test", ["A", "C"]),
        ("commonsenseqa", "validation", ["B"]),
        ("addsub", "test", ["9.43"]),
        ("multiarith", "test", ["39", "39"]),
        ("svamp", "test", ["6"]),
        ("strategyqa", "test", ["no"]),
        ("last_letters", "test", ["no"]),
        ("bbh/navigate", "test", ["no"]),
        ("bbh/snarks", "test", ["B"]),
        ("bbh/ruin_names", "test", ["earth bind"]),
        ("bbh/boolean_expressions", "test", ["false"]),
        ("bbh/dyck_languages", "test", ["> ] ]"]),
    ],
)
def test_golds(root: Path, name: str, split: str, golds: list[str]) -> None:
    questions = load(name, split, data_root=root)
    assert [question.gold for question in questions] == golds
    for question in questions:
        assert (
            extract(
                f"The answer is {question.gold}.", question.answer_type, options=question.options
            )
            == question.gold
        )


def test_options_are_rendered_one_a_line(root: Path) -> None:
    (aqua,) = load("aqua", "test", data_root=root)
    assert aqua.question == "What is 6 * 7?\nOptions:\n(A) 41\n(B) 42\n(C) 6(\u221a2)"
    assert aqua.options == ("41", "42", "6(\u221a2)")
    assert load("mathqa", "test", data_root=root)[0].options == (
        "38",
        "27.675",
        "rs . 3,000",
        "2 : 3",
        "none",
    )
    assert load("mathqa", "test", data_root=root)[1].options == ("1", "2", "3", "4", "5")
    (snarks,) = load("bbh/snarks", "test", data_root=root)
    assert snarks.question == "Which one?\nOptions:\n(A) good day\n(B) great, day"  # as published


def test_question_texts(root: Path) -> None:
    assert (
        load("svamp", "test", data_root=root)[0].question
        == "A pen costs 3 dollars. How much are 2?"
    )
    assert load("gsm8k", "test", data_root=root)[0].question == GSM8K[0]["question"]
    assert load("gsm8k", "test", data_root=root)[0].gold_rationale == "2 + 3 = <<2+3=5>>5"
    assert load("strategyqa", "test", data_root=root)[0].gold_rationale == "Hens walk."


def test_a_target_cut_at_its_comma_is_asked_as_text(root: Path) -> None:
    (question,) = load("bbh/ruin_names", "test", data_root=root)
    assert (question.answer_type, question.options) == ("text", ())
    assert question.question == "Which?\nOptions:\n(A) earth\n(B) bind"


def test_ids(root: Path) -> None:
    first, second = load("multiarith", "test", data_root=root)
    assert first.question == second.question
    assert first.id != second.id  # asked twice, counted twice
    assert [first.id, second.id] == [
        question.id for question in load("multiarith", "test", data_root=root)
    ]
    assert len(first.id) == 16
    assert int(first.id, 16) >= 0
    assert (
        load("gsm8k", "test", data_root=root, limit=1)[0].id
        == load("gsm8k", "test", data_root=root)[0].id
    )


def test_data_root_may_be_the_folder_or_the_file(root: Path) -> None:
    whole = load("gsm8k", "test", data_root=root)
    assert load("gsm8k", "test", data_root=root / "gsm8k") == whole
    assert load("gsm8k", "test", data_root=root / "gsm8k" / "test.jsonl") == whole
    assert load("gsm8k", "test", data_root=str(root), limit=1) == whole[:1]


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("gsm", "test", "no suite 'gsm': choose one of gsm8k, "),
        ("gsm8k", "dev", "suite gsm8k has no split 'dev': choose one of train, test"),
        ("addsub", "train", "suite addsub has no split 'train': choose one of test"),
        (
            "microworld",
            "dev",
            "suite microworld has no split 'dev': choose one of train, validation, test",
        ),
        (
            "gsm8k",
            "train",
            "holds no file of gsm8k train. These were looked for: gsm8k/train.jsonl",
        ),
    ],
)
def test_errors(root: Path, name: str, split: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        load(name, split, data_root=root)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_of_another_suite(root: Path) -> None:
    with pytest.raises(
        UserError, match=r"svamp.json, row 1: not a record of gsm8k \(KeyError: 'answer'\)"
    ):
        load("gsm8k", "test", data_root=root / "cot_suites" / "svamp.json")
    with pytest.raises(UserError, match="no such data folder"):
        load("gsm8k", "test", data_root=root / "nowhere")


def test_the_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="cannot load openai/gsm8k for suite gsm8k") as error:
        load("gsm8k", "test")
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="suite addsub has no copy on the Hub"):
        load("addsub", "test")


HUB_RECORDS = [
    (
        "commonsenseqa",
        {
            "question": "Books?",
            "choices": {"label": ["A", "B"], "text": ["a", "b"]},
            "answerKey": "B",
        },
        "B",
    ),
    (
        "commonsenseqa",
        {
            "question": "Books?",
            "choices": {"label": ["A", "B"], "text": ["a", "b"]},
            "answerKey": "",
        },
        None,
    ),
    ("multiarith", {"question": " How many? ", "final_ans": "39"}, "39"),
    (
        "strategyqa",
        {"question": "Do hens fly?", "answer": False, "facts": ["Hens walk.", "Often."]},
        "no",
    ),
    ("strategyqa", {"question": "Do hens walk?", "answer": True, "facts": "Hens walk."}, "yes"),
]


@pytest.mark.parametrize(("name", "record", "gold"), HUB_RECORDS)
def test_columns_of_hub_copies(name: str, record: dict[str, object], gold: str | None) -> None:
    assert to_question(SUITES[name], record, "row 1").gold == gold


def test_through_load_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real library opens a folder in place of the Hub; two of its splits are joined."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    for split, answer in (("train", "7"), ("test", "8")):
        path = tmp_path / "copy" / f"{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"question": "How many?", "final_ans": answer}) + "\n")
    suite = replace(SUITES["multiarith"], hub=str(tmp_path / "copy"))
    assert [
        to_question(suite, record, where).gold for where, record in from_hub(suite, "test")
    ] == ["7", "8"]


def test_the_table() -> None:
    assert len(BBH_TASKS) == 27
    assert len(SUITES) == 10 + 27 + 10
    for name, suite in SUITES.items():
        assert suite.name == name
        assert suite.answer_type in ANSWER_TYPES
        assert name.startswith("microworld") or suite.row in ROWS
        assert set(suite.splits) <= set(suite.files)
        assert (
            name == "addsub"
            or name.startswith("microworld")
            or set(suite.splits) == set(suite.files)
        )


def test_suites_of_the_microworld_are_its_tasks_and_episodes_asked_bare() -> None:
    made = pytest.importorskip("datagen.microworld.instructions")
    tasks = made.instructions("test", 5, operations=2, seed=1)
    questions = load("microworld/instructions-2", "test", limit=5, seed=1)
    assert [q.gold_rationale for q in questions] == [t.answer for t in tasks]
    assert [(q.question, q.gold) for q in questions] == [
        (t.instruction, t.answer.replace(",", "")) for t in tasks
    ]
    suite = SUITES["microworld/in-context-4"]
    asked = load(suite.name, "test", limit=18)
    assert [question.question.count(" -> ") for question in asked] == [4] * 18
    assert rationale_prompt(asked[0], suite) == direct_prompt(asked[0], suite) == asked[0].question
    assert len({question.id for question in asked}) == 18


def test_microworld() -> None:
    problems = pytest.importorskip("datagen.microworld.problems")
    questions = load("microworld", "test", limit=20, seed=3)
    assert questions == load("microworld", "test", limit=20, seed=3)
    assert [question.question for question in questions] == [
        p.question for p in problems.problems("test", 20, seed=3)
    ]
    for question in questions:
        assert question.gold is not None
        assert question.gold_rationale is not None
        assert extract(question.gold_rationale, "number") == question.gold
    assert len(load("microworld", "test")) == 500
