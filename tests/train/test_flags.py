"""The flags of the commands that train: dashes and underscores, switches, help, and what libraries
refuse by a traceback."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import datagen
from tests.train.test_sft import flags
from train.cli import main
from train.flags import as_flags, underscored
from train.gkd import MODE_CONDITIONS, command_of, parse_gkd
from train.help import remembered
from train.kd import parse_kd
from train.sft import parse_sft


def dashed(words: list[str]) -> list[str]:
    """The same flags with dashes."""
    return [word.replace("_", "-") if word.startswith("--") else word for word in words]


def equals(words: list[str]) -> list[str]:
    """The same flags as `--flag=value`."""
    return [f"{name}={value}" for name, value in zip(words[::2], words[1::2], strict=True)]


def settings(parts: Any) -> list[Any]:
    """All settings that were parsed, comparable."""
    return [part if isinstance(part, str) else vars(part) for part in parts]


def comparable(parts: Any) -> str:
    """Without what differs from object to object: the state of an accelerator."""
    return re.sub("0x[0-9a-f]+", "", repr(settings(parts)))


@pytest.mark.parametrize("write", [dashed, equals, lambda words: equals(dashed(words))])
def test_every_way_to_write_a_flag_is_the_same(
    base: Path, store: Path, tmp_path: Path, write: Any
) -> None:
    common = flags(base, store, tmp_path, warmup_steps=3)
    own: dict[Any, dict[str, Any]] = {
        parse_sft: {"answer_weight": 0.5, "mixture_rows": 7, "logging_first_step": True},
        parse_kd: {"kd_weight": 0.5, "lm_weight": 2, "model_revision": "main"},
        parse_gkd: {"teacher_model_name_or_path": "micro", "lmbda": 1, "max_new_tokens": 9},
    }
    for parse, others in own.items():
        words = [*common, *(word for k, v in others.items() for word in (f"--{k}", str(v)))]
        assert comparable(parse(write(words))) == comparable(parse(words))


def test_keys_of_a_yaml_file_may_have_dashes(base: Path, store: Path, tmp_path: Path) -> None:
    words = flags(base, store, tmp_path)
    lines = ["answer-weight: 0.25", "max_steps: 3", "logging-first-step: true", "model-revision: a"]
    (tmp_path / "sft.yaml").write_text("\n".join(lines))
    _, training, model, sft = parse_sft([*words, "--config", str(tmp_path / "sft.yaml")])
    assert (sft.answer_weight, training.max_steps, model.model_revision) == (0.25, 3, "a")
    assert training.logging_first_step is True


def test_a_switch_needs_no_value(base: Path, store: Path, tmp_path: Path) -> None:
    words = flags(base, store, tmp_path)
    switches = ["--logging-first-step", "--use_peft", "--no-average-tokens-across-devices"]
    _, training, model, _ = parse_sft([*words, *switches])
    assert training.logging_first_step
    assert model.use_peft
    assert not training.average_tokens_across_devices
    own = ["--teacher_model_name_or_path", "micro", "--cross-tokenizer"]
    assert parse_gkd([*words, *own])[0] == "gold"
    optional = parse_sft([*words, "--completion-only-loss"])[1]  # TRL has no default for it
    assert optional.completion_only_loss is True


def test_values_are_left_alone() -> None:
    words = ["--output-dir", "a-b_c", "--dataset=my-data@1.0.0", "-h"]
    assert underscored(words) == ["--output_dir", "a-b_c", "--dataset=my-data@1.0.0", "-h"]
    assert as_flags({"output-dir": "a-b", "model": "m", "seed": 3}) == {
        "output_dir": "a-b",
        "model_name_or_path": "m",
        "seed": "3",
    }


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the help is remembered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "emergent-distill" / "help"


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The flags that `--help` shows, each with its text."""
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    entries = re.split(r"\n  (?=-)", said.partition("options:")[2])
    found: dict[str, str] = {}
    for entry in entries[1:]:
        names = re.match(r"(?:-h, )?((?:--[\w-]+[^-]*?(?:, )?)+)", entry)
        assert names
        first = re.findall(r"--[\w-]+", names[0])[0]
        assert first not in found, f"{first} is said twice"
        found[first] = " ".join(entry.split())
    return found


