r"""The answer of a chain, as one canonical string, or None when it has none.

The last trigger that is followed by an answer decides ("The answer is 18.", "#### 18", "Answer: 18", a line "A: 18",
`\boxed{18}`). Without one: numbers take the last number of the text, choices the last letter in brackets, yes/no the
last free-standing word, free text the whole text if it is a single line. Everything here takes time linear in the
text, because a model wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from datagen.answers import latex, numbers

ANSWER_TYPES = ("number", "choice", "yesno", "text")

MAX_TRIGGERS = (
    8  # from the end; a chain that repeats itself more often than this has said the same at its end
)
MAX_SEGMENT = 2000  # characters after a trigger that are looked at
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
SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
QUOTES = "\"'`\u201c\u201d\u2018\u2019"

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
        `datagen.answers.numbers`. A choice is a capital letter. A yes/no answer is "yes" or "no", or
        the matching option in lower case. A text is in lower case, without quotes, commas between
        words and the final stop.

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
    r"""What stands after each trigger, the last first: what `\boxed{...}` holds, else all up to the next trigger."""
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


def first_line(text: str) -> str:
    """The first line that is not blank."""
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def first_sentence(line: str) -> str:
    end = SENTENCE_END.search(line)
    return line[: end.start()] if end else line


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

BRACKETED = re.compile(r"\(\s?([A-Za-z])\s?\)|(?<![\w(])([A-Z])\)|\[([A-Z])\]")
# A bare letter. "A" and "I" are also words: they count only where no word follows, or one that
# follows no article.
BARE = re.compile(
    r"\W{0,4}(?i:(?:option|choice|letter)\s)?\W{0,2}"
    r"(?:([B-HJ-Z])(?![\w'’])|([AI])(?=\W{0,3}$|\s?[.,;:)\]]|\s(?:because|since|as|which|for|and|or)\b)|([a-z])\W{0,3}$)",
)


def choice_after(segment: str, options: Sequence[str]) -> str | None:
    line = first_line(latex.plain(segment))
    bare = BARE.match(line)
    for match in (bare, BRACKETED.search(line)):
        letter = match and allowed(group_of(match), options)
        if letter:
            return letter
    return option_in(line, options)


# "Option B", "correct choice is (C)", "answer D" at the end of a line; "B is correct"; a line that
# is a letter.
NAMED = re.compile(
    r"\b(?i:option|choice|answer|ans)\b[ :.-]{0,3}(?i:is )?\(?([A-Z])\)?(?=\W{0,3}$)|"
    r"^\W{0,3}([A-Z])\)? is (?:the )?(?:correct|right|answer)\b|^[ \t(]{0,3}([A-Z])[ \t).]{0,3}$",
    re.MULTILINE,
)
MAX_WORDS = 12  # of a reply that names its option by the text alone


def choice_anywhere(text: str, options: Sequence[str]) -> str | None:
    whole = text.strip()
    if "\n" not in whole and len(whole) <= MAX_SEGMENT:  # an answer and nothing else
        bare = BARE.fullmatch(whole.rstrip(". "))
        letter = bare and allowed(group_of(bare), options)
        if letter:
            return letter
    for pattern in (NAMED, BRACKETED):
        letters = [
            letter
            for match in pattern.finditer(text)
            if (letter := allowed(group_of(match), options))
        ]
        if letters:
            return letters[-1]
    short = "\n" not in whole and len(whole) <= MAX_SEGMENT and len(whole.split()) <= MAX_WORDS
    return option_in(whole, options) if short else None


def group_of(match: re.Match[str]) -> str:
    """The one group that took part."""
    return next(filter(None, match.groups()))


def allowed(letter: str, options: Sequence[str]) -> str | None:
    """The letter as a capital, where there is such an option."""
    place = ord(letter.upper()) - ord("A")
    return letter.upper() if not options or place < len(options) else None


def option_in(line: str, options: Sequence[str]) -> str | None:
    """The letter of the option whose text stands first in the line, the longest of those that start
    there.
    """
    wanted, best = f" {words(line)} ", None
    for place, option in enumerate(options):
        start = wanted.find(f" {words(option)} ") if words(option) else -1
        if start >= 0 and (best is None or (start, -len(option)) < best[:2]):
            best = (start, -len(option), place)
    return None if best is None else chr(ord("A") + best[2])


def words(text: str) -> str:
    return " ".join(normalise_text(text).strip("().,;:!?").split())


# Yes and no

SYNONYMS = {("yes", "no"): ("yes", "no"), ("true", "false"): ("yes", "no")}


def yesno_after(segment: str, options: Sequence[str]) -> str | None:
    match = re.search(
        rf"\b(not\s)?({'|'.join(yesno_words(options))})\b", first_line(segment), re.IGNORECASE
    )
    return match and yesno(match, options)


def yesno_anywhere(text: str, options: Sequence[str]) -> str | None:
    """The first word, as direct answers have it; else the last one that ends a clause: "no" is a
    determiner too.
    """
    pattern = rf"\b(not\s)?({'|'.join(yesno_words(options))})\b"
    first = re.match(rf"\W{{0,4}}{pattern}", text, re.IGNORECASE)
    found = (
        [first]
        if first
        else list(re.finditer(rf"{pattern}(?=[.,;!)\"']|\s{{0,4}}$)", text, re.IGNORECASE))
    )
    return yesno(found[-1], options) if found else None


def yesno_pair(options: Sequence[str]) -> tuple[str, str]:
    """The two answers in lower case, the affirmative first."""
    return (
        (options[0].strip().lower(), options[1].strip().lower())
        if len(options) == 2
        else ("yes", "no")
    )


def yesno_words(options: Sequence[str]) -> tuple[str, ...]:
    pair = yesno_pair(options)
    return tuple(re.escape(word) for word in dict.fromkeys(pair + SYNONYMS.get(pair, ())))


def yesno(match: re.Match[str], options: Sequence[str]) -> str:
    pair = yesno_pair(options)
    affirmative = match[2].lower() in (pair[0], "yes")
    return pair[affirmative == bool(match[1])]


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


def normalise_text(text: str) -> str:
    """Lower case; no quotes around, no final stop, no commas between words; brackets alone are
    spaced, as "] ] >".
    """
    text = text.strip().rstrip(".").strip().strip(QUOTES).strip().rstrip(".").strip()
    if text and not any(character.isalnum() for character in text):
        return " ".join(character for character in text if not character.isspace())
    return " ".join(text.lower().replace(", ", " ").split())


FINDERS: dict[str, tuple[Finder, Finder]] = {
    "number": (number_after, number_anywhere),
    "choice": (choice_after, choice_anywhere),
    "yesno": (yesno_after, yesno_anywhere),
    "text": (text_after, text_anywhere),
}
