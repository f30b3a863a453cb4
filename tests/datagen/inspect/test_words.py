import pytest

from datagen.inspect.words import guess_language, pair_of, singular
from datagen.prompts.language import language

EN, ZH = language("en"), language("zh")


@pytest.mark.parametrize(
    ("instruction", "pair"),
    [
        ("Write a short story about a dog.", ("write", "story")),
        ("Please give me a list of three birds", ("give", "list")),
        ("Can you summarise this long paragraph for me?", ("summarise", "paragraph")),
        ("Given a list of numbers, find the largest number", ("find", "number")),
        ("Classify the following tweets as happy or sad", ("classify", "tweet")),
        ("Explain how engines work.", ("explain", "")),
        ("Generate new ideas", ("generate", "idea")),
        ("First, reverse the list, then sort the words", ("reverse", "list")),
        ("What is the capital of France?", None),
        ("", None),
    ],
)
def test_verb_and_noun_as_a_reader_would_name_them(instruction, pair):
    assert pair_of(instruction, EN) == pair


def test_chinese_takes_characters_behind_a_polite_opening():
    assert pair_of("请你写一首关于春天的诗", ZH) == ("写一", "首关")
    assert pair_of("“解释”光合作用", ZH) == ("解释", "”光")
    assert pair_of("。。", ZH) is None


@pytest.mark.parametrize(
    ("plural", "noun"),
    [
        ("stories", "story"),
        ("boxes", "box"),
        ("classes", "class"),
        ("news", "news"),
        ("glass", "glass"),
        ("gas", "gas"),
    ],
)
def test_singular(plural, noun):
    assert singular(plural) == noun


def test_language_is_told_by_its_letters():
    assert guess_language(["写一首诗 for me", "列出五种水果"]) == "zh"
    assert guess_language(["Translate 水 into English, please, and say how it is written"]) == "en"
    assert guess_language([]) == "en"
