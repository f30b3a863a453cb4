"""`train sft` on a real version and a tiny model: masks, loss, resume, adapters, lineage, and bad
input."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train.cli import main
from train.data.versions import DataArguments, training_rows
from train.process import offline_if_local
from train.trainers.lineage import card_of

END, ASSISTANT = "<|end|>", "<|assistant|>"


def flags(base: Path, store: Path, out: Path, **others: Any) -> list[str]:
    values = {
        "dataset": "sums@1.0.0",
        "store": store,
        "model": base,
        "output_dir": out,
        "num_train_epochs": 2,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-3,
        "save_steps": 5,
        "disable_tqdm": True,
    }
    return [
        word for name, value in {**values, **others}.items() for word in (f"--{name}", str(value))
    ]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


@pytest.fixture(scope="module")
def student(base: Path, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve steps on the rationales, a checkpoint after 5, 10 and 12."""
    out = tmp_path_factory.mktemp("students") / "whole"
    assert main(["sft", *flags(base, store, out)]) == 0
    return out


@pytest.fixture
def rows(store: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return pq.read_table(
        next((store / "sums" / "1.0.0" / "rationales").glob("*.parquet"))
    ).to_pylist()


def test_the_batch_learns_the_completion_and_its_end_and_nothing_else(
    base: Path, store: Path, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    """Against a tokenisation of our own: the template written out, the library `tokenizers`
    alone."""
    from tokenizers import Tokenizer

    from train.sft import build, parse_sft

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    expected = {}
    for row in rows:
        question, chain = row["prompt"][0]["content"], row["completion"][0]["content"]
        prompt = tokenizer.encode(
            f"<|user|>{question}{END}{ASSISTANT}", add_special_tokens=False
        ).ids
        completion = tokenizer.encode(f"{chain}{END}", add_special_tokens=False).ids
        expected[(*prompt, *completion)] = [-100] * len(prompt) + completion
    seen = 0
    for batch in build(*parse_sft(flags(base, store, tmp_path))).get_train_dataloader():
        width = batch["input_ids"].shape[1]
        columns = [batch[key].tolist() for key in ("input_ids", "labels", "attention_mask")]
        for ids, labels, mask in zip(*columns, strict=True):
            length = sum(mask)
            assert mask == [1] * length + [0] * (width - length)
            wanted = expected[tuple(ids[:length])]
            assert labels == wanted + [-100] * (width - length)
            assert wanted[-1] == tokenizer.token_to_id(END)
            seen += 1
    assert seen == len(rows)


def test_the_loss_is_the_mean_over_completion_tokens(
    base: Path, store: Path, tmp_path: Path
) -> None:
    import torch

    from train.sft import build, parse_sft

    trainer = build(*parse_sft(flags(base, store, tmp_path)))
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.model.eval()
    with torch.no_grad():
        logits = trainer.model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).logits
        losses = [
            -logits[row, place - 1].log_softmax(-1)[label].item()
            for row, labels in enumerate(batch["labels"].tolist())
            for place, label in enumerate(labels)
            if label != -100
        ]
        found = trainer.compute_loss(trainer.model, dict(batch)).item()
    assert found == pytest.approx(sum(losses) / len(losses), rel=1e-4)


def test_training_learns(student: Path) -> None:
    history = json.loads((student / "checkpoint-12" / "trainer_state.json").read_text())[
        "log_history"
    ]
    assert history[0]["step"] == 10
    assert json.loads((student / "lineage.json").read_text())["result"]["steps"] == 12


def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(
    base: Path, store: Path, student: Path, tmp_path: Path
) -> None:
    """What a kill leaves: a whole checkpoint, and one that was being written. A mark in the whole
    one must survive."""
    out = tmp_path / "killed"
    shutil.copytree(student / "checkpoint-5", out / "checkpoint-5")
    shutil.copytree(student / "checkpoint-10", out / "checkpoint-10")
    (out / "checkpoint-10" / "trainer_state.json").unlink()
    started = json.loads((student / "lineage.json").read_text())
    del started["result"]
    (out / "lineage.json").write_text(json.dumps(started))
    state = out / "checkpoint-5" / "trainer_state.json"
    state.write_text(
        json.dumps(json.loads(state.read_text()) | {"log_history": [{"step": 4, "mark": 1}]})
    )

    assert main(["sft", *flags(base, store, out)]) == 0

    assert same(weights(student), weights(out))
    assert not same(weights(student), weights(base))
    final = json.loads((out / "checkpoint-12" / "trainer_state.json").read_text())
    assert final["log_history"][0] == {"step": 4, "mark": 1}
    assert (student / "lineage.json").read_bytes() == (out / "lineage.json").read_bytes()


def unfinished(student: Path, out: Path) -> Path:
    """A copy of a student whose training was cut off after its last checkpoint."""
    shutil.copytree(student, out)
    (out / "model.safetensors").unlink()
    lineage = json.loads((out / "lineage.json").read_text())
    del lineage["result"]
    (out / "lineage.json").write_text(json.dumps(lineage))
    return out


def halved(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("model.safetensors", halved, "model.safetensors is damaged"),
        ("optimizer.pt", halved, "optimizer.pt is damaged"),
        ("rng_state.pth", halved, "rng_state.pth is damaged"),
        ("trainer_state.json", halved, "trainer_state.json is damaged"),
        ("config.json", halved, "config.json is damaged"),
        ("model.safetensors", Path.unlink, "the file of the weights is damaged"),
        ("optimizer.pt", Path.unlink, "one of optimizer, scheduler and rng_state"),
        ("rng_state.pth", Path.unlink, "one of optimizer, scheduler and rng_state"),
    ],
)
def test_a_checkpoint_that_was_damaged_is_named(
    base: Path,
    store: Path,
    student: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    damage: Callable[[Path], None],
    said: str,
) -> None:
    out = unfinished(student, tmp_path / "out")
    damage(out / "checkpoint-12" / name)
    assert main(["sft", *flags(base, store, out)]) == 2
    assert f"{out / 'checkpoint-12'}: {said}" in capsys.readouterr().err
    shutil.rmtree(out / "checkpoint-12")
    assert main(["sft", *flags(base, store, out)]) == 0
    assert same(weights(out), weights(student))


