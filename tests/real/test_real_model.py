"""A real small chat model through the commands: `make test-real`.

The model is SmolLM2-135M-Instruct, which `recipes/real-small/model.py` makes from a package on PyPI.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datagen.cli import main as datagen
from datagen.teacher import Completion, Request, Sampling, connect
from train.cli import main as train

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
MODELS = Path(os.environ.get("REAL_MODELS", ROOT / "models"))
SEED_TASKS = ROOT / "datagen/instructions/self_instruct/seeds/en.jsonl"
LORA = ("--use_peft", "--lora_r", "8", "--lora_target_modules", "all-linear")


def made(name: str, *flags: str) -> Path:
    """A model of the recipe; it is made only once."""
    words = [sys.executable, str(ROOT / "recipes/real-small/model.py"), str(MODELS / name), *flags]
    subprocess.run(words, check=True)
    return MODELS / name


@pytest.fixture(scope="module")
def teacher() -> Path:
    return made("smollm2")


@pytest.fixture(scope="module")
def student() -> Path:
    return made("smollm2-24", "--layers", "24")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def answers(teacher: Path, work: Path) -> Path:
    """A version of a few answers, with the teacher's probabilities."""
    run = work / "respond"
    words = ["respond", str(SEED_TASKS), "--limit", "12", "--max_tokens", "80"]
    assert datagen([*words, "--teacher", f"hf:{teacher}", "--out", str(run)]) == 0
    words = ["topk", str(run), "--teacher", f"hf:{teacher}", "--teacher_topk", "16"]
    assert datagen([*words, "--out", str(work / "topk")]) == 0
    store = work / "store"
    assert datagen(["publish", str(work / "topk"), "answers", "--store", str(store)]) == 0
    return store


def test_it_knows_a_capital_and_stops(teacher: Path) -> None:
    request = Request(
        (("user", "What is the capital of France? Answer with one word."),),
        sampling=Sampling(temperature=0, max_tokens=60),
    )

    async def ask() -> Completion:
        model = connect(f"hf:{teacher}")
        [answer] = await model.complete(request)
        await model.close()
        return answer

    answer = asyncio.run(ask())
    assert "Paris" in answer.text
    assert answer.finish_reason == "stop"
    assert "<|" not in answer.text


def test_answers_are_whole_texts_and_all_are_counted(answers: Path, work: Path) -> None:
    stats = json.loads((work / "respond" / "stats.json").read_text())
    rows = pq.read_table(work / "respond" / "instructions.parquet").to_pylist()
    rejected = sum(stats["rejected"].values())
    assert len(rows) + rejected == stats["answers"]
    assert len(rows) >= 3
    assert all(row["finish_reason"] == "stop" and "<|" not in row["output"] for row in rows)


@pytest.mark.parametrize(
    "words",
    [
        ["self-instruct", "--target", "2", "--patience", "1", "--max_tokens", "200"],
        ["evol-instruct", "respond", "--limit", "3", "--rounds", "1", "--max_tokens", "80"],
        ["judge", "respond", "--limit", "3"],
        ["magpie", "--target", "2", "--patience", "6", "--max_tokens", "80"],
        ["rationales", "microworld", "--limit", "3", "--samples", "2", "--max_tokens", "120"],
    ],
    ids=lambda words: words[0],
)
def test_every_generator_accounts_for_what_the_model_wrote(
    answers: Path, teacher: Path, work: Path, words: list[str]
) -> None:
    out = work / words[0]
    words = [str(work / "respond") if word == "respond" else word for word in words]
    status = datagen([*words, "--teacher", f"hf:{teacher}", "--out", str(out)])
    # the model is too weak for some of them: then nothing is accepted, and that is said
    assert status in (0, 2)
    rows = pq.read_table(out / "rejected.parquet").to_pylist()
    assert all(row["reason"] for row in rows)
    if status == 0:
        stats = json.loads((out / "stats.json").read_text())
        assert sum(stats["rejected"].values()) == len(rows)


@pytest.mark.parametrize("command", ["sft", "kd", "gkd"])
def test_every_trainer_makes_a_student_that_stops_where_the_template_ends(
    answers: Path, teacher: Path, student: Path, work: Path, command: str
) -> None:
    out = work / command
    words = ["--model", str(student), "--dataset", "answers@1.0.0", "--store", str(answers)]
    words += ["--dataset_config", "instructions", "--max_steps", "2", "--max_length", "200"]
    words += ["--per_device_train_batch_size", "2", "--output_dir", str(out), *LORA]
    if command == "gkd":
        words += ["--teacher_model_name_or_path", str(teacher), "--max_new_tokens", "24"]
    assert train([command, *words]) == 0
    lineage = json.loads((out / "lineage.json").read_text())
    assert lineage["settings"]["eos_token"] == "<|im_end|>"
    status = train(["probe", str(out), "answers@1.0.0", "--store", str(answers)])
    assert status == 0
