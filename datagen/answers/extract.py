r"""The answer of a chain, as one canonical string, or None when it has none.

The last trigger that is followed by an answer decides: "The answer is 18.", "#### 18",
"Answer: 18", a line "A: 18", `\boxed{18}`. Without a trigger a number is the last number of the
text, a choice the last letter in brackets, yes/no the last free-standing word, and a text the whole
text if it is a single line. Everything here takes time linear in the text, because a model wrote
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from datagen.answers import latex, numbers
from datagen.answers.choices import choice_after, choice_anywhere
from datagen.answers.lines import MAX_SEGMENT, QUOTES, first_line, first_sentence, normalise_text
from datagen.answers.yesno import yesno_after, yesno_anywhere

ANSWER_TYPES = ("number", "choice", "yesno", "text")

MAX_TRIGGERS = 8
"""Counted from the end. A chain that repeats itself more often says the same at its end."""
TRIGGER = re.compile(
    r"\banswer[ \t\"')]{0,4}(?:(?:to|for)[ ][^.:=\n]{0,80}[ ])?"
    r"(?:(?:is|was|would be|will be|should be|must be|equals)\b[ \t]?(?:therefore |thus |then "
    r")?[:=]?|[:=])|"
    r"^[#\s]{0,6}(?:the )?(?:final )?answer[ \t]*$|"
    r"^####(?=[ \t]*(?:[-$(\\]{0,2}\d\S*(?:[ ][a-z%]+)?|\S+)[ \t]*$)|"
    r"^[ \t]{0,8}a[ \t]?:|"
    r"\\(?:boxed|fbox)[ \t]?\{",
    re.IGNORECASE | re.MULTILINE,
)
MARKS = ("answer", "####", "a:", "a :", "a\t:", "\\boxed", "\\fbox")
"""Every trigger holds one of these, in lower case, and at most BEFORE characters before it."""
BEFORE = 16

Finder = Callable[[str, Sequence[str]], str | None]


def extract(text: str, answer_type: str, *, options: Sequence[str] = ()) -> str | None:
    """The canonical answer of a text.

    Args:
        text: what a model wrote.
        answer_type: "number", "choice", "yesno" or "text".
        options: the texts of the choices, A first; of a yes/no question in other words the two
            words, the affirmative first.

    Returns:
        The answer, or None where the text states none. A number has the form of
        `datagen.answers.numbers`. A choice is a capital letter. A yes/no answer is "yes" or "no",
        or the matching option in lower case. A text is in lower case, without quotes, commas
        between words and the final stop.

    Raises:
        ValueError: the type is unknown.

    Example:
        >>> extract("3 + 4 = 7. The answer is 1,200.", "number")
        '1200'
        >>> extract("So the answer is (B).", "choice")
        'B'
        >>> extract("I cannot say.", "number") is None
        True
    """
    check_type(answer_type)
    if answer_type == "number" and (usual := usual_number(text)):
        return usual
    after, anywhere = FINDERS[answer_type]
    text = text.rpartition("</think>")[2].replace("\r\n", "\n").replace("**", "")
    for segment in segments(text):
        found = after(segment, options)
        if found is not None:
            return found
    return anywhere(text, options)


def check_type(answer_type: str) -> None:
    if answer_type not in ANSWER_TYPES:
        raise ValueError(
            f"unknown answer type {answer_type!r}; there are: {', '.join(ANSWER_TYPES)}"
        )


def segments(text: str) -> Iterator[str]:
    r"""What stands after each trigger, the last first.

    That is what `\boxed{...}` holds, else all up to the next trigger.
    """
    triggers = list(TRIGGER.finditer(text, before_triggers(text)))[-MAX_TRIGGERS:]
    end = len(text)
    for trigger in reversed(triggers):
        if trigger.group().endswith("{"):
            yield until_closing(text[trigger.end() : trigger.end() + MAX_SEGMENT])
        else:
            yield text[trigger.end() : min(end, trigger.end() + MAX_SEGMENT)]
        end = trigger.start()


def before_triggers(text: str) -> int:
    """A place before the first trigger.

    Plain searches find it ten times faster than the pattern.
    """
    lower = text.lower()
    if len(lower) != len(text) or "\u017f" in text:  # which the pattern takes for an s
        return 0
    first = len(text)
    for mark in MARKS:
        place = lower.find(mark, 0, first + len(mark))
        first = place if place >= 0 else first
    return max(first - BEFORE, 0)


def until_closing(text: str) -> str:
    """The text up to the bracket that closes the one before it; all of it when none does."""
    depth = 1
    for place, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if not depth:
            return text[:place]
    return text


# How our prompts ask a chain to end, and how GSM8K's and many others do.
USUAL = ("\n####", "\nA:", " answer is", " answer is:")
USUAL_NUMBER = re.compile(r"\$?(0|-?[1-9]\d{0,2}(?:,\d{3}){1,4}|-?[1-9]\d{0,15})\.?\n?", re.ASCII)
USUAL_LENGTH = 48


def usual_number(text: str) -> str | None:
    """The whole number that a chain ends with as most do, ten times faster than by all the rules;
    None for others.
    """
    before, _, last = text[-USUAL_LENGTH:].rpartition(" ")
    found = USUAL_NUMBER.fullmatch(last) if before.endswith(USUAL) else None
    return found[1].replace(",", "") if found else None


# Numbers

ARITHMETIC = re.compile(r"\d[ \t]?[-+*/\u00d7][ \t]?\(?\d")


def number_after(segment: str, options: Sequence[str]) -> str | None:
    """The number of the first sentence, else of the first line: behind the last "=" if there is
    one, else the first.
    """
    line = latex.plain(first_line(segment))
    for part in (first_sentence(line), line):
        result = part.rpartition("=")[2]
        for piece in (part,) if ARITHMETIC.search(result) else (result, part):
            found = number_in(piece)
            if found is not None:
                return found
    return None


def number_in(piece: str) -> str | None:
    """The first number; a LaTeX expression as a whole or not at all."""
    if "\\" in piece:
        found = latex.number(piece)
        if found is not None or latex.STRUCTURE.search(piece):
            return found
    return numbers.first_number(piece)


def number_anywhere(text: str, options: Sequence[str]) -> str | None:
    last_line = next((line for line in reversed(text.split("\n")) if line.strip()), "")
    if latex.STRUCTURE.search(last_line) and len(last_line) <= MAX_SEGMENT:
        found = latex.number(latex.plain(last_line).rpartition("=")[2])
        if found is not None:
            return found
    return numbers.last_number(latex.plain(text))


# Choices

# A bare letter. "A" and "I" are also words: they count only where no word follows, or one that
# follows no article.


# "Option B", "correct choice is (C)", "answer D" at the end of a line; "B is correct"; a line that
# is a letter.


# Yes and no


# Free text

SENTENCE_BREAK = re.compile(r"(\S+)[.!?]\s+(?=[A-Z])")


def text_after(segment: str, options: Sequence[str]) -> str | None:
    line = first_line(latex.plain(segment))
    if line and line[0] in QUOTES:
        closing = re.search(rf"[{QUOTES}](?!\w)", line[1:])
        line = line[: closing.end() + 1] if closing else line
    for stop in SENTENCE_BREAK.finditer(line):
        if len(stop[1]) > 3 or not stop[1][0].isupper():  # not "Dr." or "U.S."
            line = line[: stop.end(1)]
            break
    return normalise_text(line) or None


def text_anywhere(text: str, options: Sequence[str]) -> str | None:
    text = text.strip()
    return normalise_text(text) or None if "\n" not in text and len(text) <= MAX_SEGMENT else None


def normalise(answer: str, answer_type: str) -> str:
    """An answer that stands alone, in the form in which answers of its type are compared."""
    if answer_type == "choice":
        return answer.strip().strip("()[]. ").upper()
    return normalise_text(answer)


FINDERS: dict[str, tuple[Finder, Finder]] = {
    "number": (number_after, number_anywhere),
    "choice": (choice_after, choice_anywhere),
    "yesno": (yesno_after, yesno_anywhere),
    "text": (text_after, text_anywhere),
}
