"""Tasks from files by a YAML mapping, and what is said of a wrong one."""

import json

import pytest

from datagen.demonstrations.mapped import mapped_pool
from datagen.demonstrations.mapping import names, read_mapping
from datagen.errors import UserError
from datagen.suites import BBH_TASKS

REVIEWS = """
- task: reviews/polarity
  file: reviews.jsonl
  input: "{title}: {text}"
  output: label
  options: [negative, positive]
  description: Say whether a review is negative or positive.
"""


@pytest.fixture
def pool(tmp_path):
    """Write mapping and rows; the pool of the first task."""

    def pool(mapping, rows, name="reviews.jsonl", **more):
        (tmp_path / "m.yaml").write_text(mapping)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
        folder, tasks = read_mapping(tmp_path / "m.yaml")
        return mapped_pool(tasks[0], folder, **more)

    return pool


def rows(n, **more):
    return [{"title": f"t{i}", "text": f"{{title}} {i}", "label": i % 2, **more} for i in range(n)]


def examples_of(pool):
    return {e.input: e.output for e in pool.candidates + pool.train + pool.test}


def test_columns_become_text_and_labels_become_words(pool):
    made = pool(REVIEWS, rows(20))
    assert (made.task, made.family, made.options) == (
        "reviews/polarity",
        "reviews/polarity",
        ("negative", "positive"),
    )
    assert (
        examples_of(made)["t3: {title} 3"] == "positive"
    )  # what a column holds is never read as a template
    assert len(examples_of(made)) == 20


def test_labels_may_be_words_booleans_or_digits_and_unlabelled_rows_are_left_out(pool):
    made = pool(
        REVIEWS,
        [
            {"title": str(i), "text": "x", "label": label}
            for i, label in enumerate(["positive", "0", True, -1, None, "negative"])
        ],
    )
    assert examples_of(made) == {
        "0: x": "positive",
        "1: x": "negative",
        "2: x": "positive",
        "5: x": "negative",
    }


def test_choices_are_lettered(pool):
    mapping = '- {task: t, file: r.jsonl, input: "{q}", output: answer, choices: options}'
    made = pool(
        mapping,
        [{"q": f"Q{i}?", "options": ["x", "y", "z"], "answer": i % 3} for i in range(6)],
        "r.jsonl",
    )
    assert examples_of(made)["Q1?\nOptions:\n(A) x\n(B) y\n(C) z"] == "(B)"
    two = '- {task: t, file: r.jsonl, input: "{q}", output: answer, choices: [one, other]}'
    made = pool(
        two, [{"q": f"Q{i}?", "one": "x", "other": "y", "answer": "B"} for i in range(6)], "r.jsonl"
    )
    assert examples_of(made)["Q5?\nOptions:\n(A) x\n(B) y"] == "(B)"


def test_a_data_root_holds_splits_by_the_name_of_the_task(pool, tmp_path):
    mapping = '- {task: glue/x, hub: a/b, test: validation, input: "{text}", output: label}'
    (tmp_path / "glue" / "x").mkdir(parents=True)
    (tmp_path / "glue" / "x" / "test.csv").write_text("text,label\nheld,1\n")
    made = pool(mapping, rows(8), "glue/x/train.jsonl", data_root=tmp_path)
    assert [e.input for e in made.test] == ["held"]
    assert len(made.candidates + made.train) == 8
    with pytest.raises(
        UserError, match=r"task glue/x: there is no file .*train\.jsonl for its train split"
    ):
        pool(mapping, [], "other.jsonl", data_root=tmp_path / "nowhere")


def test_each_makes_many_tasks_of_one_entry(tmp_path):
    (tmp_path / "m.yaml").write_text(
        '- {each: [ab_c, d], task: "m/{each}", description: "About {about}.", input: "{q}", output: a}'
    )
    tasks = read_mapping(tmp_path / "m.yaml")[1]
    assert [(t.task, t.description, t.input) for t in tasks] == [
        ("m/ab_c", "About ab c.", "{q}"),
        ("m/d", "About d.", "{q}"),
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{task: t, input: q, output: a, options: [yes, no]}", "the key 'options' holds true or false"),
        ("{task: t, input: [q], output: a}", "the key 'input' holds a list, not a text"),
        ("{task: t, input: q, output: {a: 1}}", "the key 'output' holds an object, not a text"),
        ("{each: x, task: t, input: q, output: a}", "the key 'each' must hold a list of names"),
    ],
)  # fmt: skip
def test_what_is_no_text_in_a_mapping_never_becomes_one(tmp_path, entry, said):
    (tmp_path / "m.yaml").write_text(f"- {entry}\n")
    with pytest.raises(UserError, match=f"m.yaml, entry 1: {said}"):
        read_mapping(tmp_path / "m.yaml")


def test_years_are_names_and_a_key_without_a_value_says_nothing(tmp_path):
    (tmp_path / "m.yaml").write_text(
        '- {each: [2019, 2020], task: "m/{each}", description: , options: , input: q, output: a}'
    )
    tasks = read_mapping(tmp_path / "m.yaml")[1]
    assert [(t.task, t.description, t.options) for t in tasks] == [
        ("m/2019", "", ()),
        ("m/2020", "", ()),
    ]


def test_shipped_mappings_are_whole():
    assert names() == ["bbh", "glue", "mmlu", "superglue"]
    tasks = {name: read_mapping(name)[1] for name in names()}
    assert sorted(t.task.removeprefix("bbh/") for t in tasks["bbh"]) == sorted(BBH_TASKS)
    assert [len(tasks[name]) for name in ("glue", "mmlu", "superglue")] == [8, 57, 7]
    assert all(
        t.description and t.hub and "{each}" not in repr(t) for some in tasks.values() for t in some
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("{title}", "{headline}"),
            r"line 1: no column 'headline', which task reviews/polarity asks for; .* title, "
            r"text, label",
        ),
        (("output: label", "output: verdict"), r"no column 'verdict'.*title, text, label"),
        (
            ("output: label", "outputs: label"),
            r"m.yaml, entry 1: unknown key 'outputs'; the keys are task, input, output",
        ),
        (("  output: label\n", ""), r"m.yaml, entry 1: the key 'output' is missing"),
        (
            ("[negative, positive]", "[negative]"),
            r"line 2: '1' is no label of task reviews/polarity, whose options are negative",
        ),
        (
            ("file: reviews.jsonl", "file: none.jsonl"),
            r"there is no file .*none.jsonl for its train split",
        ),
        (
            ("file: reviews.jsonl", "file: reviews.jsonl\n  test: dev"),
            r"the file's name must hold \{split\}",
        ),
        (("- task: reviews/polarity", "task: [x"), r"the mapping .*m.yaml cannot be read"),
        ((REVIEWS, "task: x"), r"m.yaml: a list of tasks is wanted"),
        ((REVIEWS, "- x"), r"m.yaml, entry 1: not a task"),
    ],
)
def test_a_wrong_mapping_is_one_clear_line(pool, change, message):
    with pytest.raises(UserError, match=message) as error:
        pool(REVIEWS.replace(*change), rows(8))
    assert "\n" not in str(error.value)
