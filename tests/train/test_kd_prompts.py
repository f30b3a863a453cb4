"""`train kd --lm_weight`: the same loss on the prompts' tokens, from what `datagen topk --prompts`
stores of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from datagen.cli import main as datagen
from tests.train.conftest import write_run
from tests.train.test_kd import completion_of, flags, refused, trainer_of, weights
from train.cli import main

ALPHA, BETA, K = 0.7, 0.6, 8
MIXED = {"kd_weight": ALPHA, "sft_weight": 1 - ALPHA, "lm_weight": BETA}


def stored_run(folder: Path, teacher: Path, k: int, *more: str) -> Path:
    """A run of rows with what the teacher thinks of them."""
    (folder / "sums").mkdir()
    write_run(folder / "sums")
    words = [
        "--teacher",
        f"hf:{teacher}",
        "--teacher-topk",
        str(k),
        "--out",
        str(folder / "run"),
        *more,
    ]
    assert datagen(["topk", str(folder / "sums"), *words]) == 0
    return folder / "run"


def published(run: Path) -> Path:
    """A store with the run as `sums@1.0.0`."""
    store = run.parent / "store"
    assert datagen(["publish", str(run), "sums", "--store", str(store)]) == 0
    return store


@pytest.fixture(scope="module")
def stored(teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(stored_run(tmp_path_factory.mktemp("topk"), teacher, K, "--prompts"))


@pytest.fixture(scope="module")
def stored_whole(teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of the vocabulary."""
    return published(stored_run(tmp_path_factory.mktemp("whole"), teacher, 261, "--prompts"))


def value(trainer: Any, batch: dict[str, Any]) -> float:
    trainer.model.eval()
    with torch.no_grad():
        return float(trainer.compute_loss(trainer.model, dict(batch)))


def by_hand(batch: dict[str, Any], teacher: Any, student: Any) -> float:
    """(1−α)·CE + α·KL(T‖S) of the completions and β times the same of the prompts, from both
    models' full logits: one row at a time without its padding, one token at a time."""
    parts: dict[bool, list[float]] = {True: [], False: []}
    for row, labels in enumerate(batch["labels"]):
        length = int(batch["attention_mask"][row].sum())
        ids = batch["input_ids"][row, :length]
        with torch.no_grad():
            t, s = (
                model(input_ids=ids[None]).logits[0].double().log_softmax(-1)
                for model in (teacher, student)
            )
        for place in range(1, length):
            p, q = t[place - 1], s[place - 1]
            kl = math.fsum((p.exp() * (p - q)).tolist())
            parts[bool(labels[place] != -100)].append(
                (1 - ALPHA) * -float(q[ids[place]]) + ALPHA * kl
            )
    completion, prompt = (math.fsum(parts[which]) / len(parts[which]) for which in (True, False))
    return completion + BETA * prompt


@pytest.mark.parametrize("max_length", [512, 60])
def test_with_all_tokens_stored_the_loss_is_that_of_the_live_teacher(
    base: Path, stored_whole: Path, teacher: Path, tmp_path: Path, max_length: int
) -> None:
    """Padding, prompts of unequal length and cut rows included; 16 bits leave three digits."""
    from transformers import AutoModelForCausalLM

    trainer = trainer_of(base, stored_whole, tmp_path, max_length=max_length, **MIXED)
    models = [AutoModelForCausalLM.from_pretrained(folder).eval() for folder in (teacher, base)]
    for batch in trainer.get_train_dataloader():
        assert value(trainer, batch) == pytest.approx(by_hand(batch, *models), rel=2e-3)


def test_the_top_tokens_and_the_rest_as_one(base: Path, stored: Path, tmp_path: Path) -> None:
    """Against a loop over the numbers in the Parquet file, in double precision."""
    from transformers import AutoModelForCausalLM

    rows = pq.read_table(next(stored.rglob("rationales/*.parquet"))).to_pylist()
    student = AutoModelForCausalLM.from_pretrained(base).eval()
    found: dict[str, list[float]] = {"teacher_topk": [], "teacher_topk_prompt": []}
    for row in rows[:4]:
        prompt, completion = completion_of(row, base)
        assert row["teacher_topk_prompt"]["tokens"] == prompt[1:]
        with torch.no_grad():
            logp = (
                student(input_ids=torch.tensor([prompt + completion]))
                .logits[0]
                .double()
                .log_softmax(-1)
            )
        for name, first in (("teacher_topk", len(prompt)), ("teacher_topk_prompt", 1)):
            stored_here = row[name]
            for place, (ids, values, tail) in enumerate(
                zip(stored_here["ids"], stored_here["logprobs"], stored_here["tail"], strict=True)
            ):
                q = logp[first + place - 1]
                rest = 1 - math.fsum(math.exp(q[i]) for i in ids)
                kl = [math.exp(p) * (p - float(q[i])) for i, p in zip(ids, values, strict=True)]
                found[name].append(math.fsum(kl) + tail * (math.log(tail) - math.log(rest)))
    means = [math.fsum(values) / len(values) for values in found.values()]
    trainer = trainer_of(base, stored, tmp_path, lm_weight=BETA, limit=4)
    batch = next(iter(trainer.get_train_dataloader()))
    assert value(trainer, batch) == pytest.approx(means[0] + BETA * means[1], rel=1e-4)


