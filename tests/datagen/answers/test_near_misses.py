"""Texts whose answer is easily misread, with the answer that a careful reader finds in them, or
none. The file says for each of them what makes it hard."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from datagen.answers import equal, extract

ROWS = [
    json.loads(line)
    for line in Path(__file__).with_name("near_misses.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['kind']}: {row['text'][-40:]!a}")
def test_near_miss(row: dict[str, Any]) -> None:
    found = extract(row["text"], row["type"], options=row.get("options", ()))
    # of some texts a reader may say that they take their answer back
    if found is None and row.get("or_none"):
        return
    assert found == row["answer"]
    assert found is None or equal(found, row["answer"], row["type"])


def test_every_kind_has_enough_of_both() -> None:
    kinds = Counter(row["kind"] for row in ROWS)
    without = sum(row["answer"] is None for row in ROWS)
    assert len(ROWS) > 500
    assert min(kinds.values()) >= 5
    assert without > len(ROWS) // 4


def test_no_stated_non_answer_lets_an_earlier_number_or_letter_through() -> None:
    said = ("none of the above", "that it depends", "unknown", "3 or 4", "not 5", "x + 2", "2:45")
    for words in said:
        for before in ("There are 18 hens. ", "The answer is 18. ", r"\boxed{18} ", "#### 18\n"):
            assert extract(f"{before}The answer is {words}.", "number") is None
    for words in ("none of the above", "that it depends", "(A) or (B)", "not (A)", "(K)"):
        for before in ("(A) has a door. ", "The answer is (A). ", r"\boxed{A} "):
            text = f"{before}The answer is {words}."
            assert extract(text, "choice", options=("a bank", "a hill")) is None
