"""Publishing on a Hub, over HTTP with the real client."""

import json

import pytest

from tests.datagen.publish.conftest import make_run
from tests.hub.conftest import datagen, published
from tests.hub.server import STRANGER, TOKEN

WRITING = ("create", "put", "commit", "tag")
"""Routes that change what a Hub holds."""


def lineage_at(hub, tag, name="org/sums"):
    return json.loads(hub.read(hub.repositories[name].file(tag, "lineage.json")))


def rows_at(hub, tag):
    return lineage_at(hub, tag)["runs"]["rationales"]["configs"]["rationales"]["rows"]


def test_a_version_is_one_commit_with_a_tag_and_holds_what_its_lineage_says(hub, run, capsys):
    assert datagen("publish", run, "org/sums", "--hub") == 0
    assert 'load_dataset("org/sums", "rationales", revision="v1.0.0")' in capsys.readouterr().out
    assert published(hub) == [("v1.0.0", "Publish 1.0.0")]
    assert not hub.repositories["org/sums"].private
    files = hub.repositories["org/sums"].at("v1.0.0").files
    listed = lineage_at(hub, "v1.0.0")["files"]
    assert {path: entry["bytes"] for path, entry in listed.items()} == {
        path: blob.size
        for path, blob in files.items()
        if path not in ("lineage.json", ".gitattributes")
    }
    assert {entry["sha256"] for path, entry in listed.items() if path.endswith(".parquet")} == {
        blob.oid for blob in files.values() if blob.large
    }


def test_the_same_again_is_no_new_version_and_other_rows_take_the_place_of_the_old(
    hub, run, tmp_path, capsys
):
    datagen("publish", run, "org/sums", "--hub")
    before = set(hub.repositories["org/sums"].main.files)
    hub.repositories["org/sums"].main.files["NOTES.md"] = hub.repositories["org/sums"].main.files[
        "README.md"
    ]
    assert datagen("publish", run, "org/sums", "--hub") == 0
    assert "1.0.0 holds this content already" in capsys.readouterr().out
    assert datagen("publish", make_run(tmp_path / "more", rows=6), "org/sums", "--hub") == 0
    assert published(hub) == [("v1.0.0", "Publish 1.0.0"), ("v1.1.0", "Publish 1.1.0")]
    now = set(hub.repositories["org/sums"].main.files)
    assert "NOTES.md" in now  # what somebody else put there stays
    assert len([path for path in now if path.startswith("rationales/")]) == 1
    assert not {path for path in now & before if path.startswith("rationales/")}
    assert lineage_at(hub, "v1.1.0")["previous"]["version"] == "1.0.0"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["500", "lost", "cut", "504"])
def test_a_fault_at_any_request_is_got_over_by_the_command_itself(hub, run, no_waiting, how):
    datagen("publish", run, "org/clean", "--hub")
    for spoilt in range(1, len(hub.routes) + 1):
        assert spoil(hub, run, f"org/sums-{spoilt}", at=len(hub.routes) + spoilt, how=how) == 0


@pytest.mark.parametrize("how", ["500", "lost"])
def test_a_fault_at_a_route_that_writes_is_got_over_by_the_command_itself(
    hub, run, no_waiting, how
):
    datagen("publish", run, "org/clean", "--hub")
    clean = list(hub.routes)
    for route in WRITING:
        assert (
            spoil(hub, run, f"org/at-{route}", at=len(hub.routes) + clean.index(route) + 1, how=how)
            == 0
        )


def spoil(hub, run, name, *, at, how):
    """Publish with one spoilt request, and look at what stands there; the command's exit status."""
    hub.fault = lambda number, route: how if number == at else None
    forget_large_files(hub)
    status = datagen("publish", run, name, "--hub")
    whole(hub, name)
    return status


@pytest.mark.slow
def test_what_was_cut_off_for_good_after_any_request_is_finished_by_the_same_command(
    hub, run, no_waiting
):
    datagen("publish", run, "org/clean", "--hub")
    for reached in range(1, len(hub.routes) + 1):
        assert cut_off(hub, run, f"org/sums-{reached}", after=len(hub.routes) + reached) == [2, 0]


