"""`train gkd`: how the student writes its completions, and what becomes of those of the dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.datagen.endpoint import Served
from tests.train.steps import steps_of, trainer_of
from tests.train.test_gkd import flags
from tests.train.test_gkd_definition import by_loop, opened, same
from tests.train.test_gkd_server import Server
from tests.train.test_kd import completion_of

MODES: dict[str, dict[str, Any]] = {
    "dataset": {"lmbda": 0},
    "own": {"lmbda": 1},
    "server": {"lmbda": 1, "beta": 0},
    "gold": {"lmbda": 1, "cross_tokenizer": True},
}


@pytest.fixture(scope="module")
def url(teacher: Path) -> Iterator[str]:
    with Served(Server(teacher)) as found:
        yield found


def words_of(
    mode: str, base: Path, store: Path, teacher: Path, out: Path, url: str, **others: Any
) -> list[str]:
    own = MODES[mode] | ({"teacher_model_server_url": url} if mode == "server" else {})
    return flags(base, store, teacher, out, **own, **others)


@pytest.mark.parametrize("mode", ["own", "server", "gold"])
def test_gradients_are_checkpointed_and_generation_has_its_cache(
    base: Path, store: Path, teacher: Path, tmp_path: Path, url: str, mode: str
) -> None:
    """Without a cache every token would be generated from the whole text again."""
    told = {"gradient_checkpointing": True, "max_steps": 1, "save_strategy": "no"}
    trainer = trainer_of("gkd", words_of(mode, base, store, teacher, tmp_path, url, **told))
    without, with_gradient = [], []

    def watch(_: Any, __: Any, told: dict[str, Any]) -> None:
        if torch.is_grad_enabled():
            with_gradient.append(trainer.model.is_gradient_checkpointing)
        else:
            without.append(told["input_ids"].shape[1] if "input_ids" in told else 0)

    trainer.model.model.register_forward_pre_hook(watch, with_kwargs=True)
    trainer.train()
    assert with_gradient == [True]
    assert len(without) > 2
    assert without[0] > 1
    assert set(without[1:]) == {1}


@pytest.mark.parametrize("mode", MODES)
def test_the_padding_token_is_the_one_that_is_asked_for(
    base: Path, store: Path, teacher: Path, tmp_path: Path, url: str, mode: str
) -> None:
    told = {"pad_token": "<|system|>", "max_steps": 1}
    trainer = trainer_of("gkd", words_of(mode, base, store, teacher, tmp_path, url, **told))
    assert trainer.lineage["settings"]["pad_token"] == "<|system|>"
    seen: list[Any] = []
    loss = trainer.compute_loss

    def watched(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(inputs)
        return loss(model, inputs, *args, **kwargs)

    trainer.compute_loss = watched
    trainer.train()
    ids, mask = (
        (seen[0]["prompt_ids"], seen[0]["prompt_mask"])
        if "prompt_ids" in seen[0]
        else (seen[0]["input_ids"], seen[0]["attention_mask"])
    )
    [pad] = ids[mask == 0].unique().tolist()
    assert pad == trainer.tokenizer.convert_tokens_to_ids("<|system|>")
    assert trainer.model.generation_config.pad_token_id == pad


def test_a_token_that_ends_completions_can_be_named(
    base: Path, store: Path, teacher: Path, tmp_path: Path
) -> None:
    told = {"eos_token": "<|user|>", "lmbda": 1, "max_steps": 1}
    trainer = trainer_of("gkd", flags(base, store, teacher, tmp_path, **told))
    ends = {trainer.tokenizer.convert_tokens_to_ids(token) for token in ("<|user|>", "<|end|>")}
    assert set(trainer.generation_config.eos_token_id) == ends


def test_a_row_over_max_length_is_cut_and_that_is_said(
    base: Path, store: Path, teacher: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from datasets import load_dataset

    rows = load_dataset(str(store / "sums" / "1.0.0"), "rationales", split="train")
    texts = [completion_of(row, base) for row in rows.select(range(8))]
    longest = min(len(p) for p, _ in texts) + 25
    over = sum(len(p) + len(c) > longest for p, c in texts)
    assert over > 0
    told = {"lmbda": 0, "limit": 8, "max_steps": 1, "max_length": longest, "beta": 0.4}
    told |= {"per_device_train_batch_size": 8, "temperature": 0.8}
    [found] = steps_of("gkd", flags(base, store, teacher, tmp_path, **told))
    assert f"{over} of 8 rows have more than {longest} tokens" in caplog.text
    cut = [c[: longest - len(p)] for p, c in texts]
    models = opened(base), opened(teacher)
    assert same(found, by_loop(*models, [p for p, _ in texts], cut, beta=0.4, temperature=0.8))


def test_rows_that_no_step_takes_are_counted(
    base: Path, store: Path, teacher: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = {"max_steps": -1, "num_train_epochs": 1, "per_device_train_batch_size": 5}
    trainer_of("gkd", flags(base, store, teacher, tmp_path, **told))
    assert "an epoch is 4 steps of 5 rows, and leaves out 4 of 24 rows" in caplog.text


def test_a_template_comes_from_a_file(
    base: Path, store: Path, teacher: Path, tmp_path: Path
) -> None:
    """For a base that has none; its end of turn stays a token that the base knows."""
    import shutil

    bare = tmp_path / "bare"
    shutil.copytree(base, bare)
    file = bare / "tokenizer_config.json"
    config = {k: v for k, v in json.loads(file.read_text()).items() if k != "chat_template"}
    file.write_text(json.dumps(config))
    (bare / "chat_template.jinja").unlink(missing_ok=True)
    template = (
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    (tmp_path / "chat.jinja").write_text(template)
    told = {"lmbda": 0, "chat_template_path": tmp_path / "chat.jinja", "max_steps": 1}
    trainer = trainer_of("gkd", flags(bare, store, teacher, tmp_path / "out", **told))
    assert trainer.tokenizer.chat_template == template
    assert trainer.lineage["settings"]["chat_template_path"].startswith("sha256:")


class Vllm:
    """TRL's `VLLMGeneration`, which writes the same tokens for every prompt."""

    WRITES = (70, 71, 72)

    def __init__(self, **told: Any):
        self.told, self.synced, self.asked = told, 0, 0

    def sync_weights(self) -> None:
        self.synced += 1

    def generate(self, *, prompts: list[list[int]], **_: Any) -> tuple[Any, ...]:
        self.asked += len(prompts)
        return None, [list(self.WRITES) for _ in prompts], None, None


