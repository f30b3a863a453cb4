import pytest

from datagen.filters.responses import Responses, repetition


def rules(name="en", **settings):
    return Responses(name, **settings)


GOOD = (
    "The tides follow the moon, whose gravity pulls the water on the near side more than that on "
    "the far side."
)
LOOP = "and then we walk on " * 30
MIXED = " ".join(f"word{n}" for n in range(60)) + " " + "and then we walk on " * 6


@pytest.mark.parametrize(
    ("response", "finish", "reason"),
    [
        (" \n", "stop", "empty"),
        ("No", "stop", None),
        (GOOD, "length", "truncated"),
        (GOOD, "stop", None),
        (GOOD, None, None),
        ("I’m sorry, but I cannot help with that.", "stop", "refusal"),
        ("A sorryful knight rode on.", "stop", None),
        (LOOP, "stop", "repetitive"),
        (MIXED, "stop", None),
        ("=" * 200, "stop", "repetitive"),
        ("ha ha ha ha ha", "stop", None),
    ],
)
def test_each_reason_and_its_near_miss(response, finish, reason):
    assert rules().reason(response, finish) == reason


def test_lengths_include_their_ends():
    bounded = rules(shortest=2, longest=4)
    lengths = {" ".join(f"w{i}" for i in range(n)): n for n in range(1, 7)}
    assert [bounded.reason(text) for text in lengths] == [
        "too_short",
        None,
        None,
        None,
        "too_long",
        "too_long",
    ]


def test_chinese_is_measured_in_characters():
    assert rules("zh", shortest=4).reason("四个字") == "too_short"
    assert rules("zh", shortest=3).reason("四个字") is None
    assert rules("zh").reason("很抱歉，我不能回答。") == "refusal"
    assert rules("zh").reason("我们走吧" * 40) == "repetitive"


def test_repetition_is_the_share_of_repeated_runs():
    words = [f"w{n}" for n in range(20)]
    assert repetition(" ".join(words)) == 0
    assert repetition(" ".join(words * 2)) == pytest.approx(
        1 - 20 / 37
    )  # 37 runs, 20 of them different
    assert repetition(" ".join(words[:10])) == 0
