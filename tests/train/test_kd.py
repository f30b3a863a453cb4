"""`train kd`: stored probabilities against the live teacher's, the student that comes of them, and
bad input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from datagen.cli import main as datagen
from datagen.teacher.tokens import tokenizer_fingerprint
from tests.train.conftest import write_run
from train.cli import main

END, ASSISTANT = "<|end|>", "<|assistant|>"
Change = Callable[[dict[str, Any]], dict[str, Any] | None]


@pytest.fixture(scope="module")
def teacher(base: Path) -> Any:
    """A model of the same vocabulary with other weights."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn_like(weight)
    return model


def completion_of(row: dict[str, Any], base: Path) -> tuple[list[int], list[int]]:
    """Tokens of prompt and completion, the template written out and the library `tokenizers`
    alone."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    texts = (
        f"<|user|>{row['prompt'][0]['content']}{END}{ASSISTANT}",
        f"{row['completion'][0]['content']}{END}",
    )
    prompt, completion = (tokenizer.encode(text, add_special_tokens=False).ids for text in texts)
    return prompt, completion


def topk_of(row: dict[str, Any], base: Path, teacher: Any, k: int) -> dict[str, Any]:
    """What a teacher thinks of a row's completion, in the form of the column."""
    from transformers import AutoTokenizer

    prompt, completion = completion_of(row, base)
    with torch.no_grad():
        logits = teacher(input_ids=torch.tensor([prompt + completion])).logits[
            0, len(prompt) - 1 : -1
        ]
    probabilities = logits.double().softmax(-1)
    top = probabilities.topk(k)
    return {
        "tokens": completion,
        "ids": top.indices.tolist(),
        "logprobs": top.values.log().half().numpy().tolist(),
        "tail": (1 - top.values.sum(-1)).clamp(min=0).tolist(),
        "tokenizer": tokenizer_fingerprint(AutoTokenizer.from_pretrained(base)),
    }


def store_of(
    folder: Path, base: Path, teacher: Any, *, k: int, change: Change = lambda topk: topk
) -> Path:
    """A store that holds `sums@1.0.0` with the teacher's probabilities."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    run = folder / "run"
    run.mkdir()
    write_run(run)
    file = run / "rationales.parquet"
    table = pq.read_table(file)
    found = [change(topk_of(row, base, teacher, k)) for row in table.to_pylist()]
    halves = [
        topk and topk | {"logprobs": [np.array(x, dtype=np.float16) for x in topk["logprobs"]]}
        for topk in found
    ]
    lists = [
        ("ids", pa.list_(pa.list_(pa.int32()))),
        ("logprobs", pa.list_(pa.list_(pa.float16()))),
    ]
    kind = pa.struct(
        [
            ("tokens", pa.list_(pa.int32())),
            *lists,
            ("tail", pa.list_(pa.float32())),
            ("tokenizer", pa.string()),
        ]
    )
    pq.write_table(table.append_column("teacher_topk", pa.array(halves, type=kind)), file)
    assert datagen(["publish", str(run), "sums", "--store", str(folder / "store")]) == 0
    return folder / "store"


@pytest.fixture(scope="module")
def stored(base: Path, teacher: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_of(tmp_path_factory.mktemp("topk"), base, teacher, k=8)


@pytest.fixture(scope="module")
def stored_whole(base: Path, teacher: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of the vocabulary."""
    return store_of(tmp_path_factory.mktemp("whole"), base, teacher, k=teacher.config.vocab_size)


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


def trainer_of(base: Path, store: Path, out: Path, **others: Any) -> Any:
    from train.kd import build, parse_kd

    return build(*parse_kd(flags(base, store, out, **others)))