def test_cut_off_after_the_last_step_no_further_one_is_taken(
    base: Path, store: Path, tmp_path: Path
) -> None:
    """Eight steps end within the second epoch of six."""
    words = {"max_steps": 8, "save_steps": 4, "lr_scheduler_type": "constant"}
    whole = tmp_path / "whole"
    assert main(["sft", *flags(base, store, whole, **words)]) == 0
    out = unfinished(whole, tmp_path / "out")
    assert main(["sft", *flags(base, store, out, **words)]) == 0
    assert same(weights(out), weights(whole))
    assert (out / "lineage.json").read_bytes() == (whole / "lineage.json").read_bytes()
    assert sorted(path.name for path in out.glob("checkpoint-*")) == [
        "checkpoint-4",
        "checkpoint-8",
    ]


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(f): (f.read_bytes(), f.stat().st_mtime_ns) for f in folder.rglob("*") if f.is_file()
    }


def test_the_command_of_a_finished_training_changes_nothing(
    base: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["sft", *flags(base, store, out, max_steps=2, save_strategy="no")]
    assert main(words) == 0
    assert f"written to {out}; next: train evaluate" in capsys.readouterr().out
    before = files(out)
    assert main(words) == 0
    assert "already holds this finished student; nothing was trained" in capsys.readouterr().out
    assert files(out) == before


@pytest.mark.parametrize(
    "changes", [{"seed": 7}, {"learning_rate": 1e30}, {"use_peft": True}, {"model": "out"}], ids=str
)
def test_a_student_is_not_overwritten_by_another(
    base: Path,
    store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
) -> None:
    out = tmp_path / "out"
    settings = {"max_steps": 2, "save_strategy": "no"}
    assert main(["sft", *flags(base, store, out, **settings)]) == 0
    before = files(out)
    changes = {name: out if value == "out" else value for name, value in changes.items()}
    assert main(["sft", *flags(base, store, out, **settings, **changes)]) == 2
    [line] = [
        found for found in capsys.readouterr().err.splitlines() if found.startswith("train: ")
    ]
    assert "holds another training" in line or "it is the base's own folder" in line
    assert files(out) == before


def test_a_folder_with_somebodys_files_is_left_alone(
    base: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("mine")
    assert main(["sft", *flags(base, store, tmp_path, max_steps=1)]) == 2
    assert f"{tmp_path} holds README.md and no lineage.json of a student" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]


def test_settings_that_change_the_weights_are_in_the_lineage(
    base: Path, store: Path, tmp_path: Path
) -> None:
    from train.sft import build, parse_sft

    template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    (tmp_path / "template.jinja").write_text(template)

    def settings(**others: Any) -> dict[str, Any]:
        return build(*parse_sft(flags(base, store, tmp_path / "out", **others))).lineage["settings"]

    plain = settings()
    for name, value, told in [
        ("dtype", "bfloat16", "bfloat16"),
        ("attn_implementation", "eager", "eager"),
        ("dataloader_drop_last", True, True),
        ("model_init_kwargs", '{"use_cache": false}', {"use_cache": False}),
        (
            "chat_template_path",
            tmp_path / "template.jinja",
            f"sha256:{hashlib.sha256(template.encode()).hexdigest()}",
        ),
    ]:
        assert settings(**{name: value}) == plain | {name: told}


def test_checkpoints_of_another_training_are_refused(
    base: Path, store: Path, student: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (student / "lineage.json").read_bytes()
    assert (
        main(["sft", *flags(base, store, student, learning_rate=1e-4, dataset_config="answers")])
        == 2
    )
    line = capsys.readouterr().err.splitlines()[-1]
    assert "settings.learning_rate was 0.001, now 0.0001" in line
    assert 'dataset.config was "rationales", now "answers"' in line
    assert (student / "lineage.json").read_bytes() == before


def test_lineage_and_card_name_version_hash_base_and_settings(
    base: Path, store: Path, student: Path
) -> None:
    lineage = json.loads((student / "lineage.json").read_text())
    version = json.loads((store / "sums" / "1.0.0" / "lineage.json").read_text())
    assert lineage["dataset"] == {
        "name": "sums",
        "version": "1.0.0",
        "content_sha256": version["content_sha256"],
        "config": "rationales",
        "rows": 24,
    }
    assert lineage["base"]["name"] == base.name
    assert lineage["settings"]["learning_rate"] == 1e-3
    assert str(store) not in (student / "lineage.json").read_text()
    card = (student / "README.md").read_text()
    assert version["content_sha256"] in card
    assert "1.0.0" in card
    assert str(base) not in card


def test_yaml_equals_flags(base: Path, store: Path, student: Path, tmp_path: Path) -> None:
    words = flags(base, store, tmp_path / "out")
    lines = [
        f"{name.removeprefix('--')}: {value}"
        for name, value in zip(words[::2], words[1::2], strict=True)
    ]
    text = "\n".join(lines).replace("learning_rate: 0.001", "learning_rate: 5")
    (tmp_path / "sft.yaml").write_text(text)
    assert main(["sft", f"--config={tmp_path / 'sft.yaml'}", "--learning_rate", "0.001"]) == 0
    assert (tmp_path / "out" / "lineage.json").read_bytes() == (
        student / "lineage.json"
    ).read_bytes()
    assert same(weights(tmp_path / "out"), weights(student))


def test_a_key_that_is_no_flag_is_named(
    base: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sft.yaml").write_text("learning_rate: 1.0e-3\nlearning_rat: 2\n")
    assert (
        main(["sft", *flags(base, store, tmp_path / "out"), "--config", str(tmp_path / "sft.yaml")])
        == 2
    )
    (tmp_path / "null.yaml").write_text("seed: null\nmax_length: null\n")
    assert (
        main(
            ["sft", *flags(base, store, tmp_path / "out"), "--config", str(tmp_path / "null.yaml")]
        )
        == 2
    )
    said = capsys.readouterr().err
    assert "train: --config: seed is null: leave it out for its default" in said
    assert (
        "train: no flag --learning_rat with these settings, which use SFTConfig "
        "(train sft --help lists" in said
    )


def test_rows_that_are_cut_are_counted(
    base: Path,
    store: Path,
    tmp_path: Path,
    rows: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The tokenizer has one token a byte, and three tokens stand around question and chain besides
    the end."""
    lengths = [
        4 + len(r["prompt"][0]["content"]) + len(r["completion"][0]["content"]) for r in rows
    ]
    limit = sorted(lengths)[len(lengths) // 2]
    longer = sum(length > limit for length in lengths)
    assert 0 < longer < len(rows)
    assert main(["sft", *flags(base, store, tmp_path / "out", max_length=limit, max_steps=1)]) == 0
    assert f"{longer} of {len(rows)} rows have more than {limit} tokens" in caplog.text
    assert "no token of their completion left" not in caplog.text


def test_rows_whose_prompt_fills_the_length_are_counted(
    base: Path,
    store: Path,
    tmp_path: Path,
    rows: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Prompts end with the tokens that start and end the question, and the one that starts the
    answer."""
    prompts = [3 + len(row["prompt"][0]["content"]) for row in rows]
    limit = sorted(prompts)[len(prompts) // 2]
    lost = sum(length >= limit for length in prompts)
    assert 0 < lost < len(rows)
    assert main(["sft", *flags(base, store, tmp_path / "out", max_length=limit, max_steps=1)]) == 0
    assert f"{lost} of these have no token of their completion left" in caplog.text


def test_an_adapter_is_trained_and_answers(base: Path, store: Path, tmp_path: Path) -> None:
    import asyncio

    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from datagen.teacher import Request, Sampling, connect

    out = tmp_path / "adapter"
    before = (base / "model.safetensors").read_bytes()
    lora = {"use_peft": True, "lora_r": 4, "lora_target_modules": "all-linear", "max_steps": 3}
    assert main(["sft", *flags(base, store, out, **lora)]) == 0
    assert (base / "model.safetensors").read_bytes() == before
    assert json.loads((out / "lineage.json").read_text())["settings"]["lora_r"] == 4
    card = (out / "README.md").read_text()
    assert card == card_of(json.loads((out / "lineage.json").read_text()))
    assert card == (out / "checkpoint-3" / "README.md").read_text()
    assert str(base) not in card
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), out)
    ups = [p for name, p in adapted.named_parameters() if "lora_B" in name]
    assert len(ups) == 14
    assert all(torch.count_nonzero(p) for p in ups)

    async def answer() -> str:
        teacher = connect(f"hf:{out}")
        found = await teacher.complete(
            Request((("user", "Hello"),), sampling=Sampling(temperature=0, max_tokens=4))
        )
        await teacher.close()
        return found[0].finish_reason

    assert asyncio.run(answer()) in ("stop", "length")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"dataset": "nothing@1.0.0"}, "nothing"),
        ({"dataset": "sums@9.0.0"}, "1.0.0"),
        ({"dataset_config": "chains"}, "has no config"),
        ({"limit": 0}, "--limit 0: at least one row is needed"),
        (
            {"max_length": 5},
            "--max_length 5: the prompt of every row is that long, so no completion is left",
        ),
        ({"model": "/no/such/model"}, "cannot open the model /no/such/model: no such folder"),
        ({"learning_rate": "fast"}, "invalid float value: 'fast'"),
        ({"no_such_flag": 1}, "--no_such_flag"),
        ({"config": "/no/such.yaml"}, "/no/such.yaml: cannot read it"),
        (
            {"eval_strategy": "steps", "eval_steps": 5},
            "--eval_strategy: a version has no evaluation split",
        ),
        (
            {"per_device_train_batch_size": 0},
            "--per_device_train_batch_size 0: at least 1 is needed",
        ),
        (
            {"gradient_accumulation_steps": 0},
            "--gradient_accumulation_steps 0: at least 1 is needed",
        ),
        ({"learning_rate": -1}, "--learning_rate -1.0: a number of at least 0 is needed"),
        (
            {"num_train_epochs": 0},
            "--num_train_epochs 0.0: without --max_steps more than 0 is needed",
        ),
        (
            {"resume_from_checkpoint": "x"},
            "goes on by itself from the last whole checkpoint of its --output_dir",
        ),
        (
            {"output_dir": __file__},
            f"--output_dir {__file__}: {__file__} is no folder that can be written to",
        ),
        ({"output_dir": f"{__file__}/x"}, f"{__file__} is no folder that can be written to"),
        ({"max_length": -3}, "--max_length -3: at least 1 is needed"),
        ({"lr_scheduler_kwargs": '{"foo": 1}'}, "foo"),
        ({"lr_scheduler_type": "cosine_with_min_lr"}, "min_lr"),
        ({"adam_beta1": 2}, "Invalid beta parameter"),
        ({"model_init_kwargs": '{"foo": 1}'}, "foo"),
        (
            {"consistency_weight": "inf"},
            "--consistency_weight inf: a number of at least 0 is needed",
        ),
        ({"temperature": "inf"}, "--temperature inf: a number above 0 is needed"),
        (
            {"hub_token": "hf_x"},
            "--hub_token would be stored in the student's folder: set the variable HF_TOKEN",
        ),
        ({"chat_template_path": "/no/such"}, "/no/such"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input_is_one_line(
    base: Path,
    store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    line: str,
) -> None:
    assert main(["sft", *flags(base, store, tmp_path / "out", **changes)]) == 2
    errors = [
        found for found in capsys.readouterr().err.splitlines() if found.startswith("train: ")
    ]
    assert len(errors) == 1
    assert line in errors[0]
    assert not (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("package", "changes"),
    [
        ("liger_kernel", {"use_liger_kernel": True}),
        ("wandb", {"report_to": "wandb"}),
        ("bitsandbytes", {"optim": "adamw_8bit"}),
        ("deepspeed", {"deepspeed": "x.json"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_package_that_is_not_installed_is_named(
    base: Path,
    store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    package: str,
    changes: dict[str, Any],
) -> None:
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    assert main(["sft", *flags(base, store, tmp_path / "out", **changes)]) == 2
    [line] = [
        found for found in capsys.readouterr().err.splitlines() if found.startswith("train: ")
    ]
    assert package.replace("_", "-") in line


@pytest.mark.parametrize(
    ("words", "offline"), [([], "1"), (["--push_to_hub"], None), (["--push_to_hub", "no"], "1")]
)
def test_what_is_all_here_asks_nothing_over_the_network_unless_the_student_is_to_go_there(
    base: Path,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    offline: str | None,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "")  # so that it is put back in the end
    monkeypatch.delenv("HF_HUB_OFFLINE")
    offline_if_local([*flags(base, store, tmp_path / "out"), *words])
    assert os.environ.get("HF_HUB_OFFLINE") == offline


def test_missing_columns_are_named_with_those_there() -> None:
    from datasets import Dataset

    from datagen.errors import UserError

    with pytest.raises(UserError, match="no column completion; the columns there are prompt, text"):
        training_rows(
            Dataset.from_dict({"prompt": ["a"], "text": ["b"]}), DataArguments(dataset="sums@1.0.0")
        )


def test_a_changed_file_of_the_version_is_found_out(
    base: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    file = next((copy / "sums" / "1.0.0" / "rationales").glob("*.parquet"))
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(bytes(content))
    assert main(["sft", *flags(base, copy, tmp_path / "out")]) == 2
    assert "sums" in capsys.readouterr().err


def test_help_imports_no_torch() -> None:
    code = (
        "import sys, train.cli; train.cli.main(['--help']);"
        "print('torch' in sys.modules, 'trl' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "False False"


@pytest.mark.slow
def test_two_processes_train_the_same_student(
    base: Path, store: Path, student: Path, tmp_path: Path
) -> None:
    """Two processes with half the batch each take the steps of one. (`--cpu` would start one
    process a machine.)"""
    launch = [
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "-m", "train.sft"]
    words = flags(base, store, tmp_path / "out", per_device_train_batch_size=2)
    subprocess.run([sys.executable, *launch, *words], check=True, timeout=300)
    lineage = json.loads((tmp_path / "out" / "lineage.json").read_text())
    assert lineage["settings"]["devices"] == 2
    assert lineage["result"]["steps"] == 12
    found, expected = weights(tmp_path / "out"), weights(student)
    assert all(found[name].allclose(expected[name], atol=1e-4) for name in expected)
