"""The words of the world. Each is one token of its tokenizer."""

NAMES = (
    "Tom Ann Ben Mia Sam Eva Leo Zoe Max Ida Jon Amy Dan Lea Kim Pia Rob Sue Tim Una Vic Wes Gus Fay Hal Joy Kay Lou Ned Ray"
).split()

# The countable things of word problems, always in the plural.
ITEMS = (
    "apples pears plums books pens coins cards stamps shells stones marbles balls cups plates candles cookies eggs nuts "
    "tickets toys flowers bottles ropes bricks ribbons beads keys boxes bags jars".split()
)[:-3]

CATEGORIES = {
    "animal": "dog cat cow horse sheep goat pig mouse fox wolf bear lion tiger rabbit duck".split(),
    "fruit": "apple pear plum peach cherry grape lemon melon mango orange banana fig kiwi lime berry".split(),
    "colour": "red blue green yellow black white pink brown purple grey gold silver".split(),
    "tool": "hammer saw drill axe knife spade rake brush wrench needle scissors broom".split(),
    "clothing": "shirt coat hat shoe sock glove scarf dress belt boot cap jacket".split(),
    "vehicle": "car bus train bike boat ship plane truck tram van sled taxi".split(),
    "body": "hand foot arm leg head nose ear eye knee neck back toe".split(),
    "weather": "rain snow wind sun fog storm cloud frost hail ice thunder mist".split(),
}
WORDS = [word for words in CATEGORIES.values() for word in words]
SIZES = "big small tiny huge long short".split()
THINGS = CATEGORIES["animal"] + CATEGORIES["clothing"] + CATEGORIES["vehicle"]

ORDERS = {
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "month": "January February March April May June July August September October November December".split(),
    "number": "one two three four five six seven eight nine ten eleven twelve".split(),
    "letter": list("abcdefghijklmnopqrstuvwxyz"),
}
LETTERS = ORDERS["letter"]
LABELS = "foo bar dax wug zib nep tam lor kiv mup rel sog vex jat qui hob".split()
