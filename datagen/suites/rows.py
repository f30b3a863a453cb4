"""Read the records of the benchmarks: one function for each published format.

A function reads both the record of the original file and that of the copy on the Hub.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Parsed:
    """The parts of a record that matter."""

    question: str
    gold: str | None
    options: tuple[str, ...] = ()
    rationale: str | None = None
    answer_type: str | None = None
    """Only if it differs from the answer type of the suite."""


def gsm8k(record: Record) -> Parsed:
    """Read a record of GSM8K. Its solution ends in "#### 18"."""
    solution, _, gold = record["answer"].rpartition("####")
    return Parsed(record["question"], gold.strip(), rationale=solution.strip())


def aqua(record: Record) -> Parsed:
    """Read a record of AQuA. Its options have the form "A)21"."""
    options = tuple(re.sub(r"^\s*[A-Ea-e]\s?\)\s*", "", option) for option in record["options"])
    return Parsed(record["question"], record["correct"], options, record.get("rationale"))


def mathqa(record: Record) -> Parsed:
    """Read a record of MathQA.

    Its options are one string: "a ) 38 , b ) 27.675 , c ) 30". In some files this string is the
    text of a Python list.
    """
    options_field = record["options"]
    text = options_field if isinstance(options_field, str) else " , ".join(options_field)
    # An option can contain a comma ("1,000"), so the letters separate the options.
    pieces = re.split(r"(?:^|[,'\"\[\s])\s*[a-e] \) ", f" {text}")[1:]
    options = tuple(piece.strip(" ,'\"]") for piece in pieces)
    return Parsed(record["Problem"], record["correct"].upper(), options, record.get("Rationale"))


def commonsenseqa(record: Record) -> Parsed:
    """Read a record of CommonsenseQA.

    The file nests the question and its choices under `question`. The Hub has a string and lists.
    """
    inner = record["question"]
    if isinstance(inner, str):
        stem = inner
        options = tuple(record["choices"]["text"])
    else:
        stem = inner["stem"]
        options = tuple(choice["text"] for choice in inner["choices"])

    # The test split was published without answers: an empty string on the Hub.
    return Parsed(stem, record.get("answerKey") or None, options)


def mawps(record: Record) -> Parsed:
    """Read a record of AddSub or MultiArith. The Hub copy of MultiArith has other column names."""
    if "sQuestion" in record:
        return Parsed(record["sQuestion"], str(record["lSolutions"][0]))
    return Parsed(record["question"], str(record["final_ans"]))


def svamp(record: Record) -> Parsed:
    """Read a record of SVAMP, whose question stands in two columns."""
    body = record["Body"].strip()
    # Some bodies end without a mark. The question would then run on.
    stop = "" if body.endswith((".", "!", "?", ",")) else "."
    return Parsed(f"{body}{stop} {record['Question'].strip()}", str(record["Answer"]))


def strategyqa(record: Record) -> Parsed:
    """Read a record of StrategyQA.

    The file of BIG-bench has `input`, `target_scores` and a target such as "Yes. Because ...". The
    Hub has `question`, a boolean answer and `facts`.
    """
    if "input" in record:
        scores = record["target_scores"]
        gold = max(scores, key=scores.__getitem__)
        return Parsed(record["input"], gold, rationale=record["target"].partition(". ")[2] or None)
    facts = record.get("facts")
    rationale = " ".join(facts) if isinstance(facts, list) else facts
    return Parsed(record["question"], "Yes" if record["answer"] else "No", rationale=rationale)


def question_answer(record: Record) -> Parsed:
    """Read a record with the columns `question` and `answer`."""
    return Parsed(record["question"], str(record["answer"]))


def bbh(record: Record) -> Parsed:
    """Read a record of BIG-bench Hard. The options of a choice are part of its input."""
    text = record["input"]
    target = record["target"]
    stem, _, listing = text.rpartition("\nOptions:\n")
    options = tuple(re.findall(r"^\([A-Z]\) ?(.*)$", listing, re.MULTILINE))
    if not stem or not options:
        return Parsed(text, target)

    # The options of three records were cut at their commas, and the target is a text. Such a
    # record is asked as it stands.
    if not re.fullmatch(r"\([A-Z]\)", target):
        return Parsed(text, target, answer_type="text")
    return Parsed(stem, target, options)


# By the name that a suite has in its field `row`.
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
