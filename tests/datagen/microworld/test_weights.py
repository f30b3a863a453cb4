"""The shipped models: small, lossless tokenizer, opened offline, and they answer."""

import re
from pathlib import Path

import pytest

from datagen.microworld import WEIGHTS, prompts
from datagen.microworld.problems import problems
from datagen.microworld.words import CATEGORIES, NAMES

transformers = pytest.importorskip("transformers")
MODELS = ["teacher", "student"]
TEXTS = [
    "Tom has 12 apples.\n\n  Ann, too:\t7!",
    "naïve façade — 漢字 🙂 \r\n x_1 = {'a': [3.14]} <|nothing|>",
    "dog -> cat\nfox ->",
    " leading and trailing ",
    "0123456789" * 20,
    "".join(map(chr, range(1, 600))),
    "",
]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_together_at_most_eight_megabytes() -> None:
    assert 1_000_000 < _size(WEIGHTS) <= 8_000_000


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("text", TEXTS)
def test_tokenizer_round_trips_any_text(name: str, text: str) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(WEIGHTS / name)
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize("name", MODELS)
def test_words_are_single_tokens_and_digits_stand_alone(name: str) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(WEIGHTS / name)
    for word in [*NAMES, *(word for words in CATEGORIES.values() for word in words)]:
        assert len(tokenizer(word)["input_ids"]) == len(tokenizer(" " + word)["input_ids"]) == 1
    assert len(tokenizer("427")["input_ids"]) == len(tokenizer(" 427")["input_ids"]) == 3


@pytest.mark.parametrize("name", MODELS)
def test_opens_offline_and_answers_in_form(name: str) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(WEIGHTS / name)
    model = transformers.AutoModelForCausalLM.from_pretrained(WEIGHTS / name)
    asked = [{"role": "user", "content": problems("test", 1)[0].question + prompts.DIRECT_SUFFIX}]
    inputs = tokenizer.apply_chat_template(
        asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    text = tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert re.fullmatch(r"The answer is \d+\.", text)


@pytest.mark.parametrize("name", MODELS)
def test_card_states_licence_and_accuracy(name: str) -> None:
    card = (WEIGHTS / name / "README.md").read_text()
    assert "license: apache-2.0" in card
    assert "majority of 20" in card
