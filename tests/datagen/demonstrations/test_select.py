"""Strategies on a pool: what they rank by, what they leave out, and what a teacher is asked."""

import asyncio
import itertools
import math
import random
from collections import Counter

import pytest

from datagen.demonstrations.pools import Example, Pool
from datagen.demonstrations.selection.select import (
    ASKING,
    STRATEGIES,
    Asking,
    Indexed,
    SelectionSettings,
    check,
    select,
)
from datagen.errors import UserError
from datagen.prompts.episodes import Format
from datagen.teacher import TeacherError
from datagen.teacher.local.hf import HfTeacher
from tests.tiny import save_tiny_model

WORDS = ["apple", "river", "stone", "cloud", "lamp", "green", "seven", "horse", "table", "music"]
FORMAT = Format("arrow")


def pool(n=30, *, outputs=("yes", "no"), seed=0, length=4):
    rng, inputs = random.Random(seed), {}
    while len(inputs) < n + 1:
        inputs[" ".join(rng.choices(WORDS, k=rng.randint(1, length)))] = rng.choice(outputs)
    examples = [Example(f"e{i}", x, y) for i, (x, y) in enumerate(inputs.items())]
    return Pool("t", tuple(examples[1:]), (examples[0],), (), options=tuple(outputs))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = save_tiny_model(tmp_path_factory.mktemp("models") / "tiny", context=1024)
    return HfTeacher(str(folder), name="tiny")


def run(strategy, of, k, *, teacher=None, query=None, stream="", description="", **settings):
    """One selection, and the pool it was made from."""
    indexed = Indexed(of, SelectionSettings(**settings))
    asking = None
    if strategy in ASKING:
        asking = Asking(teacher, FORMAT, description, of.options, "plain")

    async def go():
        try:
            return await select(
                strategy, query or of.train[0], indexed, k, asking=asking, stream=stream
            )
        finally:
            if teacher:
                await teacher.close()

    return asyncio.run(go())


def chosen(of, selection):
    return [of.candidates[i] for i in selection.indices]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("balance", [False, True])
def test_every_strategy_gives_k_different_candidates_and_the_same_again(engine, strategy, balance):
    for of, k in itertools.product((pool(), pool(seed=1)), (0, 1, 4)):
        found = run(strategy, of, k, teacher=engine, balance=balance, considered=10)
        assert len(set(found.indices)) == len(found.indices) == k
        assert found == run(strategy, of, k, teacher=engine, balance=balance, considered=10)
        assert set(found.indices) <= set(found.scores) or strategy == "random"
        assert all(math.isfinite(score) for score in found.scores.values())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_label_balance_shows_every_output_equally_often(engine, strategy):
    base = pool(40)
    rare = tuple(
        Example(e.id, e.input, "no" if i % 4 == 0 else "yes") for i, e in enumerate(base.candidates)
    )
    of = Pool("t", rare, base.train, (), options=("yes", "no"))
    found = run(strategy, of, 4, teacher=engine, balance=True, considered=40, relevant=40)
    assert Counter(e.output for e in chosen(of, found)) == {"yes": 2, "no": 2}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_neither_the_query_nor_a_copy_is_shown(engine, strategy):
    base = pool(8)
    query = base.train[0]
    leak = [
        Example("q1", query.input, query.output),
        Example("q2", f"  {query.input.upper()} ", "no"),
    ]
    copies = [Example(f"copy{i}", e.input.title(), e.output) for i, e in enumerate(base.candidates)]
    of = Pool("t", (*leak, *base.candidates, *copies), base.train, (), options=base.options)
    found = run(strategy, of, 8, teacher=engine, beam=2, subsets=2)
    assert {e.id for e in chosen(of, found)} == {e.id for e in base.candidates}
    with pytest.raises(
        UserError, match="task t: 8 candidates can be shown with a query, fewer than k = 9"
    ):
        run(strategy, of, 9, teacher=engine)
    assert len(run("knn", of, 9, exclude_duplicates=False).indices) == 9


def test_balance_falls_back_where_an_output_is_used_up():
    base = pool(12)
    candidates = tuple(
        Example(e.id, e.input, "no" if i == 5 else "yes") for i, e in enumerate(base.candidates)
    )
    of = Pool("t", candidates, base.train, (), options=("yes", "no"))
    for strategy in ("random", "bm25", "knn", "votek", "dpp"):
        assert Counter(e.output for e in chosen(of, run(strategy, of, 6, balance=True))) == {
            "yes": 5,
            "no": 1,
        }


def test_random_draws_depend_on_the_stream_alone_and_are_even():
    of = pool(10)
    counts = Counter(i for s in range(2000) for i in run("random", of, 3, stream=str(s)).indices)
    assert set(counts) == set(range(10))
    assert all(abs(c - 600) < 4 * math.sqrt(2000 * 0.3 * 0.7) for c in counts.values())


def test_bm25_is_the_formula_in_a_loop():
    of = pool(40)
    documents, query = [e.input.split() for e in of.candidates], of.train[0].input.split()
    mean = sum(map(len, documents)) / len(documents)

    def score(document):
        total = 0.0
        for word in query:
            df, tf = sum(word in d for d in documents), document.count(word)
            if tf:
                idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
                total += idf * tf / (tf + 1.5 * (1 - 0.75 + 0.75 * len(document) / mean))
        return total

    found = run("bm25", of, 6, considered=40)
    expected = [score(d) for d in documents]
    assert [found.scores[i] for i in range(40)] == pytest.approx(expected, abs=1e-4)
    assert [expected[i] for i in found.indices] == pytest.approx(sorted(expected)[-6:], abs=1e-4)


