"""Written tasks: evolutions, comparisons and examples against a reading of their text and the
operations by hand."""

import re
from random import Random

import pytest

from datagen.microworld import writing
from datagen.microworld.words import CATEGORIES
from datagen.prompts.templates import Templates
from tests.datagen.microworld.test_instructions import by_hand, read_task

RNG = Random(0)


def _answer(text: str) -> list[str]:
    names, values = read_task(text)
    for name in names:
        values = by_hand(name, values)
    return values


@pytest.mark.parametrize(("operation", "place"), [("constraints", -1), ("deepen", 0)])
def test_an_operation_more_on_the_same_list(operation: str, place: int) -> None:
    for _ in range(300):
        fields, harder = writing.EVOLUTIONS[operation](RNG, "train")
        (names, items), (more, same) = read_task(fields["instruction"]), read_task(harder)
        assert items == same
        assert len(more) == len(names) + 1
        del more[place]
        assert more == names
        assert _answer(harder)


def test_a_longer_list_begins_with_the_shorter() -> None:
    for _ in range(300):
        fields, longer = writing.EVOLUTIONS["complicate_input"](RNG, "train")
        (names, items), (same, more) = read_task(fields["instruction"]), read_task(longer)
        assert names == same
        assert more[: len(items)] == items
        assert len(more) > len(items)


def test_same_says_yes_only_for_the_same_operations_and_list() -> None:
    answers = []
    for _ in range(500):
        fields, answer = writing.same(RNG, "train")
        equal = read_task(fields["first"]) == read_task(fields["second"])
        assert answer == ("Yes." if equal else "No.")
        answers.append(answer)
    assert 0.3 < answers.count("Yes.") / 500 < 0.55


def test_labels_follow_from_the_words() -> None:
    for _ in range(300):
        task = writing.labelling(RNG, "train")
        yes, category, no = re.fullmatch(
            r"Answer (\w+) if any (\w+), (\w+) otherwise", task.instruction
        ).groups()
        for given, label in task.examples:
            assert label == (yes if set(given.split(", ")) & set(CATEGORIES[category]) else no)
        assert {label for _, label in task.examples} == {yes, no}


def test_examples_hold_and_classifications_come_label_first() -> None:
    for _ in range(300):
        template, fields, text = writing.examples(RNG, "train")
        if template == "output_first":
            assert re.fullmatch(r"(Class label: \w+\nInput: [\w, ]+\n){2}", text)
            continue
        for given, output in re.findall(r"(?:Input: (.*)\n)?Output: (.*)\n", text):
            whole = f"{fields['instruction']}: {given}" if given else fields["instruction"]
            assert ", ".join(_answer(whole)) == output


def test_difficulty_counts_operations_and_items() -> None:
    for _ in range(200):
        fields, answer = writing.difficulty(RNG, "train")
        names, items = read_task(fields["instruction"])
        assert answer == f"Score: {3 * len(names) + (1 if len(items) > 4 else 0)}"


def test_every_written_field_has_its_template() -> None:
    templates = Templates("micro")
    for operation, write in writing.EVOLUTIONS.items():
        assert templates.messages(f"evolve/{operation}", **write(RNG, "train")[0])[0][0] == "user"
    assert set(templates.names("evolve")) == set(writing.EVOLUTIONS)
    for name, write in (
        ("same", writing.same),
        ("difficulty", writing.difficulty),
        ("classify", writing.classify),
    ):
        assert templates.text(name, **write(RNG, "train")[0])
