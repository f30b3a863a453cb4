"""One function a published record format, for the columns of its file and of its Hub copy alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Parsed:
    """A row of a benchmark, read."""

    question: str
    gold: str | None
    options: tuple[str, ...] = ()
    rationale: str | None = None
    answer_type: str | None = None
    """Where it differs from the suite's."""


def gsm8k(record: Record) -> Parsed:
    """The solution ends in "#### 18"."""
    solution, _, gold = record["answer"].rpartition("####")
    return Parsed(record["question"], gold.strip(), rationale=solution.strip())


def aqua(record: Record) -> Parsed:
    """Options read "A)21"."""
    options = tuple(re.sub(r"^\s*[A-Ea-e]\s?\)\s*", "", option) for option in record["options"])
    return Parsed(record["question"], record["correct"], options, record.get("rationale"))


def mathqa(record: Record) -> Parsed:
    """Options are one string, "a ) 38 , b ) 27.675 , c ) 30 ...", in some files the text of a
    list.
    """
    text = (
        record["options"] if isinstance(record["options"], str) else " , ".join(record["options"])
    )
    pieces = re.split(r"(?:^|[,'\"\[\s])\s*[a-e] \) ", f" {text}")[1:]
    options = tuple(piece.strip(" ,'\"]") for piece in pieces)
    return Parsed(record["Problem"], record["correct"].upper(), options, record.get("Rationale"))


def commonsenseqa(record: Record) -> Parsed:
    """The file nests stem and choices under `question`; the Hub has a string and lists.

    The test has no answers.
    """
    inner = record["question"]
    if isinstance(inner, str):
        stem, options = inner, tuple(record["choices"]["text"])
    else:
        stem, options = inner["stem"], tuple(choice["text"] for choice in inner["choices"])
    return Parsed(stem, record.get("answerKey") or None, options)


def mawps(record: Record) -> Parsed:
    """AddSub and MultiArith: `sQuestion`, `lSolutions`; the Hub copy of MultiArith has `question`,
    `final_ans`.
    """
    if "sQuestion" in record:
        return Parsed(record["sQuestion"], str(record["lSolutions"][0]))
    return Parsed(record["question"], str(record["final_ans"]))


def svamp(record: Record) -> Parsed:
    body = record["Body"].strip()
    stop = "" if body.endswith((".", "!", "?", ",")) else "."
    return Parsed(f"{body}{stop} {record['Question'].strip()}", str(record["Answer"]))


def strategyqa(record: Record) -> Parsed:
    """BIG-bench: `input`, `target_scores`, a target "Yes.

    Because ..."; the Hub: `question`, a boolean, `facts`.
    """
    if "input" in record:
        gold = max(record["target_scores"], key=record["target_scores"].__getitem__)
        return Parsed(record["input"], gold, rationale=record["target"].partition(". ")[2] or None)
    facts = record.get("facts")
    rationale = " ".join(facts) if isinstance(facts, list) else facts
    return Parsed(record["question"], "Yes" if record["answer"] else "No", rationale=rationale)


def question_answer(record: Record) -> Parsed:
    return Parsed(record["question"], str(record["answer"]))


def bbh(record: Record) -> Parsed:
    """The options are part of the input.

    Three targets are texts whose options were cut at commas: asked as is.
    """
    text, target = record["input"], record["target"]
    stem, _, listing = text.rpartition("\nOptions:\n")
    options = tuple(re.findall(r"^\([A-Z]\) ?(.*)$", listing, re.MULTILINE))
    if not stem or not options:
        return Parsed(text, target)
    if not re.fullmatch(r"\([A-Z]\)", target):
        return Parsed(text, target, answer_type="text")
    return Parsed(stem, target, options)


ROWS: dict[str, Callable[[Record], Parsed]] = {
    "gsm8k": gsm8k,
    "aqua": aqua,
    "mathqa": mathqa,
    "commonsenseqa": commonsenseqa,
    "mawps": mawps,
    "svamp": svamp,
    "strategyqa": strategyqa,
    "question_answer": question_answer,
    "bbh": bbh,
}
