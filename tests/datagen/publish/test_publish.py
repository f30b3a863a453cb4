"""Versions in a folder: what a plain `datasets` user, a second publisher and a careless one see."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, DatasetCardData

from datagen.cli import main
from datagen.errors import UserError
from datagen.versions import resolve, verify, versions_of
from tests.datagen.publish.conftest import make_run


def publish(run, store, *more, name="org/sums"):
    return main(["publish", str(run), name, "--store", str(store), *more])


def replace_stats(run, **values):
    stats = json.loads((run / "stats.json").read_text())
    (run / "stats.json").write_text(json.dumps(stats | values))


def numbers(store, name="org/sums"):
    return [v.version for v in versions_of(name, store=store)]


def test_a_version_is_opened_by_plain_datasets(run, store, tmp_path):
    assert publish(run, store) == 0
    from datasets import load_dataset

    folder = str(store / "org/sums" / "1.0.0")
    rationales = load_dataset(folder, "rationales", split="train", cache_dir=str(tmp_path / "c"))
    assert rationales.num_rows == 5
    assert rationales[0]["completion"] == [
        {"role": "assistant", "content": "0 + 1 = 1. The answer is 1."}
    ]
    assert (
        load_dataset(folder, split="train", cache_dir=str(tmp_path / "c")).column_names
        == rationales.column_names
    )
    rejected = load_dataset(folder, "rejected", split="train", cache_dir=str(tmp_path / "c"))
    assert set(rejected["reason"]) == {"wrong"}


def test_two_datasets_of_one_version_number_are_not_mixed_up_by_the_cache_of_datasets(
    run, store, tmp_path
):
    other = make_run(tmp_path / "other", rows=3)
    assert publish(run, store) == 0
    assert publish(other, tmp_path / "store2") == 0
    from datasets import load_dataset

    for where, rows in ((store, 5), (tmp_path / "store2", 3)):
        folder = str(where / "org/sums" / "1.0.0")
        assert (
            load_dataset(
                folder, "rationales", split="train", cache_dir=str(tmp_path / "c")
            ).num_rows
            == rows
        )


def test_the_number_says_what_changed(run, store, tmp_path, capsys):
    assert publish(run, store) == 0
    again = make_run(tmp_path / "again", seconds=99.0)  # the same rows from a slower machine
    assert publish(again, store) == 0
    assert "holds this content already" in capsys.readouterr().out
    assert publish(run, store, "--license", "apache-2.0") == 0  # the card alone
    assert publish(make_run(tmp_path / "more", rows=6), store) == 0
    assert publish(make_run(tmp_path / "other", method="self-instruct"), store) == 0
    assert numbers(store) == ["1.0.0", "1.0.1", "1.1.0", "2.0.0"]
    assert publish(run, store) == 0  # back to what 1.0.0 holds
    assert numbers(store) == ["1.0.0", "1.0.1", "1.1.0", "2.0.0"]


def test_a_config_that_appears_is_a_changed_schema(run, store, tmp_path):
    assert publish(run, store) == 0
    fewer = make_run(tmp_path / "fewer")
    stats = json.loads((fewer / "stats.json").read_text())
    (fewer / "stats.json").write_text(json.dumps(stats | {"accepted": {"rationales": 5}}))
    assert publish(fewer, store) == 0
    assert numbers(store) == ["1.0.0", "2.0.0"]


def test_an_existing_version_is_refused_and_untouched(run, store, tmp_path, capsys):
    assert publish(run, store) == 0
    folder = store / "org/sums" / "1.0.0"
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert publish(make_run(tmp_path / "more", rows=6), store, "--version", "1.0.0") == 2
    assert "org/sums 1.0.0 exists and is never changed" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    assert not any(p.stat().st_mode & 0o222 for p in before)


def test_publishers_at_the_same_time_overwrite_nothing(store, tmp_path):
    runs = [make_run(tmp_path / f"run{i}", rows=3 + i) for i in range(4)]
    words = [sys.executable, "-m", "datagen.cli", "publish"]
    racers = [
        subprocess.Popen([*words, str(run), "org/sums", "--store", str(store)]) for run in runs
    ]
    assert [racer.wait() for racer in racers] == [0] * 4
    found = versions_of("org/sums", store=store)
    assert [v.version for v in found] == ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]
    assert sorted(v.configs["rationales"]["rows"] for v in found) == [3, 4, 5, 6]
    for version in found:
        verify(version)
    left = sorted(p.name for p in (store / "org/sums").iterdir() if p.name != ".lock")
    assert left == ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]


def test_what_a_killed_publisher_left_is_swept(run, store):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = store / "org/sums" / f".1.0.0.{dead.pid}.partial"
    left.mkdir(parents=True)
    (left / "README.md").write_text("half")
    assert publish(run, store) == 0
    assert numbers(store) == ["1.0.0"]
    assert not left.exists()


def test_references(run, store, tmp_path):
    publish(run, store)
    publish(make_run(tmp_path / "more", rows=6), store)
    assert resolve("org/sums", store=store).version == "1.1.0"
    assert resolve("org/sums@1.0.0", store=store).version == "1.0.0"
    assert resolve("org/sums@v1.0.0", store=store).version == "1.0.0"
    assert (
        resolve(str(store / "org/sums" / "1.0.0")).content_sha256
        == resolve("org/sums@1.0.0", store=store).content_sha256
    )
    with pytest.raises(UserError, match=r"has no version '2.0.0'; it has: 1.0.0, 1.1.0"):
        resolve("org/sums@2.0.0", store=store)
    with pytest.raises(UserError, match=r"no dataset 'org/sum' in .*; it holds: org/sums"):
        resolve("org/sum", store=store)


def test_a_changed_file_is_found(run, store):
    publish(run, store)
    version = resolve("org/sums", store=store)
    verify(version)
    [file] = (version.path / "rationales").iterdir()
    os.chmod(file, 0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(
        UserError,
        match=r"org/sums@1.0.0: rationales/train-00000-of-00001-[0-9a-f]{16}.parquet was changed",
    ):
        verify(version)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: (run / "stats.json").unlink(), "is not finished"),
        (lambda run: (run / "config.json").unlink(), "is no run folder"),
        (lambda run: (run / "rationales.parquet").write_bytes(b"half"), "missing or damaged"),
        (
            lambda run: (run / "stats.json").write_text('{"finished": true, "accepted": {}}'),
            "stats.json is damaged",
        ),
        (lambda run: replace_stats(run, accepted={"rationales": 0}), "no accepted rows"),
    ],
)
def test_a_run_that_cannot_be_published_is_one_line(run, store, capsys, change, message):
    change(run)
    assert publish(run, store) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not store.exists() or not numbers(store)


@pytest.mark.parametrize("name", ["../sums", "a/b/c", "", "with space", "/abs", "a..b"])
def test_names_that_are_none(run, store, name):
    assert publish(run, store, name=name) == 2


def test_versions_lists_them_and_marks_the_newest(run, store, tmp_path, capsys):
    publish(run, store)
    publish(make_run(tmp_path / "more", rows=6), store)
    capsys.readouterr()
    assert main(["versions", "org/sums", "--store", str(store)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("1.0.0")
    assert "6 rationales" in second
    assert second.endswith("(newest)")


def test_dry_run_writes_nothing(run, store, capsys):
    assert publish(run, store, "--dry-run") == 0
    assert "would be org/sums 1.0.0" in capsys.readouterr().out
    assert not store.exists()


def test_card_and_lineage_hold_no_machine_path_and_the_card_is_valid(run, store, tmp_path):
    publish(run, store, "--license", "apache-2.0", "--language", "en")
    folder = store / "org/sums" / "1.0.0"
    card = DatasetCard.load(folder / "README.md")
    assert isinstance(card.data, DatasetCardData)
    assert card.data.license == "apache-2.0"
    assert card.data.size_categories == ["n<1K"]
    assert [c["config_name"] for c in card.data.configs] == ["rationales", "answers", "rejected"]
    for name in ("README.md", "lineage.json"):
        assert str(tmp_path) not in (folder / name).read_text()
    assert str(Path.home()) not in (folder / "lineage.json").read_text()