@pytest.mark.parametrize("share", ["0.5", "1"])
def test_vllm_writes_the_students_own_completions_at_every_lambda(
    base: Path,
    store: Path,
    teacher: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: str,
) -> None:
    """With a stand-in for the engine: what it writes is learned, and it gets the weights of each
    step in which it writes."""
    from trl.trainer import distillation_trainer

    monkeypatch.setattr(distillation_trainer, "is_vllm_available", lambda: True)
    monkeypatch.setattr(distillation_trainer, "VLLMGeneration", Vllm)
    monkeypatch.setattr(Vllm, "made", [], raising=False)
    init = Vllm.__init__
    monkeypatch.setattr(
        Vllm, "__init__", lambda self, **told: (init(self, **told), Vllm.made.append(self))[0]
    )
    told = {"use_vllm": True, "lmbda": share, "max_steps": 6, "limit": 4, "beta": 0.5}
    steps = steps_of("gkd", flags(base, store, teacher, tmp_path, **told))
    [engine] = Vllm.made
    assert engine.told["max_completion_length"] == 12

    from datasets import load_dataset

    rows = load_dataset(str(store / "sums" / "1.0.0"), "rationales", split="train")
    texts = [completion_of(row, base) for row in rows.select(range(4))]
    prompts, models = [p for p, _ in texts], (opened(base), opened(teacher))
    own = by_loop(*models, prompts, [list(Vllm.WRITES)] * 4, beta=0.5, temperature=1.0)
    models = opened(base), opened(teacher)
    given = by_loop(*models, prompts, [c for _, c in texts], beta=0.5, temperature=1.0)
    writes = sum(same(step, own) for step in steps)
    assert writes + sum(same(step, given) for step in steps) == 6
    assert 0 < writes < 6 if share == "0.5" else writes == 6
    assert (engine.synced, engine.asked) == (writes, 4 * writes)
