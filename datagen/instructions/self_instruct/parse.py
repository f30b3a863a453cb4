"""Reading what a teacher wrote: numbered lists, blocks of labelled fields, answers that begin with
a word.

Every pattern is anchored to the beginning of a line and looks at each character a bounded number of
times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from datagen.sources.tasks import Instance


@dataclass(frozen=True)
class Labels:
    """What stands before a field, in one language."""

    instruction: str
    input: str
    output: str
    class_label: str
    constraints: str
    none: str
    """Said where a task has no constraints."""
    one_of: str
    """A constraint on the labels of a classification task; ends before the list of them."""
    colon: str


ENGLISH = Labels(
    "Instruction",
    "Input",
    "Output",
    "Class label",
    "Constraints",
    "None.",
    "The output is one of: ",
    ": ",
)
CHINESE = Labels("指令", "输入", "输出", "类别标签", "约束", "无。", "输出是以下之一：", "：")
NO_INPUT = "<noinput>"
EMPTY = {"", NO_INPUT, "noinput", "n/a", "none", "none.", "(none)", "无", "无。"}
"""Values that say there is nothing, in lower case."""

NAMES = {
    "instruction": (ENGLISH.instruction, CHINESE.instruction),
    "input": (ENGLISH.input, CHINESE.input),
    "output": (ENGLISH.output, CHINESE.output),
    "class_label": (ENGLISH.class_label, CHINESE.class_label),
    "constraints": (ENGLISH.constraints, CHINESE.constraints, "限制", "约束条件"),
}
NUMBER = r"(?:\d{1,3}[ \t]{0,3}[.)、．][ \t]{0,3})?"
NAME = "|".join(f"(?P<{field}>{'|'.join(names)})" for field, names in NAMES.items())
HEADING = r"(?P<heading>(?:Example|示例|例)[ \t]{0,3}\d{1,3}[ \t]{0,3}[.:：]?[ \t]{0,8}$)"
"""A line that numbers the instances; it ends the field before it."""
FIELD = re.compile(
    rf"^[ \t]{{0,8}}{NUMBER}\*{{0,2}}(?:(?:{NAME})\*{{0,2}}[ \t]{{0,3}}[:：]\*{{0,2}}|{HEADING})",
    re.MULTILINE | re.IGNORECASE,
)
ITEM = re.compile(r"^[ \t]{0,8}(\d{1,3})[ \t]{0,3}[.)、．]", re.MULTILINE)
"""The number of an item in a list as chat models write it."""
BREAK = re.compile(r"^[ \t]{0,8}#{3,}[ \t]{0,8}$", re.MULTILINE)


def labels(language: str) -> Labels:
    return CHINESE if language == "zh" else ENGLISH


def items(text: str, pattern: re.Pattern[str] = ITEM) -> list[str]:
    """The items of a numbered list, whitespace collapsed; `pattern`'s first group is the number.

    A bare number that does not follow the one before belongs to the text of its item; a pattern of
    one's own, such as "Task 5:", begins an item whatever its number.
    """
    starts: list[re.Match[str]] = []
    for match in pattern.finditer(text):
        if pattern is not ITEM or not starts or int(match[1]) == int(starts[-1][1]) + 1:
            starts.append(match)
    return [
        one_line(text[match.end() : end])
        for match, end in zip(starts, ends(starts, text), strict=True)
    ]


def fields(text: str) -> list[tuple[str, str]]:
    """(field, value) pairs in order; a value ends where the next label begins.

    Text before the first is left out.
    """
    found = list(FIELD.finditer(text))
    stops = ends(found, text)
    return [
        (match.lastgroup or "", text[match.end() : end].strip())
        for match, end in zip(found, stops, strict=True)
    ]


def ends(starts: Sequence[re.Match[str]], text: str) -> list[int]:
    """Where each part ends: where the next begins, the last one with the text."""
    return [match.start() for match in starts[1:]] + [len(text)] * bool(starts)


def input_first(text: str) -> list[Instance]:
    """Instances written as `Input: ... Output: ...`, the input left out where a task needs none."""
    instances, given = list[Instance](), ""
    for field, value in fields(text):
        if field == "input":
            given = value
        elif field == "output":
            instances.append(Instance(nothing(given), value))
            given = ""
    return instances


def output_first(text: str) -> list[Instance]:
    """Instances written as `Class label: ... Input: ...`."""
    instances = list[Instance]()
    for field, value in fields(text):
        if field == "class_label":
            instances.append(Instance("", value))
        elif field == "input" and instances and not instances[-1].input:
            instances[-1] = Instance(nothing(value), instances[-1].output)
    return instances


def blocks(text: str) -> list[dict[str, str]]:
    """The fields of every block; blocks are parted by a line `###`, or by the next instruction."""
    found = list[dict[str, str]]()
    for part in BREAK.split(text):
        block: dict[str, str] = {}
        for field, value in fields(part):
            if field == "instruction" and "instruction" in block:
                found.append(block)
                block = {}
            block.setdefault(field, value)
        if block:
            found.append(block)
    return found


def begins_with(text: str, words: tuple[str, ...]) -> bool:
    """Whether the text's first word is one of `words`, in any case."""
    said = text.strip(" \t\r\n\"'*.。：:").casefold()
    return any(re.match(rf"{re.escape(word.casefold())}(?![a-z0-9_])", said) for word in words)


def one_line(text: str) -> str:
    return " ".join(text.split())


def nothing(value: str) -> str:
    """A field's value, or "" where it says that there is none."""
    return "" if value.strip().casefold() in EMPTY else value
