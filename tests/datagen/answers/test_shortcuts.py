"""The fast ways give what the slow ones give, on texts that are made of what could tell them
apart."""

import random
import re
import sys

import datagen.answers  # noqa: F401 - its function `extract` hides the module of that name
from datagen.answers import numbers

extract = sys.modules["datagen.answers.extract"]
PIECES = """answer ANSWER an\u017fwer is the_ final_ #### # a A : \\boxed{ \\fbox_{ } = therefore_ to_ for_ would_be
x \u0130 |######the_final_answer| 3 4.50 1,234 - $ 0 007 .5 1e5 3/4 _million \u00e9 . 0.000 1.50e-3 -0 2_1/2 %
12345678901234567890123456789012345678901234567"""

ENDINGS = """The_answer_is_{}. the_answer_is_{} The_final_answer_is:_{}. an\u017fwer_is_{} xanswer_is_{} answer_is:{}
answer_to_it_is_what_the_answer_is_{} |####_{} |####_{}| #### |####_${}| |A:_{} A:_{} |A:_${}. |a:_{}| |A:_**{}** {}"""
NUMBERS = """0 5 -5 -0 007 1,234 -1,234 12,34 0,123 1,234,567 1,234,567,890,123,456 1234567890123456 12345678901234567
1.5 5. 5.. 5% $5 $-5 -$5 5|| \u0665 5\u00a0"""


def pieces(text):
    return [piece.replace("_", " ").replace("|", "\n") for piece in re.split("[ \n]+", text)]


def texts(longest=25):
    rng = random.Random(1)
    parts = [*pieces(PIECES), " ", "\n", "\t"]
    for _ in range(20_000):
        yield "".join(rng.choices(parts, k=rng.randint(0, longest)))


def test_usual_endings_say_what_all_the_rules_say(monkeypatch):
    rng, usual = random.Random(2), extract.usual_number
    endings, numerals = pieces(ENDINGS), pieces(NUMBERS)
    chains = [
        text + rng.choice(endings).replace("{}", rng.choice(numerals)) for text in texts(longest=8)
    ]
    found = {chain: answer for chain in chains if (answer := usual(chain)) is not None}
    assert len(found) > 3000
    monkeypatch.setattr(extract, "usual_number", lambda text: None)
    for chain, answer in found.items():
        assert extract.extract(chain, "number") == answer, chain


def test_no_trigger_stands_before_the_place_where_the_search_begins():
    for text in texts():
        whole = [match.span() for match in extract.TRIGGER.finditer(text)]
        assert [
            match.span() for match in extract.TRIGGER.finditer(text, extract.before_triggers(text))
        ] == whole, text


def test_plain_decimals_are_written_as_exact_fractions_are():
    for text in texts():
        for match in numbers.NUMBER.finditer(text):
            value = numbers.value_of(match)
            assert numbers.written(match) == (
                None if value is None else numbers.canonical(value)
            ), match.group()