def test_what_was_cut_off_for_good_after_a_write_is_finished_by_the_same_command(
    hub, run, no_waiting
):
    datagen("publish", run, "org/clean", "--hub")
    clean = list(hub.routes)
    for route in WRITING:
        assert cut_off(
            hub, run, f"org/after-{route}", after=len(hub.routes) + clean.index(route) + 1
        ) == [2, 0]


def cut_off(hub, run, name, *, after):
    """Publish with no answer from a request on, which is done still; then again."""
    hub.fault = lambda number, route: (
        None if number < after else "lost" if number == after else "cut"
    )
    forget_large_files(hub)
    first = datagen("publish", run, name, "--hub")
    hub.fault = lambda number, route: None
    second = datagen("publish", run, name, "--hub")
    whole(hub, name)
    return [first, second]


def forget_large_files(hub):
    """So that every upload is one of large files."""
    for file in hub.folder.iterdir():
        file.unlink()


def whole(hub, name):
    """The repository has one version, of one commit, with the files of a clean one, and all bytes
    are there."""
    assert published(hub, name) == [("v1.0.0", "Publish 1.0.0")], name
    files, clean = hub.repositories[name].main.files, hub.repositories["org/clean"].main.files
    assert files.keys() == clean.keys()
    for path, blob in files.items():
        assert len(hub.read(blob)) == blob.size
        assert not blob.large or blob == clean[path]
    assert set(lineage_at(hub, "v1.0.0", name)["files"]) == files.keys() - {
        "lineage.json",
        ".gitattributes",
    }


def test_another_publisher_between_the_look_and_the_commit_is_not_overwritten(
    hub, run, tmp_path, no_waiting
):
    other, done = make_run(tmp_path / "other", rows=6), []

    def interrupt(number, route):
        if route == "commit" and not done:
            done.append(number)
            assert datagen("publish", other, "org/sums", "--hub") == 0

    hub.fault = interrupt
    assert datagen("publish", run, "org/sums", "--hub") == 0
    assert published(hub) == [("v1.0.0", "Publish 1.0.0"), ("v1.1.0", "Publish 1.1.0")]
    assert [rows_at(hub, tag) for tag in ("v1.0.0", "v1.1.0")] == [6, 5]


def test_another_publisher_between_the_look_and_the_making_of_the_repository(
    hub, run, tmp_path, no_waiting
):
    other, done = make_run(tmp_path / "other", rows=6), []

    def interrupt(number, route):
        if route == "create" and not done:
            done.append(number)
            assert datagen("publish", other, "org/sums", "--hub") == 0

    hub.fault = interrupt
    assert datagen("publish", run, "org/sums", "--hub") == 0
    assert published(hub) == [("v1.0.0", "Publish 1.0.0"), ("v1.1.0", "Publish 1.1.0")]


def test_what_a_killed_publisher_committed_is_tagged_by_the_next_one(
    hub, run, tmp_path, no_waiting
):
    hub.fault = lambda number, route: "cut" if "commit" in hub.routes[: number - 1] else None
    assert datagen("publish", run, "org/sums", "--hub") == 2
    assert not hub.repositories["org/sums"].tags
    hub.fault = lambda number, route: None
    hub.repositories["org/sums"].commit([{"value": {"summary": "Update README.md"}}], {})
    assert datagen("publish", make_run(tmp_path / "other", rows=6), "org/sums", "--hub") == 0
    assert published(hub) == [("v1.0.0", "Publish 1.0.0"), ("v1.1.0", "Publish 1.1.0")]


def test_a_version_whose_tag_was_taken_away_stays_without_it(hub, run, tmp_path):
    datagen("publish", run, "org/sums", "--hub")
    datagen("publish", make_run(tmp_path / "more", rows=6), "org/sums", "--hub")
    del hub.repositories["org/sums"].tags["v1.0.0"]
    datagen("publish", make_run(tmp_path / "most", rows=7), "org/sums", "--hub")
    assert sorted(hub.repositories["org/sums"].tags) == ["v1.1.0", "v1.2.0"]


