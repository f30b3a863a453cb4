"""Find the option that a text chooses, as a capital letter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from datagen.answers import latex
from datagen.answers.finders.candidates import RETRACTION, Candidate, decide
from datagen.answers.lines import MAX_SEGMENT, normalise_text, sentences, statement

MENTION = re.compile(
    r"(?<!\w)\(\s?(?P<round>[A-Za-z])\s?\)|\[\s?(?P<square>[A-Z])\s?\]|"
    r"(?<!\w)(?i:option|choice|letter)s?\s?[:#]?\s?[\"'(]?(?P<named>[A-Z]|[b-hj-z])(?![\w'])|"
    r"(?<![\w'])[\"'`](?P<quoted>[A-Za-z])[.,]?[\"'`](?!\w)|"
    r"(?<![\w(.'&-])(?P<closed>[A-Za-z])\)|"
    r"(?<![\w.'&-])(?P<bare>[B-HJ-Z])(?![\w'&+-])|"
    # "A" and "I" are also words. They are letters only at the end, before a mark, or before a word
    # that no article or pronoun can precede.
    r"(?<![\w.'&-])(?P<word>[AI])(?=[^\w+]{0,3}$|\s?[.,;:/()\]-]|"
    r"\s(?:because|since|as|which|for|and|or|but|not|nor|is|was|rather|instead|over)\b)"
)
"""A text names an option by its letter."""
LONE = re.compile(r"\W{0,4}(?P<lone>[A-Za-z])[^\w+]{0,3}")
LABEL = re.compile(r"[\W_]{0,3}(?:most likely |probably )?\(?([A-Za-z])(?:\W{1,3}|$)")
"""The letter that stands before an option's text."""
BEGINNING = re.compile(r"\W{0,3}([A-Z])(?:[.:]|\s-)\s")
"""A direct reply that begins with its letter: "C. a lamp"."""
INTRODUCED = re.compile(
    r"(?:^|[.!?:;,=/&+\"\n-]|'s|\b(?:is|be|was|are|or|and|nor|not|neither|either|both|but|than|"
    r"of|leaving|leaves|"
    r"out|likely|probably|definitely|clearly|surely|choose|pick|select|with|eliminat\w+|exclud\w+|"
    r"reject\w*|therefore|thus|so|hence|actually|wait|no|say|answer|ans|between|just|only|perhaps|"
    r"possibly|maybe|simply|indeed|to|except|for|on|hypothesis))[\s(]{0,3}$",
    re.IGNORECASE,
)
"""What stands before a letter without brackets. In "vitamin C" it names no option."""
OPTION_TEXT = r"(?:[^,;:.()]{0,50}?)"
LINKED = re.compile(
    rf"[)\]\"'`]{{0,2}}(?!\s?(?:because|since|as|which|but|not|is|was|than|instead|"
    rf"rather)\b){OPTION_TEXT}\s?"
    r"(?:,|and/or|and|or|/|&|nor|to|through|but also|,?\s?(?:and|or))\s?"
    r"(?:(?:also|either|both|perhaps|possibly|maybe|even|options?|choices?|letter|"
    r"the)\s)*[(\"'\[]{0,2}",
    re.IGNORECASE,
)
"""What stands between two options of which neither alone is chosen: "(A) a cat or (B)"."""
TEXT_LINKED = re.compile(
    r"[,;]?\s?(?:and/or|and|or|nor|as well as|/)\s(?:(?:the|a|an|also|either)\s)*", re.IGNORECASE
)
"""The same between the texts of two options."""
DECIDES = re.compile(
    r"\b(?:answer|ans|correct|right|best|remaining|left|choose|therefore|thus|hence|so|must|has to|"
    r"have to|would be|should be|final(?:ly)?|most|conclu\w+|leaves|leaving|"
    r"it(?:'s| is)(?= (?:option |choice )?[(\"']?[A-Z]\b))\b",
    re.IGNORECASE,
)
"""A sentence that decides. Others only discuss an option."""
MAX_WORDS = 12
"""A reply of at most this many words may name its option by the option's text alone. A longer one
discusses several options, and the first text in it need not be the chosen one."""


def choice_after(segment: str, options: Sequence[str]) -> str | None:
    """Return the letter that stands after a trigger, else the option whose text stands there."""
    lone = LONE.fullmatch(segment.strip())
    if lone:
        return allowed(lone["lone"], options)
    full = option_in_full(latex.plain(segment), options)
    if full:
        return full

    line = latex.plain(statement(segment))
    for sentence, mark in sentences(line):
        stated = letters(sentence, options)
        if stated and mark != "?":
            return None if RETRACTION.search(segment) else one_of(stated)
    return one_of(option_texts(line, options))


