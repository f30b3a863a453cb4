"""`train gkd` refuses a teacher with more or fewer tokens, also where all common ids agree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.train.test_gkd import flags
from train.cli import main

TOKEN = "<|tool|>"


@pytest.fixture(scope="module")
def longer(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base with one more token, in tokenizer and model."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = Path(shutil.copytree(base, tmp_path_factory.mktemp("longer") / "model"))
    tokenizer = AutoTokenizer.from_pretrained(base)
    assert tokenizer.add_tokens([TOKEN]) == 1
    tokenizer.save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(base)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("longer_one", ["teacher", "student"])
def test_a_token_that_only_one_has_is_named(
    longer_one: str,
    base: Path,
    longer: Path,
    store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pair = {"student": base, "teacher": base} | {longer_one: longer}
    words = flags(pair["student"], store, pair["teacher"], tmp_path / "out")
    assert main(["gkd", *words]) == 2
    [line] = [e for e in capsys.readouterr().err.splitlines() if e.startswith("train: ")]
    assert repr(TOKEN) in line
    assert "--cross_tokenizer" in line
