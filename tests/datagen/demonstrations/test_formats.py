"""One format for generation, training and evaluation."""

import pytest

from datagen.errors import UserError
from datagen.microworld.rules import FAMILIES, episodes
from datagen.prompts.episodes import LAYOUTS, Format
from datagen.suites import direct_prompt, load
from datagen.suites.table import SUITES


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("k", [0, 1, 8])
def test_arrow_is_what_the_micro_world_was_trained_on(family, k):
    for episode in episodes("train", 20, family=family, k=k):
        assert Format("arrow").text(episode.pairs[:-1], episode.pairs[-1][0]) == episode.prompt()


def test_a_student_is_measured_on_the_format_it_is_trained_on():
    """The in-context suite asks, letter by letter, what an episode of the same pairs trains."""
    format, suite = Format("arrow"), SUITES["microworld/in-context-4"]
    for question in load(suite.name, "test", limit=27):
        *lines, query = question.question.split("\n")
        pairs = [tuple(line.split(" -> ")) for line in lines]
        assert len(pairs) == 4
        prompt = format.prompt(pairs, query.removesuffix(" ->"))
        assert prompt == (("user", direct_prompt(question, suite)),)


def test_the_words_of_each_format():
    pairs = [("2 + 2", "4"), ("3 + 1", "5")]
    assert Format("arrow").text(pairs, "1 + 1") == "2 + 2 -> 4\n3 + 1 -> 5\n1 + 1 ->"
    assert (
        Format("qa").text(pairs[:1], "1 + 1", description="Add.")
        == "Add.\n\nQ: 2 + 2\nA: 4\n\nQ: 1 + 1\nA:"
    )
    assert Format("input_output").text([], "1 + 1") == "Input: 1 + 1\nOutput:"


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_base_model_that_goes_on_is_read_up_to_the_next_demonstration(name):
    """Plain prompt and target, one after the other, are the text of one more demonstration."""
    format = Format(name)
    one = format.text([("a", "b")], "c")
    assert one + format.target("d", style="plain") == format.text(
        [("a", "b"), ("c", "d")], "e"
    ).partition("e")[0].rstrip("QInput: \n")
    goes_on = format.text([("c", "d e"), ("f", "g")], "h").removeprefix(format.text([], "c"))
    assert format.read(goes_on) == "d e"
    assert any(goes_on.partition(stop)[0] == " d e" for stop in format.stop(style="plain"))
    assert format.read("  \n") is None


def test_what_a_format_cannot_show_is_named():
    with pytest.raises(UserError, match=r"task t: .*several lines.*qa or input_output"):
        Format("arrow").check("t", [("a", "b"), ("c\nd", "e")])
    Format("qa").check("t", [("c\nd", "e")])
    with pytest.raises(UserError, match="no format 'xml': there are arrow, qa, input_output"):
        Format("xml")
