"""Find the number that a text gives as its answer.

A number is read whole or not at all: of "2:30", "3/4/2020", "5x", "3-4" or "5 + 3" no part is an
answer. Several numbers side by side are none either.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from datagen.answers import latex, words
from datagen.answers.candidates import RETRACTION, Candidate, are_linked, decide, denied
from datagen.answers.equations import ANNOTATION
from datagen.answers.lines import MAX_SEGMENT, sentences, statement
from datagen.answers.numbers import NUMBER, canonical, written

# What makes a number a part of something else.
MONTH = (
    r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|January|February|March|April|May|June|July|"
    r"August|September|October|November|December)"
)
CUT_AFTER = re.compile(
    r":\d|\s:\s?\d|\s?/\s?\d|[xyznijD\u03c0](?![\w'])|h\d|\s?[\u221a\u03c0\u00b1]|\s?\+/-|-\d|"
    r"\s[xy](?!\w)|\s?[-+*/^\u00d7\u00f7]\s?[xyzn](?!\w)|'\s?\d|"
    rf"\s(?:squared|cubed|out of \d|in \d|to the power|(?:of )?{MONTH}\b)"
)
CUT_BEFORE = re.compile(
    r"(?:(?:(?<![-=<>])[<>]|[\u2264\u2265\u2260\u00b1\u221a]|\+/-|\d:|\d\s:\s|\d/|\w-|(?<![\w'])[xyzn]\s?[-+*/]|"
    r"(?:more|less|fewer|greater|larger|smaller|bigger|higher|lower)\sthan|"
    rf"\bof\s(?:the|these|those))\s?[$(]?|\b{MONTH}\.?\s)$"
)
OPERATED_AFTER = re.compile(
    r"\)?\s?(?:[-+*\u00d7\u00f7\u22c5\u00b7]\s?[$(]*[-\d(]|x\s?[$(]*\d|"
    r"(?:plus|minus|times|(?:multiplied|divided) by|(?:less|more|fewer|greater) than)\s[$(]*-?\d)|"
    r"\s[a-z]+\s[-+*\u00d7\u00f7]\s[$(]*\d",
    re.IGNORECASE,
)
OPERATED_BEFORE = re.compile(
    r"(?:[\w)%]\s?[-+*\u00d7\u00f7\u22c5\u00b7/]|^-|\d\s(?:plus|minus|times|by|x))\s?[$(]*$",
    re.IGNORECASE,
)
MAX_LISTED = 4
"""Numbers at the end of a text that are looked at together."""
BELOW_ZERO = re.compile(
    r"(?: degrees?| ?\u00b0[CF]?)?(?: (?:Celsius|Fahrenheit))? below (?:zero|0)\b"
)
CONTEXT = 24
"""Characters around a number that say whether it is whole."""
NO_UNIT = (
    r"(?!(?:per|for|in|of|at|on|from|by|with|every|each|after|within|as|is|are|since|because|if|when|"
    r"not|but|instead|that|which|while|where|using|than|has|have|had|left|a|an|the|he|she|they|it)\b)"
)
LINKED = re.compile(
    rf"[%\u00b0]?\s?(?:{NO_UNIT}[a-z%\u00b0$.]+\s)?(?:{NO_UNIT}[a-z%\u00b0$.]+)?\s?"
    r"(?:(?:[,;&|]|and/or|and|or|to|through|nor|but also|~|\(\s?or)\s?(?:(?:and|or|also|even|only|"
    r"maybe|perhaps|possibly|about|either|[a-z]\s?=)\s?){0,3})?\$?",
    re.IGNORECASE,
)
"""What stands between two numbers of which neither alone is the answer: "3 and 4", "5 h 30"."""
EQUALS = re.compile(r"\s?(?:==?>?|--?>|\u2192|\u21d2|\u2248|\u2245)\s?")
RESULT = re.compile(
    r",?\s(?:(?:which|that|this)\s)?(?:is|equals|makes|gives|comes to|i\.e\.)(?:\s(?:equal to))?\s|"
    r",?\sor\s(?=\$?-?\d)"
)
"""Words that stand for the equals sign behind a calculation: "12 - 7, which is 5"."""
CALCULATION = re.compile(
    r"#\)*\s?(?:[a-z]{1,12}\s)?(?:[-+*\u00d7\u00f7\u22c5\u00b7/^]|x|plus|minus|times|"
    r"(?:multiplied|divided) by)\s?[$(]*(?:#|[a-z]\b|\()|"
    r"(?<![\w'])[a-z]\)?\s?[-+*\u00d7\u00f7/^]\s?[$(]*#|#\(#|\)\s?\(",
    re.IGNORECASE,
)
"""A calculation, with # in place of each number."""
VALUE = re.compile(
    r"[^\w#]*(?:[^\W\d]+[^\w#]+){0,12}#[%\u00b0]?(?:\s[^\W\d]+){0,4}\W*", re.IGNORECASE
)
"""A side of an equation that is one number, with words around it."""
LEAD = re.compile(
    r"\W*(?:(?:about|approximately|around|roughly|exactly|only|just|therefore|thus|then|simply|"
    r"a total of|equal to|be|probably|likely|most)\W+)*",
    re.IGNORECASE,
)
NO_COUNT = re.compile(
    r"[ ](?:of|that|who|which|where|with|in|on|can|could|should|would|must|way|by|and|or|to|past|"
    r"times|more|less|fewer|as|a|an|the|has|have|had|is|was)\b",
    re.IGNORECASE,
)
"""What follows a number word that counts nothing: "one of them", "half a dozen", "half past"."""
SMALL_COUNT = 10
"""Smaller number words in the middle of a sentence are rarely its answer: "between the two"."""
INTERJECTION = re.compile(
    r"\W*(?:sure|yes|okay|ok|certainly|of course|well|great|got it|right|no|hm+|let'?s see)\W*",
    re.IGNORECASE,
)
NO_ANSWER = re.compile(
    r"\b(?:cannot|can't|could ?n[o']t|unable|impossible|not (?:possible|enough|sufficient|known|"
    r"given|determin\w+|sure|certain|clear)|insufficient|unknown|undetermined|undefined|no "
    r"(?:answer|solution|way)|var(?:y|ies)|unclear|(?:do|does)n't know|do not know|depends)\b",
    re.IGNORECASE,
)
"""A sentence that says that there is no answer."""


