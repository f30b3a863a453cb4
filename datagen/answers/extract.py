r"""Extract the final answer of a chain of thought as one canonical string.

A *trigger* announces an answer: "The answer is 18.", "#### 18", "Answer: 18", a line "A: 18",
`\boxed{18}`. The last trigger that is followed by an answer of the right type decides. Without a
trigger the type decides: the last number of the text, the last letter in brackets, the last "yes"
or "no" that stands alone, or the whole text if it is a single line.

A model wrote the text, so it can be long and repetitive. Every function here takes time linear in
the length of the text.
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
"""Only this many triggers are tried, from the end of the text. A chain with more of them repeats
itself, and its last triggers say what the earlier ones said."""
TRIGGER = re.compile(
    # "the answer is 18", "the answer to the question would be: 18", "answer = 18".
    # The repetitions are bounded, so that the search stays linear.
    r"\banswer[ \t\"')]{0,4}(?:(?:to|for)[ ][^.:=\n]{0,80}[ ])?"
    r"(?:(?:is|was|would be|will be|should be|must be|equals)\b[ \t]?(?:therefore |thus |then "
    r")?[:=]?|[:=])|"
    # A heading "## Final answer" with the answer in the next line.
    r"^[#\s]{0,6}(?:the )?(?:final )?answer[ \t]*$|"
    # "#### 18" as in GSM8K. A longer line after "####" is a Markdown heading, not an answer.
    r"^####(?=[ \t]*(?:[-$(\\]{0,2}\d\S*(?:[ ][a-z%]+)?|\S+)[ \t]*$)|"
    # "A: 18", as few-shot prompts write it.
    r"^[ \t]{0,8}a[ \t]?:|"
    r"\\(?:boxed|fbox)[ \t]?\{",
    re.IGNORECASE | re.MULTILINE,
)
MARKS = ("answer", "####", "a:", "a :", "a\t:", "\\boxed", "\\fbox")
"""Every match of TRIGGER contains one of these in lower case."""
BEFORE = 16
"""A match of TRIGGER begins at most this many characters before its mark."""

Finder = Callable[[str, Sequence[str]], str | None]


def extract(text: str, answer_type: str, *, options: Sequence[str] = ()) -> str | None:
    """Extract the final answer of a text in canonical form.

    Args:
        text: What a model wrote.
        answer_type: "number", "choice", "yesno" or "text".
        options: For a choice, the texts of the options, A first. For a yes/no question with other
            words (true and false, valid and invalid), the two words, the affirmative first.

    Returns:
        The answer, or None if the text states no answer. A number is a plain decimal ("0.5") or a
        reduced fraction ("1/3"). A choice is a capital letter. A yes/no answer is "yes" or "no", or
        the matching option in lower case. A text is in lower case, without quotes around it,
        without commas between words and without the final stop.

    Raises:
        ValueError: The answer type is unknown.

    Example:
        >>> extract("3 + 4 = 7. The answer is 1,200.", "number")
        '1200'
        >>> extract("So the answer is (B).", "choice")
        'B'
        >>> extract("I cannot say.", "number") is None
        True
    """
    check_type(answer_type)

    # Most chains end in the usual way. The short test for it is ten times faster than the rest.
    if answer_type == "number" and (usual := usual_number(text)):
        return usual

    # The reasoning in <think> tags may try out wrong answers. Bold marks would split triggers.
    text = text.rpartition("</think>")[2].replace("\r\n", "\n").replace("**", "")

    after_trigger, anywhere = FINDERS[answer_type]
    for segment in segments(text):
        found = after_trigger(segment, options)
        if found is not None:
            return found
    return anywhere(text, options)


def check_type(answer_type: str) -> None:
    """Raise ValueError if there is no such answer type."""
    if answer_type not in ANSWER_TYPES:
        raise ValueError(
            f"unknown answer type {answer_type!r}: choose one of {', '.join(ANSWER_TYPES)}"
        )


def segments(text: str) -> Iterator[str]:
    r"""Yield the text after each trigger, the last trigger first.

    A segment is the content of `\boxed{...}`, or else the text up to the next trigger.
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
    """Return a position before the first trigger.

    Plain string searches find it ten times faster than the pattern would.
    """
    # Some letters change their length in lower case, so positions would not fit. The pattern
    # ignores case and takes the long s (U+017F) for an s, which `lower` does not.
    lower = text.lower()
    if len(lower) != len(text) or "\u017f" in text:
        return 0

    first = len(text)
    for mark in MARKS:
        place = lower.find(mark, 0, first + len(mark))
        first = place if place >= 0 else first
    return max(first - BEFORE, 0)


