"""`train probe`: likelihood and correctness against transformers alone, what is kept of the
version, and bad input."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from datagen.cli import main as datagen
from datagen.schema import assistant
from tests.train.conftest import rationale, write, write_run
from train.cli import main
from train.probe import is_right

TOKENS = 6


def greedy(base: Path, prompt: list[dict[str, str]]) -> str:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(base),
        AutoTokenizer.from_pretrained(base),
    )
    ids = tokenizer.apply_chat_template(
        prompt, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    found = model.generate(**ids, max_new_tokens=TOKENS, do_sample=False)
    return str(tokenizer.decode(found[0, ids["input_ids"].shape[1] :], skip_special_tokens=True))


def mean_log_probability(base: Path, row: dict[str, Any]) -> float:
    """Of the completion's text, its end of turn apart: one token a byte."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(base),
        AutoTokenizer.from_pretrained(base),
    )
    text = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False)
    before, after = (tokenizer(part).input_ids for part in (text, row["completion"][0]["content"]))
    with torch.no_grad():
        logp = model(torch.tensor([before + after])).logits[0].log_softmax(-1)
    return sum(logp[len(before) - 1 + t, token].item() for t, token in enumerate(after)) / len(
        after
    )


@pytest.fixture(scope="module")
def run(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight rationales; the completion of the first, which names no answer, is what the model
    says."""
    folder = tmp_path_factory.mktemp("probed-run")
    write_run(folder)
    rows = [rationale(i, 3 + i, 5, 1 + i % 2) for i in range(8)]
    rows[0] |= {"completion": assistant(greedy(base, rows[0]["prompt"])), "answer": None}
    rows[7] |= {
        "prompt": [{"role": "user", "content": "long " * 200}]
    }  # 1,000 tokens; the context has 512
    write(folder, {"rationales": rows, "rejected": [rows[1] | {"reason": "wrong"}]})
    return folder


def test_likelihood_and_correctness_of_every_row(
    base: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, out = tmp_path / "store", tmp_path / "out"
    assert datagen(["publish", str(run), "chains", "--store", str(store)]) == 0
    words = [
        "probe",
        str(base),
        "chains@1.0.0",
        "--store",
        str(store),
        "--max_tokens",
        str(TOKENS),
        "--out",
        str(out),
    ]
    assert main(words) == 0
    before, found = (pq.read_table(folder / "rationales.parquet") for folder in (run, out))
    assert found.drop_columns(["student_logprob", "student_correct"]).equals(before)
    rows = found.to_pylist()
    for row in rows[:7]:
        assert row["student_logprob"] == pytest.approx(mean_log_probability(base, row), abs=1e-3)
    assert [row["student_correct"] for row in rows[:7]] == [True] + [False] * 6
    assert (rows[7]["student_logprob"], rows[7]["student_correct"]) == (None, None)
    stats = json.loads((out / "stats.json").read_text())["probe"]["rationales"]
    assert (stats["rows"], stats["unasked"], stats["correct"]) == (
        8,
        1,
        pytest.approx(1 / 7, abs=1e-4),
    )
    assert "1 could not be asked" in capsys.readouterr().out

    assert datagen(["publish", str(out), "chains", "--store", str(store)]) == 0
    lineage = json.loads((store / "chains" / "2.0.0" / "lineage.json").read_text())
    assert (
        lineage["runs"]["rationales"]["configs"]["rationales"]["columns"]["student_logprob"]
        == "double"
    )
    assert str(base) not in json.dumps(lineage)


def test_a_stopped_probe_goes_on_from_its_answers(base: Path, run: Path, tmp_path: Path) -> None:
    words = [
        "probe",
        str(base),
        str(run),
        "--max_tokens",
        str(TOKENS),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(words) == 0
    whole = (tmp_path / "out" / "rationales.parquet").read_bytes()

    def answers() -> int:
        with sqlite3.connect(tmp_path / "out" / "journal.sqlite") as journal:
            return int(journal.execute("SELECT count(*) FROM replies").fetchone()[0])

    asked = answers()
    (tmp_path / "out" / "stats.json").unlink()
    (tmp_path / "out" / "rationales.parquet").rename(tmp_path / "out" / "rationales.partial")
    assert main(words) == 0
    assert (tmp_path / "out" / "rationales.parquet").read_bytes() == whole
    assert answers() == asked


@pytest.mark.parametrize(
    ("row", "text", "right"),
    [
        ({"answer": "1200"}, "In all $1,200. The answer is 1,200.00.", True),
        ({"answer": "1200"}, "The answer is 120.", False),
        ({"answer": "1200"}, "I cannot say.", False),
        ({"answer": "B"}, "So it is (B).", True),
        ({"answer": "B"}, "The answer is (A).", False),
        ({"answer": "yes"}, "The answer is Yes.", True),
        ({"answer": "new york"}, "The answer is New York.", True),
        ({"target": "blue", "format": "arrow"}, " Blue\nred ->", True),
        ({"target": "blue", "format": "arrow"}, "", False),
        ({"completion": [{"content": "42"}]}, "42", True),
        ({"completion": [{"content": "42"}]}, "24", False),
    ],
)
def test_an_answer_is_right_by_what_the_row_holds(
    row: dict[str, Any], text: str, right: bool
) -> None:
    assert is_right(row, text) is right


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["/no/such/student", "RUN"], "/no/such/student"),
        (["BASE", "nothing@1.0.0"], "nothing"),
        (["BASE", "RUN", "--max_tokens", "0"], "--max_tokens 0: at least 1 is needed"),
    ],
)
def test_bad_input_is_one_line(
    base: Path,
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    line: str,
) -> None:
    places = {"BASE": str(base), "RUN": str(run)}
    told = [places.get(word, word) for word in words]
    assert main(["probe", *told, "--out", str(tmp_path / "out"), "--store", str(tmp_path)]) == 2
    errors = [
        found for found in capsys.readouterr().err.splitlines() if found.startswith("train: ")
    ]
    assert len(errors) == 1
    assert line in errors[0]
