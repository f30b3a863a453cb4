"""Several families under one name: side by side, each with its own run, in the store and on the
Hub."""

import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from datagen.schema import FAMILIES
from datagen.versions import hub as on_hub
from datagen.versions import resolve, verify, versions_of
from tests.cards.runs import run_of
from tests.datagen.publish.conftest import make_run
from tests.hub.conftest import datagen, published, spoil_once
from tests.hub.test_loading import loaded

ORDER = ("rationales", "instructions", "demonstrations")


@pytest.fixture(params=["store", "Hub"])
def flags(request, hub):
    """What points the commands at the place, by turns the store and the Hub."""
    return ["--hub"] if request.param == "Hub" else []


@pytest.fixture
def runs(tmp_path):
    """A run of each family."""
    return {family: run_of(tmp_path / family, family, kept=30, rejected=9) for family in FAMILIES}


def publish(run, *flags, name="org/sums"):
    return datagen("publish", run, name, *flags)


def newest(flags, name="org/sums"):
    """The newest version with all its files, its hashes checked."""
    if flags:
        assert datagen("pull", name) == 0
    version = resolve(name)
    verify(version)
    return version


def numbers(flags, name="org/sums"):
    return [
        version.version for version in (on_hub.versions_of(name) if flags else versions_of(name))
    ]


def rows_of(version, config):
    return [row for file in version.files_of(config) for row in pq.read_table(file).to_pylist()]


def rows_of_run(run, config):
    return pq.read_table(run / f"{config}.parquet").to_pylist()


def test_each_family_is_put_beside_the_others(flags, runs):
    for family in ORDER:
        assert publish(runs[family], *flags) == 0
    assert numbers(flags) == ["1.0.0", "1.1.0", "1.2.0"]
    version = newest(flags)
    assert list(version.configs) == [
        "rationales",
        "answers",
        "instructions",
        "demonstrations",
        "rejected",
    ]
    for family, run in runs.items():
        its = version.lineage["runs"][family]
        stats, config = (
            json.loads((run / name).read_text()) for name in ("stats.json", "config.json")
        )
        assert its["counts"] == {key: stats[key] for key in ("questions", "accepted", "rejected")}
        assert its["usage"]["completion_tokens"] == stats["completion_tokens"]
        assert (its["teacher"], its["settings"], its["method"]) == tuple(
            config[k] for k in ("teacher", "settings", "method")
        )
        for config_name in FAMILIES[family]:
            assert rows_of(version, config_name) == rows_of_run(run, config_name)
    together = [row for family in sorted(runs) for row in rows_of_run(runs[family], "rejected")]
    assert rows_of(version, "rejected") == together


def test_what_is_loaded_does_not_depend_on_the_order_and_lacks_no_row(
    flags, runs, tmp_path, monkeypatch
):
    """By plain `datasets`, whole and as a stream; of `rejected` each row has the columns of all
    families."""
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")
    found = []
    for place, order in enumerate((ORDER, ORDER[::-1])):
        for family in order:
            assert publish(runs[family], *flags, name=f"org/sums-{place}") == 0
        folder = str(newest(flags, f"org/sums-{place}").path)
        for streaming in (False, True):
            configs = ("rationales", "instructions", "demonstrations", "answers", "rejected")
            loads = [
                datasets.load_dataset(folder, c, split="train", streaming=streaming)
                for c in configs
            ]
            found.append([list(rows) for rows in loads])
        default = datasets.load_dataset(folder, split="train")
        assert default.to_list() == rows_of_run(
            runs[order[0]], order[0]
        )  # what was the default stays it
    assert all(other == found[0] for other in found)
    rejected = found[0][-1]
    columns = {
        name for run in runs.values() for name in pq.read_schema(run / "rejected.parquet").names
    }
    assert all(row.keys() == columns for row in rejected)
    expected = [row for family in sorted(runs) for row in rows_of_run(runs[family], "rejected")]
    assert rejected == [dict.fromkeys(columns) | row for row in expected]