def until_closing(text: str) -> str:
    """Return the text up to the bracket that closes the one before it, or all of it."""
    depth = 1
    for place, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if not depth:
            return text[:place]
    return text


USUAL = ("\n####", "\nA:", " answer is", " answer is:")
"""How our prompts ask a chain to end, and how GSM8K and many other data sets end."""
USUAL_NUMBER = re.compile(r"\$?(0|-?[1-9]\d{0,2}(?:,\d{3}){1,4}|-?[1-9]\d{0,15})\.?\n?", re.ASCII)
"""Only whole numbers whose canonical form is obvious. All others take the full rules."""
USUAL_LENGTH = 48
"""Characters that hold the longest USUAL ending and the longest USUAL_NUMBER."""


def usual_number(text: str) -> str | None:
    """Return the whole number at the end of a chain that ends in a usual way, else None."""
    before, _, last = text[-USUAL_LENGTH:].rpartition(" ")
    found = USUAL_NUMBER.fullmatch(last) if before.endswith(USUAL) else None
    return found[1].replace(",", "") if found else None


ARITHMETIC = re.compile(r"\d[ \t]?[-+*/\u00d7][ \t]?\(?\d")


def number_after(segment: str, options: Sequence[str]) -> str | None:
    """Return the number that a segment states, else None.

    The first sentence is tried first, then the whole first line. The number after the last "=" is
    preferred to the first number.
    """
    line = latex.plain(first_line(segment))
    for part in (first_sentence(line), line):
        result = part.rpartition("=")[2]
        # In "19 = 12 + 7" the right side is the working. The first number is the answer.
        for piece in (part,) if ARITHMETIC.search(result) else (result, part):
            found = number_in(piece)
            if found is not None:
                return found
    return None


def number_in(piece: str) -> str | None:
    """Return the first number of a piece. A LaTeX expression is read as a whole or not at all."""
    if "\\" in piece:
        found = latex.number(piece)
        # A part of an expression that cannot be read, such as the 2 of \sqrt{2x}, is no answer.
        if found is not None or latex.STRUCTURE.search(piece):
            return found
    return numbers.first_number(piece)


def number_anywhere(text: str, options: Sequence[str]) -> str | None:
    """Return the last number of a text without triggers, else None."""
    last_line = next((line for line in reversed(text.split("\n")) if line.strip()), "")
    if latex.STRUCTURE.search(last_line) and len(last_line) <= MAX_SEGMENT:
        found = latex.number(latex.plain(last_line).rpartition("=")[2])
        if found is not None:
            return found
    return numbers.last_number(latex.plain(text))


SENTENCE_BREAK = re.compile(r"(\S+)[.!?]\s+(?=[A-Z])")


def text_after(segment: str, options: Sequence[str]) -> str | None:
    """Return the quotation or the first sentence that a segment begins with, else None."""
    line = first_line(latex.plain(segment))

    # A quoted answer ends at its closing quote, whatever is said after it.
    if line and line[0] in QUOTES:
        closing = re.search(rf"[{QUOTES}](?!\w)", line[1:])
        line = line[: closing.end() + 1] if closing else line

    for stop in SENTENCE_BREAK.finditer(line):
        # "Dr." and "U.S." do not end a sentence.
        if len(stop[1]) > 3 or not stop[1][0].isupper():
            line = line[: stop.end(1)]
            break
    return normalise_text(line) or None


def text_anywhere(text: str, options: Sequence[str]) -> str | None:
    """Return a text that is a single short line, else None."""
    text = text.strip()
    return normalise_text(text) or None if "\n" not in text and len(text) <= MAX_SEGMENT else None


def normalise(answer: str, answer_type: str) -> str:
    """Return an answer that stands alone in the form in which such answers are compared."""
    if answer_type == "choice":
        return answer.strip().strip("()[]. ").upper()
    return normalise_text(answer)


# For each answer type: how to read the text after a trigger, and how to read a text without one.
FINDERS: dict[str, tuple[Finder, Finder]] = {
    "number": (number_after, number_anywhere),
    "choice": (choice_after, choice_anywhere),
    "yesno": (yesno_after, yesno_anywhere),
    "text": (text_after, text_anywhere),
}
