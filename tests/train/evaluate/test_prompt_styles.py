"""A base without a chat template is measured beside a student with one, each in its own way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from datagen.teacher.local.hf import HfTeacher
from train.cli import main
from train.evaluate.contenders import contenders
from train.evaluate.settings import EvaluateSettings


@pytest.fixture
def without_template(base: Path, tmp_path: Path) -> Path:
    """The base, as it was before anybody gave it a chat template."""
    folder = Path(shutil.copytree(base, tmp_path / "plain"))
    (folder / "chat_template.jinja").unlink()
    return folder


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What each model is asked, with the strings at which its text ends, by the model's folder."""
    seen: dict[str, list[Any]] = {}
    complete = HfTeacher.complete

    async def noted(teacher: HfTeacher, request: Any) -> Any:
        place = Path(teacher.path).name
        seen.setdefault(place, []).append((request.prompt, request.sampling.stop))
        return await complete(teacher, request)

    monkeypatch.setattr(HfTeacher, "complete", noted)
    return seen


def evaluated(tmp_path: Path, *words: str) -> dict[str, Any]:
    out = tmp_path / "out"
    numbers = ["--limit", "2", "--samples", "0", "--max_tokens", "3", "--out", str(out)]
    assert main(["evaluate", *words, *numbers]) == 0
    return dict(json.loads((out / "report.json").read_text()))


def test_each_model_is_asked_in_its_own_style(
    base: Path,
    without_template: Path,
    prompts: dict[str, list[Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = evaluated(
        tmp_path, "--base", f"hf:{without_template}", "--students", f"chat=hf:{base}:direct"
    )
    found = [(m["name"], m["mode"], m["prompt_style"]) for m in report["models"]]
    assert found == [
        ("base", "rationale", "plain"),
        ("base", "direct", "plain"),
        ("chat", "direct", "chat"),
    ]
    assert report["settings"]["prompt_style"] == "auto"
    for prompt, stop in prompts["plain"]:
        assert prompt.startswith("Q: ")
        assert prompt.endswith("\nA:")
        assert stop == ("\n\nQ:",)
    for prompt, stop in prompts[base.name]:
        [(role, text)] = prompt
        assert role == "user"
        assert not text.startswith("Q:")
        assert not stop
    # the question and its instructions are the same in both styles
    direct = {f"Q: {prompt[0][1]}\nA:" for prompt, _ in prompts[base.name]}
    assert direct < {prompt for prompt, _ in prompts["plain"]}
    assert "without a chat template: base\n" in capsys.readouterr().out


def test_cases_are_asked_in_the_style_of_each_model_too(
    base: Path, without_template: Path, prompts: dict[str, list[Any]], tmp_path: Path
) -> None:
    words = ["--suite", "in-context/prefix", "--demonstration_seeds", "1"]
    students = [f"plain=hf:{without_template}", f"chat=hf:{base}"]
    evaluated(tmp_path, *words, "--students", *students)
    in_chat = {prompt[0][1] for prompt, _ in prompts[base.name]}
    assert in_chat == {prompt for prompt, _ in prompts["plain"]}


@pytest.mark.parametrize(
    ("spec", "words", "mode", "style"),
    [
        ("hf:{base}", "", "rationale", "chat"),
        ("hf:{base}", ":plain", "rationale", "plain"),
        ("hf:{base}", ":direct:plain", "direct", "plain"),
        ("hf:{base}", ":plain:direct", "direct", "plain"),
        ("hf:{plain}", ":direct", "direct", "plain"),
        ("micro", ":direct", "direct", "chat"),
        ("micro", ":plain", "rationale", "plain"),
        ("openai:llama:chat", "", "rationale", "chat"),  # Ollama has such names
        ("openai:direct", "", "rationale", "chat"),
        ("openai:plain", ":plain", "rationale", "plain"),
    ],
)
def test_the_words_after_a_spec(
    spec: str, words: str, mode: str, style: str, base: Path, without_template: Path, tmp_path: Path
) -> None:
    named = spec.format(base=base, plain=without_template)
    settings = EvaluateSettings(out=tmp_path, students=(f"a={named}{words}",))
    [found] = contenders(settings)
    assert (found.spec, found.mode, found.prompt_style) == (named, mode, style)


def test_one_style_for_all(base: Path, tmp_path: Path) -> None:
    settings = EvaluateSettings(
        out=tmp_path, base=f"hf:{base}", teacher="micro:direct", prompt_style="plain"
    )
    assert [found.prompt_style for found in contenders(settings)] == ["plain"] * 3


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--students a={plain} --prompt_style chat", "has no chat template: leave"),
        ("--students a={base}:direct:rationale", "give one mode, rationale or direct"),
        ("--students a={base}:plain:direct:plain", ":plain once at most"),
        ("--base {base}:direct", "the base is asked in both modes; leave out :direct"),
        ("--base {base} --prompt_style text", "--prompt_style text: auto, chat or plain"),
        ("--base {base} --students a={plain}/no", "the folder does not exist"),
    ],
)
def test_bad_input_is_one_line(
    words: str,
    line: str,
    base: Path,
    without_template: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"base": f"hf:{base}", "plain": f"hf:{without_template}"}
    out = tmp_path / "out"
    assert main(["evaluate", "--out", str(out), *words.format(**places).split()]) == 2
    [error] = capsys.readouterr().err.splitlines()
    assert line in error
    assert not out.exists()