SIMPLE = re.compile(
    r"\s*\$?(0|-?[1-9]\d{0,2}(?:,\d{3}){1,4}|-?[1-9]\d{0,15})(?:\.0*)?%?((?: [a-z]+){0,4})[.!]?\s*",
    re.ASCII,
)
"""A whole number, and perhaps words: most answers. The full rules take five times as long."""
NOT_UNITS = frozenset(
    re.findall(
        "[a-z]+",
        "and or nor but not no cannot is was if than to x y z n plus minus times divided "
        "multiplied less more fewer greater below out through squared cubed hundred thousand "
        "million billion trillion lakh lakhs lac crore crores dozen",
    )
).union(words.SMALL, words.TENS, words.PARTS)
"""Words that change the number before them, or set another beside it."""


def number_after(segment: str, options: Sequence[str]) -> str | None:
    """Return the number that the text after a trigger states, else None.

    The first sentence decides, unless it is a question or says nothing ("Sure!").
    """
    simple = SIMPLE.fullmatch(segment)
    if simple and NOT_UNITS.isdisjoint(simple[2].split()):
        return simple[1].replace(",", "")
    segment = without_annotations(segment)
    for sentence, mark in sentences(latex.plain(statement(segment))):
        if mark == "?" or INTERJECTION.fullmatch(sentence):
            continue
        found = stated(sentence)
        if found is None or (begins_with_number(sentence) and not begins_list(segment)):
            return None if RETRACTION.search(segment) else found
        # A story that begins behind "Answer:" names other numbers later.
        return found if number_anywhere(segment, options) == found else None
    return None


def without_annotations(text: str) -> str:
    """Return the text without calculator annotations: "<<3+4=7>>7" is 7."""
    return ANNOTATION.sub("", text) if "<<" in text else text


def begins_with_number(sentence: str) -> bool:
    """Return whether a number, or its words, stand at the beginning of a sentence."""
    start = lead_of(sentence)
    return bool(NUMBER.match(sentence, start) or words.PHRASE.match(sentence.lower(), start))


def begins_list(segment: str) -> bool:
    """Return whether the first two lines of a segment begin with different numbers."""
    paragraph = segment.strip().partition("\n\n")[0]
    first = [NUMBER.match(line, lead_of(line)) for line in paragraph.split("\n")[:2]]
    return len({written(match) for match in first if match}) > 1


def lead_of(sentence: str) -> int:
    """Return where a sentence begins behind words such as "about"."""
    lead = LEAD.match(sentence)
    return lead.end() if lead else 0


def stated(sentence: str) -> str | None:
    """Return the number that a sentence states, else None.

    Of an equation it is the last side that is a number: 18 in "3 * 6 = 18" and in "18 = 3 * 6".
    """
    sides = EQUALS.split(with_equals_signs(sentence))
    if len(sides) == 1:
        return single(sentence)

    # "x = 5 or x = 6"
    if any(re.search(r"(?:\b(?:or|and)\b|[,;])", side) for side in sides[1:-1]):
        return None
    for place in range(len(sides) - 1, -1, -1):
        side = sides[place]
        shape = NUMBER.sub("#", side)
        is_last = place == len(sides) - 1
        if not CALCULATION.search(shape) and (is_last or VALUE.fullmatch(shape)):
            found = single(side)
            if found is not None:
                return found
            # The last side names several numbers, or a part of one.
            if is_last and "#" in shape:
                return None
    return None