def test_completions_and_padding_do_not_touch_the_part_of_the_prompts(
    base: Path, stored: Path, tmp_path: Path
) -> None:
    """Other tokens there, and other numbers stored for them."""
    trainer = trainer_of(base, stored, tmp_path, **MIXED)
    batch = next(iter(trainer.get_train_dataloader()))
    changed = {name: values.clone() for name, values in batch.items()}
    elsewhere = ~batch["prompt_mask"]
    elsewhere[:, 0] = False
    assert not batch["attention_mask"].all()
    changed["input_ids"][elsewhere] = (changed["input_ids"][elsewhere] + 1) % 200
    changed["topk_logprobs"][elsewhere] -= 1
    changed["topk_tail"][elsewhere & (batch["topk_tail"] >= 0)] += 0.1
    parts = []
    for each in (batch, changed):
        trainer.kd = trainer.kd.__class__(**{**vars(trainer.kd), "lm_weight": BETA})
        both = value(trainer, each)
        trainer.kd = trainer.kd.__class__(**{**vars(trainer.kd), "lm_weight": 0.0})
        alone = value(trainer, each | {"prompt_mask": torch.zeros_like(each["prompt_mask"])})
        parts.append((both - alone, alone))
    assert parts[0][0] == pytest.approx(parts[1][0], rel=1e-4)
    assert parts[0][1] != pytest.approx(parts[1][1], rel=1e-2)


def test_batches_in_parts_take_the_step_of_the_whole(
    base: Path, stored: Path, tmp_path: Path
) -> None:
    """Each part is a mean over the step's tokens, however these are batched."""
    found = []
    for name, parts in (
        ("whole", {}),
        ("parts", {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 4}),
    ):
        assert (
            main(["kd", *flags(base, stored, tmp_path / name, max_steps=3, **MIXED, **parts)]) == 0
        )
        found.append(weights(tmp_path / name))
    assert all(found[0][name].allclose(found[1][name], atol=2e-4) for name in found[0])
    assert '"lm_weight": 0.6' in (tmp_path / "whole" / "lineage.json").read_text()


def test_rows_without_a_token_of_their_completion_are_left_out(
    base: Path, stored: Path, tmp_path: Path
) -> None:
    """Some prompts alone are as long as all that is kept."""
    trainer = trainer_of(base, stored, tmp_path, max_length=33, **MIXED)
    assert 0 < len(trainer.train_dataset) < 24
    assert all(math.isfinite(value(trainer, batch)) for batch in trainer.get_train_dataloader())


def test_without_stored_prompts_the_command_that_adds_them_is_named(
    base: Path, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = published(stored_run(tmp_path, teacher, K))
    line = refused(base, store, tmp_path, capsys, lm_weight=1)
    assert "no column teacher_topk_prompt" in line
    assert "`datagen topk --prompts` adds it" in line
    assert "--lm_weight -1.0" in refused(base, store, tmp_path, capsys, lm_weight=-1)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda topk: None, "teacher_topk_prompt of row 0: nothing is stored; --lm_weight needs"),
        (
            lambda topk: topk | {"tokens": [7, *topk["tokens"][1:]]},
            "teacher_topk_prompt of row 0 is of another text",
        ),
        (lambda topk: topk | {"tokens": [7, *topk["tokens"][1:]]}, "token 0 of the prompt was"),
        (
            lambda topk: topk | {"ids": [x[:5] for x in topk["ids"]]},
            "teacher_topk_prompt of row 0: every token needs 8",
        ),
        (
            lambda topk: topk | {"tokenizer": "0123456789abcdef"},
            "teacher_topk_prompt was stored with another tokenizer",
        ),
    ],
    ids=["null", "text", "token", "ids", "tokenizer"],
)
def test_probabilities_of_something_else_are_refused(
    base: Path,
    teacher: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, Any]], dict[str, Any] | None],
    line: str,
) -> None:
    import numpy as np

    run = stored_run(tmp_path, teacher, K, "--prompts")
    table = pq.read_table(run / "rationales.parquet")
    place = table.schema.get_field_index("teacher_topk_prompt")
    field = table.schema.field(place)
    column = [change(row) for row in table["teacher_topk_prompt"].to_pylist()]
    halves = [
        topk and topk | {"logprobs": [np.array(x, dtype=np.float16) for x in topk["logprobs"]]}
        for topk in column
    ]
    pq.write_table(
        table.set_column(place, field, pa.array(halves, type=field.type)),
        run / "rationales.parquet",
    )
    assert line in refused(base, published(run), tmp_path, capsys, lm_weight=1)
