"""The fast ways give what the slow ones give, on texts that are made of what could tell them apart."""

import random
import sys

import datagen.answers  # noqa: F401 - its function `extract` hides the module of that name
from datagen.answers import numbers

extract = sys.modules["datagen.answers.extract"]
PIECES = """answer ANSWER an\u017fwer is the_ final_ #### # a A : \\boxed{ \\fbox_{ } = therefore_ to_ for_ would_be
x \u0130 |######the_final_answer| 3 4.50 1,234 - $ 0 007 .5 1e5 3/4 _million \u00e9 . 0.000 1.50e-3 -0 2_1/2 %
12345678901234567890123456789012345678901234567"""


def texts():
    rng = random.Random(1)
    pieces = [piece.replace("_", " ").replace("|", "\n") for piece in PIECES.split()] + [" ", "\n", "\t"]
    for _ in range(20_000):
        yield "".join(rng.choices(pieces, k=rng.randint(0, 25)))


def test_no_trigger_stands_before_the_place_where_the_search_begins():
    for text in texts():
        whole = [match.span() for match in extract.TRIGGER.finditer(text)]
        assert [match.span() for match in extract.TRIGGER.finditer(text, extract.before_triggers(text))] == whole, text


def test_plain_decimals_are_written_as_exact_fractions_are():
    for text in texts():
        for match in numbers.NUMBER.finditer(text):
            value = numbers.value_of(match)
            assert numbers.written(match) == (None if value is None else numbers.canonical(value)), match.group()