def test_the_same_again_is_no_new_version_and_another_run_replaces_its_own_family_alone(
    flags, runs, tmp_path, capsys
):
    publish(runs["rationales"], *flags)
    publish(runs["instructions"], *flags)
    before = newest(flags)
    for family in ("rationales", "instructions"):
        assert publish(runs[family], *flags) == 0
        assert "1.1.0 holds this content already" in capsys.readouterr().out
    assert publish(run_of(tmp_path / "more", "rationales", kept=40, rejected=9), *flags) == 0
    after = newest(flags)
    assert after.version == "1.2.0"
    assert after.configs["rationales"]["rows"] == 40
    assert after.lineage["runs"]["instructions"] == before.lineage["runs"]["instructions"]
    for name in (
        file.relative_to(before.path).as_posix() for file in before.files_of("instructions")
    ):
        assert after.lineage["files"][name] == before.lineage["files"][name]
    assert (
        publish(make_run(tmp_path / "other", method="another"), *flags) == 0
    )  # the method of one family
    assert newest(flags).version == "2.0.0"
    assert list(newest(flags).lineage["runs"]) == ["rationales", "instructions"]


def test_diff_versions_and_verify_tell_the_families_apart(flags, runs, tmp_path, capsys):
    publish(runs["rationales"], *flags)
    publish(runs["instructions"], *flags)
    more = run_of(tmp_path / "more", "instructions", kept=31, rejected=9)
    config = json.loads((more / "config.json").read_text())
    (more / "config.json").write_text(
        json.dumps(config | {"settings": config["settings"] | {"similarity": 0.5}})
    )
    publish(more, *flags)
    capsys.readouterr()
    assert datagen("diff", "org/sums@1.0.0", "org/sums@1.1.0", *flags) == 0
    assert capsys.readouterr().out.splitlines() == [
        "org/sums 1.0.0 -> org/sums 1.1.0",
        "instructions: a new run, self-instruct by openai:m: 30 instructions, 9 rejected",
    ]
    assert datagen("diff", "org/sums@1.1.0", "org/sums@1.2.0", *flags) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert lines[0].startswith("instructions: instructions: 30 -> 31 rows: ")
    assert "instructions: accepted instructions: 30 -> 31" in lines
    assert "instructions: settings.similarity: 0.71 -> 0.5" in lines
    assert not [line for line in lines if "rationales" in line]
    assert datagen("versions", "org/sums", *flags) == 0
    assert (
        "30 rationales, 10 answers, 31 instructions, 18 rejected"
        in capsys.readouterr().out.splitlines()[-1]
    )
    assert datagen("verify", "org/sums", *flags) == 0
    assert "1.2.0 is as published: 30 rationales" in capsys.readouterr().out


def test_a_version_of_several_families_is_loaded_from_the_hub_by_datasets_alone(
    hub, runs, tmp_path
):
    for family in ORDER:
        publish(runs[family], "--hub")
    found = loaded(
        hub,
        tmp_path,
        [("v1.1.0", "rationales"), ("v1.2.0", "demonstrations"), ("v1.2.0", "rejected")],
    )
    assert found[0] == [rows_of_run(runs["rationales"], "rationales")] * 2
    assert found[1] == [rows_of_run(runs["demonstrations"], "demonstrations")] * 2
    rejected = [row for family in sorted(runs) for row in rows_of_run(runs[family], "rejected")]
    assert [
        [{key: row[key] for key in like} for row, like in zip(rows, rejected, strict=True)]
        for rows in found[2]
    ] == [
        rejected,
        rejected,
    ]


def test_what_stays_is_not_uploaded_and_stays_the_same_file(hub, runs):
    publish(runs["rationales"], "--hub")
    before, uploads = hub.repositories["org/sums"].main.files, hub.routes.count("put")
    publish(runs["instructions"], "--hub")
    after = hub.repositories["org/sums"].main.files
    kept = [path for path in before if path.endswith(".parquet")]
    assert len(kept) == 3
    assert all(after[path] == before[path] for path in kept)
    assert hub.routes.count("put") - uploads == len(
        [path for path in after if path.endswith(".parquet")]
    ) - len(kept)
    assert published(hub) == [("v1.0.0", "Publish 1.0.0"), ("v1.1.0", "Publish 1.1.0")]


