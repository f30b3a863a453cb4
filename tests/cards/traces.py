"""Where the numbers of a page come from."""

import html
import re

WORD = re.compile(r"[A-Za-z0-9_.,]*\d[A-Za-z0-9_.,]*")
NUMBER = re.compile(r"\d+(\.\d+)?|\d{1,3}(,\d{3})+(\.\d+)?")


def leaves(value):
    """Numbers and texts, keys among them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif value is not None:
        yield value


def untraced(text, *sources):
    """The words of a card's text that hold a digit and stand in no source."""
    known = list(leaves(list(sources)))
    numbers = {value for value in known if isinstance(value, int | float)}
    texts = {value for value in known if isinstance(value, str)}
    words = {word.strip(".,") for value in texts for word in WORD.findall(value)}
    plain = html.unescape(re.sub(r"\\([^\w\s])", r"\1", text).replace("\\_", "_"))
    found = {word.strip(".,").removeprefix("v") for word in WORD.findall(plain)}
    return sorted(
        word
        for word in found
        if word not in words
        and not (stated(word, numbers) if NUMBER.fullmatch(word) else within(word, texts))
    )


def stated(word, numbers):
    """Whether a number is one of the known, to the decimals that it has."""
    digits = word.replace(",", "")
    decimals = len(digits.partition(".")[2])
    return any(f"{number:.{decimals}f}" == digits for number in numbers)


def within(word, texts):
    return any(word in text for text in texts)
