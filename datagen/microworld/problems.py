"""Generate multi-step word problems with distractors, gold answers and gold rationales.

A story has one to three people. Each person owns an amount. The story states it, packs it in boxes
or compares it with the amount of another person, and then it grows or shrinks. The question asks
for one amount, a total or a difference, and sometimes for the price of it or for equal shares.

Sentences and steps that do not depend on each other stand in random order. So a problem has
several correct rationales, as a real one has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from datagen.microworld.amounts import own
from datagen.microworld.prompts import ANSWER
from datagen.microworld.splits import check_split, split_of
from datagen.microworld.story import Amount, Story, Unfit
from datagen.microworld.words import ITEMS, NAMES

STEPS = (2, 3, 4, 5, 6)
"""Numbers of steps of a problem. One step would need no chain of thought."""


@dataclass(frozen=True)
class Problem:
    """A word problem with its solution."""

    question: str
    answer: str
    """An integer."""
    steps: int
    """The number of equations in the rationale."""
    rationale: str
    """One sentence for each step, with its equation, and at the end "The answer is 19."."""
    signature: str
    """The equations without names and order. It decides the split, so that a test problem is no
    training problem with other names."""


def problems(split: str, n: int, *, seed: int = 0) -> list[Problem]:
    """Generate distinct problems of a split.

    Args:
        split: "train", "validation" or "test".
        n: The number of problems. A larger number adds problems and keeps the first ones.
        seed: Decides which problems are drawn.

    Returns:
        The problems. Each number of steps from 2 to 6 has an equal share.

    Raises:
        UserError: There is no such split.

    Example:
        >>> [problem.steps for problem in problems("test", 6)]
        [2, 3, 4, 5, 6, 2]
    """
    check_split(split)
    rng = Random(f"{seed}:problems:{split}")
    found: dict[str, Problem] = {}
    while len(found) < n:
        problem = draw(rng, split, steps=STEPS[len(found) % len(STEPS)])
        found.setdefault(problem.signature, problem)
    return list(found.values())


def draw(rng: Random, split: str, *, steps: int) -> Problem:
    """Draw a random problem of a split with exactly `steps` steps."""
    while True:
        try:
            problem = _problem(rng, steps)
        except Unfit:
            continue
        if split_of(problem.signature) == split:
            return problem


def _problem(rng: Random, steps: int) -> Problem:
    """Draw a problem of any split. Raises Unfit if its numbers do not work out."""
    ask, people, shares = _plan(rng, steps)
    names = rng.sample(NAMES, people + 2)
    story = Story(rng, rng.choice(ITEMS))

    owned: list[Amount] = []
    for name, share in zip(names[:people], shares, strict=True):
        base = _base(rng, owned, chained=ask.startswith("last"), share=share)
        owned.append(own(story, name, share, base))

    # One or two further people are mentioned, or none. They do not matter for the answer.
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


def _base(rng: Random, owned: list[Amount], *, chained: bool, share: int) -> Amount | None:
    """Choose the amount with which the next one is compared; None for no comparison."""
    if not owned:
        return None
    # If the question asks for the last amount, the others matter only through a chain.
    if chained:
        return owned[-1]
    # The order of these tests is also the order of random numbers. Another order would change all
    # problems, and the published figures with them.
    if not share or rng.random() >= 0.5:
        return None
    return rng.choice(owned)


def _plan(rng: Random, steps: int) -> tuple[str, int, list[int]]:
    """Draw what is asked, the number of people, and the steps that each person's amount takes.

    Returns:
        What is asked ("one", "total", "last" or "difference", with "+price" or "+share" for a
        further step), the number of people, and for each person a number of steps. With the steps
        of the question they add up to `steps`.
    """
    while True:
        people = rng.choice((1, 2, 2, 3, 3))
        ask = rng.choice(("one",) if people == 1 else ("total", "total", "last", "difference"))
        tail = rng.choice(("", "", "+price", "+share"))
        if ask == "difference" and (people != 2 or tail):
            continue

        # The question itself takes some of the steps.
        left = steps - {"one": 0, "last": 0, "total": people - 1, "difference": 1}[ask] - bool(tail)
        shares = [int(ask == "last" and i > 0) for i in range(people)]
        left -= sum(shares)
        if left < 0 or left > 3 * people:
            continue

        for _ in range(left):
            shares[rng.randrange(people)] += 1
        # More changes of one amount make a story dull, and its numbers large.
        if max(shares) <= 4:
            return ask + tail, people, shares


def _distract(story: Story, other: str, name: str) -> None:
    """Tell something that does not matter for the answer."""
    number = story.rng.randint(3, 99)
    item = story.rng.choice([i for i in ITEMS if i != story.item])
    story.add_event(
        f"{other} has {number} {story.item}.",
        f"{other} buys {number} {item}.",
        f"{name} also has {number} {item}.",
        f"The walk to the shop takes {number} minutes.",
        f"There are {number} people in the shop.",
    )


def _ask(story: Story, ask: str, owned: list[Amount]) -> tuple[str, int]:
    """Return the question and its answer. The question adds its own steps to the rationale."""
    kind, _, tail = ask.partition("+")
    if kind == "difference":
        return _difference(story, owned)
    if kind == "total":
        who, value, line = _total(story, owned)
    else:
        last = owned[-1]
        who = last.name
        value = last.value
        line = last.line
    if tail:
        return TAILS[tail](story, who, value, line)

    verb, together = ("do", " together") if kind == "total" else ("does", " now")
    return f"How many {story.item} {verb} {who} have{together}?", value


def _difference(story: Story, owned: list[Amount]) -> tuple[str, int]:
    """Ask how much more one of two people has."""
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
    """Add up all amounts in random order.

    Returns the names, the sum, and the number of the step that computed it.
    """
    first, *rest = story.rng.sample(owned, len(owned))
    who = first.name
    value = first.value
    line = first.line
    for amount in rest:
        who = f"{who} and {amount.name}"
        value, line = story.step(
            value, "+", amount.value, f"{who} have {{}} {story.item}.", {line, amount.line}
        )
    return " and ".join(amount.name for amount in owned), value, line


def _price(story: Story, who: str, value: int, line: int | None) -> tuple[str, int]:
    """Ask for the price of an amount."""
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
    """Ask for equal shares of an amount."""
    fits = [number for number in range(2, 10) if value % number == 0 and value > number]
    if not fits:
        raise Unfit
    number = story.rng.choice(fits)
    verb = "share" if " and " in who else "shares"
    value, _ = story.step(value, "/", number, f"Each friend gets {{}} {story.item}.", {line})
    sentence = f"Now {who} {verb} all the {story.item} equally among {number} friends."
    return f"{sentence} How many {story.item} does each friend get?", value


TAILS: dict[str, Callable[[Story, str, int, int | None], tuple[str, int]]] = {
    "price": _price,
    "share": _share,
}


def _ordered(rng: Random, nodes: list[tuple[str, set[int]]]) -> Iterator[str]:
    """Yield the texts in a random order in which each stands behind those that it depends on."""
    waiting = list(range(len(nodes)))
    done: set[int] = set()
    while waiting:
        ready = [i for i in waiting if nodes[i][1] <= done]
        chosen = rng.choice(ready)
        waiting.remove(chosen)
        done.add(chosen)
        yield nodes[chosen][0]
