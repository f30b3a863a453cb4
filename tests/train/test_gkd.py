"""`train gkd`: TRL's trainers behind one command, tokenizers that differ, and bad input. Its loss is
in `test_gkd_definition.py`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import save_tiny_model
from train.cli import main

SHARES = ("0", "0.5", "1")


@pytest.fixture(scope="module")
def stranger(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model whose tokens 10 and 11 have changed places."""
    folder = save_tiny_model(tmp_path_factory.mktemp("strangers") / "stranger", context=512)
    file = folder / "tokenizer.json"
    told = json.loads(file.read_text())
    vocabulary = told["model"]["vocab"]
    names = {number: token for token, number in vocabulary.items()}
    vocabulary[names[10]], vocabulary[names[11]] = 11, 10
    file.write_text(json.dumps(told))
    return folder


def flags(base: Path, store: Path, teacher: Path | str, out: Path, **others: Any) -> list[str]:
    values = {
        "dataset": "sums@1.0.0",
        "store": store,
        "model": base,
        "teacher_model_name_or_path": teacher,
        "output_dir": out,
        "max_steps": 3,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-3,
        "max_new_tokens": 12,
        "save_steps": 2,
        "disable_tqdm": True,
    }
    return [
        word for name, value in {**values, **others}.items() for word in (f"--{name}", str(value))
    ]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("lmbda", SHARES)
def test_each_share_of_own_completions_trains(
    base: Path, store: Path, teacher: Path, tmp_path: Path, lmbda: str
) -> None:
    out = tmp_path / "out"
    assert main(["gkd", *flags(base, store, teacher, out, lmbda=lmbda)]) == 0
    lineage = json.loads((out / "lineage.json").read_text())
    assert lineage["method"] == "gkd"
    told = {
        "trainer": "DistillationTrainer",
        "lmbda": float(lmbda),
        "beta": 0.5,
        "cross_tokenizer": False,
    }
    assert told.items() <= lineage["settings"].items()
    assert lineage["teacher"]["name"] == "teacher"
    assert lineage["result"] == {"steps": 3}
    assert str(tmp_path) not in (out / "lineage.json").read_text() + (out / "README.md").read_text()
    before, after = weights(base), weights(out)
    assert any(not after[name].equal(before[name]) for name in after)


@pytest.mark.parametrize("lmbda", ["0.5", "1"])
def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(
    base: Path, store: Path, teacher: Path, tmp_path: Path, lmbda: str
) -> None:
    """Which steps are the student's own, and what it wrote, included."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(["gkd", *flags(base, store, teacher, whole, lmbda=lmbda, max_steps=4)]) == 0
    shutil.copytree(whole / "checkpoint-2", killed / "checkpoint-2")
    started = json.loads((whole / "lineage.json").read_text())
    del started["result"]
    (killed / "lineage.json").write_text(json.dumps(started))
    assert main(["gkd", *flags(base, store, teacher, killed, lmbda=lmbda, max_steps=4)]) == 0
    found, expected = weights(killed), weights(whole)
    assert all(found[name].equal(expected[name]) for name in expected)


def test_yaml_equals_flags(base: Path, store: Path, teacher: Path, tmp_path: Path) -> None:
    """`max_new_tokens` is TRL's `max_completion_length`."""
    (tmp_path / "gkd.yaml").write_text("lmbda: 1\nmax_new_tokens: 7\nbeta: 1\n")
    words = flags(base, store, teacher, tmp_path / "out", max_steps=1)
    del words[words.index("--max_new_tokens") : words.index("--max_new_tokens") + 2]
    assert main(["gkd", *words, "--config", str(tmp_path / "gkd.yaml")]) == 0
    settings = json.loads((tmp_path / "out" / "lineage.json").read_text())["settings"]
    assert settings["trainer"] == "DistillationTrainer"
    assert (settings["max_new_tokens"], settings["beta"]) == (7, 1.0)


