"""`train sft --answer_weight`: where the answer stands, how its tokens are weighed, and bad
input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.test_sft import flags, weights
from train.cli import main
from train.data.spans import answer_span, token_span
from train.sft import build, parse_sft


@pytest.mark.parametrize(
    ("text", "answer", "found"),
    [
        ("3 + 4 = 7. The answer is 7.", "7", (25, 26)),
        ("17 + 1 = 18 and 7 is odd. It is 18", "18", (32, 34)),
        ("So it costs $1,200.00 in all.", "1200", (12, 21)),
        ("It fell to -3 degrees.", "-3", (11, 13)),
        ("Half, that is 1/2.", "0.5", (14, 17)),
        ("Yes, because no bird is blue. The answer is Yes.", "yes", (44, 47)),
        ("(B) is right, (A) is not. Answer: (B)", "B", (35, 36)),
        ("The capital is Port-au-Prince (Haiti).", "port-au-prince", (15, 29)),
        ("The answer is 17.", "7", None),
        ("nothing", "no", None),
        ("The answer is A. It is a bank.", "A", (14, 15)),
        ("A dog has (A) a tail, or so a child says.", "A", (11, 12)),
        ("A bank has a door.", "A", None),
        ("Vitamin C helps, so option c is right, not vitamin C.", "C", (27, 28)),
        ("It is 1\u202f200 then.", "1200", (6, 11)),
        ("It fell to minus 3.", "-3", (11, 18)),
        ("So there are twelve hundred.", "1200", (13, 27)),
        ("Sorted: barn, damp, eel.", "barn damp eel", (8, 23)),
        ("It closes with ]]>.", "] ] >", (15, 18)),
        ("He said \u201cdon\u2019t\u201d.", "don't", (9, 14)),
        ("The answer is 7.", None, None),
        ("The answer is 7.", "", None),
    ],
)
def test_the_answer_is_found_where_it_was_last_named(
    text: str, answer: str | None, found: tuple[int, int] | None
) -> None:
    assert answer_span(text, answer) == found


def test_a_long_hostile_text_takes_linear_steps() -> None:
    """What is quadratic in texts of this length does not end within the patience of a test run."""
    assert answer_span("7 " * 200_000, "7") == (399_998, 399_999)
    for text in ("7 " * 200_000, "1," * 200_000, "-" * 400_000, "yes" * 100_000):
        assert answer_span(text, "yes") is None


@pytest.fixture
def tokenizer(base: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base)


@pytest.mark.parametrize(
    ("max_length", "keep_end", "read"),
    [
        (None, False, "42"),
        (19, False, "4"),
        (18, False, ""),
        (5, True, "42"),
        (3, True, "2"),
        (2, True, ""),
    ],
)
def test_its_tokens_read_as_the_answer_whatever_is_cut(
    tokenizer: Any, max_length: int | None, keep_end: bool, read: str
) -> None:
    """One token a byte: user, "42 or 17?", end, assistant, "It is ", "42", ".", end: 22 tokens."""
    row = {
        "prompt": [{"role": "user", "content": "42 or 17?"}],
        "completion": [{"role": "assistant", "content": "It is 42."}],
        "answer": "42",
    }
    ids = tokenizer(
        tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
    ).input_ids
    assert len(ids) == 22
    kept = ids[-max_length:] if keep_end else ids[:max_length]
    start, end = token_span(row, tokenizer, max_length, keep_end=keep_end)
    assert tokenizer.decode(kept[start:end]) == read
    if read:
        assert start > len(kept) - 6


def test_the_loss_is_the_formula_over_the_batch(base: Path, store: Path, tmp_path: Path) -> None:
    """Answer tokens found by hand: the digits between "The answer is " and the full stop, one token
    each."""
    trainer = build(*parse_sft(flags(base, store, tmp_path, answer_weight=0.7)))
    trainer.model.eval()
    for batch in list(trainer.get_train_dataloader())[:3]:
        samples = [dict(batch)]
        items = trainer.count_step(samples, torch.device("cpu"))
        with torch.no_grad():
            inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
            log_probs = trainer.model(**inputs).logits.log_softmax(-1)
            found = trainer.compute_loss(trainer.model, samples[0], num_items_in_batch=items).item()
        losses: dict[bool, list[float]] = {True: [], False: []}
        for row, labels in enumerate(batch["labels"].tolist()):
            places = [t for t, label in enumerate(labels) if label >= 0]
            chain = [trainer.processing_class.decode([labels[t]]) for t in places]
            stop = len(chain) - 2  # the full stop, before the end of turn
            first = max(i for i in range(stop) if chain[i] == " ") + 1
            for number, t in enumerate(places):
                losses[first <= number < stop].append(-log_probs[row, t - 1, labels[t]].item())
            assert "".join(chain[first - 14 : first]) == "The answer is "[-14:]
        mean = {kind: sum(values) / len(values) for kind, values in losses.items()}
        assert found == pytest.approx(0.3 * mean[False] + 0.7 * mean[True], rel=1e-4)


def test_batches_in_parts_take_the_step_of_the_whole(
    base: Path, store: Path, tmp_path: Path
) -> None:
    """Rows differ in length, so that a mean over each part's own tokens would be another one.

    Plain gradient descent, without clipping: Adam divides a gradient by its own size, by which it
    hides a wrong scale and blows up the rounding of gradients that are almost 0.
    """
    plain = {"optim": "sgd", "learning_rate": 0.1, "max_grad_norm": 0}
    ways = {
        "whole": {},
        "parts": {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 4},
    }
    for name, way in ways.items():
        words = flags(base, store, tmp_path / name, answer_weight=0.7, max_steps=4, **plain, **way)
        assert main(["sft", *words]) == 0
    found, expected = (weights(tmp_path / name) for name in ("parts", "whole"))
    assert all(found[name].allclose(expected[name], atol=1e-6) for name in expected)
    assert not all(weights(base)[name].allclose(expected[name], atol=2e-5) for name in expected)
    settings = json.loads((tmp_path / "whole" / "lineage.json").read_text())["settings"]
    assert settings["answer_weight"] == 0.7


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"answer_weight": 1.5}, "--answer_weight 1.5: a number from 0 to 1 is needed"),
        ({"packing": True}, "--packing True does not work with --answer_weight; False does"),
        (
            {"max_length": 30},
            "--answer_weight: no row's completion holds its `answer` within --max_length",
        ),
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
    assert (
        main(["sft", *flags(base, store, tmp_path / "out", **{"answer_weight": 0.5, **changes})])
        == 2
    )
    errors = [
        found for found in capsys.readouterr().err.splitlines() if found.startswith("train: ")
    ]
    assert len(errors) == 1
    assert line in errors[0]


def test_rows_without_their_answer_are_counted(
    base: Path, store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Cut in the middle: rows that are longer have lost their answer. One token a character, four
    around them."""
    import pyarrow.parquet as pq

    rows = pq.read_table(
        next((store / "sums" / "1.0.0" / "rationales").glob("*.parquet"))
    ).to_pylist()
    lengths = [
        3 + len(row["prompt"][0]["content"]) + len(row["completion"][0]["content"]) for row in rows
    ]
    limit = sorted(lengths)[len(lengths) // 2]
    lost = sum(
        length - 1 - len(row["answer"]) >= limit for length, row in zip(lengths, rows, strict=True)
    )
    assert 0 < lost < len(rows)
    build(*parse_sft(flags(base, store, tmp_path, answer_weight=0.5, max_length=limit)))
    assert f"{lost} of {len(rows)} rows have no `answer` in what is left" in caplog.text