def choice_anywhere(text: str, options: Sequence[str]) -> str | None:
    """Return the option that a text without triggers chooses, else None.

    The last sentence that names a letter must decide: the others discuss the options.
    """
    whole = text.strip()
    full = option_in_full(whole, options)
    if full:
        return full
    short = "\n" not in whole and len(whole.split()) <= MAX_WORDS
    beginning = BEGINNING.match(whole) if short else None
    if beginning:
        return allowed(beginning[1], options)

    if LONE.fullmatch(whole) or named(whole, options):
        return last_decision(whole, options)
    return one_of(option_texts(whole, options)) if short else None


def last_decision(whole: str, options: Sequence[str]) -> str | None:
    """Return the letter of the last sentence that names one, if that sentence decides."""
    out: set[str | None] = set()
    for place, sentence in enumerate(reversed(list(all_sentences(whole[-MAX_SEGMENT:])))):
        if not MENTION.search(sentence) and not LONE.fullmatch(sentence):
            continue
        stated = letters(sentence, options)
        # "(A) is wrong" leaves the decision to an earlier sentence, but not for A.
        out |= set(named(sentence, options)) - set(stated)
        if stated:
            alone = LONE.fullmatch(sentence) or option_in_full(sentence, options)
            is_all = place == 0 and (alone or sentence == whole.rstrip(".!"))
            decided = one_of(stated) if is_all or DECIDES.search(sentence) else None
            return None if decided in out else decided
    return None


def option_in_full(text: str, options: Sequence[str]) -> str | None:
    """Return the letter of a text that is one option and nothing else: "(C) a lamp".

    The option's own text may hold other letters, and words such as "or" and "wait".
    """
    label = LABEL.match(text)
    letter = allowed(label[1], options) if label and options else None
    if label is None or letter is None:
        return None
    return letter if words(text[label.end() :]) == words(options[ord(letter) - ord("A")]) else None


def all_sentences(text: str) -> Iterator[str]:
    """Yield the sentences of all lines."""
    for line in text.split("\n"):
        for sentence, _ in sentences(line.strip()):
            yield sentence


def one_of(stated: Sequence[str | None]) -> str | None:
    """Return the only value, else None."""
    return stated[0] if len(stated) == 1 else None


def letters(sentence: str, options: Sequence[str]) -> list[str | None]:
    """Return the letters that a sentence states. A letter of no option is there as None."""
    lone = LONE.fullmatch(sentence)
    if lone and sentence.strip():
        return [allowed(lone["lone"], options)]
    return decide(sentence, mentions(sentence, options), LINKED)


def named(sentence: str, options: Sequence[str]) -> list[str | None]:
    """Return the letters that a sentence names, also those that it denies."""
    return [mention.value for mention in mentions(sentence, options)]


def mentions(sentence: str, options: Sequence[str]) -> list[Candidate]:
    """Return where a sentence names options by their letters."""
    return [
        Candidate(allowed(letter, options), match.start(), match.end())
        for match in MENTION.finditer(sentence)
        if (letter := letter_of(match, options))
    ]


def letter_spans(text: str, letter: str) -> list[tuple[int, int]]:
    """Return where a text names an option by a letter: the places of the letter itself."""
    return [
        match.span(match.lastgroup or 0)
        for match in MENTION.finditer(text)
        if (letter_of(match, ()) or "").upper() == letter
    ]


def letter_of(match: re.Match[str], options: Sequence[str]) -> str | None:
    """Return the letter of a MENTION match, or None if it is a word or a name."""
    kind = match.lastgroup or ""
    if kind in ("bare", "word"):
        before = match.string[max(0, match.start() - 24) : match.start()]
        # No question has nine options but for those that say so, and "I" is a pronoun.
        pronoun = match[kind] == "I" and len(options) < 9
        return match[kind] if INTRODUCED.search(before) and not pronoun else None
    return match[kind]


def allowed(letter: str, options: Sequence[str]) -> str | None:
    """Return the letter as a capital if there is such an option, else None."""
    place = ord(letter.upper()) - ord("A")
    return letter.upper() if not options or place < len(options) else None


def option_texts(line: str, options: Sequence[str]) -> list[str | None]:
    """Return the letters of the options whose texts a line states.

    If several options start at the same place, the longest wins: "red wine" before "red".
    """
    line_words = f" {words(line)} "
    found: list[tuple[int, int, int]] = []
    for place, option in enumerate(options):
        start = line_words.find(f" {words(option)} ") if words(option) else -1
        if start >= 0:
            found.append((start + 1, -len(words(option)), place))

    kept: list[Candidate] = []
    for start, length, place in sorted(found):
        if not kept or start >= kept[-1].end:
            kept.append(Candidate(chr(ord("A") + place), start, start - length))
    return decide(line_words, kept, TEXT_LINKED)


def words(text: str) -> str:
    """Return the words of a text in lower case, with single spaces and no marks around."""
    return " ".join(normalise_text(text).strip("().,;:!?").split())
