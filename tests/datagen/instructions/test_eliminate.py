"""Every elimination rule: what it must catch, and the nearest thing that it must let through."""

import asyncio

import pytest

from datagen.instructions.evol_instruct.eliminate import Eliminator
from datagen.prompts.language import language
from datagen.prompts.templates import Templates
from datagen.teacher import Completion, Sampling

PARENT = "Name three rivers of Europe."


def eliminator(name="en", **settings):
    return Eliminator(Templates(name), language(name), **settings)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Sorry, that is beyond me.", "refusal"),
        ("I’m unable to do this.", "refusal"),  # a curly apostrophe, the list has a straight one
        ("Sorry " + "word " * 78, "refusal"),  # 79 words
        ("Sorry " + "word " * 79, None),  # 80 words
        ("The sorrysome tale of three rivers: Rhine, Danube, Elbe.", None),  # inside another word
        ("Is this that, or what was there?!", "stopwords_only"),
        ("...!?", "stopwords_only"),
        ("This is that: Elbe.", None),
        ("42", None),
        ("  \n", "empty"),
        ("Elbe", None),
    ],
)
def test_responses(text, reason):
    assert eliminator().of_response(Completion(text)) == reason
    assert eliminator().of_response(Completion(text, "length")) == "truncated"


@pytest.mark.parametrize(
    ("parent", "text", "reason"),
    [
        (PARENT, "Evolved Prompt: Name four rivers of Europe.", "scaffolding"),
        (PARENT, "Name four rivers, each with an evolved\n prompt.", "scaffolding"),
        (PARENT, "Name four rivers of Europe and an evolved promptness.", None),
        (
            "Improve the given prompt.",
            "Improve the given prompt for a child.",
            None,
        ),  # the parent's own words
        (
            "Improve the given prompt.",
            "Rewritten prompt: improve the given prompt for a child.",
            "scaffolding",
        ),
        (PARENT, "name three  rivers of Europe.\n", "no_gain"),  # said again; nobody need be asked
        (PARENT, "Name three rivers of Asia.", None),
        (PARENT, " ", "empty"),
    ],
)
def test_rewritings(parent, text, reason):
    assert eliminator().of_rewriting(parent, Completion(text)) == reason
    assert eliminator().of_rewriting(parent, Completion(text, "length")) == "truncated"


class Judge:
    """A teacher that says one thing."""

    def __init__(self, text):
        self.text = text

    async def complete(self, request):
        self.asked = request
        return [Completion(self.text)]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Yes", "no_gain"),
        ("**Yes**, both ask for rivers.", "no_gain"),
        ("No. The second wants four. Yes, it does.", None),
        ("Nothing is gained.", "unparseable_judgement"),
        ("yesterday's news", "unparseable_judgement"),
        ("I think: yes", "unparseable_judgement"),
        ("", "unparseable_judgement"),
    ],
)
def test_no_information_gain_is_the_teachers_judgement(said, reason):
    judge = Judge(said)
    greedy = Sampling(temperature=0.0)
    assert asyncio.run(eliminator().of_gain(PARENT, "Name four.", judge, greedy)) == reason
    assert judge.asked.sampling == greedy
    assert PARENT in judge.asked.prompt[-1][1]


def test_refusal_words_is_a_setting():
    short = eliminator(refusal_words=5)
    assert short.of_response(Completion("Sorry, I do not")) == "refusal"
    assert short.of_response(Completion("Sorry, I do not know")) is None


def test_hostile_text_takes_no_time():
    text = "sorry-" * 20_000 + "'" * 50_000 + "a b " * 20_000
    assert eliminator().of_response(Completion(text)) is None
    assert eliminator().of_rewriting(PARENT, Completion("evolved " * 50_000)) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("很抱歉，我帮不上忙。", "refusal"),  # inside a sentence without spaces
        ("抱歉" + "字" * 77, "refusal"),  # 79 characters
        ("抱歉" + "字" * 78, None),
        ("但是，因为这些！", "stopwords_only"),
        ("但是，因为雨！", None),
        ("莱茵河", None),
    ],
)
def test_chinese_responses(text, reason):
    assert eliminator("zh").of_response(Completion(text)) == reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("是。", "no_gain"),
        ("是的，相同", "no_gain"),
        ("否，第二条更难", None),
        ("是否相同很难说", "unparseable_judgement"),
    ],
)
def test_chinese_judgements(said, reason):
    gain = eliminator("zh").of_gain(
        "说出三条河。", "说出四条河。", Judge(said), Sampling(temperature=0.0)
    )
    assert asyncio.run(gain) == reason


def test_chinese_scaffolding():
    zh = eliminator("zh")
    assert (
        zh.of_rewriting("说出三条河。", Completion("【改写后的提示】说出四条河。")) == "scaffolding"
    )
    assert zh.of_rewriting("说出三条河。", Completion("说出四条河。")) is None
