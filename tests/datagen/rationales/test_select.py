"""Diverse selection against a brute-force restatement."""

import random

from datagen.answers import equations
from datagen.rationales.select import choose


def levenshtein(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def distance(a, b):
    return levenshtein(a, b) / max(len(a), len(b), 1)


def brute_force(texts, start, number):
    chosen = [start]
    while len(chosen) < min(number, len(texts)):
        used = {equations(texts[c]) for c in chosen}
        left = [i for i in range(len(texts)) if i not in chosen]
        fresh = [i for i in left if equations(texts[i]) not in used] or left
        chosen.append(
            max(fresh, key=lambda i: (min(distance(texts[i], texts[c]) for c in chosen), -i))
        )
    return sorted(chosen)


def test_diverse_equals_brute_force():
    rng = random.Random(0)
    for _ in range(60):
        texts = []
        while len(texts) < rng.randint(1, 7):
            a, b = rng.randint(1, 3), rng.randint(1, 3)
            text = (
                f"{rng.choice(['So', 'Then', 'We see that'])} {a} + {b} = "
                f"{a + b}{rng.choice(['.', ' in all.'])}"
            )
            if text not in texts:
                texts.append(text)
        logprobs = [-rng.random() for _ in texts]
        start = max(range(len(texts)), key=lambda i: logprobs[i])
        number = rng.randint(1, 5)
        chains = list(zip(texts, logprobs, strict=True))
        assert choose(chains, "diverse", number) == brute_force(texts, start, number)


def test_the_same_text_twice_stays_once():
    assert choose([("a", None), ("b", None), ("a ", None)], "all", 1) == [0, 1]


def test_best_is_the_most_probable_and_the_first_where_nothing_is_known():
    assert choose([("a", -2.0), ("b", -1.0), ("c", None)], "best", 1) == [1]
    assert choose([("a", None), ("b", None)], "best", 1) == [0]
    assert choose([], "best", 1) == []
