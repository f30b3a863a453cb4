"""The words of the micro-world. Each word is one token of its tokenizer."""

from itertools import chain


def _words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


NAMES = _words(
    "Tom Ann Ben Mia Sam Eva Leo Zoe Max Ida Jon Amy Dan Lea Kim Pia Rob Sue Tim Una Vic Wes "
    "Gus Fay Hal "
    "Joy Kay Lou Ned Ray"
)

# The countable things of word problems, always in the plural.
ITEMS = _words(
    "apples pears plums books pens coins cards stamps shells stones marbles balls cups plates "
    "candles "
    "cookies eggs nuts tickets toys flowers bottles ropes bricks ribbons beads keys"
)

CATEGORIES = {
    "animal": _words("dog cat cow horse sheep goat pig mouse fox wolf bear lion tiger rabbit duck"),
    "fruit": _words(
        "apple pear plum peach cherry grape lemon melon mango orange banana fig kiwi lime berry"
    ),
    "colour": _words("red blue green yellow black white pink brown purple grey gold silver"),
    "tool": _words("hammer saw drill axe knife spade rake brush wrench needle scissors broom"),
    "clothing": _words("shirt coat hat shoe sock glove scarf dress belt boot cap jacket"),
    "vehicle": _words("car bus train bike boat ship plane truck tram van sled taxi"),
    "body": _words("hand foot arm leg head nose ear eye knee neck back toe"),
    "weather": _words("rain snow wind sun fog storm cloud frost hail ice thunder mist"),
}
WORDS = list(chain.from_iterable(CATEGORIES.values()))
SIZES = _words("big small tiny huge long short")
MATERIALS = _words("wooden iron glass paper stone leather plastic clay")
THINGS = CATEGORIES["animal"] + CATEGORIES["clothing"] + CATEGORIES["vehicle"]

ORDERS = {
    "day": _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "month": _words(
        "January February March April May June July August September October November December"
    ),
    "number": _words("one two three four five six seven eight nine ten eleven twelve"),
    "letter": list("abcdefghijklmnopqrstuvwxyz"),
}
LETTERS = ORDERS["letter"]
# Words without a meaning: only demonstrations can show what they stand for.
LABELS = _words("foo bar dax wug zib nep tam lor kiv mup rel sog vex jat qui hob")
