"""Tell what the people of a word problem own, and how it changes.

The functions add sentences and steps to a story. The order in which they draw random numbers is
part of what the micro-world is: another order would make other problems.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from datagen.microworld.story import Amount, Story


def own(story: Story, name: str, steps: int, base: Amount | None) -> Amount:
    """Tell what a person owns, in so many steps."""
    if base:
        amount = _compared(story, name, base)
        steps -= 1
    elif steps and story.rng.random() < 0.45:
        amount = _packed(story, name)
        steps -= 1
    else:
        amount = _given(story, name)

    for _ in range(steps):
        _change(story, amount)
    return amount


def _given(story: Story, name: str) -> Amount:
    """Tell an amount as a number. This takes no step."""
    value = story.rng.randint(8, 99)
    event = story.add_event(
        f"{name} has {value} {story.item}.", f"At first {name} has {value} {story.item}."
    )
    return Amount(name, value, event, None)


def _compared(story: Story, name: str, base: Amount) -> Amount:
    """Tell an amount by comparison with another. This takes one step."""
    rng = story.rng
    item = story.item
    kind = rng.choice(("more", "fewer", "times"))
    if kind == "times":
        by = rng.randint(2, 5)
        op = "*"
        text = ("twice" if by == 2 else f"{by} times") + f" as many {item} as {base.name}"
    else:
        by = rng.randint(3, 90 if kind == "more" else max(3, min(90, base.value - 2)))
        op = "+" if kind == "more" else "-"
        text = f"{by} {kind} {item} than {base.name}"

    event = story.add_event(f"{name} has {text}.", f"{name} owns {text}.", after={base.event})
    value, line = story.step(base.value, op, by, f"{name} has {{}} {item}.", {base.line})
    return Amount(name, value, event, line)


def _packed(story: Story, name: str) -> Amount:
    """Tell an amount as so many boxes with so many items each. This takes one step."""
    boxes = story.rng.randint(3, 12)
    each = story.rng.randint(3, 25)
    item = story.item
    kind = story.rng.choice(("boxes", "bags", "jars"))
    event = story.add_event(
        f"{name} has {boxes} {kind} with {each} {item} each.",
        f"{name} owns {boxes} {kind} of {each} {item} each.",
    )
    value, line = story.step(boxes, "*", each, f"{name} has {{}} {item}.", set())
    return Amount(name, value, event, line)


def _change(story: Story, amount: Amount) -> None:
    """Let an amount grow or shrink. This takes one step."""
    kind = story.rng.choice(("gain", "gain", "loss", "loss", "half", "times"))
    by, op, texts = CHANGES[kind](story.rng, amount, story.item)

    amount.event = story.add_event(*texts, after={amount.event})
    sentence = f"{amount.name} now has {{}} {story.item}."
    amount.value, amount.line = story.step(amount.value, op, by, sentence, {amount.line})


Change = tuple[int, str, tuple[str, ...]]
"""The second operand of a step, its operation, and the wordings of its sentence."""


def _half(rng: Random, amount: Amount, item: str) -> Change:
    name = amount.name
    return 2, "/", (f"{name} gives half of the {item} away.", f"{name} loses half of the {item}.")


def _times(rng: Random, amount: Amount, item: str) -> Change:
    by = rng.randint(2, 4)
    return by, "*", (f"{amount.name} wins a game and now has {by} times as many {item} as before.",)


def _gain(rng: Random, amount: Amount, item: str) -> Change:
    by = rng.randint(3, 99)
    return by, "+", (f"{amount.name} buys {by} more {item}.", f"{amount.name} finds {by} {item}.")


def _loss(rng: Random, amount: Amount, item: str) -> Change:
    by = rng.randint(3, max(3, min(99, amount.value - 2)))
    name = amount.name
    texts = (
        f"{name} gives {by} {item} to a friend.",
        f"{name} loses {by} {item}.",
        f"{name} sells {by} {item}.",
    )
    return by, "-", texts


CHANGES: dict[str, Callable[[Random, Amount, str], Change]] = {
    "half": _half,
    "times": _times,
    "gain": _gain,
    "loss": _loss,
}
