"""`datagen topk --prompts`: what is stored of the prompts, against the model itself."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datagen.cli import main
from datagen.versions.parquet import rows
from tests.datagen.test_topk import K, model, run, table, texts, tokens, topk  # noqa: F401
from tests.tiny import save_tiny_model


@pytest.fixture(scope="module")
def plain(run: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    out = tmp_path_factory.mktemp("plain") / "run"
    assert topk(run, model, out) == 0
    return out


@pytest.fixture(scope="module")
def stored(run: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    out = tmp_path_factory.mktemp("prompts") / "run"
    assert topk(run, model, out, "--prompts") == 0
    return out


@pytest.mark.parametrize("config", ["rationales", "answers"])
def test_every_place_holds_what_the_model_says(stored: Path, model: Path, config: str) -> None:  # noqa: F811
    """Row by row, without padding, in double precision; the first token is foretold by nothing."""
    import torch
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(model).eval()
    for row in table(stored / f"{config}.parquet"):
        prompt = tokens(texts(row)[0], model)
        with torch.no_grad():
            logits = network(input_ids=torch.tensor([prompt])).logits[0].double().log_softmax(-1)
        column = row["teacher_topk_prompt"]
        assert column["tokens"] == prompt[1:]
        assert column["tokenizer"] == row["teacher_topk"]["tokenizer"]
        for place in range(len(prompt) - 1):
            best = sorted(logits[place].tolist(), reverse=True)
            ids = column["ids"][place]
            assert [float(logits[place][i]) for i in ids] == pytest.approx(best[:K], abs=1e-5)
            assert column["logprobs"][place] == pytest.approx(
                [float(logits[place][i]) for i in ids], rel=1e-3
            )
            assert column["tail"][place] == pytest.approx(
                math.fsum(map(math.exp, best[K:])), rel=1e-3, abs=1e-9
            )


def test_the_completions_are_stored_as_without_prompts(stored: Path, plain: Path) -> None:
    for config in ("rationales", "answers"):
        with_prompts, without = (table(folder / f"{config}.parquet") for folder in (stored, plain))
        for one, other in zip(with_prompts, without, strict=True):
            assert one["teacher_topk"]["tokens"] == other["teacher_topk"]["tokens"]
            for name in ("logprobs", "tail"):
                values = [flat(row["teacher_topk"][name]) for row in (one, other)]
                assert values[0] == pytest.approx(values[1], rel=2e-3, abs=1e-6)


def flat(values: list[Any]) -> list[float]:
    return [x for each in values for x in (each if isinstance(each, list) else [each])]


def test_statistics_and_settings_say_so(
    stored: Path, plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads((stored / "stats.json").read_text())["teacher_topk"]
    columns = [
        row["teacher_topk_prompt"]
        for c in ("rationales", "answers")
        for row in table(stored / f"{c}.parquet")
    ]
    assert found["prompt_tokens"] == sum(len(column["tokens"]) for column in columns)
    assert "prompt_tokens" not in json.loads((plain / "stats.json").read_text())["teacher_topk"]
    assert json.loads((stored / "config.json").read_text())["settings"]["topk_prompts"] is True
    assert "topk_prompts" not in json.loads((plain / "config.json").read_text())["settings"]


def test_prompts_beyond_the_context_are_stored_as_far_as_it_reaches(
    run: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    short = save_tiny_model(tmp_path / "short", context=32)
    assert topk(run, short, tmp_path / "out", "--prompts") == 0
    beyond = 0
    for row in table(tmp_path / "out" / "rationales.parquet"):
        prompt, completion = (tokens(text, short) for text in texts(row))
        beyond += len(prompt) > 32
        assert row["teacher_topk_prompt"]["tokens"] == prompt[1:32]
        assert len(row["teacher_topk_prompt"]["ids"]) == len(prompt[1:32])
        assert row["teacher_topk"]["tokens"] == completion[: max(32 - len(prompt), 0)]
    assert beyond > 0


def test_stored_again_without_prompts_they_are_gone(
    stored: Path,
    model: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    assert topk(stored, model, tmp_path / "out") == 0
    assert "teacher_topk_prompt" not in pq.read_schema(tmp_path / "out" / "answers.parquet").names


def test_a_version_holds_them_and_shows_their_hash(stored: Path, tmp_path: Path) -> None:
    assert main(["publish", str(stored), "sums", "--store", str(tmp_path / "store")]) == 0
    [file] = (tmp_path / "store").rglob("answers/*.parquet")
    assert pq.read_table(file)["teacher_topk_prompt"].equals(
        pq.read_table(stored / "answers.parquet")["teacher_topk_prompt"]
    )
    for row in rows(stored / "answers.parquet"):
        assert " tokens, sha256 " in row["teacher_topk_prompt"]