@pytest.mark.parametrize("command", ["sft", "kd", "gkd"])
def test_the_help_shows_one_spelling(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = help_of(command, capsys)
    assert {"--dataset", "--learning_rate", "--output_dir", "--model"} <= found.keys()
    assert not [name for name in found if "-" in name.lstrip("-")]
    own = {"sft": "--answer_weight", "kd": "--kd_weight", "gkd": "--cross_tokenizer"}
    assert len(found[own[command]]) > 40  # with its text


def test_the_help_of_gkd_has_the_flags_of_all_modes_with_a_note(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from train.flags import parser_of

    found = help_of("gkd", capsys)
    fields: dict[str, set[str]] = {}
    for mode in MODE_CONDITIONS:
        for kind in parser_of(command_of(mode)).dataclass_types:
            for name in vars(kind)["__dataclass_fields__"]:
                name = "max_new_tokens" if name == "max_completion_length" else name
                fields.setdefault(f"--{name}", set()).add(mode)
    missing = fields.keys() - found.keys() - {"--model_name_or_path"}
    assert not {name for name in missing if not name.startswith("--_")}
    for name, modes in fields.items():
        if name in found:
            noted = {
                mode for mode, words in MODE_CONDITIONS.items() if words in note_of(found[name])
            }
            assert noted == (set() if modes == set(MODE_CONDITIONS) else modes), name
    assert "--teacher_model_server_url" in note_of(found["--loss_top_k"])


def note_of(text: str) -> str:
    return text.partition("(Only with: ")[2].partition(".)")[0]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"dataloader_num_workers": -1}, "--dataloader_num_workers -1: at least 0 is needed"),
        ({"optim_args": "fast"}, "--optim_args fast: NAME=VALUE is needed"),
        ({"optim_args": "a=1,b"}, "--optim_args a=1,b: NAME=VALUE is needed"),
        ({"activation_offloading": True}, "--activation_offloading needs an accelerator"),
        ({"env": "X=1"}, "no flag --env with these settings"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_what_libraries_refuse_by_a_traceback_is_one_line(
    base: Path,
    store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    line: str,
) -> None:
    import torch

    if "activation_offloading" in changes and torch.accelerator.is_available():
        pytest.skip("there is an accelerator")
    assert main(["sft", *flags(base, store, tmp_path / "out", **changes)]) == 2
    [said] = [s for s in capsys.readouterr().err.splitlines() if s.startswith("train: ")]
    assert line in said


def test_a_file_may_set_the_environment(
    base: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setenv("A_NAME", "before")
    (tmp_path / "a.yaml").write_text("env:\n  A_NAME: 7\nmax_steps: 1\n")
    parse_sft([*flags(base, store, tmp_path), f"--config={tmp_path / 'a.yaml'}"])
    assert os.environ["A_NAME"] == "7"


def test_the_help_is_remembered_and_then_needs_no_torch(cache: Path) -> None:
    code = (
        "import sys, train.cli; status = train.cli.main(['kd', '--help']);"
        "print(status, 'torch' in sys.modules)"
    )

    def ask() -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        *text, last = done.stdout.splitlines()
        return "\n".join(text), last

    first, said = ask()
    assert said == "0 True"
    assert ask() == (first, "0 False")
    [file] = cache.iterdir()
    assert first == file.read_text().rstrip("\n")
    names = re.findall(r"^  (?:-h, )?--(\w+)", first, re.MULTILINE)
    assert names.index("kd_weight") < names.index("learning_rate")  # our own flags come first


def test_the_help_is_written_again_when_something_changed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert remembered("sft", lambda: "old") == "old"
    assert remembered("sft", lambda: "new") == "old"
    monkeypatch.setattr("importlib.metadata.version", lambda library: "99.0")
    assert remembered("sft", lambda: "new") == "new"
    assert len(list(cache.iterdir())) == 1


def test_a_home_that_cannot_be_written_to_gives_the_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert remembered("sft", lambda: "text") == "text"


def test_train_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"train {datagen.__version__}\n"