def with_equals_signs(sentence: str) -> str:
    """Return the sentence with "=" for the words behind a calculation: "12 - 7, which is 5"."""
    for word in RESULT.finditer(sentence):
        before = sentence[: word.start()]
        if CALCULATION.search(NUMBER.sub("#", before)):
            return f"{before} = {sentence[word.end() :]}"
    return sentence


def single(part: str) -> str | None:
    """Return the one number that a part of a sentence states, else None.

    A LaTeX expression is read as a whole or not at all.
    """
    if "\\" in part:
        found = latex.number(part)
        # A part of an expression that cannot be read, such as the 2 of \\sqrt{2x}, is no answer.
        if found is not None or latex.STRUCTURE.search(part):
            return found

    numbers = [candidate(part, match) for match in NUMBER.finditer(part)]
    phrases = written_out(part, alone=not numbers)
    found_here = sorted([*numbers, *phrases], key=lambda found: found.start)
    values = decide(part, found_here, LINKED)
    return values[0] if len(values) == 1 else None


def candidate(text: str, match: re.Match[str], *, operated: bool = True) -> Candidate:
    """Return a NUMBER match with its value, or without one if it is a part of something else.

    Args:
        text: The text of the match.
        match: The match.
        operated: Whether an operand of a calculation is only a part.
    """
    start, end = match.span()
    before = text[max(0, start - CONTEXT) : start].lstrip()
    after = text[end : end + CONTEXT]
    is_part = CUT_AFTER.match(after) or (before and CUT_BEFORE.search(before))
    if operated and not is_part:
        is_part = OPERATED_AFTER.match(after) or (before and OPERATED_BEFORE.search(before))
    return Candidate(None if is_part else below_zero(written(match), after), start, end)


def below_zero(value: str | None, after: str) -> str | None:
    """Return the value, with a minus if the text behind it says "degrees below zero"."""
    below = re.match(
        r"(?: degrees?| \u00b0[CF])?(?: (?:Celsius|Fahrenheit))? below (?:zero|0)", after
    )
    return f"-{value}" if value and below else value


def written_out(part: str, *, alone: bool) -> list[Candidate]:
    """Return the numbers in words that may be the answer.

    A sentence mentions small numbers in passing, as in "the two of them". They count at its
    beginning only.

    Args:
        part: A part of a sentence.
        alone: Whether it has no number in digits. Otherwise only a phrase at its beginning, which
            stands beside one in digits, is of interest.
    """
    start = lead_of(part)
    if not alone and not words.PHRASE.match(part.lower(), start):
        return []
    found: list[Candidate] = []
    for phrase in words.find(part):
        leads = phrase.start == start and not NO_COUNT.match(part, phrase.end)
        large = phrase.value is None or abs(phrase.value) > SMALL_COUNT
        if leads or (alone and (large or found)):
            value = None if phrase.value is None else canonical(phrase.value)
            found.append(Candidate(value, phrase.start, phrase.end))
    return found


def number_anywhere(text: str, options: Sequence[str]) -> str | None:
    """Return the last number of a text without triggers, else None."""
    last_line = next((line for line in reversed(text.split("\n")) if line.strip()), "")
    if latex.STRUCTURE.search(last_line) and len(last_line) <= MAX_SEGMENT:
        found = latex.number(latex.plain(last_line).rpartition("=")[2])
        if found is not None:
            return found

    text = latex.plain(without_annotations(text))
    last = deque(NUMBER.finditer(text), maxlen=MAX_LISTED)
    tail = text[last[-1].end() :] if last else "." + text
    if says_otherwise(tail):
        return number_in_words(tail)
    return last_listed(text, last)


def last_listed(text: str, last: Sequence[re.Match[str]]) -> str | None:
    """Return the last number, or None if others stand side by side with it: "3 and 4"."""
    values: set[str | None] = set()
    following: Candidate | None = None
    for match in reversed(last):
        if following and not are_linked(text[match.end() : following.start], LINKED):
            break
        found = candidate(text, match, operated=False)
        if not denied(text, found):
            following = found
            values.add(found.value)
    return values.pop() if len(values) == 1 else None


def says_otherwise(tail: str) -> bool:
    """Return whether the text behind the last number in digits gives another answer, or none."""
    tail = tail[-MAX_SEGMENT:]
    return bool(NO_ANSWER.search(tail) or any(map(words.find, later_sentences(tail))))


def later_sentences(tail: str) -> list[str]:
    """Return the sentences that begin behind the last number in digits."""
    parts = [sentence for line in tail.split("\n") for sentence, _ in sentences(line)]
    return parts[1:]


def number_in_words(tail: str) -> str | None:
    """Return the only number in words that a text ends with, else None."""
    tail = tail[-MAX_SEGMENT:]
    found = [phrase.value for sentence in later_sentences(tail) for phrase in words.find(sentence)]
    if NO_ANSWER.search(tail) or len(found) != 1 or found[0] is None:
        return None
    return canonical(found[0]) if abs(found[0]) > SMALL_COUNT else None