def test_bm25_answers_for_a_query_without_a_known_word():
    of = pool(10)
    assert len(run("bm25", of, 3, query=Example("q", "zebra ∂", "no")).indices) == 3


def test_the_nearest_stands_last():
    of = pool(40)
    found = run("knn", of, 5)
    scores = [found.scores[i] for i in found.indices]
    assert scores == sorted(scores)
    assert scores == pytest.approx(sorted(found.scores.values())[-5:])
    assert len(found.scores) == 32


def test_votek_shows_the_nearest_of_its_representatives():
    of = pool(60)
    indexed = Indexed(of, SelectionSettings())
    found, near = run("votek", of, 4, representatives=10), run("knn", of, 4, considered=60)
    kept = indexed.representatives[:10]
    assert set(found.scores) == set(kept)
    assert list(found.indices) == sorted(kept, key=lambda i: near.scores[i])[-4:]


def mean_logprob(engine, prompt, continuation):
    values = asyncio.run(ask(engine, prompt, continuation))
    return sum(values) / len(values)


async def ask(engine, prompt, continuation):
    try:
        return await engine.score(prompt, continuation)
    finally:
        await engine.close()


def lines(examples, query, *, description=""):
    shown = "".join(f"{e.input} -> {e.output}\n" for e in examples)
    return f"{description}\n" * bool(description) + f"{shown}{query.input} ->"


def test_teacher_scores_are_the_gain_of_the_gold_over_no_demonstration(engine):
    of = pool(12, length=2)
    query = of.train[0]
    found = run("teacher", of, 3, teacher=engine, considered=6, description="Say:")
    bare = mean_logprob(engine, lines([], query, description="Say:"), f" {query.output}")
    assert len(found.scores) == 6
    for place, score in found.scores.items():
        prompt = lines([of.candidates[place]], query, description="Say:")
        assert score == pytest.approx(
            mean_logprob(engine, prompt, f" {query.output}") - bare, abs=1e-4
        )


def test_teacher_selection_is_greedy_forward_selection(engine):
    of = pool(12, length=2)
    query, expected = of.train[0], []
    found = run("teacher", of, 3, teacher=engine, considered=6, beam=6)
    for _ in range(3):
        gains = {
            place: mean_logprob(
                engine,
                lines([of.candidates[i] for i in (*expected, place)], query),
                f" {query.output}",
            )
            for place in found.scores
            if place not in expected
        }
        expected.append(max(gains, key=gains.__getitem__))
    assert list(found.indices) == expected


def test_cone_ranks_by_the_likelihood_of_the_query_itself(engine):
    of = pool(12, length=2)
    query = of.train[0]
    found = run("cone", of, 3, teacher=engine, considered=8)
    for place, score in found.scores.items():
        shown = of.candidates[place]
        expected = mean_logprob(engine, f"{shown.input} -> {shown.output}\n", f"{query.input} ->")
        assert score == pytest.approx(expected, abs=1e-4)
    assert [found.scores[i] for i in found.indices] == sorted(found.scores.values())[-3:]


def test_cone_and_mdl_do_not_look_at_the_gold(engine):
    of = pool(12, length=2)
    other = Example("e0", of.train[0].input, "otherwise")
    for strategy in ("cone", "mdl"):
        assert run(strategy, of, 3, teacher=engine) == run(
            strategy, of, 3, teacher=engine, query=other
        )


def test_mdl_takes_the_subset_of_lowest_label_entropy(engine):
    of = pool(12, length=2)
    query = of.train[0]

    def bits(places):
        prompt = lines([of.candidates[i] for i in places], query)
        weights = [math.exp(sum(asyncio.run(ask(engine, prompt, f" {o}")))) for o in of.options]
        return -sum(w / sum(weights) * math.log2(w / sum(weights)) for w in weights)

    one = run(
        "mdl", of, 1, teacher=engine, considered=6, subsets=40
    )  # every candidate alone is among the subsets
    assert len(one.scores) == 6
    for place, score in one.scores.items():
        assert score == pytest.approx(-bits([place]), abs=1e-3)
    assert one.indices == (max(one.scores, key=one.scores.__getitem__),)


def test_the_context_bounds_what_the_teacher_shows(tiny_model):
    engine = HfTeacher(str(tiny_model), name="tiny")
    of = pool(30, length=4)
    found = run("teacher", of, 16, teacher=engine)
    shown = lines(chosen(of, found), of.train[0])
    assert 1 <= len(found.indices) < 16
    assert len(shown) + len(of.train[0].output) + 1 <= 128  # a token a byte
    long = Example("q", "x" * 120, "no")
    for strategy in ("teacher", "cone"):
        with pytest.raises(TeacherError, match="the context is 128"):
            run(strategy, of, 2, teacher=engine, query=long)


def test_what_a_strategy_must_not_do_is_one_line():
    plain = pool()
    with pytest.raises(UserError, match="no strategy 'best': there are random, bm25"):
        check("best", [plain])
    with pytest.raises(UserError, match="--strategy teacher looks at the gold answer"):
        check("teacher", [plain], split="test")
    with pytest.raises(UserError, match="task t names no options"):
        check("mdl", [Pool("t", plain.candidates, plain.train, ())])
    for strategy in STRATEGIES:
        check(strategy, [plain])
