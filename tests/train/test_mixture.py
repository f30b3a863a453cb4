"""`train sft --mixture` and `--long_share`: exact proportions, every row used, and what the lineage
says of them."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from datagen.errors import UserError
from tests.train.test_sft import flags, same, weights
from train.cli import main
from train.data.mixture import (
    allot,
    choose_by_length,
    mix_rows,
    read_mixture,
    repeated_orders,
    rows_for_full_sources,
)
from train.sft import build, parse_sft


def test_a_mixture_is_read_and_its_weights_are_shares() -> None:
    found = read_mixture(
        ["a@1.0.0:answers=3", "org/b=1", "/x/y/1.0.0:rationales=0.5e1"], config="rationales"
    )
    assert [(s.dataset, s.config, float(s.weight)) for s in found] == [
        ("a@1.0.0", "answers", pytest.approx(1 / 3)),
        ("org/b", "rationales", pytest.approx(1 / 9)),
        ("/x/y/1.0.0", "rationales", pytest.approx(5 / 9)),
    ]
    assert sum(s.weight for s in found) == 1


@pytest.mark.parametrize(
    ("mixture", "line"),
    [
        (["a@1.0.0"], "--mixture a@1.0.0: NAME@VERSION:CONFIG=WEIGHT is needed"),
        (["a=0"], "a weight above 0"),
        (["a=-1"], "a weight above 0"),
        (["a=nan"], "a weight above 0"),
        (["a=x"], "a weight above 0"),
        (["=1"], "a weight above 0"),
        (["a:b=1", "a:b=2"], "a, config b, is named twice"),
    ],
)
def test_what_is_no_mixture_is_refused(mixture: list[str], line: str) -> None:
    with pytest.raises(UserError, match=line):
        read_mixture(mixture, config="rationales")


@pytest.mark.parametrize("total", [1, 7, 100, 12345])
def test_each_source_has_its_share_within_one_row(total: int) -> None:
    shares = [Fraction(5, 10), Fraction(3, 10), Fraction(2, 10)]
    counts = allot(shares, total)
    assert sum(counts) == total
    assert all(abs(count - share * total) < 1 for count, share in zip(counts, shares, strict=True))


def test_rows_repeat_only_when_all_came() -> None:
    found = Counter(repeated_orders(7, 25, stream="s"))
    assert set(found) == set(range(7))
    assert set(found.values()) == {3, 4}
    assert (
        repeated_orders(7, 25, stream="s")
        == repeated_orders(7, 25, stream="s")
        != repeated_orders(7, 25, stream="t")
    )


def test_every_prefix_of_a_mixture_is_in_proportion() -> None:
    shares, sizes = [Fraction(5, 10), Fraction(3, 10), Fraction(2, 10)], [40, 9, 30]
    order = mix_rows(shares, sizes, total=None, seed=0)
    assert (
        len(order) == 150 == rows_for_full_sources(shares, sizes)
    )  # 30 rows are a fifth of 150, and 40 fewer than half
    for length in range(1, len(order) + 1):
        counts = Counter(source for source, _ in order[:length])
        assert all(abs(counts[i] - share * length) <= 1 for i, share in enumerate(shares))
    seen = [Counter(index for source, index in order if source == i) for i in range(3)]
    assert [set(count) for count in seen] == [set(range(size)) for size in sizes]
    assert [set(count.values()) for count in seen] == [{1, 2}, {5}, {1}]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_long_and_short_rationales_are_in_the_ratio(share: float) -> None:
    questions = [f"q{row % 20}" for row in range(80)]
    lengths = [(row * 37) % 101 for row in range(80)]
    kept = choose_by_length(questions, lengths, share=share, seed=0)
    assert sorted(questions[row] for row in kept) == sorted(set(questions))
    kinds: Counter[str] = Counter()
    for row in kept:
        of = [lengths[other] for other in range(80) if questions[other] == questions[row]]
        kinds[
            "long" if lengths[row] == max(of) else "short" if lengths[row] == min(of) else "neither"
        ] += 1
    assert kinds == {k: n for k, n in {"long": 20 * share, "short": 20 * (1 - share)}.items() if n}


def hybrid(base: Path, store: Path, out: Path, **others: Any) -> list[str]:
    words = flags(base, store, out, save_strategy="no", **others)
    return words[: words.index("--dataset")] + words[words.index("--dataset") + 2 :]


def test_a_student_of_a_mixture(base: Path, chains: Path, tmp_path: Path) -> None:
    """24 right rationales and 12 answers, three to one: an epoch is 36 and 12; 10 steps of 4 rows
    are 30 and 10."""
    mixture = {"chains@1.0.0:rationales": 0.75, "chains@1.0.0:answers": 0.25}
    epoch = build(
        *parse_sft(
            [
                *hybrid(base, chains, tmp_path),
                "--mixture",
                *(f"{k}={v}" for k, v in mixture.items()),
            ]
        )
    )
    assert len(epoch.train_dataset) == 48
    words = hybrid(base, chains, tmp_path / "flags", max_steps=10)
    assert main(["sft", *words, "--mixture", *(f"{k}={v}" for k, v in mixture.items())]) == 0
    lineage = json.loads((tmp_path / "flags" / "lineage.json").read_text())
    assert [
        (p["config"], p["weight"], p["rows"], p["distinct_rows"])
        for p in lineage["dataset"]["parts"]
    ] == [
        ("rationales", 0.75, 30, 24),
        ("answers", 0.25, 10, 10),
    ]
    assert {p["name"] for p in lineage["dataset"]["parts"]} == {"chains"}
    assert lineage["dataset"]["rows"] == 40
    text = "mixture:\n" + "".join(f"  {name}: {weight}\n" for name, weight in mixture.items())
    (tmp_path / "mixture.yaml").write_text(text)
    words = hybrid(base, chains, tmp_path / "yaml", max_steps=10)
    assert main(["sft", "--config", str(tmp_path / "mixture.yaml"), *words]) == 0
    assert same(weights(tmp_path / "flags"), weights(tmp_path / "yaml"))
    assert (tmp_path / "yaml" / "lineage.json").read_bytes() == (
        tmp_path / "flags" / "lineage.json"
    ).read_bytes()
    assert "chains" in (tmp_path / "yaml" / "README.md").read_text()


def test_a_mixture_with_a_weight_on_the_answers(base: Path, chains: Path, tmp_path: Path) -> None:
    words = hybrid(
        base, chains, tmp_path / "out", max_steps=4, answer_weight=0.5, consistency_weight=0.1
    )
    assert main(["sft", *words, "--mixture", "chains:rationales=1", "chains:answers=1"]) == 0
    parts = json.loads((tmp_path / "out" / "lineage.json").read_text())["dataset"]["parts"]
    assert parts[0]["rows"] > parts[1]["rows"] == 8  # a group of rationales is one or two of them


def test_a_mixture_of_abilities_with_a_loss_for_each(
    base: Path,
    chains: Path,
    episodes: Path,
    tmp_path: Path,
) -> None:
    """Each loss finds its rows; versions may lie in different folders, whose places no lineage
    names."""
    losses = {"answer_weight": 0.5, "contrast_weight": 0.5, "preference_weight": 0.5}
    words = hybrid(base, chains, tmp_path / "out", max_steps=4, logging_steps=1, **losses)
    parts = [f"{chains}/chains/1.0.0:rationales=2", f"{episodes}/episodes/1.0.0:demonstrations=1"]
    assert main(["sft", *words, "--mixture", *parts]) == 0
    text = (tmp_path / "out" / "lineage.json").read_text()
    assert str(chains) not in text
    assert [
        (p["name"], p["config"], p["weight"]) for p in json.loads(text)["dataset"]["parts"]
    ] == [
        ("chains", "rationales", 0.666667),
        ("episodes", "demonstrations", 0.333333),
    ]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_student_of_long_and_short_rationales(
    base: Path,
    chains: Path,
    tmp_path: Path,
    share: float,
) -> None:
    """The tokenizer has one token a byte; question i has 1 + i % 3 rationales, each of one more
    sum."""
    trainer = build(*parse_sft(flags(base, chains, tmp_path, dataset="chains", long_share=share)))
    texts = [
        trainer.processing_class.decode(ids).split("<|assistant|>")[1]
        for ids in trainer.train_dataset["input_ids"]
    ]
    assert len(texts) == 12
    several = [i for i in range(12) if i % 3]
    longest = sum(texts[i].count("=") == 1 + i % 3 for i in several)
    assert all(texts[i].count("=") in (1, 1 + i % 3) for i in several)
    assert longest == len(several) * share if share != 0.5 else 0 < longest < len(several)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--mixture", "chains=1", "--dataset", "chains"],
            "--dataset and --mixture: give one of the two",
        ),
        ([], "--dataset is missing"),
        (["--mixture", "chains=1", "nothing=1"], "no dataset 'nothing'"),
        (
            ["--mixture", "chains=1", "--mixture_rows", "0"],
            "--mixture_rows 0: at least 1 is needed",
        ),
        (
            ["--mixture", "chains:answers=1", "--long_share", "0.5"],
            "--long_share needs a column rationale",
        ),
        (
            ["--mixture", "chains=1", "--long_share", "1.5"],
            "--long_share 1.5: a number from 0 to 1 is needed",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(
    base: Path,
    chains: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    line: str,
) -> None:
    assert main(["sft", *hybrid(base, chains, tmp_path / "out"), *words]) == 2
    errors = [
        found for found in capsys.readouterr().err.splitlines() if found.startswith("train: ")
    ]
    assert len(errors) == 1
    assert line in errors[0]
