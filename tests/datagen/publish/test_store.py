"""What the store holds to: an occupied place, a damaged version, the same rows made again, an empty
config."""

import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub.utils import HFValidationError, validate_repo_id

from datagen.cli import main
from datagen.errors import UserError
from datagen.schema import arrow_schema
from datagen.versions import resolve, verify, versions_of
from datagen.versions.local import check_name
from tests.cards.runs import run_of
from tests.datagen.publish.conftest import make_run, row


def publish(run, store, *more, name="org/sums"):
    return main(["publish", str(run), name, "--store", str(store), *more])


def change_json(file, **values):
    os.chmod(file, 0o644)
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_a_config_without_rows_is_left_out_of_the_folder_and_is_no_change_of_schema(
    store, tmp_path
):
    run = make_run(tmp_path / "all_right", rejected=0)
    with pq.ParquetWriter(run / "rejected.parquet", arrow_schema("rejected")):
        pass  # a file without a row group, as a run writes it
    change_json(run / "stats.json", rejected={})
    assert publish(run, store) == 0
    assert publish(make_run(tmp_path / "some_wrong"), store) == 0
    assert [v.version for v in versions_of("org/sums", store=store)] == ["1.0.0", "1.1.0"]
    verify(resolve("org/sums@1.0.0", store=store))
    from datasets import get_dataset_config_names, load_dataset

    folder = str(store / "org/sums" / "1.0.0")
    assert get_dataset_config_names(folder) == ["rationales", "answers"]
    assert load_dataset(folder, split="train", cache_dir=str(tmp_path / "c")).num_rows == 5


def test_the_same_rows_made_again_at_another_cost_are_no_new_version(run, store, tmp_path, capsys):
    assert publish(run, store) == 0
    again = make_run(tmp_path / "again")
    change_json(
        again / "stats.json", answers=29, prompt_tokens=9, seconds=5.0, code_commit="a" * 40
    )
    assert publish(again, store) == 0
    assert "1.0.0 holds this content already" in capsys.readouterr().out
    assert publish(again, store, "--version", "3.0.0") == 0
    assert [v.version for v in versions_of("org/sums", store=store)] == ["1.0.0"]


def test_a_rewritten_parquet_file_with_the_same_rows_is_no_new_version(run, store, tmp_path):
    assert publish(run, store) == 0
    again = make_run(tmp_path / "again")
    for file in again.glob("*.parquet"):
        pq.write_table(pq.read_table(file), file, compression="gzip", row_group_size=2)
    assert publish(again, store) == 0
    assert [v.version for v in versions_of("org/sums", store=store)] == ["1.0.0"]


def test_a_number_below_what_the_change_asks_for_is_refused(run, store, tmp_path, capsys):
    publish(run, store)
    more = make_run(tmp_path / "more", rows=6)
    assert publish(more, store, "--version", "1.0.1") == 2
    assert "what changed since 1.0.0 asks for 1.1.0 or later" in capsys.readouterr().err
    assert publish(more, store, "--version", "4.0.0") == 0
    assert [v.version for v in versions_of("org/sums", store=store)] == ["1.0.0", "4.0.0"]


def test_what_stands_in_the_place_of_a_version_is_left_alone(run, store, capsys):
    place = store / "org/sums" / "1.0.0"
    place.parent.mkdir(parents=True)
    place.write_text("mine")
    assert publish(run, store) == 2
    assert "is taken" in capsys.readouterr().err
    assert place.read_text() == "mine"
    assert not list(place.parent.glob(".*.partial"))


