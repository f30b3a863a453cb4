"""The shipped mappings on folders laid out as the published data sets are, opened by `datasets`
itself.

Columns, their types and the order of the labels are those of the Hub's copies; the records are made
here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from datasets import List as ListOf

from datagen.demonstrations.mapped import mapped_pool
from datagen.demonstrations.mapping import TaskMap, read_mapping
from datagen.demonstrations.pools import Example, Pool
from datagen.suites import BBH_TASKS

TEXT, NUMBER = Value("string"), Value("int32")
YES_NO = ["False", "True"]
GLUE = {
    "cola": (["sentence"], ["unacceptable", "acceptable"]),
    "sst2": (["sentence"], ["negative", "positive"]),
    "mrpc": (["sentence1", "sentence2"], ["not_equivalent", "equivalent"]),
    "qqp": (["question1", "question2"], ["not_duplicate", "duplicate"]),
    "mnli": (["premise", "hypothesis"], ["entailment", "neutral", "contradiction"]),
    "qnli": (["question", "sentence"], ["entailment", "not_entailment"]),
    "rte": (["sentence1", "sentence2"], ["entailment", "not_entailment"]),
    "wnli": (["sentence1", "sentence2"], ["not_entailment", "entailment"]),
}
SUPERGLUE = {
    "boolq": (["question", "passage"], YES_NO),
    "cb": (["premise", "hypothesis"], ["entailment", "contradiction", "neutral"]),
    "copa": (["premise", "choice1", "choice2", "question"], ["choice1", "choice2"]),
    "multirc": (["paragraph", "question", "answer"], YES_NO),
    "rte": (["premise", "hypothesis"], ["entailment", "not_entailment"]),
    "wic": (["word", "sentence1", "sentence2", "start1", "start2", "end1", "end2"], YES_NO),
    "wsc.fixed": (["text", "span1_index", "span2_index", "span1_text", "span2_text"], YES_NO),
}
SAME = {
    "not_entailment": "no entailment",
    "not_equivalent": "different",
    "equivalent": "same",
    "not_duplicate": "different",
    "duplicate": "same",
    "choice1": "(A)",
    "choice2": "(B)",
}
"""What a published label is called here, where that differs."""
MMLU = Features(
    question=TEXT, subject=TEXT, choices=ListOf(TEXT), answer=ClassLabel(names=["A", "B", "C", "D"])
)  # fmt: skip


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder "ORG/NAME" in the working directory is what `load_dataset("ORG/NAME")` opens."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))


def features(columns: list[str], labels: list[str]) -> Features:
    numbers = {"start1", "start2", "end1", "end2", "span1_index", "span2_index"}
    index = (
        {"paragraph": NUMBER, "question": NUMBER, "answer": NUMBER}
        if columns[0] == "paragraph"
        else NUMBER
    )
    kinds = {name: NUMBER if name in numbers else TEXT for name in columns}
    return Features(**kinds, idx=index, label=ClassLabel(names=labels))


def records(kinds: Features, split: str, n: int) -> list[dict[str, Any]]:
    """Of every label in turn; the last row has none, as in a published test split."""
    labels = kinds["label"].num_classes
    values = {"string": lambda name, i: f"<{split} {name} {i}>", "int32": lambda name, i: i}
    rows = [
        {
            name: values[kind.dtype](name, i)
            for name, kind in kinds.items()
            if isinstance(kind, Value)
        }
        | {"label": i % labels}
        for i in range(n)
    ]
    if isinstance(kinds["idx"], dict):
        rows = [row | {"idx": dict.fromkeys(kinds["idx"], i)} for i, row in enumerate(rows)]
    return [
        *rows,
        rows[0] | {name: "bare" for name, k in kinds.items() if k == TEXT} | {"label": -1},
    ]


def save(
    folder: str,
    config: str,
    splits: dict[str, list[dict[str, Any]]],
    kinds: Features,
    *,
    converted: bool,
) -> str:
    """Write the splits of one config; the lines that name it in the header of the card."""
    for split, rows in splits.items():
        name = f"{split}/0000" if converted else f"{split}-00000-of-00001"
        path = Path(folder) / config / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        Dataset.from_list(rows, features=kinds).to_parquet(path)
    files = "".join(f"  - split: {split}\n    path: {config}/{split}-*\n" for split in splits)
    return f"- config_name: {config}\n  data_files:\n{files}"


def card(folder: str, configs: list[str]) -> None:
    (Path(folder) / "README.md").write_text(f"---\nconfigs:\n{''.join(configs)}---\n")


def places(pool: Pool, split: str) -> dict[int, Example]:
    """The examples of a split by the number of their row."""
    part = pool.test if split == "held" else pool.train + pool.candidates
    return {int(re.findall(rf"<{split} \S+ (\d+)>", e.input)[0]): e for e in part}


def check(task: TaskMap, kinds: Features) -> None:
    """Test queries come from their split; every row says all its texts and the word of its
    label."""
    made = mapped_pool(task, None)
    for split in ("train", "held"):
        found = places(made, split)
        assert sorted(found) == list(range(12))
        for number, e in found.items():
            texts = re.findall(r"<\S+ (\S+) (\d+)>", e.input)
            assert set(texts) == {
                (name, str(number)) for name, kind in kinds.items() if kind == TEXT
            }
            published = kinds["label"].int2str(number % kinds["label"].num_classes)
            assert e.output == SAME.get(published, published)


@pytest.mark.parametrize(
    ("name", "layouts", "held"),
    [("glue", GLUE, "validation"), ("superglue", SUPERGLUE, "validation")],
)
def test_every_task_reads_the_columns_and_labels_that_are_published(
    name: str, layouts: dict[str, tuple[list[str], list[str]]], held: str
) -> None:
    tasks = read_mapping(name)[1]
    assert [task.config for task in tasks] == list(layouts)
    configs = []
    for task in tasks:
        kinds = features(*layouts[task.config])
        splits = {"train": records(kinds, "train", 12), task.test: records(kinds, "held", 12)}
        configs.append(save(task.hub, task.config, splits, kinds, converted=bool(task.revision)))
        assert task.test == ("validation_matched" if task.config == "mnli" else held)
    if not tasks[0].revision:
        card(tasks[0].hub, configs)
    for task in tasks:
        check(task, features(*layouts[task.config]))


def test_subjects_of_mmlu_are_shown_with_their_options() -> None:
    tasks = [
        task for task in read_mapping("mmlu")[1] if task.config in ("anatomy", "world_religions")
    ]
    configs = []
    for task in tasks:
        splits = {
            split: [
                {
                    "question": f"<{split} q {i}>",
                    "subject": task.config,
                    "choices": [f"{i}{x}" for x in "wxyz"],
                    "answer": i % 4,
                }
                for i in range(n)
            ]
            for split, n in {"test": 8, "validation": 9, "dev": 5}.items()
        }
        configs.append(save("cais/mmlu", task.config, splits, MMLU, converted=False))
    card("cais/mmlu", configs)
    for task in tasks:
        made = mapped_pool(task, None)
        assert {e.input.split(" ")[0] for e in made.test} == {"<test"}
        rest = {e.input.partition("\n")[0]: e for e in made.train + made.candidates}
        assert len(rest) == 9 + 5
        assert (
            rest["<validation q 6>"].input
            == "<validation q 6>\nOptions:\n(A) 6w\n(B) 6x\n(C) 6y\n(D) 6z"
        )
        assert [rest[f"<dev q {i}>"].output for i in range(4)] == ["(A)", "(B)", "(C)", "(D)"]


def test_all_tasks_of_bbh_from_their_published_files_and_from_the_hub(tmp_path: Path) -> None:
    tasks = read_mapping("bbh")[1]
    (tmp_path / "bbh").mkdir()
    answers = {task.task: task.options or ("(A)", "(B)", "one two three") for task in tasks}
    for task in tasks:
        rows = [
            {
                "input": f"{task.config} {i}?",
                "target": answers[task.task][i % len(answers[task.task])],
            }
            for i in range(12)
        ]
        (tmp_path / "bbh" / f"{task.config}.json").write_text(
            json.dumps({"canary": "kept out", "examples": rows})
        )
    assert sorted(task.config for task in tasks) == sorted(BBH_TASKS)
    for task in tasks:
        made = mapped_pool(task, None, data_root=tmp_path)
        found = {e.input: e.output for e in made.candidates + made.train + made.test}
        assert found == {
            f"{task.config} {i}?": answers[task.task][i % len(answers[task.task])]
            for i in range(12)
        }
        assert len(made.test) == len(made.train) == 3
    [one] = [task for task in tasks if task.config == "navigate"]
    kinds = Features(input=TEXT, target=TEXT)
    card(
        one.hub,
        [
            save(
                one.hub,
                one.config,
                {"test": [{"input": f"{i}?", "target": "Yes"} for i in range(8)]},
                kinds,
                converted=False,
            )
        ],
    )
    assert len(mapped_pool(one, None).candidates) == 4
