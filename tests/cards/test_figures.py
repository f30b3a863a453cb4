"""Figures: the same bytes for the same lineage, no date inside, part of the version and not of its
content."""

import hashlib
import os
import shutil
import struct
import subprocess
import sys

import pytest

from cards.figures import charts, figures
from datagen.cli import main
from datagen.errors import UserError
from datagen.publish import lineage as lineages
from datagen.schema import FAMILIES
from datagen.versions import resolve, verify
from tests.cards.runs import run_of

EXPECTED = {
    "rationales": {"figures/rationales-agreement.png", "figures/rationales-length.png"},
    "instructions": {"figures/instructions-length.png", "figures/instructions-similarity.png"},
    "demonstrations": {"figures/demonstrations-accuracy.png", "figures/demonstrations-length.png"},
}
DRAW = """
import hashlib, sys
from pathlib import Path
from cards.figures import figures
from datagen.publish.lineage import build
found = figures(build(Path(sys.argv[1]), name="sums", license=None, language=None))
print(*[hashlib.sha256(image).hexdigest() for image in found.values()])
"""


def chunks(png):
    """The kinds of a PNG's chunks, in order."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    place = 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        yield png[place + 4 : place + 8].decode()
        place += 12 + length


@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_measured_is_drawn(tmp_path, family):
    run = run_of(tmp_path / "run", family, kept=90, rejected=30)
    lineage = lineages.build(run, name="sums", license=None, language=None)
    drawn = figures(lineage)
    assert (
        drawn.keys()
        == EXPECTED[family]
        == {chart.path for chart in charts(family, lineage["runs"][family])}
    )
    for image in drawn.values():
        assert set(chunks(image)) == {"IHDR", "pHYs", "IDAT", "IEND"}


def test_bytes_depend_on_the_lineage_alone(tmp_path):
    run = run_of(tmp_path / "run", "instructions", kept=90, rejected=30)
    (tmp_path / "matplotlibrc").write_text(
        "font.size: 31\naxes.facecolor: red\n"
    )  # a user's own taste
    here = figures(lineages.build(run, name="sums", license=None, language=None))
    found = subprocess.run(
        [sys.executable, "-c", DRAW, str(run)],
        env=os.environ | {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc"), "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == [hashlib.sha256(image).hexdigest() for image in here.values()]


def test_figures_belong_to_a_version_and_not_to_its_content(tmp_path):
    run, store = run_of(tmp_path / "run", "rationales", kept=90, rejected=30), tmp_path / "store"
    publish = ["publish", str(run), "sums", "--store", str(store)]
    assert main(publish) == 0
    version = resolve("sums", store=store)
    assert EXPECTED["rationales"] < set(version.lineage["files"])
    verify(version)
    card = (version.path / "README.md").read_text()
    assert all(f"]({path})" in card for path in EXPECTED["rationales"])
    assert main(publish) == 0  # idempotent
    assert main([*publish[:3], "--store", str(tmp_path / "other")]) == 0
    other = resolve("sums", store=tmp_path / "other")
    for path in EXPECTED["rationales"]:
        assert other.lineage["files"][path] == version.lineage["files"][path]
    assert sorted(path.name for path in (store / "sums").iterdir() if path.is_dir()) == ["1.0.0"]

    copy = tmp_path / "copy"
    shutil.copytree(version.path, copy)
    image = copy / "figures/rationales-length.png"
    image.chmod(0o644)
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"figures/rationales-length\.png was changed"):
        verify(resolve(str(copy)))
