import random

import numpy as np
import pytest

from datagen.errors import UserError
from datagen.filters.duplicates import (
    embedding_duplicates,
    exact_duplicates,
    near_duplicates,
    shingles,
)
from datagen.filters.encoders import encode

SENTENCE = (
    "Write a short story about a lighthouse keeper who finds a message in a bottle one winter "
    "morning"
)


@pytest.mark.parametrize(
    ("text", "duplicate"),
    [
        ("Add three to FOUR", True),
        ("Add three  to four.", True),
        ("Ａdd three to four", True),  # full width
        ("Add three to fourteen", False),
        ("Add three to: four", False),
    ],
)
def test_exact(text, duplicate):
    found = exact_duplicates(["Something else", "Add three to four", text])
    assert [(d.index, d.kept, d.similarity) for d in found] == ([(2, 1, 1.0)] if duplicate else [])


@pytest.mark.parametrize(
    ("first", "second"), [("3 + 4", "3 - 4"), ("Learn C", "Learn C++"), ("!", "?")]
)
def test_signs_are_no_decoration(first, second):
    assert exact_duplicates([first, second]) == []


def test_near_duplicates_are_those_of_brute_force():
    """Jaccard of all pairs, greedily in order. With 128 permutations a pair well over the threshold
    is not missed."""
    rng = random.Random(7)
    texts = [" ".join(rng.choices([f"w{n}" for n in range(500)], k=40)) for _ in range(40)]
    for text in list(texts):
        words = text.split()
        words[rng.randrange(40)] = "changed"  # 3 of 38 shingles: 0.854
        texts.append(" ".join(words))
        words[5:35:4] = ["other"] * 8  # far below
        texts.append(" ".join(words))
    sets, kept, wanted = [shingles(text) for text in texts], [], []
    for place, mine in enumerate(sets):
        scores = {other: len(mine & sets[other]) / len(mine | sets[other]) for other in kept}
        best = max(scores, key=lambda other: scores[other], default=None)
        if best is not None and scores[best] >= 0.8:
            wanted.append((place, best, scores[best]))
        else:
            kept.append(place)
    assert [(d.index, d.kept, d.similarity) for d in near_duplicates(texts, 0.8)] == wanted
    assert len(wanted) >= 40


def test_a_near_miss_stays():
    other = SENTENCE.replace("winter", "summer")  # 2 of 16 shingles differ: 14/18
    assert near_duplicates([SENTENCE, other], 0.78) == []
    (found,) = near_duplicates([SENTENCE, other], 0.77)
    assert found.similarity == pytest.approx(14 / 18)


def test_near_duplicates_of_chinese():
    text = "请写一篇关于春天的短文，要求语言优美，不少于三百字，并且包含对花草树木的描写"
    assert [
        d.index for d in near_duplicates([text, text + "。", "把下面这句话翻译成英文"], 0.8)
    ] == [1]


def test_texts_without_tokens_are_no_near_duplicates():
    assert near_duplicates(["...", "???", ""], 0.5) == []


def test_embedding_duplicates_follow_the_cosines():
    words = SENTENCE.split()
    texts = [
        SENTENCE,
        SENTENCE + "!",
        " ".join(reversed(words)),
        "把下面这句话翻译成英文",
        "",
        "把下面这句话翻译成英语",
    ]
    vectors = encode(texts)
    cosines = vectors @ vectors.T
    assert np.diag(cosines) == pytest.approx([1, 1, 1, 1, 0, 1], abs=1e-5)
    found = embedding_duplicates(texts, 0.8)
    assert [(d.index, d.kept) for d in found] == [(1, 0)] + (
        [(5, 3)] if cosines[5, 3] >= 0.8 else []
    )
    assert found[0].similarity == pytest.approx(cosines[1, 0], abs=1e-5)
    assert cosines[0, 2] < 0.8
    assert cosines[0, 3] < 0.2


def test_what_was_removed_removes_nothing():
    """b is near a, c is near b but not near a: c stays."""
    texts = [SENTENCE, SENTENCE + " in May", SENTENCE + " in May 1900, at sea, far from home"]
    cosines = (vectors := encode(texts)) @ vectors.T
    middle = (cosines[0, 2] + min(cosines[0, 1], cosines[1, 2])) / 2
    assert cosines[0, 2] < middle < min(cosines[0, 1], cosines[1, 2])
    assert [(d.index, d.kept) for d in embedding_duplicates(texts, middle)] == [(1, 0)]


@pytest.mark.parametrize(
    "encoder", ["word2vec", "model2vec:", "sentence-transformers:/nowhere/at/all"]
)
def test_an_encoder_that_is_not_there(encoder):
    with pytest.raises(UserError, match="encoder"):
        embedding_duplicates(["a", "b"], encoder=encoder)
