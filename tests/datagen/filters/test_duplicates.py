import random

import numpy as np
import pytest

from datagen.errors import UserError
from datagen.filters import near
from datagen.filters.duplicates import (
    embedding_duplicates,
    exact_duplicates,
)
from datagen.filters.encoders import encode
from datagen.filters.near import near_duplicates, shingles

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


@pytest.mark.parametrize("seed", range(60))
def test_near_duplicates_are_exactly_those_of_brute_force(seed, monkeypatch):
    rng = random.Random(seed)
    monkeypatch.setattr(near, "BLOCK", rng.choice([7, 1024]))
    monkeypatch.setattr(near, "CODES", rng.choice([20, 1_000_000]))  # 20: most shingles share one
    words = [f"w{n}" for n in range(rng.choice([5, 12, 60]))]
    texts = [" ".join(rng.choices(words, k=rng.randint(0, 14))) for _ in range(80)]
    threshold = rng.choice([0.1, 0.34, 0.5, 0.7, 0.75, 0.8, 0.9, 1.0])
    found = [(d.index, d.kept, d.similarity) for d in near_duplicates(texts, threshold)]
    assert found == brute_force(texts, threshold)


def brute_force(texts, threshold):
    sets = [shingles(text) for text in texts]
    kept, found = [], []
    for place, mine in enumerate(sets):
        scores = {o: len(mine & sets[o]) / len(mine | sets[o]) for o in kept if mine}
        best = max(scores, key=lambda other: (scores[other], -other), default=None)
        if best is not None and scores[best] >= threshold:
            found.append((place, best, scores[best]))
        else:
            kept.append(place)
    return found


def test_texts_of_one_template_cost_no_square(monkeypatch):
    """They share most of their words. Only pairs that can reach the threshold are compared."""
    compared = []
    jaccard = near.jaccard
    monkeypatch.setattr(near, "jaccard", lambda a, b: compared.append(1) or jaccard(a, b))
    texts = [
        f"Plan a walk of {i} steps through the old town, past the mill, the church and gate {i % 50}."
        for i in range(3000)
    ]
    assert near_duplicates(texts, 0.8) == []
    assert len(compared) < 3 * len(texts)


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
