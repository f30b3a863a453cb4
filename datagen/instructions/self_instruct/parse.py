"""How the teacher's text is read: numbered lists, blocks of labelled fields, yes or no.

Every pattern begins at the beginning of a line, and its repetitions are bounded. So no text makes
reading slow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from datagen.sources.tasks import Instance


@dataclass(frozen=True)
class Labels:
    """The words before the fields of a task, in one language."""

    instruction: str
    input: str
    output: str
    class_label: str
    constraints: str
    none: str
    """The text for a task without constraints."""
    one_of: str
    """The constraint of a classification task. The list of its labels follows."""
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
"""Values that mean an empty field, in lower case."""

# teachers use other words for "constraints" in Chinese, so all of them are read
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
"""A line that numbers the instances. It ends the field before it."""
FIELD = re.compile(
    rf"^[ \t]{{0,8}}{NUMBER}\*{{0,2}}(?:(?:{NAME})\*{{0,2}}[ \t]{{0,3}}[:：]\*{{0,2}}|{HEADING})",
    re.MULTILINE | re.IGNORECASE,
)
"""A label at the beginning of a line. Chat models put numbers before or asterisks around it."""
ITEM = re.compile(r"^[ \t]{0,8}(\d{1,3})[ \t]{0,3}[.)、．]", re.MULTILINE)
"""The number of an item in a list as chat models write it."""
BREAK = re.compile(r"^[ \t]{0,8}#{3,}[ \t]{0,8}$", re.MULTILINE)
"""The line between two blocks."""


def labels(language: str) -> Labels:
    """Return the labels of a language. The micro-world uses the English ones."""
    return CHINESE if language == "zh" else ENGLISH


def items(text: str, pattern: re.Pattern[str] = ITEM) -> list[str]:
    """Return the items of a numbered list, each as one line.

    Args:
        text: the list. Text before the first item is left out.
        pattern: the beginning of an item; its first group is the number. With the default a number
            begins an item only if it is one more than the number before. Otherwise it belongs to
            the text of the item, such as a year at the beginning of a line.
    """
    starts: list[re.Match[str]] = []
    for match in pattern.finditer(text):
        if pattern is not ITEM or not starts or int(match[1]) == int(starts[-1][1]) + 1:
            starts.append(match)
    pairs = zip(starts, ends(starts, text), strict=True)
    return [one_line(text[match.end() : end]) for match, end in pairs]


def fields(text: str) -> list[tuple[str, str]]:
    """Return (field, value) of every labelled field, in order.

    A value ends where the next label begins. Text before the first label is left out.
    """
    found = list(FIELD.finditer(text))
    pairs = zip(found, ends(found, text), strict=True)
    return [(match.lastgroup or "", text[match.end() : end].strip()) for match, end in pairs]


def ends(starts: Sequence[re.Match[str]], text: str) -> list[int]:
    """Return where each part ends: at the next one, or at the end of the text."""
    return [match.start() for match in starts[1:]] + [len(text)] * bool(starts)


def input_first(text: str) -> list[Instance]:
    """Return instances written as `Input: ... Output: ...`. A task may need no input."""
    instances: list[Instance] = []
    given = ""
    for field, value in fields(text):
        if field == "input":
            given = value
        elif field == "output":
            instances.append(Instance(without_nothing(given), value))
            # an instance without an input must not get the one before
            given = ""
    return instances


def output_first(text: str) -> list[Instance]:
    """Return instances written as `Class label: ... Input: ...`."""
    instances: list[Instance] = []
    for field, value in fields(text):
        if field == "class_label":
            instances.append(Instance("", value))
        # an input belongs to the label before it
        elif field == "input" and instances and not instances[-1].input:
            instances[-1] = Instance(without_nothing(value), instances[-1].output)
    return instances


def blocks(text: str) -> list[dict[str, str]]:
    """Return the fields of every block.

    A block ends at a line `###`, or where the next instruction begins.
    """
    found: list[dict[str, str]] = []
    for part in BREAK.split(text):
        block: dict[str, str] = {}
        for field, value in fields(part):
            if field == "instruction" and "instruction" in block:
                found.append(block)
                block = {}
            # of a field that comes twice the first counts: the second belongs to a task without a
            # break
            block.setdefault(field, value)
        if block:
            found.append(block)
    return found


def begins_with(text: str, words: tuple[str, ...]) -> bool:
    """Return whether the first word of a text is one of `words`, in any case."""
    # chat models put quotes or asterisks around a yes
    said = text.strip(" \t\r\n\"'*.。：:").casefold()
    return any(re.match(rf"{re.escape(word.casefold())}(?![a-z0-9_])", said) for word in words)


def one_line(text: str) -> str:
    """Return a text with single spaces and no line breaks."""
    return " ".join(text.split())


def without_nothing(value: str) -> str:
    """Return the value of a field, or "" if it says that there is none, such as "N/A"."""
    return "" if value.strip().casefold() in EMPTY else value
