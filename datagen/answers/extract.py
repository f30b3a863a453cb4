r"""Extract the final answer of a chain of thought as one canonical string.

A *trigger* announces an answer: "The answer is 18.", "#### 18", "Answer: 18", a line "A: 18",
`\boxed{18}`. The last trigger decides. If its text states no answer that can be read ("none of the
above", "3 or 4"), the chain has none: what stands earlier is not taken in its place. Without a
trigger the type decides: the last number of the text, the letter in the last sentence that decides,
the last "yes" or "no" that stands alone, or the whole text if it is a single line.

A model wrote the text, so it can be long and repetitive. Every function here takes time linear in
the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from datagen.answers.characters import plain
from datagen.answers.finders.choices import choice_after, choice_anywhere
from datagen.answers.finders.phrases import text_after, text_anywhere
from datagen.answers.finders.quantities import number_after, number_anywhere
from datagen.answers.finders.yesno import yesno_after, yesno_anywhere
from datagen.answers.lines import MAX_SEGMENT, first_line, normalise_text

ANSWER_TYPES = ("number", "choice", "yesno", "text")

MAX_TRIGGERS = 8
"""Only this many triggers are tried, from the end of the text. A chain with more of them repeats
itself, and its last triggers say what the earlier ones said."""
TRIGGER = re.compile(
    # "the answer is 18", "the answer (in cm) to the question would be: 18", "answer = 18".
    # The repetitions are bounded, so that the search stays linear.
    r"\banswers?[ \t\u00a0\"'\u2019\u201d)]{0,4}(?:\([^()\n]{0,40}\)[ ]?)?"
    r"(?:(?:to|for)[ ][^.:=\n]{0,80}[ ])?"
    r"(?:(?:is|are|was|were|(?:would|will|should|must|could|may|might|can|has to|have to|seems "
    r"to|appears to) be|equals)\b[ \t]?(?:therefore |thus |then )?[:=\uff1a]?|[:=\uff1a]|"
    # The segment then begins with the negation: "n't 18", "not be 18".
    r"(?:is|are|was|were)(?=n['\u2019]t )|can(?=(?:not|['\u2019]t) be))|"
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

    # The reasoning in <think> tags may try out wrong answers.
    text = text.rpartition("</think>")[2].replace("\r\n", "\n")
    text = without_markup(text, answer_type)

    after_trigger, anywhere = FINDERS[answer_type]
    remark = ""
    for segment in segments(text, lettered=answer_type == "choice"):
        if not says_nothing(segment, options):
            return after_trigger(plain(segment), options)
        remark = remark or first_line(segment)

    # A text answer may be any words, also those of a remark.
    if answer_type == "text" and remark:
        return text_after(plain(remark), options)
    return anywhere(plain(text), options)


def check_type(answer_type: str) -> None:
    """Raise ValueError if there is no such answer type."""
    if answer_type not in ANSWER_TYPES:
        raise ValueError(
            f"unknown answer type {answer_type!r}: choose one of {', '.join(ANSWER_TYPES)}"
        )


POWER = re.compile(r"(?<=\d)\*\*(?=\d)")
STRUCK_OUT = re.compile(r"~~[^~\n]{0,200}~~")
TAG = re.compile(r"<(/?(?:b|i|u|em|strong|span|code|p|sup|answer))>", re.IGNORECASE)
TAGS = {"sup": "^", "answer": "\nAnswer: ", "/answer": "\n", "/p": "\n"}
ITALICS = re.compile(r"(?<![\w\\])__?(?=\w)|(?<=\w)__?(?!\w)")


def without_markup(text: str, answer_type: str) -> str:
    """Return the text without marks for bold and italics, which would split triggers and numbers.

    What is struck out goes. Between digits, "**" is a power. A text answer may be a name with
    underscores.
    """
    if "**" in text:
        text = POWER.sub("^", text).replace("**", "")
    if "~~" in text:
        text = STRUCK_OUT.sub("", text)
    if "</" in text:
        text = TAG.sub(lambda match: TAGS.get(match[1].lower(), ""), text)
    return ITALICS.sub("", text) if "_" in text and answer_type != "text" else text


REMARK = re.compile(
    r"\W*(?:also |indeed |now |therefore |thus |then |as )?(?:correct|right|reasonable|verified|"
    r"confirmed|consistent|helpful|useful|clear|complete|final|ready|above|below|follows?|(?:given|"
    r"shown|stated|found|obtained|derived|calculated|computed|simple|easy|straightforward)"
    r"(?!\s(?:as|to be)\b))\b(?![ ]?\d)",
    re.IGNORECASE,
)
"""A sentence about an answer that stands elsewhere: "I hope this answer is helpful"."""
HEADLESS = frozenset(
    ("wrong", "incorrect", "false", "naive", "tempting", "if", "whether", "suppose", "assume")
)
"""A trigger within three words behind one of these announces no answer: "a wrong answer is"."""
LISTED = re.compile(r"^[ \t]{0,8}b[ \t]?:", re.IGNORECASE | re.MULTILINE)
"""A line "B: ...". Beside it, a line "A: ..." is about option A."""


def says_nothing(segment: str, options: Sequence[str]) -> bool:
    """Return whether the text after a trigger is empty or only a remark."""
    line = first_line(segment)
    if not line or not REMARK.match(line):
        return not line
    return not any(line.lower().startswith(option.lower()) for option in options if option)


def segments(text: str, *, lettered: bool = False) -> Iterator[str]:
    r"""Yield the text after each trigger, the last trigger first.

    A segment is the content of `\boxed{...}`, or else the text up to the next trigger.

    Args:
        text: The text.
        lettered: Whether answers are letters, so that a line "A: ..." may be about an option.
    """
    triggers = list(TRIGGER.finditer(text, before_triggers(text)))[-MAX_TRIGGERS:]

    end = len(text)
    for trigger in reversed(triggers):
        if is_headless(text, trigger.start()) or (lettered and is_option(trigger)):
            continue
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


def is_option(trigger: re.Match[str]) -> bool:
    """Return whether a trigger is the line "A: ..." of a list that has a line "B: ..."."""
    is_line = len(trigger.group().strip()) <= len("A :")
    return is_line and LISTED.search(trigger.string) is not None


def is_headless(text: str, start: int) -> bool:
    """Return whether the words before a trigger say that no answer follows."""
    before = text[max(0, start - 32) : start].rpartition("\n")[2].lower()
    return not HEADLESS.isdisjoint(before.split(" ")[-4:])


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
SENTENCE = ("The answer is", "o the answer is", "\nA:", "\n####")
"""Usual endings before which no word can deny that an answer follows."""
USUAL_NUMBER = re.compile(r"\$?(0|-?[1-9]\d{0,2}(?:,\d{3}){1,4}|-?[1-9]\d{0,15})\.?\n?", re.ASCII)
"""Only whole numbers whose canonical form is obvious. All others take the full rules."""
USUAL_LENGTH = 48
"""Characters that hold the longest USUAL ending and the longest USUAL_NUMBER."""


def usual_number(text: str) -> str | None:
    """Return the whole number at the end of a chain that ends in a usual way, else None."""
    before, _, last = text[-USUAL_LENGTH:].rpartition(" ")
    found = USUAL_NUMBER.fullmatch(last) if before.endswith(USUAL) else None
    if found is None or (not before.endswith(SENTENCE) and is_headless(before, len(before) - 8)):
        return None
    return found[1].replace(",", "")


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