def test_publishers_of_the_same_run_make_one_version(run, store):
    words = [
        sys.executable,
        "-m",
        "datagen.cli",
        "publish",
        str(run),
        "org/sums",
        "--store",
        str(store),
    ]
    racers = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [racer.communicate()[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert sum("published org/sums 1.0.0" in text for text in said) == 1
    assert sum("1.0.0 holds this content already" in text for text in said) == 2
    assert [v.version for v in versions_of("org/sums", store=store)] == ["1.0.0"]


def test_a_size_that_differs_and_a_file_that_was_added_are_found_by_resolve(run, store):
    publish(run, store)
    folder = store / "org/sums" / "1.0.0"
    (file,) = (folder / "rationales").iterdir()
    (folder / "rationales" / "more.parquet").write_bytes(file.read_bytes())
    with pytest.raises(UserError, match=r"rationales/more.parquet was added"):
        resolve("org/sums", store=store)
    (folder / "rationales" / "more.parquet").unlink()
    os.chmod(file, 0o644)
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(UserError, match=r"rationales/train-.* was changed"):
        resolve(str(folder))
    file.unlink()
    with pytest.raises(UserError, match=r"rationales/train-.* is missing"):
        resolve("org/sums@1.0.0", store=store)


def test_a_lineage_that_claims_other_content_is_found(run, store):
    publish(run, store)
    folder = store / "org/sums" / "1.0.0"
    change_json(folder / "lineage.json", content_sha256="0" * 64)
    with pytest.raises(UserError, match=r"lineage.json was changed"):
        verify(resolve(str(folder)))
    os.chmod(folder / "lineage.json", 0o644)
    (folder / "lineage.json").write_text("{}")
    with pytest.raises(UserError, match=r"lineage.json is damaged: it lacks name"):
        resolve("org/sums", store=store)


def test_rows_that_the_statistics_do_not_count_are_a_damaged_run(run, store, capsys):
    pq.write_table(
        pa.Table.from_pylist([row(1)], schema=arrow_schema("rationales")),
        run / "rationales.parquet",
    )
    assert publish(run, store) == 2
    assert "stats.json counts 5 rows of rationales" in capsys.readouterr().err


def test_a_teacher_in_a_folder_is_named_without_its_place(run, store):
    teacher = {
        "name": "hf:/home/me/secret/model",
        "identity": "hf:/home/me/secret/model@0a1b",
        "license": None,
    }
    change_json(run / "config.json", teacher=teacher)
    assert publish(run, store) == 0
    version = resolve("org/sums", store=store)
    assert version.lineage["runs"]["rationales"]["teacher"]["identity"] == "hf:model@0a1b"
    for name in ("README.md", "lineage.json"):
        assert "secret" not in (version.path / name).read_text()


@pytest.mark.parametrize(
    "option", [("--license", "two words"), ("--license", "a\nb: c"), ("--language", "English")]
)
def test_words_that_are_no_identifiers_are_refused(run, store, option):
    assert publish(run, store, *option) == 2


NAMES = [
    "a",
    "org/a",
    "a_b-c.d",
    "A1",
    "_a",
    "a-",
    ".a",
    "a.",
    "a--b",
    "a..b",
    "a.git",
    "x" * 96,
    "x" * 97,
    "a/b/c",
    "a b",
    "",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_that_the_hub_takes(name):
    def refuses(check, error):
        try:
            check(name)
        except error:
            return True
        return False

    assert refuses(check_name, UserError) == refuses(validate_repo_id, HFValidationError)


@pytest.mark.parametrize("name", ["1.0.0", "org/1.0.0"])
def test_a_name_that_looks_like_a_version_is_refused(name):
    with pytest.raises(UserError, match="is a version"):
        check_name(name)


def to_format_2(folder):
    """The lineage of a version of one run as the release before wrote it: the run's facts beside
    the version's."""
    file = folder / "lineage.json"
    lineage = json.loads(file.read_text())
    (run,) = lineage.pop("runs").values()
    for key in ("samples", "languages", "duplicates", "content_sha256"):
        del run[key]
    del run["configs"]["rejected"]["features"]
    os.chmod(file, 0o644)
    file.write_text(json.dumps(lineage | run | {"format": 2}))


def test_a_version_of_the_format_before_is_read_and_replaced_but_nothing_is_put_beside_it(
    run, store, tmp_path, capsys
):
    assert publish(run, store) == 0
    before = resolve("org/sums", store=store)
    to_format_2(before.path)
    old = resolve("org/sums", store=store)
    verify(old)
    assert old.configs.keys() == before.configs.keys()
    assert old.files_of("rejected") == before.files_of("rejected")
    other = run_of(tmp_path / "other", "instructions", kept=9, rejected=3)
    assert publish(other, store) == 2
    error = capsys.readouterr().err
    assert (
        "org/sums 1.0.0 is of an earlier release: publish its run (rationales) anew before one "
        "of another" in error
    )
    assert error.count("\n") == 1
    assert publish(make_run(tmp_path / "more", rows=6), store) == 0
    assert publish(other, store) == 0
    found = versions_of("org/sums", store=store)
    assert [version.version for version in found] == ["1.0.0", "1.1.0", "1.2.0"]
    assert list(found[-1].lineage["runs"]) == ["rationales", "instructions"]


@pytest.mark.parametrize("command", ["versions", "verify", "publish"])
def test_a_version_of_a_format_that_is_no_more_is_one_line(run, store, capsys, command):
    publish(run, store)
    change_json(store / "org/sums" / "1.0.0" / "lineage.json", format=1)
    capsys.readouterr()
    words = [command, str(run), "org/sums"] if command == "publish" else [command, "org/sums"]
    assert main([*words, "--store", str(store)]) == 2
    error = capsys.readouterr().err
    assert (
        "org/sums@1.0.0 has a lineage of format 1, and this release reads 2 and 3: publish its "
        "run anew" in error
    )
    assert error.count("\n") == 1


def test_what_stays_is_linked_and_a_damaged_version_gives_nothing(run, store, tmp_path, capsys):
    publish(run, store)
    first = resolve("org/sums", store=store)
    other = run_of(tmp_path / "other", "instructions", kept=9, rejected=3)
    assert publish(other, store) == 0
    second = resolve("org/sums", store=store)
    for one, two in zip(first.files_of("answers"), second.files_of("answers"), strict=True):
        assert one.samefile(two)
    (file,) = second.files_of("answers")
    file.unlink()
    assert publish(run_of(tmp_path / "more", "instructions", kept=10, rejected=3), store) == 2
    assert "org/sums@1.1.0: answers/" in capsys.readouterr().err
    assert [version.version for version in versions_of("org/sums", store=store)] == [
        "1.0.0",
        "1.1.0",
    ]
