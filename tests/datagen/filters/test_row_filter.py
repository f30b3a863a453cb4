"""Filters of the user's: by the command and in Python, with clear errors, recorded by their source."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import datagen
from datagen.errors import UserError
from datagen.filters.fingerprint import fingerprint
from datagen.filters.row_filter import load_filter
from tests.test_layers import ROOT

ROWS = [
    {"id": "a", "instruction": "Name a fruit.", "input": "", "output": "Plum"},
    {"id": "b", "instruction": "Sing.", "input": "", "output": "La la la"},
    {"id": "c", "instruction": "Name a river in Europe.", "input": "", "output": ""},
]
FILTERS = """
LEAST = 3

def too_short(row):
    return "too_short" if words(row) < LEAST else None

def words(row):
    return len(row["instruction"].split())

def broken(row):
    return row["no such column"]

def lazy(row):
    return True

not_a_function = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder, with rows and a file of filters."""
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    (tmp_path / "own_filters.py").write_text(FILTERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    # each test imports its own file
    monkeypatch.delitem(sys.modules, "own_filters", raising=False)
    yield tmp_path
    sys.modules.pop("own_filters", None)


def command(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """`datagen filter rows.jsonl ...` as a person gives it in that folder."""
    code = "import sys; from datagen.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, "filter", "rows.jsonl", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
    )


def rejected(out: Path) -> dict[str, dict]:
    return {row["id"]: row for row in pq.read_table(out / "rejected.parquet").to_pylist()}


def test_a_filter_from_a_file_in_the_current_folder_by_the_command(folder):
    done = command(folder, "--filter", "own_filters:too_short", "--out", "clean")
    assert done.returncode == 0, done.stderr
    assert rejected(folder / "clean").keys() == {"b"}
    assert "too_short 1" in done.stdout


def test_a_filter_in_python_and_a_shipped_one_side_by_side(folder):
    def no_rivers(row):
        return "river" if "river" in row["instruction"] else None

    filters = [no_rivers, datagen.Responses(shortest=2)]
    run = datagen.filter_rows("rows.jsonl", filters=filters, out="clean")
    # the first filter that rejects a row names the reason: c has no output either
    reasons = {row["id"]: row["reason"] for row in run.rows("rejected")}
    assert reasons == {"a": "too_short", "c": "river"}
    assert run.stats.rejected == {"river": 1, "too_short": 1}


def test_a_rejected_row_says_why_and_stays_what_it_was(folder):
    def loud(row):
        row["instruction"] = "changed"
        return datagen.Reason("loud", detail="la") if "La" in row["output"] else None

    datagen.filter_rows("rows.jsonl", filters=[loud], out="clean")
    row = rejected(Path("clean"))["b"]
    assert (row["reason"], row["detail"]) == ("loud", "la")
    # a filter gets a copy: what it changes is not stored
    assert (row["instruction"], row["output"]) == ("Sing.", "La la la")
    assert row["prompt"] == [{"role": "user", "content": "Sing."}]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_filters", "--filter own_filters: write module:function"),
        ("own_filters:", "write module:function"),
        ("no_module:f", "cannot import no_module (ModuleNotFoundError: No module named"),
        ("own_filters:too_shrt", "has no function too_shrt; did you mean too_short?"),
        ("own_filters:not_a_function", "own_filters:not_a_function: int is no function"),
    ],
)
def test_a_name_that_cannot_be_used_is_one_line(folder, name, message):
    done = command(folder, "--filter", name, "--out", "clean")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "clean").exists()


def test_a_module_that_fails_is_one_line_with_its_place(folder):
    (folder / "own_filters.py").write_text("x = 1\nprint(1 / 0)\n")
    with pytest.raises(UserError) as caught:
        load_filter("own_filters:f")
    assert str(caught.value) == (
        "--filter own_filters:f: cannot import own_filters "
        "(ZeroDivisionError: division by zero (own_filters.py, line 2))"
    )


def test_a_filter_that_raises_names_itself_and_the_row(folder):
    done = command(folder, "--filter", "own_filters:broken", "--out", "clean")
    line = 1 + FILTERS.split("\n").index('    return row["no such column"]')
    assert done.stderr == (
        "datagen: filter own_filters:broken failed on row a: KeyError: 'no such column' "
        f"(own_filters.py, line {line})\n"
    )
    # so the same command can be given again once the filter is mended
    assert not (folder / "clean").exists()


def test_a_value_that_is_no_reason_is_one_line(folder):
    done = command(folder, "--filter", "own_filters:lazy", "--out", "clean")
    assert "filter own_filters:lazy returned True for row a: a filter returns None" in done.stderr
    with pytest.raises(UserError, match="returned ' ' for row a"):
        datagen.filter_rows("rows.jsonl", filters=[lambda row: " "], out="clean")
    with pytest.raises(UserError, match="filter 'too_short': str is no function"):
        datagen.filter_rows("rows.jsonl", filters=["too_short"], out="clean")


def test_the_configuration_records_name_and_source(folder):
    words = ("--filter", "own_filters:too_short", "--out", "clean")
    assert command(folder, *words).returncode == 0
    [record] = datagen.open_run("clean").config.settings["filter"]
    assert record["name"] == "own_filters:too_short"
    assert len(record["sha256"]) == 64

    # the same filter, in another process: the same run
    assert command(folder, *words).returncode == 0
    # a constant that it uses is changed: another run, which needs another folder
    (folder / "own_filters.py").write_text(FILTERS.replace("LEAST = 3", "LEAST = 4"))
    done = command(folder, *words)
    assert done.returncode == 2
    assert "holds a run of another configuration: settings.filter was" in done.stderr


def shorter_than(least):
    return lambda row: "short" if len(row["instruction"]) < least else None


def by_default(row, least=3):
    return "short" if len(row["instruction"]) < least else None


class Longest:
    """A filter with a state."""

    def __init__(self, most):
        self.most = most

    def __call__(self, row):
        return "long" if len(row["instruction"]) > self.most else None


def test_a_fingerprint_sees_the_values_that_a_filter_uses():
    made = [
        shorter_than(3),
        shorter_than(4),
        by_default,
        partial(by_default, least=4),
        Longest(5),
        Longest(6),
        Longest(5).__call__,
        len,
    ]
    assert len({fingerprint(function) for function in made}) == len(made)
    assert fingerprint(shorter_than(3)) == fingerprint(shorter_than(3))
    assert fingerprint(Longest(5)) == fingerprint(Longest(5))


def test_a_fingerprint_sees_the_helpers_of_a_filter_and_no_comments_of_others(folder):
    before = fingerprint(load_filter("own_filters:too_short"))
    texts = [FILTERS + "\n# more\n", FILTERS.replace("split()", "split(' ')")]
    same = []
    for text in texts:
        sys.modules.pop("own_filters")
        # another length, so that Python and `inspect` read the file again
        (folder / "own_filters.py").write_text(text)
        __import__("linecache").checkcache()
        same.append(fingerprint(load_filter("own_filters:too_short")) == before)
    assert same == [True, False]


def test_a_fingerprint_does_not_depend_on_the_order_of_a_set(folder):
    """Texts hash differently in every process."""
    code = (
        "from datagen.filters.fingerprint import fingerprint\n"
        "words = {'a', 'b', 'c', 'd', 'e', 'f'}\n"
        "def f(row): return 'x' if row['id'] in words else None\n"
        "print(fingerprint(f))"
    )
    (folder / "script.py").write_text(code)
    found = set()
    for seed in "1", "2", "3":
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "script.py"], env=environment, capture_output=True, text=True
        )
        found.add(done.stdout)
    assert len(found) == 1
