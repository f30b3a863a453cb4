"""Pools: three parts, disjoint by content, the same whatever the seed."""

import json

import pytest

from datagen.demonstrations.instruction_set import instruction_set
from datagen.demonstrations.pools import divide, example, microworld
from datagen.errors import UserError
from datagen.microworld.splits import split_of


def parts(pool):
    return [
        {" ".join(e.input.lower().split()) for e in part}
        for part in (pool.candidates, pool.train, pool.test)
    ]


def assert_disjoint(pool):
    sets = parts(pool)
    assert (
        len(set().union(*sets))
        == sum(map(len, sets))
        == len(pool.candidates) + len(pool.train) + len(pool.test)
    )


def test_an_input_that_comes_again_is_in_one_part_only():
    examples = [example("t", f"Input {n % 30}" + " " * (n % 2), str(n)) for n in range(90)]
    examples += [example("t", f"INPUT  {n}", "x") for n in range(30)]
    pool = divide("t", examples, queries=6)
    assert_disjoint(pool)
    assert (len(pool.candidates), len(pool.train), len(pool.test)) == (
        17,
        6,
        6,
    )  # of 30, 7 are kept for the test


def test_what_a_run_of_many_queries_measures_no_run_of_few_has_seen() -> None:
    examples = [example("t", str(n), "y") for n in range(100)]
    runs = [divide("t", examples, queries=queries) for queries in (5, 10, 25)]
    assert [len(run.test) for run in runs] == [5, 10, 25]
    assert not set(runs[-1].test) & {e for run in runs for e in run.train + run.candidates}
    for few in microworld(per_family=2, queries=4):
        [many] = [pool for pool in microworld(per_family=2, queries=200) if pool.task == few.task]
        assert set(few.test) <= set(many.test)
        assert not set(many.test) & set(few.train + few.candidates)


def test_a_test_split_gives_the_test_queries_and_nothing_of_it_is_shown():
    train = [example("t", str(n), "y") for n in range(40)]
    test = [example("t", str(n), "y") for n in range(30, 50)]
    pool = divide("t", train, test=test, queries=50)
    assert {e.input for e in pool.test} == {str(n) for n in range(30, 50)}
    assert_disjoint(pool)
    assert {e.input for e in pool.candidates + pool.train} == {str(n) for n in range(30)}


def test_parts_do_not_depend_on_the_order_of_the_source():
    examples = [example("t", str(n), "y") for n in range(50)]
    assert divide("t", examples) == divide("t", examples[::-1])


def test_a_small_task_keeps_half_its_examples_as_candidates():
    pool = divide("t", [example("t", str(n), "y") for n in range(9)], queries=50)
    assert (len(pool.candidates), len(pool.train), len(pool.test)) == (5, 2, 2)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_pool_of_the_micro_world_is_one_rule(split):
    pools = microworld(split=split, per_family=4)
    families = {pool.family for pool in pools}
    assert {"attribute", "category", "cipher", "permutation", "prefix", "shift"} <= families
    assert not {"key", "few_labels"} & families
    assert (
        len({pool.description for pool in pools})
        == len({pool.task for pool in pools})
        == len(pools)
    )
    for pool in pools:
        assert_disjoint(pool)
        assert len(pool.candidates) >= 16
        assert min(len(pool.train), len(pool.test)) >= 4
    for pool in pools:
        everything = pool.candidates + pool.train + pool.test
        if pool.family == "shift" and everything[0].input.isdigit():
            [difference] = {int(e.output) - int(e.input) for e in everything}
            assert (split_of(f"shift:n{difference:+d}") == "test") == (split == "test")
        if pool.family == "cipher":
            table = {
                a: b
                for e in everything
                for a, b in zip(e.input.split(), e.output.split(), strict=True)
            }
            assert all(
                " ".join(table[letter] for letter in e.input.split()) == e.output
                for e in everything
            )
        if pool.family == "category":
            assert set(pool.options) == {e.output for e in everything}


def test_rules_of_a_family_differ():
    for family in ("attribute", "shift", "successor"):
        pools = [p for p in microworld(per_family=8) if p.family == family]
        tables = [{e.input: e.output for e in p.candidates + p.train + p.test} for p in pools]
        for i, one in enumerate(tables):
            for other in tables[:i]:
                shared = one.keys() & other.keys()
                assert not shared or any(one[x] != other[x] for x in shared)


def test_instructions_with_several_instances_are_tasks(tmp_path):
    file = tmp_path / "seeds.jsonl"
    instances = [
        {"input": f"word {n}", "output": "even" if n % 2 == 0 else "odd"} for n in range(12)
    ]
    tasks = [
        {
            "id": "parity",
            "instruction": "Say even or odd.",
            "instances": instances,
            "is_classification": True,
        },
        {
            "id": "short",
            "instruction": "Greet.",
            "instances": instances[:1],
            "is_classification": False,
        },
    ]
    file.write_text("\n".join(map(json.dumps, tasks)))
    [pool] = instruction_set(file, least=4)
    assert (pool.task, pool.description, pool.options) == (
        "parity",
        "Say even or odd.",
        ("even", "odd"),
    )
    assert (len(pool.candidates), len(pool.train), len(pool.test)) == (6, 3, 3)
    with pytest.raises(UserError, match="no instruction has instances for 7 demonstrations"):
        instruction_set(file, least=7)


def test_the_seed_draws_the_candidates_and_leaves_the_queries() -> None:
    examples = [example("t", str(i), "x") for i in range(60)]
    whole, *drawn = (
        divide("t", examples),
        *(divide("t", examples, candidates=8, seed=seed) for seed in range(3)),
    )
    for pool in drawn:
        assert len(pool.candidates) == 8
        assert set(pool.candidates) < set(whole.candidates)
        assert (pool.train, pool.test) == (whole.train, whole.test)
    assert len({frozenset(pool.candidates) for pool in drawn}) == 3
    assert divide("t", examples, candidates=8, seed=1) == drawn[1]
