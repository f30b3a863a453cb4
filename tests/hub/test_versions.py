"""`versions`, `diff`, `pull` and `verify`: the same words for the store and for the Hub."""

import json
import os
import shutil

import pytest

from datagen.errors import UserError
from datagen.versions import resolve, verify
from datagen.versions.lineage import version_sha256
from tests.datagen.publish.conftest import make_run
from tests.hub.conftest import datagen


def change_json(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.fixture(params=["store", "Hub"])
def two(request, hub, tmp_path):
    """Versions 1.0.0 (rows 0 to 4) and 1.1.0 (rows 0 to 5, one more rejected, hotter), and the flag
    to find them."""
    flags = ["--hub"] if request.param == "Hub" else []
    more = make_run(tmp_path / "more", rows=6, rejected=3)
    change_json(
        more / "config.json", settings={"samples": 4, "temperature": 1.0, "seed": 0, "shots": []}
    )
    for run in (make_run(tmp_path / "one"), more):
        assert datagen("publish", run, "org/sums", *flags) == 0
    return flags


def test_versions_are_listed_with_the_newest_marked(two, capsys):
    capsys.readouterr()
    assert datagen("versions", "org/sums", *two) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("1.0.0")
    assert "5 rationales" in first
    assert second.endswith("(newest)")
    assert datagen("versions", "org/sums@1.0.0", *two) == 2
    assert datagen("versions", "org/none", *two) == 2


def test_diff_names_rows_counts_and_sampling(two, capsys):
    capsys.readouterr()
    assert datagen("diff", "org/sums@1.0.0", "org/sums", *two) == 0
    assert capsys.readouterr().out.splitlines() == [
        "org/sums 1.0.0 -> org/sums 1.1.0",
        "answers: 5 -> 6 rows: 1 added, 0 removed, 0 changed",
        "rationales: 5 -> 6 rows: 1 added, 0 removed, 0 changed",
        "rejected: 2 -> 3 rows: 1 added, 0 removed, 0 changed",
        "accepted answers: 5 -> 6",
        "accepted rationales: 5 -> 6",
        "rejected wrong: 2 -> 3",
        "settings.temperature: 0.7 -> 1.0",
    ]
    assert datagen("diff", "org/sums@1.1.0", "org/sums", *two) == 0
    assert "the same rows, teacher and settings" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [("diff", "org/sums@1.0.0", "org/sums@9.9.9"), ("verify", "org/sums@9.9.9")]
)
def test_a_version_that_does_not_exist_is_one_line(two, capsys, words):
    capsys.readouterr()
    assert datagen(*words, *two) == 2
    error = capsys.readouterr().err
    assert "has no version '9.9.9'" in error
    assert "1.0.0, 1.1.0" in error
    assert error.count("\n") == 1


def test_pulling_a_version_that_does_not_exist_is_one_line(hub, run, tmp_path, capsys):
    datagen("publish", run, "org/sums", "--hub")
    assert (
        datagen("pull", "org/sums@1.0.0") == 0
    )  # so that there is a copy that could take its place
    capsys.readouterr()
    assert datagen("pull", "org/sums@2.0.0") == 2
    error = capsys.readouterr().err
    assert "org/sums has no version '2.0.0' on the Hub; it has: 1.0.0" in error
    assert error.count("\n") == 1


def test_verify_says_that_all_is_as_published_and_finds_another_byte(two, hub, tmp_path, capsys):
    assert datagen("verify", "org/sums@1.0.0", *two) == 0
    assert "org/sums 1.0.0 is as published: 5 rationales" in capsys.readouterr().out
    assert datagen("verify", "org/sums", *two) == 0
    for file in [*hub.folder.iterdir(), *(tmp_path / "store").rglob("*.parquet")]:
        os.chmod(file, 0o644)
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    assert datagen("verify", "org/sums", *two) == 2
    assert "was changed after it was published" in capsys.readouterr().err


def test_a_changed_row_is_counted_by_its_id(tmp_path, hub, capsys):
    import pyarrow as pa
    import pyarrow.parquet as pq

    one, other = make_run(tmp_path / "one"), make_run(tmp_path / "other")
    table = pq.read_table(one / "rationales.parquet")
    rows = table.to_pylist()
    rows[1]["answer"] = "another"
    rows[2]["id"] = "new"
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), other / "rationales.parquet")
    answers = pq.read_table(one / "answers.parquet")
    pq.write_table(answers.drop_columns(["agreement"]), other / "answers.parquet")
    datagen("publish", one, "org/sums")
    datagen("publish", other, "org/sums")
    capsys.readouterr()
    assert datagen("diff", "org/sums@1.0.0", "org/sums@2.0.0") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "rationales: 5 -> 5 rows: 1 added, 1 removed, 1 changed" in lines
    assert "answers: column agreement: double -> none" in lines


def test_pull_gives_the_version_that_was_published(hub, tmp_path, capsys):
    one = make_run(tmp_path / "one")
    datagen("publish", one, "org/sums", "--hub")
    datagen("publish", make_run(tmp_path / "two", rows=6), "org/sums", "--hub")
    assert datagen("pull", "org/sums@1.0.0") == 0
    assert "pulled org/sums 1.0.0: 5 rationales" in capsys.readouterr().out
    version = resolve("org/sums@1.0.0")
    verify(version)
    for config in ("rationales", "answers", "rejected"):
        (file,) = version.files_of(config)
        assert file.read_bytes() == (one / f"{config}.parquet").read_bytes()
    assert sorted(path.name for path in version.path.iterdir()) == [
        "README.md", "answers", "figures", "lineage.json", "rationales", "rejected",
    ]  # fmt: skip
    assert datagen("pull", "org/sums@1.0.0") == 0
    assert "already there: org/sums 1.0.0" in capsys.readouterr().out
    assert datagen("pull", "org/sums") == 0
    assert "pulled org/sums 1.1.0" in capsys.readouterr().out


