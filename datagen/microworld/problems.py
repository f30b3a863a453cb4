"""Multi-step word problems with distractors, each with its answer and a gold rationale.

A story has one to three people. Each owns an amount that is given, packed in boxes or compared with
someone else's, and then grows or shrinks. The question asks for one amount, a total or a
difference, sometimes for its price or for equal shares. Sentences and steps that do not depend on
each other stand in random order, so that right rationales differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from datagen.microworld.prompts import ANSWER
from datagen.microworld.splits import check_split, split_of
from datagen.microworld.story import Amount, Story, Unfit
from datagen.microworld.words import ITEMS, NAMES

STEPS = (2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Problem:
    """A word problem with its answer and a right rationale."""

    question: str
    answer: str
    """An integer."""
    steps: int
    """Number of equations in the rationale."""
    rationale: str
    """One sentence a step, each with its equation; ends in "The answer is 19."."""
    signature: str
    """The equations, names and order left out; decides the split."""


def problems(split: str, n: int, *, seed: int = 0) -> list[Problem]:
    """The first `n` distinct problems of a split, steps 2 to 6 in equal shares; `UserError` for an
    unknown split.
    """
    check_split(split)
    rng = Random(f"{seed}:problems:{split}")
    found: dict[str, Problem] = {}
    while len(found) < n:
        problem = draw(rng, split, steps=STEPS[len(found) % len(STEPS)])
        found.setdefault(problem.signature, problem)
    return list(found.values())


def draw(rng: Random, split: str, *, steps: int) -> Problem:
    """One random problem of a split with exactly `steps` steps."""
    while True:
        try:
            problem = _tell(rng, steps)
        except Unfit:
            continue
        if split_of(problem.signature) == split:
            return problem


def _tell(rng: Random, steps: int) -> Problem:
    """Plan how the steps are spent, tell the story, ask the question."""
    ask, people, shares = _plan(rng, steps)
    names = rng.sample(NAMES, people + 2)
    story = Story(rng, rng.choice(ITEMS))
    owned: list[Amount] = []
    for name, share in zip(names[:people], shares, strict=True):
        chained = ask.startswith("last") and owned
        base = (
            owned[-1]
            if chained
            else rng.choice(owned)
            if owned and share and rng.random() < 0.5
            else None
        )
        owned.append(_own(story, name, share, base))
    for name in names[people:][: rng.choice((0, 1, 1, 2))]:
        _distract(story, name, names[0])
    question, value = _ask(story, ask, owned)
    sentences = [*_ordered(rng, story.events), question]
    lines = [*_ordered(rng, story.lines), ANSWER.format(answer=value)]
    return Problem(
        " ".join(sentences),
        str(value),
        len(story.lines),
        " ".join(lines),
        ";".join(sorted(story.equations)),
    )


def _plan(rng: Random, steps: int) -> tuple[str, int, list[int]]:
    """What is asked, of how many people, and how many steps each person's amount takes."""
    while True:
        people = rng.choice((1, 2, 2, 3, 3))
        ask = rng.choice(("one",) if people == 1 else ("total", "total", "last", "difference"))
        tail = rng.choice(("", "", "+price", "+share"))
        if ask == "difference" and (people != 2 or tail):
            continue
        left = steps - {"one": 0, "last": 0, "total": people - 1, "difference": 1}[ask] - bool(tail)
        shares = [int(ask == "last" and i > 0) for i in range(people)]
        left -= sum(shares)
        if left < 0 or left > 3 * people:
            continue
        for _ in range(left):
            shares[rng.randrange(people)] += 1
        if max(shares) <= 4:
            return ask + tail, people, shares


def _own(story: Story, name: str, steps: int, base: Amount | None) -> Amount:
    if base:
        amount, steps = _compared(story, name, base), steps - 1
    elif steps and story.rng.random() < 0.45:
        amount, steps = _packed(story, name), steps - 1
    else:
        value = story.rng.randint(8, 99)
        event = story.tell(
            f"{name} has {value} {story.item}.", f"At first {name} has {value} {story.item}."
        )
        amount = Amount(name, value, event, None)
    for _ in range(steps):
        _change(story, amount)
    return amount


def _compared(story: Story, name: str, base: Amount) -> Amount:
    rng, item = story.rng, story.item
    kind = rng.choice(("more", "fewer", "times"))
    if kind == "times":
        by = rng.randint(2, 5)
        text, op = ("twice" if by == 2 else f"{by} times") + f" as many {item} as {base.name}", "*"
    else:
        by = rng.randint(3, 90 if kind == "more" else max(3, min(90, base.value - 2)))
        text, op = f"{by} {kind} {item} than {base.name}", "+" if kind == "more" else "-"
    event = story.tell(f"{name} has {text}.", f"{name} owns {text}.", after={base.event})
    value, line = story.step(base.value, op, by, f"{name} has {{}} {item}.", {base.line})
    return Amount(name, value, event, line)


