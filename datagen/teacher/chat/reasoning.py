"""Telling what a model thought from what it answered, in every form in which engines return it.

A server with a reasoning parser returns the reasoning in a field of its own. Everywhere else it
stands in the text, between marks such as `<think>` and `</think>`. The opening mark is missing if
the chat template wrote it, and the closing mark is missing if the answer was cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

WORDS = ("think", "thinking", "thought", "thoughts", "reasoning", "seed:think")
"""Names of tags: R1 and Qwen write <think>, EXAONE <thought>, Seed-OSS <seed:think>. Prompts for
other models ask for <thinking> or <reasoning>."""
PAIRS = (
    *((f"<{word}>", f"</{word}>") for word in WORDS),
    ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("◁think▷", "◁/think▷"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""The marks before and after reasoning. The last two are those of Gemma 4 and gpt-oss."""
WRAPPERS = (
    ("<answer>", "</answer>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|start_response|>", "<|end_response|>"),
)
"""Marks around an answer that follows reasoning, in lower case."""
OPENINGS = {opening.lower(): opening for opening, _ in PAIRS}
CLOSINGS = {closing.lower(): opening for opening, closing in PAIRS}
MOST_MARKS = 200
"""A text with more marks than this is a loop, not an answer."""
END_OF_TURN = re.compile(r"(?:<\|end\|>)?(?:<\|start\|>assistant)?\s*\Z")
"""How gpt-oss ends its reasoning, before the mark of its answer."""


def either(marks: dict[str, str]) -> str:
    """Return a pattern for any of the marks."""
    return "|".join(re.escape(mark) for mark in marks)


MARK = re.compile(f"(?P<opens>{either(OPENINGS)})|{either(CLOSINGS)}", re.IGNORECASE)
AT_START = re.compile(rf"\s*(?:(?:{either(OPENINGS)})\s*)+", re.IGNORECASE)
AT_END = re.compile(rf"(?:{either(OPENINGS)})\s*\Z", re.IGNORECASE)
FENCE = r"^[ \t]{0,3}```[^\n]*\n(?P<fenced>.*?)(?:^[ \t]{0,3}```|\Z)"
QUOTED = (
    r"(?<![\w.!?])[\"'“‘«「『]"
    rf"(?:\\[nrt]|[ ]|{either(OPENINGS)}|{either(CLOSINGS)}){{1,9}}"
    r"[\"'”’»」』]"
)
MENTION = re.compile(rf"{FENCE}|`[^`\n]*`|{QUOTED}", re.IGNORECASE | re.DOTALL | re.MULTILINE)
"""Code and quotes: a mark in them is part of what the text is about."""
SENTENCE_ENDS = ".!?…。！？>"
"""What can stand before an opening mark in the middle of a line."""


@dataclass(frozen=True)
class Mark:
    """One mark in a text that is no mention."""

    start: int
    end: int
    opens: bool
    pair: str
    """The opening mark of its pair."""
    fenced: bool = False
    """Whether it is a closing mark in a block of code that holds no opening one."""


class Unclear(Exception):
    """A text has marks, but which part of it is the answer cannot be told."""


def split_reasoning(content: str, reasoning: str | None = None) -> tuple[str, str]:
    r"""Return what a model thought, and what it answered.

    Reasoning can stand in a field of its own and between marks in the text, in several blocks. A
    text that ends inside its reasoning has no answer. A closing mark without an opening one ends
    reasoning that the chat template opened. Marks in code or quotes are text. If it cannot be told
    where the answer begins, everything counts as reasoning, so that no half of it is learned.

    Args:
        content: the text, with or without marks.
        reasoning: the field with the reasoning, if the engine has one.

    Returns:
        The reasoning, or "" if there is none, and the answer. A text without marks is returned as
        it is.

    Example:
        >>> split_reasoning("<think>\n3, and 4 more\n</think>\n\nIt is 7.")
        ('3, and 4 more', 'It is 7.')
        >>> split_reasoning("3, and 4 more</think>It is 7.")
        ('3, and 4 more', 'It is 7.')
        >>> split_reasoning("<think>3, and")
        ('3, and', '')
        >>> split_reasoning("It is 7.", "3, and 4 more")
        ('3, and 4 more', 'It is 7.')
        >>> split_reasoning("Write `</think>` at the end.")
        ('', 'Write `</think>` at the end.')
    """
    field = thought(reasoning or "")
    lower = content.lower()
    if not any(mark in lower for mark in (*OPENINGS, *CLOSINGS)):
        return field, content
    try:
        thoughts, answer = split_text(content)
    except Unclear:
        thoughts = [content]
        answer = ""
    # a server may return the same reasoning in both places
    parts = dict.fromkeys([field, *map(thought, thoughts)])
    return "\n\n".join(filter(None, parts)), answer