def test_pull_refuses_what_is_not_as_published_and_what_would_replace_another(
    hub, run, tmp_path, capsys
):
    datagen("publish", run, "org/sums", "--hub")
    for file in hub.folder.iterdir():
        file.write_bytes(bytes(file.stat().st_size))
    assert datagen("pull", "org/sums") == 2
    assert "was changed after it was published" in capsys.readouterr().err
    assert not (tmp_path / "store" / "org/sums" / "1.0.0").exists()
    datagen("publish", make_run(tmp_path / "mine", rows=3), "org/sums")
    assert datagen("pull", "org/sums") == 2
    assert "is another org/sums 1.0.0 than the Hub's" in capsys.readouterr().err
    assert resolve("org/sums").configs["rationales"]["rows"] == 3


def test_a_lineage_that_names_a_file_outside_is_refused(hub, run, tmp_path, capsys):
    from tests.hub.repository import regular

    datagen("publish", run, "org/sums", "--hub")
    files = hub.repositories["org/sums"].tags["v1.0.0"].files
    lineage = json.loads(files["lineage.json"].content)
    lineage["files"]["../../../escaped"] = {"sha256": "0" * 64, "bytes": 1}
    files["lineage.json"] = regular(json.dumps(lineage).encode())
    for file in (tmp_path / "cache").rglob("lineage.json"):
        file.unlink()
    assert datagen("pull", "org/sums") == 2
    assert "names a file outside" in capsys.readouterr().err
    assert not list(tmp_path.rglob("escaped"))


FORMS = [
    {"files": {"a": 1}},
    {"runs": []},
    {"runs": {"rationales": {"teacher": "x"}}},
    {"files": None},
]


@pytest.mark.parametrize("change", FORMS)
def test_a_lineage_of_another_form_is_one_line(hub, run, tmp_path, capsys, change):
    from tests.hub.repository import regular

    datagen("publish", run, "org/sums", "--hub")
    files = hub.repositories["org/sums"].tags["v1.0.0"].files
    files["lineage.json"] = regular(
        json.dumps(json.loads(files["lineage.json"].content) | change).encode()
    )
    for file in (tmp_path / "cache").rglob("lineage.json"):
        file.unlink()
    capsys.readouterr()
    for words in (
        ["pull", "org/sums"],
        ["versions", "org/sums", "--hub"],
        ["publish", run, "org/sums", "--hub"],
    ):
        assert datagen(*words) == 2
        error = capsys.readouterr().err
        assert "has a lineage.json that `datagen publish` did not write" in error
        assert error.count("\n") == 1


def test_a_private_dataset_is_not_there_for_others(hub, run, monkeypatch, capsys):
    datagen("publish", run, "org/secret", "--hub", "--private")
    monkeypatch.setenv("HF_TOKEN", "")
    for words in (("versions", "--hub"), ("verify", "--hub"), ("pull",)):
        assert datagen(words[0], "org/secret", *words[1:]) == 2
        assert "or it is private" in capsys.readouterr().err


def test_verify_covers_the_commit(hub, run, tmp_path, capsys):
    """A lineage with a right hash of its own is found if the commit holds another one."""
    datagen("publish", run, "org/sums", "--hub")
    repository = hub.repositories["org/sums"]
    commit = repository.tags["v1.0.0"]
    capsys.readouterr()
    assert datagen("verify", "org/sums", "--hub") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith(f", at commit {commit.oid} of the Hub")
    assert said[1].startswith("hash of the version: ")

    other = json.loads(hub.read(commit.files["lineage.json"]))
    other["runs"]["rationales"]["teacher"]["name"] = "openai:another"
    other["version_sha256"] = version_sha256(other)
    there = hub.read
    forged = json.dumps(other).encode()
    hub.read = lambda blob: forged if blob == commit.files["lineage.json"] else there(blob)
    shutil.rmtree(tmp_path / "cache")
    assert datagen("verify", "org/sums", "--hub") == 2
    assert "org/sums@1.0.0: lineage.json was changed" in capsys.readouterr().err
    hub.read = there
    shutil.rmtree(tmp_path / "cache")
    commit.files["rationales/more.parquet"] = commit.files["README.md"]
    assert datagen("verify", "org/sums", "--hub") == 2
    assert "rationales/more.parquet was added to its commit" in capsys.readouterr().err


def test_the_object_verifies_lineage_and_commit_too(hub, run, tmp_path):
    import datagen as api

    store = tmp_path / "store"
    datagen("publish", run, "org/sums", "--hub")
    datagen("publish", run, "sums")
    api.load_version("org/sums", store=tmp_path / "none").verify()
    here = api.load_version("sums", store=store)
    here.verify()
    file = here.path / "lineage.json"
    os.chmod(file, 0o644)
    file.write_text(file.read_text().replace("openai:arith", "openai:other"))
    with pytest.raises(UserError, match=r"lineage\.json was changed"):
        here.verify()