def test_a_tag_that_somebody_set_elsewhere_is_not_moved(hub, run, no_waiting, capsys):
    def set_before(number, route):
        if route == "tag":
            repository = hub.repositories["org/sums"]
            repository.tags.setdefault("v1.0.0", repository.commits()[-1])

    hub.fault = set_before
    assert datagen("publish", run, "org/sums", "--hub") == 2
    assert "a tag is never moved" in capsys.readouterr().err
    assert datagen("publish", run, "org/sums", "--hub") == 2
    assert "v1.0.0 of org/sums was not made by `datagen publish`" in capsys.readouterr().err
    assert hub.repositories["org/sums"].tags["v1.0.0"].title == "initial commit"


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("theirs/sums", [], "lets this token not write to theirs/sums"),
        ("sums", [], "ORG/NAME"),
        ("org/a b", [], "is no dataset name"),
        ("org/sums", ["--store", "x"], "leave it out with --hub"),
        ("org/sums", ["--version", "1"], "not of the form 1.0.0"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(hub, run, capsys, name, words, message):
    assert datagen("publish", run, name, "--hub", *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not {"put", "commit", "tag"} & set(hub.routes)


@pytest.mark.parametrize(
    ("stats", "message"),
    [
        (
            {"accepted": {"rationales": 0, "answers": 0}},
            "holds no accepted rows: nothing to publish",
        ),
        (
            {"finished": False},
            "is not finished: the command that made it, given again, goes on with it",
        ),
    ],
)
def test_a_run_that_is_empty_or_not_finished_is_one_line_before_the_hub_is_asked(
    hub, run, capsys, stats, message
):
    (run / "stats.json").write_text(
        json.dumps(json.loads((run / "stats.json").read_text()) | stats)
    )
    assert datagen("publish", run, "org/sums", "--hub") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert hub.routes == []


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "no token"),
        ("hf_wrong", "does not know this token"),
        (STRANGER, "not write to org/sums"),
    ],
)
def test_a_token_that_will_not_do_is_one_line(hub, run, monkeypatch, capsys, token, message):
    datagen("publish", run, "org/sums", "--hub")
    capsys.readouterr()
    monkeypatch.setenv("HF_TOKEN", token)
    assert datagen("publish", make_run(run.parent / "more", rows=6), "org/sums", "--hub") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert (token or "hf_") not in error
    assert len(published(hub)) == 1


def test_a_version_that_exists_with_other_content_is_refused(hub, run, tmp_path, capsys):
    datagen("publish", run, "org/sums", "--hub")
    assert (
        datagen(
            "publish", make_run(tmp_path / "b", rows=6), "org/sums", "--hub", "--version", "1.0.0"
        )
        == 2
    )
    assert "org/sums 1.0.0 exists and is never changed" in capsys.readouterr().err
    assert len(published(hub)) == 1


def test_a_repository_with_other_files_is_left_alone(hub, run, capsys):
    datagen("publish", run, "org/sums", "--hub")
    repository = hub.repositories["org/sums"]
    repository.tags.clear()
    repository.main = repository.commits()[-1]
    repository.main.files["data.csv"] = repository.main.files[".gitattributes"]
    assert datagen("publish", run, "org/sums", "--hub") == 2
    assert "holds files that are no version (data.csv" in capsys.readouterr().err
    assert not published(hub)


def test_private(hub, run, capsys):
    assert datagen("publish", run, "org/secret", "--hub", "--private") == 0
    assert hub.repositories["org/secret"].private
    datagen("publish", run, "org/sums", "--hub")
    assert datagen("publish", run, "org/sums", "--hub", "--private") == 2
    assert "is public" in capsys.readouterr().err


def test_dry_run_writes_nothing(hub, run, tmp_path, capsys):
    assert datagen("publish", run, "org/sums", "--hub", "--dry-run") == 0
    assert "would be org/sums 1.0.0; nothing was written" in capsys.readouterr().out
    datagen("publish", run, "org/sums", "--hub")
    start = len(hub.routes)
    assert (
        datagen("publish", make_run(tmp_path / "b", rows=6), "org/sums", "--hub", "--dry-run") == 0
    )
    assert "would be org/sums 1.1.0" in capsys.readouterr().out
    assert not set(WRITING) & set(hub.routes[start:])


def test_the_token_is_in_no_file_and_no_output(hub, run, tmp_path, no_waiting, capfd):
    hub.fault = lambda number, route: "500" if number % 5 == 0 else None
    assert datagen("publish", run, "org/sums", "--hub") == 0
    assert datagen("pull", "org/sums") == 0
    assert TOKEN not in "".join(capfd.readouterr())
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) > 10
    assert not [file for file in files if TOKEN.encode() in file.read_bytes()]