def join_reasoning(reasoning: str, answer: str) -> str:
    r"""Return reasoning and answer as one text, in the form that R1 and Qwen write.

    `split_reasoning` takes it apart again.

    Example:
        >>> join_reasoning("3, and 4 more", "It is 7.")
        '<think>\n3, and 4 more\n</think>\n\nIt is 7.'
        >>> join_reasoning("", "It is 7.")
        'It is 7.'
    """
    if not reasoning:
        return answer
    # without an answer the text was cut off, and the block stays open
    return f"<think>\n{reasoning}\n</think>\n\n{answer}" if answer else f"<think>\n{reasoning}"


def opening_at_end(prompt: str) -> str:
    r"""Return the opening mark with which a prompt ends, or "".

    Some chat templates write it, so what the model writes begins inside its reasoning.

    Example:
        >>> opening_at_end("<|assistant|>\n<think>\n"), opening_at_end("<think>\n\n</think>\n\n")
        ('<think>', '')
    """
    found = AT_END.search(prompt[-64:])
    return found[0].strip() if found else ""


def split_text(text: str) -> tuple[list[str], str]:
    """Return the blocks of reasoning in a text, and the answer.

    Raises:
        Unclear: it cannot be told which part is the answer.
    """
    thoughts: list[str] = []
    said: list[str] = []
    place = 0
    inside: Mark | None = None
    for mark in marks(text):
        if inside and (mark.opens or mark.pair != inside.pair):
            # some models repeat the mark that the template wrote
            continue
        part = text[place : mark.start]
        check(text, mark, orphan=not (inside or mark.opens))
        if mark.opens:
            said.append(part)
        elif inside:
            thoughts.append(part)
        else:
            # the template opened this block: all that came before it was said inside it
            thoughts += [*said, part]
            said = []
        inside = mark if mark.opens else None
        place = mark.end

    if not place:
        return [], text
    if inside:
        return [*thoughts, *said, text[place:]], ""
    parts = (part.strip() for part in (*said, text[place:]))
    return thoughts, unwrapped("\n\n".join(filter(None, parts)))


def marks(text: str) -> Iterator[Mark]:
    """Yield the marks of a text that are no mentions, in order.

    Raises:
        Unclear: there are too many.
    """
    mentions = MENTION.finditer(text)
    mention = next(mentions, None)
    opened_in_code: set[str] = set()
    for number, found in enumerate(MARK.finditer(text)):
        if number == MOST_MARKS:
            raise Unclear
        while mention and mention.end() <= found.start():
            mention = next(mentions, None)
            opened_in_code = set()

        word = found[0].lower()
        opens = found["opens"] is not None
        pair = (OPENINGS if opens else CLOSINGS)[word]
        is_mention = mention is not None and mention.start() <= found.start()
        fenced = mention is not None and is_mention and mention["fenced"] is not None
        if opens and is_mention:
            opened_in_code.add(pair)
        # a block of code that a model left open in its reasoning may hold the closing mark
        elif not is_mention or (fenced and pair not in opened_in_code):
            yield Mark(found.start(), found.end(), opens, pair, fenced)


def check(text: str, mark: Mark, *, orphan: bool) -> None:
    """Check that a mark stands where a model writes it, and not as a word of a sentence.

    Args:
        text: the whole text.
        mark: in the text.
        orphan: whether it is a closing mark without an opening one.

    Raises:
        Unclear: it may be a mention.
    """
    before = text[: mark.start].rpartition("\n")[2]
    after = text[mark.end : mark.end + 2]
    if mark.opens:
        is_word = bool(before.strip()) and before.rstrip()[-1] not in SENTENCE_ENDS
    else:
        # " </think> ends" reads on, "</think>, which" too
        letter = after[1:2]
        reads_on = after[:1] == " " and letter.isalpha() and not letter.isupper()
        is_word = (before[-1:] == " " and reads_on) or after[:1] in tuple(",;.:!?)")
    if is_word or (orphan and mark.fenced):
        raise Unclear


def thought(text: str) -> str:
    """Return a block of reasoning without the marks and the white space around it."""
    text = END_OF_TURN.sub("", AT_START.sub("", text, count=1) if AT_START.match(text) else text)
    text = text.strip()
    for closing in CLOSINGS:
        if text.lower().endswith(closing):
            return text[: -len(closing)].strip()
    return text


def unwrapped(answer: str) -> str:
    """Return an answer without the marks that some models write around it."""
    for opening, closing in WRAPPERS:
        if answer.lower().startswith(opening):
            inner = answer[len(opening) :]
            cut = len(closing) if inner.lower().endswith(closing) else 0
            return inner[: len(inner) - cut].strip()
    return answer