def _packed(story: Story, name: str) -> Amount:
    boxes, each, item = story.rng.randint(3, 12), story.rng.randint(3, 25), story.item
    kind = story.rng.choice(("boxes", "bags", "jars"))
    event = story.tell(
        f"{name} has {boxes} {kind} with {each} {item} each.",
        f"{name} owns {boxes} {kind} of {each} {item} each.",
    )
    value, line = story.step(boxes, "*", each, f"{name} has {{}} {item}.", set())
    return Amount(name, value, event, line)


def _change(story: Story, amount: Amount) -> None:
    rng, name, item = story.rng, amount.name, story.item
    kind = rng.choice(("gain", "gain", "loss", "loss", "half", "times"))
    if kind == "half":
        by, op = 2, "/"
        texts: tuple[str, ...] = (
            f"{name} gives half of the {item} away.",
            f"{name} loses half of the {item}.",
        )
    elif kind == "times":
        _multiply(story, amount)
        return
    elif kind == "gain":
        by, op = rng.randint(3, 99), "+"
        texts = (f"{name} buys {by} more {item}.", f"{name} finds {by} {item}.")
    else:
        by, op = rng.randint(3, max(3, min(99, amount.value - 2))), "-"
        texts = (
            f"{name} gives {by} {item} to a friend.",
            f"{name} loses {by} {item}.",
            f"{name} sells {by} {item}.",
        )
    amount.event = story.tell(*texts, after={amount.event})
    amount.value, amount.line = story.step(
        amount.value, op, by, f"{name} now has {{}} {item}.", {amount.line}
    )


def _multiply(story: Story, amount: Amount) -> None:
    by, name, item = story.rng.randint(2, 4), amount.name, story.item
    text = f"{name} wins a game and now has {by} times as many {item} as before."
    amount.event = story.tell(text, after={amount.event})
    amount.value, amount.line = story.step(
        amount.value, "*", by, f"{name} now has {{}} {item}.", {amount.line}
    )


def _distract(story: Story, other: str, name: str) -> None:
    number, rng = story.rng.randint(3, 99), story.rng
    item = rng.choice([i for i in ITEMS if i != story.item])
    story.tell(
        f"{other} has {number} {story.item}.",
        f"{other} buys {number} {item}.",
        f"{name} also has {number} {item}.",
        f"The walk to the shop takes {number} minutes.",
        f"There are {number} people in the shop.",
    )


def _ask(story: Story, ask: str, owned: list[Amount]) -> tuple[str, int]:
    """The question, and the answer after its own steps."""
    kind, _, tail = ask.partition("+")
    if kind == "difference":
        return _difference(story, owned)
    if kind == "total":
        who, value, line = _total(story, owned)
    else:
        who, value, line = owned[-1].name, owned[-1].value, owned[-1].line
    if tail:
        return _tails[tail](story, who, value, line)
    verb, together = ("do", " together") if kind == "total" else ("does", " now")
    return f"How many {story.item} {verb} {who} have{together}?", value


def _difference(story: Story, owned: list[Amount]) -> tuple[str, int]:
    more, less = sorted(owned, key=lambda amount: -amount.value)
    value, _ = story.step(
        more.value,
        "-",
        less.value,
        f"{more.name} has {{}} more {story.item}.",
        {more.line, less.line},
    )
    return f"How many more {story.item} does {more.name} have than {less.name}?", value


def _total(story: Story, owned: list[Amount]) -> tuple[str, int, int | None]:
    first, *rest = story.rng.sample(owned, len(owned))
    who, value, line = first.name, first.value, first.line
    for amount in rest:
        who = f"{who} and {amount.name}"
        value, line = story.step(
            value, "+", amount.value, f"{who} have {{}} {story.item}.", {line, amount.line}
        )
    return " and ".join(amount.name for amount in owned), value, line


def _price(story: Story, who: str, value: int, line: int | None) -> tuple[str, int]:
    price = story.rng.randint(2, 6)
    verb, get = ("sell", "do") if " and " in who else ("sells", "does")
    value, _ = story.step(
        value, "*", price, f"{who} {'get' if get == 'do' else 'gets'} {{}} dollars.", {line}
    )
    return (
        f"Now {who} {verb} all the {story.item} for {price} dollars each. How many dollars "
        f"{get} {who} get?",
        value,
    )


def _share(story: Story, who: str, value: int, line: int | None) -> tuple[str, int]:
    fits = [number for number in range(2, 10) if value % number == 0 and value > number]
    if not fits:
        raise Unfit
    number = story.rng.choice(fits)
    verb = "share" if " and " in who else "shares"
    value, _ = story.step(value, "/", number, f"Each friend gets {{}} {story.item}.", {line})
    told = f"Now {who} {verb} all the {story.item} equally among {number} friends."
    return f"{told} How many {story.item} does each friend get?", value


_tails: dict[str, Callable[[Story, str, int, int | None], tuple[str, int]]] = {
    "price": _price,
    "share": _share,
}


def _ordered(rng: Random, nodes: list[tuple[str, set[int]]]) -> Iterator[str]:
    """The nodes' texts in a random order that keeps what each must follow before it."""
    waiting = list(range(len(nodes)))
    done: set[int] = set()
    while waiting:
        ready = [i for i in waiting if nodes[i][1] <= done]
        chosen = rng.choice(ready)
        waiting.remove(chosen)
        done.add(chosen)
        yield nodes[chosen][0]
