"""What the commands say where a chat template does not fit: one line, with the template's own words
and the row, and a hint that the command can follow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main as datagen
from datagen.running import run_coroutine
from datagen.teacher import Refused, Request, Sampling, connect
from tests.chat_models import save_chat_model, templates
from train.cli import main

CUTTING = templates()["deepseek_r1_distill"]
NO_SYSTEM = templates()["gemma"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_chat_model(tmp_path_factory.mktemp("models") / "model", templates()["lfm2"])


def with_template(model: Path, folder: Path, template: str | None) -> Path:
    """The model with another chat template, or none."""
    shutil.copytree(model, folder)
    (folder / "chat_template.jinja").unlink()
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def published(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """A store with the rows as `rows@1.0.0`."""
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert datagen(["filter", str(folder / "rows.jsonl"), "--out", str(folder / "run")]) == 0
    assert datagen(["publish", str(folder / "run"), "rows", "--store", str(folder / "store")]) == 0
    return folder / "store"


@pytest.fixture(scope="module")
def thoughts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {
            "instruction": f"Double {n}.",
            "input": "",
            "output": f"<think>\n{n} and {n}.\n</think>\n{2 * n}",
        }
        for n in (8, 21)
    ]
    return published(tmp_path_factory.mktemp("thoughts") / "of", rows)


def flags(model: Path, store: Path, out: Path, *more: str) -> list[str]:
    return [
        *("--model", str(model), "--dataset", "rows@1.0.0", "--dataset_config", "instructions"),
        *("--store", str(store), "--output_dir", str(out), "--max_steps", "1", *more),
    ]


def gkd_of(teacher: Path) -> tuple[str, ...]:
    """The flags of a teacher, with steps of a row."""
    return "--teacher_model_name_or_path", str(teacher), "--per_device_train_batch_size", "1"


def line(capsys: pytest.CaptureFixture[str], program: str = "train") -> str:
    """The one line of an error."""
    errors = capsys.readouterr().err
    assert "Traceback" not in errors
    [found] = [text for text in errors.splitlines() if text.startswith(f"{program}: ")]
    return found


@pytest.mark.parametrize("command", ["sft", "gkd"])
def test_a_template_that_cuts_thoughts_is_refused(
    model: Path, thoughts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    base = with_template(model, tmp_path / "base", CUTTING)
    more = (*gkd_of(model), "--lmbda", "0") if command == "gkd" else ()
    assert main([command, *flags(base, thoughts, tmp_path / "out", *more)]) == 2
    found = line(capsys)
    assert "the chat template leaves out 25 characters of the completion of " in found
    assert "('<think> 8 and 8. </think>')" in found
    assert found.endswith("; give another with --chat_template_path")
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_probabilities_of_a_cut_completion_are_not_stored(
    model: Path, thoughts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = with_template(model, tmp_path / "teacher", CUTTING)
    words = ["rows@1.0.0", "--store", str(thoughts), "--out", str(tmp_path / "run")]
    assert datagen(["topk", *words, "--teacher", f"hf:{teacher}", "--teacher-topk", "4"]) == 2
    assert "leaves out 25 characters of the completion of row " in line(capsys, "datagen")


def test_a_teacher_that_refuses_a_turn_fails_that_request_with_its_words(
    model: Path, tmp_path: Path
) -> None:
    teacher = connect(f"hf:{with_template(model, tmp_path / 'teacher', NO_SYSTEM)}")
    user = ("user", "Name a sea.")
    words = "the chat template refuses the conversation: System role not supported"

    async def ask() -> None:
        sampling = Sampling(max_tokens=2)
        with pytest.raises(Refused) as error:
            await teacher.complete(Request((("system", "Be brief."), user), sampling=sampling))
        assert str(error.value) == words
        with pytest.raises(Refused):
            await teacher.score((("system", "Be brief."), user), "Baltic")
        assert len(await teacher.complete(Request((user,), sampling=sampling))) == 1
        await teacher.close()

    run_coroutine(ask())


def test_a_base_without_a_template_gets_a_hint_that_the_command_can_follow(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = with_template(model, tmp_path / "teacher", None)
    (tmp_path / "rows.jsonl").write_text('{"instruction": "Name a sea."}\n')
    words = [str(tmp_path / "rows.jsonl"), "--teacher", f"hf:{teacher}"]
    assert datagen(["respond", *words, "--out", str(tmp_path / "run")]) == 2
    found = line(capsys, "datagen")
    assert "has no chat template" in found
    assert "chat_template.jinja into its folder" in found
    assert "prompt_style" not in found

    words = ["microworld", "--limit", "1", "--teacher", f"hf:{teacher}"]
    assert datagen(["rationales", *words, "--out", str(tmp_path / "chains")]) == 2
    assert "or ask it with --prompt_style plain" in line(capsys, "datagen")

    # the first hint, followed
    (teacher / "chat_template.jinja").write_text(templates()["lfm2"])
    words = [str(tmp_path / "rows.jsonl"), "--teacher", f"hf:{teacher}", "--max_tokens", "4"]
    datagen(["respond", *words, "--out", str(tmp_path / "again")])
    assert "has no chat template" not in capsys.readouterr().err


@pytest.mark.parametrize("change", ["swapped", "longer"])
def test_gkd_needs_the_same_token_at_every_id(
    model: Path, thoughts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    """Two tokens that change places leave the size of the vocabulary as it is."""
    teacher = tmp_path / "teacher"
    shutil.copytree(model, teacher)
    file = json.loads((teacher / "tokenizer.json").read_text())
    vocabulary = file["model"]["vocab"]
    if change == "swapped":
        vocabulary["A"], vocabulary["B"] = vocabulary["B"], vocabulary["A"]
    else:
        last = max(token["id"] for token in file["added_tokens"])
        file["added_tokens"].append(file["added_tokens"][-1] | {"id": last + 1, "content": "<new>"})
    (teacher / "tokenizer.json").write_text(json.dumps(file))
    assert main(["gkd", *flags(model, thoughts, tmp_path / "out", *gkd_of(teacher))]) == 2
    found = line(capsys)
    assert "the student has another tokenizer than its teacher" in found
    assert "--cross_tokenizer" in found