@pytest.fixture(scope="module")
def student(base: Path, stored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("students") / "kd"
    assert main(["kd", *flags(base, stored, out)]) == 0
    return out


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def by_hand(batch: dict[str, Any], teacher: Any, student: Any, kind: str) -> tuple[float, float]:
    """Mean divergence from the live teacher and mean cross-entropy, over the labels of a batch, one
    by one."""
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        t, s = (model(**inputs).logits.double().log_softmax(-1) for model in (teacher, student))
    kl, nll = [], []
    for row, labels in enumerate(batch["labels"].tolist()):
        for place, label in enumerate(labels):
            if label != -100:
                p, q = t[row, place - 1], s[row, place - 1]
                p, q = (q, p) if kind == "reverse_kl" else (p, q)
                kl.append(float((p.exp() * (p - q)).sum()))
                nll.append(-float(s[row, place - 1, label]))
    return sum(kl) / len(kl), sum(nll) / len(nll)


@pytest.mark.parametrize("kind", ["forward_kl", "reverse_kl"])
@pytest.mark.parametrize("max_length", [512, 60])
def test_with_all_tokens_stored_the_loss_is_that_of_the_live_teacher(
    base: Path, stored_whole: Path, teacher: Any, tmp_path: Path, kind: str, max_length: int
) -> None:
    """Padding, prompts of unequal length and cut rows included; 16 bits leave three digits."""
    others = {"divergence": kind, "kd_weight": 0.7, "sft_weight": 0.3, "max_length": max_length}
    trainer = trainer_of(base, stored_whole, tmp_path, **others)
    trainer.model.eval()
    seen = 0
    for batch in trainer.get_train_dataloader():
        kl, nll = by_hand(batch, teacher, trainer.model, kind)
        with torch.no_grad():
            found = trainer.compute_loss(trainer.model, dict(batch)).item()
        assert found == pytest.approx(0.7 * kl + 0.3 * nll, rel=2e-3)
        seen += len(batch["labels"])
    assert seen > 8


def test_top_tokens_bound_the_full_divergence_from_below(
    base: Path, stored: Path, stored_whole: Path, tmp_path: Path
) -> None:
    found = []
    for store in (stored, stored_whole):
        trainer = trainer_of(base, store, tmp_path)
        batch = next(iter(trainer.get_train_dataloader()))
        found.append(trainer.compute_loss(trainer.model, batch).item())
    assert 0.3 * found[1] < found[0] < found[1]


def test_the_student_comes_nearer_to_its_teacher(
    base: Path, stored: Path, student: Path, teacher: Any, tmp_path: Path
) -> None:
    """By the full divergence, which training never saw."""
    from transformers import AutoModelForCausalLM

    trainer = trainer_of(base, stored, tmp_path)
    batch = next(iter(trainer.get_train_dataloader()))
    before, after = (
        by_hand(batch, teacher, AutoModelForCausalLM.from_pretrained(folder).eval(), "forward_kl")[
            0
        ]
        for folder in (base, student)
    )
    assert after < 0.8 * before


def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(
    base: Path, stored: Path, student: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    shutil.copytree(student / "checkpoint-5", out / "checkpoint-5")
    started = json.loads((student / "lineage.json").read_text())
    del started["result"]
    (out / "lineage.json").write_text(json.dumps(started))
    assert main(["kd", *flags(base, stored, out)]) == 0
    found, expected = weights(out), weights(student)
    assert all(found[name].equal(expected[name]) for name in expected)
    assert (student / "lineage.json").read_bytes() == (out / "lineage.json").read_bytes()


def test_batches_in_parts_take_the_step_of_the_whole(
    base: Path, stored: Path, student: Path, tmp_path: Path
) -> None:
    parts = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 4}
    assert main(["kd", *flags(base, stored, tmp_path / "out", **parts)]) == 0
    found, expected = weights(tmp_path / "out"), weights(student)
    assert all(found[name].allclose(expected[name], atol=2e-4) for name in expected)


def test_lineage_says_what_was_distilled(student: Path) -> None:
    lineage = json.loads((student / "lineage.json").read_text())
    assert lineage["method"] == "kd"
    told = {"kd_weight": 1.0, "sft_weight": 0.0, "divergence": "forward_kl", "temperature": 1.0}
    assert told.items() <= lineage["settings"].items()
    assert "kd\\_weight" in (student / "README.md").read_text()


def test_a_mixture_is_a_few_lines_of_yaml(base: Path, stored: Path, tmp_path: Path) -> None:
    (tmp_path / "kd.yaml").write_text(
        "kd_weight: 1\nsft_weight: 0.5\ndivergence: jsd\ntemperature: 2\n"
    )
    words = [
        *flags(base, stored, tmp_path / "out", max_steps=2),
        "--config",
        str(tmp_path / "kd.yaml"),
    ]
    assert main(["kd", *words]) == 0
    settings = json.loads((tmp_path / "out" / "lineage.json").read_text())["settings"]
    assert (settings["sft_weight"], settings["divergence"], settings["temperature"]) == (
        0.5,
        "jsd",
        2.0,
    )


def test_an_adapter_learns_too(base: Path, stored: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    lora = {"use_peft": True, "lora_r": 4, "lora_target_modules": "all-linear", "max_steps": 3}
    assert main(["kd", *flags(base, stored, tmp_path / "out", **lora)]) == 0
    found = load_file(tmp_path / "out" / "adapter_model.safetensors")
    ups = [weight for name, weight in found.items() if "lora_B" in name]
    assert len(ups) == 14
    assert all(torch.count_nonzero(weight) for weight in ups)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"packing": True}, "--packing True does not work with train kd; False does"),
        ({"truncation_mode": "keep_end"}, "--truncation_mode: train kd needs keep_start"),
        (
            {"divergence": "kl"},
            "--divergence kl: there are forward_kl, reverse_kl, jsd, skewed_kl, total_variation",
        ),
        ({"temperature": "nan"}, "--temperature nan: a number above 0 is needed"),
        ({"kd_weight": "nan"}, "--kd_weight and --sft_weight: at least one above 0"),
        ({"kd_weight": "inf"}, "--kd_weight and --sft_weight: at least one above 0"),
        ({"temperature": 0}, "--temperature 0.0: a number above 0 is needed"),
        ({"kd_weight": 0}, "--kd_weight and --sft_weight: at least one above 0"),
        ({"dataset_config": "answers"}, "no column teacher_topk; the columns there are id, method"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_settings_are_one_line(
    base: Path,
    stored: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    line: str,
) -> None:
    assert line in refused(base, stored, tmp_path, capsys, **changes)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda topk: topk | {"tokenizer": "0123456789abcdef"},
            "was stored with another tokenizer (0123456789abcdef)",
        ),
        (
            lambda topk: topk | {"tokens": [*topk["tokens"][:3], 7, *topk["tokens"][4:]]},
            "token 3 of the completion",
        ),
        (
            lambda topk: topk | {"tail": topk["tail"][:-1]},
            "every token needs 8 ids and log-probabilities, and a tail",
        ),
        (
            lambda topk: topk | {"ids": [topk["ids"][0][:5], *topk["ids"][1:]]},
            "of row 0: every token needs",
        ),
        (
            lambda topk: topk | {"ids": [[260 + 8, *x[1:]] for x in topk["ids"]]},
            "row 0: the tokenizer has no token 268",
        ),
        (lambda topk: None, "row 0: nothing is stored"),
        (
            lambda topk: topk | {"tail": [float("nan"), *topk["tail"][1:]]},
            "of row 0: a log-probability or a tail is",
        ),
        (
            lambda topk: topk | {"logprobs": [[1.0] * 8, *topk["logprobs"][1:]]},
            "of row 0: a log-probability or a",
        ),
        (
            lambda topk: (
                topk | {"tokenizer": "0123456789abcdef", "tokens": [7, *topk["tokens"][1:]]}
            ),
            "token 0 of row 0's completion is 21 ('6') for the student, and 7 is stored;",
        ),
    ],
    ids=["tokenizer", "text", "tail", "ids", "vocabulary", "null", "nan", "range", "token"],
)
def test_probabilities_of_something_else_are_refused(
    base: Path,
    teacher: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Change,
    line: str,
) -> None:
    assert line in refused(
        base, store_of(tmp_path, base, teacher, k=8, change=change), tmp_path, capsys
    )


def refused(
    base: Path, store: Path, folder: Path, capsys: pytest.CaptureFixture[str], **changes: Any
) -> str:
    """The one line that is said."""
    assert main(["kd", *flags(base, store, folder / "out", **changes)]) == 2
    errors = [
        found for found in capsys.readouterr().err.splitlines() if found.startswith("train: ")
    ]
    assert len(errors) == 1
    assert not (folder / "out" / "model.safetensors").exists()
    return errors[0]


def test_a_fingerprint_follows_the_vocabulary_not_its_padding(base: Path) -> None:
    from transformers import AutoTokenizer

    one, other = (AutoTokenizer.from_pretrained(base) for _ in range(2))
    assert tokenizer_fingerprint(one) == tokenizer_fingerprint(other)
    other.add_tokens(["<|new|>"])
    assert tokenizer_fingerprint(one) != tokenizer_fingerprint(other)