@pytest.mark.parametrize("more", [24, 0], ids=["more", "fewer"])
def test_a_vocabulary_padded_to_another_size_is_the_same(
    base: Path, store: Path, teacher: Path, tmp_path: Path, more: int
) -> None:
    """The student's head has 24 rows more than the teacher's, or the teacher's more than the
    student's."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from train.gkd import build, parse_gkd

    plain = build(*parse_gkd(flags(base, store, teacher, tmp_path / "plain", lmbda=0, beta=0)))
    ids = torch.arange(100)[None]
    folders = {"student": base, "teacher": teacher}
    padded = "student" if more else "teacher"
    model = AutoModelForCausalLM.from_pretrained(folders[padded])
    model.resize_token_embeddings(model.config.vocab_size + 24, mean_resizing=False)
    if padded == "student":
        with torch.no_grad():
            model.lm_head.weight[-24:] = 0
    folders[padded] = tmp_path / "padded"
    model.save_pretrained(folders[padded])
    AutoTokenizer.from_pretrained(base).save_pretrained(folders[padded])
    words = flags(folders["student"], store, folders["teacher"], tmp_path / "out", lmbda=0, beta=0)
    trainer = build(*parse_gkd(words))
    with torch.no_grad():
        logits = trainer.teacher_model(input_ids=ids).logits.softmax(-1)
        expected = plain.teacher_model(input_ids=ids).logits.softmax(-1)
    known = expected.shape[-1]
    assert logits[..., :known].allclose(expected, atol=1e-6)
    assert logits[..., known:].sum() < 1e-6
    for share in ("0", "1"):
        words = flags(
            folders["student"],
            store,
            folders["teacher"],
            tmp_path / share,
            lmbda=share,
            max_steps=1,
        )
        assert main(["gkd", *words]) == 0


def test_another_tokenizer_is_refused_by_its_first_token(
    base: Path, store: Path, stranger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tokenizers import Tokenizer

    line = refused(capsys, flags(base, store, stranger, tmp_path / "out"))
    token = Tokenizer.from_file(str(base / "tokenizer.json")).id_to_token
    assert f"token 10 is {token(10)!r} to the student and {token(11)!r} to the teacher" in line
    assert "--cross_tokenizer" in line


@pytest.mark.parametrize("lmbda", ["0", "1"])
def test_across_tokenizers_gold_aligns_the_text(
    base: Path, store: Path, stranger: Path, tmp_path: Path, lmbda: str
) -> None:
    words = flags(base, store, stranger, tmp_path / "out", lmbda=lmbda, max_steps=2)
    assert main(["gkd", *words, "--cross_tokenizer"]) == 0
    settings = json.loads((tmp_path / "out" / "lineage.json").read_text())["settings"]
    told = {
        "trainer": "GOLDTrainer",
        "use_uld_loss": True,
        "cross_tokenizer": True,
        "lmbda": float(lmbda),
    }
    assert {name: settings[name] for name in told} == told


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"teacher_model_name_or_path": "/no/such"},
            "cannot open the teacher /no/such: no such folder",
        ),
        ({"lmbda": "half"}, "argument --lmbda: invalid float value: 'half'"),
        ({"lmbda": 2}, "--lmbda 2.0: a number from 0 to 1 is needed"),
        (
            {"max_new_tokens": 490},
            "and with --max_new_tokens 490 exceeds the student's context of 512",
        ),
        ({"lmbda": "nan"}, "--lmbda nan: a number from 0 to 1 is needed"),
        ({"beta": 1.5}, "beta must be in [0.0, 1.0], got 1.5"),
        (
            {"packing": True},
            "no flag --packing with these settings, which use GkdConfig",
        ),
        (
            {"per_device_train_batch_size": 32},
            "a step takes 32 rows and the data have 24: lower --per_device_train_batch_size",
        ),
        ({"pad_token": "<none>"}, "--pad_token <none>: the student's tokenizer has no such token"),
        ({"eos_token": "<end>"}, "--eos_token <end>: the tokenizer has no such token"),
        ({"chat_template_path": "/no/such"}, "--chat_template_path /no/such: no text file"),
        ({"use_vllm": True}, "vLLM is not available and `use_vllm` is set to True"),
        ({"temperature": 0}, "--temperature 0.0: a number above 0 is needed"),
        ({"temperature": "nan", "lmbda": 1}, "--temperature nan: a number above 0 is needed"),
        ({"max_new_tokens": 0}, "--max_new_tokens 0: at least 1 is needed"),
        ({"max_length": 0}, "--max_length 0: at least 1 is needed"),
        (
            {"max_length": 20},
            "its prompt fills --max_length 20 and leaves no room for the completion",
        ),
        ({"dataset_config": "nothing"}, "has no config 'nothing'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_settings_are_one_line(
    base: Path,
    store: Path,
    teacher: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    line: str,
) -> None:
    assert line in refused(capsys, flags(base, store, teacher, tmp_path / "out", **changes))


def test_no_teacher_is_one_line(
    base: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = flags(base, store, "x", tmp_path / "out")
    place = words.index("--teacher_model_name_or_path")
    line = refused(capsys, [*words[:place], *words[place + 2 :]])
    assert "--teacher_model_name_or_path is missing: micro, a folder" in line


@pytest.mark.parametrize("lmbda", ["0", "1"])
def test_a_loss_that_is_no_number_stops_the_training(
    base: Path,
    store: Path,
    teacher: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lmbda: str,
) -> None:
    """At lambda = 1 already the student's own completion cannot be sampled."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[0, 0] = torch.nan
    model.save_pretrained(tmp_path / "broken")
    AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path / "broken")
    words = flags(tmp_path / "broken", store, teacher, tmp_path / "out", lmbda=lmbda)
    assert "the loss is nan in step 1: no row of the batch has a finite" in refused(capsys, words)


def refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    """The one line that is said."""
    out = Path(words[words.index("--output_dir") + 1])
    assert main(["gkd", *words]) == 2
    errors = [
        found for found in capsys.readouterr().err.splitlines() if found.startswith("train: ")
    ]
    assert len(errors) == 1
    assert not (out / "model.safetensors").exists()
    return errors[0]
