"""Encoder, search and diversity: against formulas in loops and brute force."""

import itertools
import math
import random

import numpy as np
import pytest

from datagen.demonstrations.selection import neighbours as search
from datagen.demonstrations.selection.diversity import greedy_map, kernel, nearest_others, vote_k
from datagen.demonstrations.selection.encode import NGRAMS, encoder, hashed
from datagen.demonstrations.selection.neighbours import Neighbours, best, ranking
from datagen.errors import UserError

WORDS = ["apple", "river", "stone", "cloud", "lamp", "green", "seven", "horse", "table", "music"]


def texts(n, *, seed=0, length=6):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(2, length))) for _ in range(n)]


def unit(n, d, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def tf_idf_cosine(a, b, corpus):
    """The cosine that hashing approximates, over n-grams themselves."""

    def counts(text):
        text, found = f" {' '.join(text.lower().split())} ", {}
        for n in NGRAMS:
            for i in range(len(text) - n + 1):
                found[text[i : i + n]] = found.get(text[i : i + n], 0) + 1
        return found

    documents = [set(counts(t)) for t in corpus]

    def weights(text):
        idf = lambda g: math.log((1 + len(corpus)) / (1 + sum(g in d for d in documents))) + 1  # noqa: E731
        return {g: (1 + math.log(c)) * idf(g) for g, c in counts(text).items()}

    x, y = weights(a), weights(b)
    dot = sum(w * y.get(g, 0.0) for g, w in x.items())
    return dot / math.sqrt(sum(w * w for w in x.values()) * sum(w * w for w in y.values()))


def test_hashed_vectors_keep_the_cosines_of_tf_idf():
    corpus = texts(40)
    vectors = hashed(corpus)(corpus)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    errors = [
        vectors[i] @ vectors[j] - tf_idf_cosine(corpus[i], corpus[j], corpus)
        for i, j in itertools.combinations(range(20), 2)
    ]
    assert np.mean(np.abs(errors)) < 1.5 / math.sqrt(512)
    assert abs(np.mean(errors)) < 0.02


def test_texts_without_any_letter_have_a_vector():
    vectors = hashed(["", "a"])(["", " ", "\ud800", "x" * 10_000])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_an_encoder_that_is_not_there_is_one_line():
    with pytest.raises(UserError, match="--encoder no/such-model"):
        encoder("no/such-model", ["a"])


def test_nearest_equals_a_plain_loop_whatever_the_block(monkeypatch):
    corpus, asked = texts(90), "green apple table"
    encode = hashed(corpus)
    query = encode([asked])[0]
    cosines = [float(np.dot(vector, query)) for vector in encode(corpus)]
    expected = sorted(range(90), key=lambda i: (-round(cosines[i], 5), i))
    for block in (7, 1000):
        monkeypatch.setattr(search, "BLOCK", block)
        places, scores = Neighbours(encode, corpus).nearest(asked, 12)
        assert scores == pytest.approx([cosines[i] for i in expected[:12]], abs=1e-5)
        assert [round(cosines[i], 5) for i in places] == [
            round(cosines[i], 5) for i in expected[:12]
        ]


def test_a_ranking_is_the_whole_order_however_far_it_is_read():
    scores = np.random.default_rng(0).integers(0, 50, size=3000).astype(np.float32)
    places = [place for place, _ in ranking(lambda n: best(scores, n), len(scores))]
    assert places == sorted(range(3000), key=lambda i: (-scores[i], i))


def test_above_a_size_the_search_is_approximate_and_finds_nearly_all(monkeypatch):
    pytest.importorskip("faiss")
    corpus = texts(3000, length=9)
    encode = hashed(corpus)
    exact = Neighbours(encode, corpus)
    monkeypatch.setattr(search, "EXACT", 1000)
    near = Neighbours(encode, corpus)
    assert near.vectors is None
    found = 0
    for asked in texts(20, seed=1, length=9):
        cosines = exact.nearest(asked, 10)[1]
        found += sum(near.of(near.nearest(asked, 10)[0]) @ encode([asked])[0] >= cosines[-1] - 0.01)
    assert found >= 0.9 * 200


def brute_vote_k(neighbours, size):
    """The definition: s(v) = 10 ** -(neighbours of v in L), score(u) = sum of s(v) over v in U with
    u a neighbour."""
    chosen = []
    for _ in range(size):
        rest = [u for u in range(len(neighbours)) if u not in chosen]
        vote = {
            u: sum(
                10.0 ** -sum(n in chosen for n in neighbours[v]) for v in rest if u in neighbours[v]
            )
            for u in rest
        }
        chosen.append(max(rest, key=lambda u: (round(vote[u], 9), -u)))
    return chosen


@pytest.mark.parametrize("seed", range(8))
def test_vote_k_follows_its_definition(seed):
    graph = nearest_others(unit(24, 4, seed), 5)
    assert vote_k(graph, 12) == brute_vote_k(graph.tolist(), 12)
    assert sorted(vote_k(graph, 99)) == list(range(24))


def test_nearest_others_equals_a_plain_loop():
    vectors = unit(30, 5)
    for i, found in enumerate(nearest_others(vectors, 6).tolist()):
        rest = sorted(
            (j for j in range(30) if j != i), key=lambda j: -float(np.dot(vectors[i], vectors[j]))
        )
        assert found == rest[:6]


def brute_greedy(matrix, size):
    """Every step tries every item by the determinant of the whole submatrix."""
    chosen = []
    for _ in range(size):
        rest = [i for i in range(len(matrix)) if i not in chosen]
        chosen.append(
            max(
                rest, key=lambda i: np.linalg.slogdet(matrix[np.ix_([*chosen, i], [*chosen, i])])[1]
            )
        )
    return chosen


@pytest.mark.parametrize("seed", range(8))
def test_greedy_map_equals_determinants(seed):
    vectors = unit(14, 9, seed)
    matrix = kernel((vectors @ unit(1, 9, 99)[0]).astype(float), vectors)
    assert greedy_map(matrix, 6, lambda chosen: list(range(14))) == brute_greedy(matrix, 6)


def test_greedy_map_is_near_the_best_set_of_all():
    vectors = unit(10, 8, 3)
    matrix = kernel((vectors @ unit(1, 8, 99)[0]).astype(float), vectors)

    def log_det(items):
        return np.linalg.slogdet(matrix[np.ix_(items, items)])[1]

    optimum = max(log_det(items) for items in itertools.combinations(range(10), 4))
    assert (
        optimum - 0.5
        < log_det(greedy_map(matrix, 4, lambda chosen: list(range(10))))
        <= optimum + 1e-9
    )


def test_greedy_map_ends_where_only_copies_are_left():
    vectors = np.repeat(unit(3, 8), 2, axis=0)
    chosen = greedy_map(kernel(np.zeros(6), vectors), 6, lambda chosen: list(range(6)))
    assert len(chosen) == 3
    assert len({item // 2 for item in chosen}) == 3


def test_the_kernel_is_the_formula():
    vectors, relevance = unit(5, 4), np.array([0.1, -0.3, 0.9, 0.0, 0.5])
    matrix = kernel(relevance, vectors)
    for i, j in itertools.product(range(5), repeat=2):
        r_i, r_j = (math.exp((relevance[x] + 1) / 2 / 0.2) for x in (i, j))
        assert matrix[i, j] == pytest.approx(
            r_i * (float(vectors[i] @ vectors[j]) + 1) / 2 * r_j, rel=1e-5
        )
