"""`verify` covers every byte that a version states: lineage, card, figures and rows."""

import json
import os

import pytest

from datagen.cli import main
from datagen.errors import UserError
from datagen.versions import resolve, verify


@pytest.fixture
def version(run, store):
    assert main(["publish", str(run), "org/sums", "--store", str(store)]) == 0
    return store / "org/sums/1.0.0"


def edit(file, content):
    os.chmod(file, 0o644)
    file.write_text(json.dumps(content))


def places(value, path=()):
    """The path of every value in a JSON object that holds no further one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        if isinstance(item, dict | list) and item:
            yield from places(item, (*path, key))
        else:
            yield (*path, key)


def changed_at(value, path):
    """A copy of a JSON object with another value in one place."""
    copy = json.loads(json.dumps(value))
    *parents, last = path
    inside = copy
    for key in parents:
        inside = inside[key]
    was = inside[last]
    inside[last] = was + 1 if isinstance(was, int | float) else f"{was} and more"
    return copy


def test_every_edited_value_of_a_lineage_is_found(version):
    file = version / "lineage.json"
    lineage = json.loads(file.read_text())
    found = [path for path in places(lineage) if path != ("format",)]
    assert ("runs", "rationales", "teacher", "name") in found
    assert len(found) > 100
    for path in found:
        edit(file, changed_at(lineage, path))
        with pytest.raises(UserError):
            verify(resolve(str(version)))
    edit(file, lineage)
    verify(resolve(str(version)))


@pytest.mark.parametrize("key", ["language", "terms", "prompts"])
def test_a_key_that_was_added_or_removed_is_found(version, key):
    file = version / "lineage.json"
    lineage = json.loads(file.read_text())
    del lineage["runs"]["rationales"][key]
    edit(file, lineage)
    with pytest.raises(UserError, match=r"lineage\.json"):
        verify(resolve(str(version)))


def test_an_edited_teacher_is_one_line(version, store, capsys):
    file = version / "lineage.json"
    edit(file, json.loads(file.read_text().replace("openai:arith", "openai:other")))
    capsys.readouterr()
    assert main(["verify", "org/sums", "--store", str(store)]) == 2
    said = capsys.readouterr().err
    assert said == ("datagen: org/sums@1.0.0: lineage.json was changed after it was published\n")


def test_an_edited_card_and_figure_are_found(version):
    for name in ("README.md", next(version.glob("figures/*")).relative_to(version).as_posix()):
        content = (version / name).read_bytes()
        os.chmod(version / name, 0o644)
        (version / name).write_bytes(content[:-1] + b"X")
        with pytest.raises(UserError, match=f"{name} was changed"):
            verify(resolve(str(version)))
        (version / name).write_bytes(content)


def test_the_hash_covers_the_version_before(version, run, store, tmp_path, capsys):
    """What `verify` prints is a new hash for each version, and the same one each time."""
    capsys.readouterr()
    assert main(["verify", "org/sums", "--store", str(store)]) == 0
    first = capsys.readouterr().out
    assert main(["verify", "org/sums", "--store", str(store)]) == 0
    assert capsys.readouterr().out == first
    lineage = json.loads((version / "lineage.json").read_text())
    assert first.splitlines()[1] == f"hash of the version: {lineage['version_sha256']}"
    words = ["publish", str(run), "org/sums", "--store", str(store), "--license", "mit"]
    assert main(words) == 0
    assert main(["verify", "org/sums@1.0.1", "--store", str(store)]) == 0
    assert lineage["version_sha256"] not in capsys.readouterr().out


def test_a_version_of_an_earlier_release_verifies_and_says_what_was_not_covered(
    version, store, capsys
):
    file = version / "lineage.json"
    lineage = json.loads(file.read_text())
    del lineage["version_sha256"]
    edit(file, lineage)
    capsys.readouterr()
    assert main(["verify", "org/sums", "--store", str(store)]) == 0
    published, uncovered = capsys.readouterr().out.splitlines()
    assert "org/sums 1.0.0 is as published" in published
    assert uncovered.startswith("not covered: an earlier release wrote lineage.json")