@pytest.mark.parametrize("how", ["500", "lost", "cut"])
@pytest.mark.parametrize("route", ["put", "commit", "tag"])
def test_a_fault_while_a_family_is_put_beside_another_is_got_over(
    hub, runs, no_waiting, route, how
):
    publish(runs["rationales"], "--hub")
    done = spoil_once(hub, route, how)
    assert publish(runs["instructions"], "--hub") == 0
    assert done
    assert published(hub) == [("v1.0.0", "Publish 1.0.0"), ("v1.1.0", "Publish 1.1.0")]
    assert list(newest(["--hub"]).lineage["runs"]) == ["rationales", "instructions"]


@pytest.mark.parametrize("route", ["put", "commit", "tag"])
def test_what_was_cut_off_for_good_is_finished_by_the_same_command(hub, runs, no_waiting, route):
    publish(runs["rationales"], "--hub")
    hub.fault = lambda number, asked: (
        "lost" if asked == route else "cut" if route in hub.routes[start : number - 1] else None
    )
    start = len(hub.routes)
    assert publish(runs["instructions"], "--hub") == 2
    hub.fault = lambda number, asked: None
    assert publish(runs["instructions"], "--hub") == 0
    assert published(hub) == [("v1.0.0", "Publish 1.0.0"), ("v1.1.0", "Publish 1.1.0")]
    assert list(newest(["--hub"]).lineage["runs"]) == ["rationales", "instructions"]


def test_publishers_of_different_families_at_once_on_the_hub_both_survive(hub, runs, no_waiting):
    done = []

    def interrupt(number, route):
        if route == "commit" and not done:
            done.append(number)
            assert publish(runs["instructions"], "--hub") == 0

    hub.fault = interrupt
    assert publish(runs["rationales"], "--hub") == 0
    assert published(hub) == [("v1.0.0", "Publish 1.0.0"), ("v1.1.0", "Publish 1.1.0")]
    version = newest(["--hub"])
    for family in ("rationales", "instructions"):
        assert rows_of(version, family) == rows_of_run(runs[family], family)


def test_publishers_of_different_families_at_once_in_the_store_all_survive(hub, runs, tmp_path):
    words = [sys.executable, "-m", "datagen.cli", "publish"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    racers = [
        subprocess.Popen([*words, str(run), "org/sums"], env=environment) for run in runs.values()
    ]
    assert [racer.wait() for racer in racers] == [0, 0, 0]
    assert numbers([]) == ["1.0.0", "1.1.0", "1.2.0"]
    version = newest([])
    for family, run in runs.items():
        assert rows_of(version, family) == rows_of_run(run, family)


def test_what_somebody_changed_on_main_is_not_carried_on(hub, runs, capsys):
    from tests.hub.repository import regular

    publish(runs["rationales"], "--hub")
    files = hub.repositories["org/sums"].main.files
    (path,) = [path for path in files if path.startswith("answers/")]
    there = files.pop(path)
    for spoilt in ({}, {path: regular(b"another")}):
        files.update(spoilt)
        capsys.readouterr()
        assert publish(runs["instructions"], "--hub") == 2
        error = capsys.readouterr().err
        assert f"org/sums on the Hub: {path} was changed since 1.0.0" in error
        assert error.count("\n") == 1
    files[path] = there
    assert publish(runs["instructions"], "--hub") == 0


def test_columns_that_do_not_go_together_are_one_line(flags, runs, capsys):
    import pyarrow as pa

    publish(runs["rationales"], *flags)
    file = runs["instructions"] / "rejected.parquet"
    table = pq.read_table(file)
    pq.write_table(table.append_column("correct", pa.array(["no"] * len(table))), file)
    capsys.readouterr()
    assert publish(runs["instructions"], *flags) == 2
    error = capsys.readouterr().err
    assert (
        "column correct is string in instructions and bool in rationales: publish one of them under"
        in error
    )
    assert error.count("\n") == 1
    assert numbers(flags) == ["1.0.0"]
