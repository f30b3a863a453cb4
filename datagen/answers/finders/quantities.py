"""Find the number that a text gives as its answer.

A number is read whole or not at all: of "2:30", "3/4/2020", "5x", "3-4" or "5 + 3" no part is an
answer. Several numbers side by side are none either.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from itertools import chain

from datagen.answers import latex, words
from datagen.answers.equations import ANNOTATION
from datagen.answers.finders.candidates import RETRACTION, Candidate, are_linked, decide, denied
from datagen.answers.finders.readings import (
    LINKED,
    SMALL_COUNT,
    candidate,
    lead_of,
    written_out,
)
from datagen.answers.lines import MAX_SEGMENT, sentences, statement
from datagen.answers.numbers import NUMBER, canonical, written

SENTENCE = 120
"""Characters before a number in which its sentence begins."""
MAX_LISTED = 4
"""Numbers at the end of a text that are looked at together."""
EQUALS = re.compile(r"\s?(?:==?>?|--?>|\u2192|\u21d2|\u2248|\u2245)\s?")
RESULT = re.compile(
    r",?\s(?:(?:which|that|this)\s)?(?:is|equals|makes|gives|comes to|i\.e\.)(?:\s(?:equal to))?\s|"
    r",?\sor\s(?=\$?-?\d)"
)
"""Words that stand for the equals sign behind a calculation: "12 - 7, which is 5"."""
CALCULATION = re.compile(
    r"#\)*\s?(?:[a-z]{1,12}\s)?(?:[-+*\u00d7\u00f7\u22c5\u00b7/^]|x|plus|minus|times|"
    r"(?:multiplied|divided) by|(?:less|more|fewer|greater) than)\s?[$(]*(?:#|[a-z]\b|\()|"
    r"(?<![\w'])[a-z]\)?\s?[-+*\u00d7\u00f7/^]\s?[$(]*#|#\(#|\)\s?\(",
    re.IGNORECASE,
)
"""A calculation, with # in place of each number."""
VALUE = re.compile(
    r"[^\w#]*(?:[^\W\d]+[^\w#]+){0,12}#[%\u00b0]?(?:\s[^\W\d]+){0,4}\W*", re.IGNORECASE
)
"""A side of an equation that is one number, with words around it."""
INTERJECTION = re.compile(
    r"\W*(?:sure|yes|okay|ok|certainly|of course|well|great|got it|right|no|hm+|let'?s see)\W*",
    re.IGNORECASE,
)
NO_ANSWER = re.compile(
    r"\b(?:cannot|can't|could ?n[o']t|unable|impossible|insufficient|unknown|un(?:defined|clear|"
    r"determined)|"
    r"not (?:possible|enough|sufficient|known|given|determin\w+|sure|certain|clear|defined)|"
    r"infinite(?:ly)?|no (?:answer|solution|way)|(?:do|does)(?:n't| not) (?:know|exist)|depends|"
    r"var(?:y|ies))\b",
    re.IGNORECASE,
)
"""A sentence that says that there is no answer."""
ESTIMATE = re.compile(
    r"[,;]?\s?(?:but\s)?(?:(?:it is|i (?:would )?(?:guess|say)|about|approximately|around|roughly|"
    r"probably|maybe|perhaps|likely)\s?)+\$?",
    re.IGNORECASE,
)
"""What stands between such words and a number that is an answer all the same."""


SIMPLE = re.compile(
    r"\s*\$?(0|-?[1-9]\d{0,2}(?:,\d{3}){1,4}|-?[1-9]\d{0,15})(?:\.(\d{0,15}))?%?"
    r"((?: [a-z]+){0,4})[.!]?\s*",
    re.ASCII,
)
"""A plain number, and perhaps words: most answers. The full rules take five times as long."""
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
    if simple and NOT_UNITS.isdisjoint(simple[3].split()):
        places = (simple[2] or "").rstrip("0")
        return simple[1].replace(",", "") + ("." + places if places else "")
    segment = without_annotations(segment)
    for sentence, mark in sentences(latex.plain(statement(segment))):
        if mark == "?" or INTERJECTION.fullmatch(sentence):
            continue
        found = None if is_refused(sentence) else stated(sentence)
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


def is_refused(sentence: str) -> bool:
    """Return whether a sentence says that there is no answer before it names a number."""
    refusal = NO_ANSWER.search(sentence)
    number = NUMBER.search(sentence, refusal.end()) if refusal else None
    if refusal is None or NUMBER.search(sentence[: refusal.start()]):
        return False
    return number is None or not ESTIMATE.fullmatch(sentence, refusal.end(), number.start())


def begins_list(segment: str) -> bool:
    """Return whether the first two lines of a segment begin with different numbers."""
    paragraph = segment.strip().partition("\n\n")[0]
    first = [NUMBER.match(line, lead_of(line)) for line in paragraph.split("\n")[:2]]
    return len({written(match) for match in first if match}) > 1


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


def number_anywhere(text: str, options: Sequence[str]) -> str | None:
    """Return the last number of a text without triggers, else None."""
    last_line = next((line for line in reversed(text.split("\n")) if line.strip()), "")
    if latex.STRUCTURE.search(last_line) and len(last_line) <= MAX_SEGMENT:
        found = latex.number(latex.plain(last_line).rpartition("=")[2])
        if found is not None:
            return found

    text = latex.plain(without_annotations(text))
    last = deque(NUMBER.finditer(text), maxlen=MAX_LISTED)
    tail = text[last[-1].end() :] if last else ". " + text
    if last and is_refused(sentence_of(text, last[-1])):
        return None
    if says_otherwise(tail):
        return number_in_words(tail)
    return last_listed(text, last)


def sentence_of(text: str, match: re.Match[str]) -> str:
    """Return the sentence of a match up to the match, or as much of it as is near."""
    before = text[max(0, match.start() - SENTENCE) : match.start()]
    return re.split(r"[.!?]\s|\n", before)[-1] + match[0]


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
    parts: list[str] = []
    for line in tail.split("\n"):
        parts += [sentence for sentence, _ in sentences(line)]
    return parts[1:]


def number_in_words(tail: str) -> str | None:
    """Return the only number in words that a text ends with, else None."""
    tail = tail[-MAX_SEGMENT:]
    phrases = chain.from_iterable(map(words.find, later_sentences(tail)))
    found = [phrase.value for phrase in phrases]
    if NO_ANSWER.search(tail) or len(found) != 1 or found[0] is None:
        return None
    return canonical(found[0]) if abs(found[0]) > SMALL_COUNT else None
