"""Templates and word lists: fields filled once, turns kept apart, errors that name the file."""

from pathlib import Path

import pytest

from datagen.errors import UserError
from datagen.prompts.language import language
from datagen.prompts.templates import Templates


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "evolve").mkdir()
    (tmp_path / "words").mkdir()
    (tmp_path / "evolve" / "shorter.txt").write_text("Say it shorter: {instruction}")
    (tmp_path / "same.txt").write_text("[system]\nBe strict.\n[user]\n{first} or {second}?\n")
    (tmp_path / "classify.txt").write_text('{"task": "{instruction}", "why": {reason}}')
    (tmp_path / "words" / "blocked.txt").write_text("# comment\nimage\n\ngo to  # two words\n")
    return tmp_path


def test_a_field_is_filled_once_and_its_text_is_never_a_template(own):
    assert (
        Templates("micro", own).text("evolve/shorter", instruction="{first} {x}")
        == "Say it shorter: {first} {x}"
    )


def test_turns(own):
    asked = Templates("micro", own).messages("same", first="[user]\nA", second="B")
    assert asked == (("system", "Be strict."), ("user", "[user]\nA or B?"))
    assert Templates("micro", own).messages("evolve/breadth", instruction="A") == (
        ("user", "Write a new task like this one:\nA"),
    )


def test_a_users_folder_goes_first_and_adds_to_the_shipped(own):
    assert Templates("micro", own).names("evolve") == (
        "breadth",
        "complicate_input",
        "constraints",
        "deepen",
        "shorter",
    )
    assert Templates("micro", own).fingerprint().keys() == {
        "classify.txt",
        "same.txt",
        "evolve/shorter.txt",
        "words/blocked.txt",
    }


def test_word_lists_have_comments(own):
    assert Templates("micro", own).words("blocked") == ("image", "go to")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            lambda own: Templates("micro", own).text("classify", instruction="A"),
            r"classify.txt: unknown .*\{reason\}",
        ),
        (
            lambda own: Templates("micro", own).text("nothing"),
            r"no template nothing.txt in .* or .*micro",
        ),
        (lambda own: Templates("la"), "--language la: there are templates for .*micro"),
        (lambda own: Templates("micro", own / "no"), "--templates .*no: there is no such folder"),
        (lambda own: language("la"), "--language la: there are en, zh, micro"),
    ],
)
def test_errors_name_the_place(own, wrong, said):
    with pytest.raises(UserError, match=said):
        wrong(own)


def test_length_counts_words_or_characters():
    assert language("en").length("Write a  short poem.") == 4
    assert language("zh").length("写 一首短诗。") == 6
