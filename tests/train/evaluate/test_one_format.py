"""A student is trained on the very string that it is measured on: rows through the trainer against
the prompts of `train evaluate`, as the model sees both."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main as datagen
from datagen.teacher.local.hf import HfTeacher
from tests.datagen.demonstrations.reading import Reading, write_tasks
from tests.datagen.endpoint import Served
from tests.tiny import save_tiny_model
from train.evaluate.cases import answer_cases, read_cases
from train.evaluate.contenders import Contender
from train.evaluate.settings import EvaluateSettings
from train.sft import build, parse_sft


class Speaking(Reading):
    """Reads demonstrations in every format: the last line of a prompt that holds a number is the
    query."""

    def reply(self, body: dict[str, Any], fault: str) -> dict[str, Any]:
        return {
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": "even"},
                }
            ]
        }


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny", context=512)


@pytest.mark.parametrize("format", ["arrow", "qa", "input_output"])
@pytest.mark.parametrize("kind", ["meta-ict", "multitask-ict", "context-distillation"])
def test_what_is_trained_is_what_is_asked(
    format: str, kind: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(format, kind, tmp_path, monkeypatch)
    trained, targets = trained_prompts(model, tmp_path)
    settings = EvaluateSettings(out=tmp_path / "out", suite=("episodes:parity",), max_tokens=1)
    student, teacher = (
        Contender("s", role, f"hf:{model}", "direct") for role in ("student", "teacher")
    )
    assert seen_by(student, model, settings) == sorted(trained)
    assert all(target.startswith(("even", "odd")) for target in targets)
    same = sorted(trained) == seen_by(teacher, model, settings)
    assert same == (kind != "context-distillation")  # there the teacher alone sees demonstrations


def publish(format: str, kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version `parity` of four queries for each task."""
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("EMERGENT_STORE", str(folder / "store"))
    with Served(Speaking()) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        words = [
            "--kind",
            kind,
            "--format",
            format,
            "--shots",
            "1,4",
            "--queries",
            "4",
            "--votes",
            "1",
        ]
        words += ["--teacher", "openai:arith", "--out", str(folder / "run")]
        assert datagen(["demonstrations", str(write_tasks(folder)), *words]) == 0
    assert datagen(["publish", str(folder / "run"), "parity"]) == 0


def trained_prompts(
    model: Path, folder: Path, *, config: str = "demonstrations"
) -> tuple[list[str], list[str]]:
    """What stands before the completion, and from its first token on, in the trainer's own rows."""
    words = [
        "--dataset",
        "parity",
        "--dataset_config",
        config,
        "--model_name_or_path",
        str(model),
    ]
    words += ["--output_dir", str(folder / "student"), "--max_length", "512", "--use_cpu"]
    trainer = build(*parse_sft(words))
    tokenizer, found = trainer.processing_class, []
    for row in trainer.train_dataset:
        parts = [
            [
                token
                for token, label in zip(row["input_ids"], row["labels"], strict=True)
                if (label != -100) == counts
            ]
            for counts in (False, True)
        ]
        assert parts[0] + parts[1] == row["input_ids"]
        found.append([tokenizer.decode(part) for part in parts])
    prompts, targets = zip(*found, strict=True)
    return list(prompts), list(targets)


def seen_by(contender: Contender, model: Path, settings: EvaluateSettings) -> list[str]:
    """The texts that go through the model when it is evaluated, without padding, sorted."""
    teacher, seen = HfTeacher(str(model), name="student"), list[str]()

    def look(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        for ids, mask in zip(kwargs["input_ids"], kwargs["attention_mask"], strict=True):
            if len(ids) > 1:  # a step of decoding has one
                seen.append(teacher.load_tokenizer().decode(ids[mask.bool()]))

    async def evaluate() -> None:
        await teacher.open()
        teacher.model.network.register_forward_pre_hook(look, with_kwargs=True)
        cases = read_cases("episodes:parity", settings)
        await answer_cases(
            teacher, cases, contender=contender, settings=settings, advance=lambda by: None
        )
        await teacher.close()

    asyncio.run(evaluate())
    return sorted(seen)
