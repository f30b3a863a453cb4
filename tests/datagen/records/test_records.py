"""Records: the bytes that were written, and no others; older formats; damage named in one line."""

import dataclasses
import json

import pytest

from datagen.cli import main as datagen
from datagen.errors import UserError
from datagen.microworld import WEIGHTS
from datagen.records import Lineage, RunConfig, RunStats, StudentLineage
from datagen.records.serialise import from_json, optional, rest, to_json
from train.cli import main as train


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a run, a version and a student, as the commands write them."""
    folder = tmp_path_factory.mktemp("made")
    run, store = str(folder / "run"), str(folder / "store")
    words = ["microworld", "--limit", "4", "--samples", "2", "--keep_by", "none", "--out", run]
    assert datagen(["rationales", *words]) == 0
    assert datagen(["publish", run, "sums", "--store", store, "--license", "mit"]) == 0
    words = ["--model", str(WEIGHTS / "student"), "--dataset", "sums@1.0.0", "--store", store]
    words += ["--output_dir", str(folder / "student"), "--max_steps", "1", "--use_cpu"]
    assert train(["sft", *words]) == 0
    return folder


FILES = {
    "run/config.json": RunConfig,
    "run/stats.json": RunStats,
    "store/sums/1.0.0/lineage.json": Lineage,
    "student/lineage.json": StudentLineage,
}


@pytest.mark.parametrize("file", FILES)
def test_a_record_is_written_as_it_was_read(made, file):
    text = (made / file).read_text(encoding="utf-8")
    record = FILES[file].read(json.loads(text), file)
    assert json.dumps(to_json(record), indent=2, ensure_ascii=False) + "\n" == text


@pytest.mark.parametrize("file", FILES)
def test_a_record_is_frozen(made, file):
    record = FILES[file].read(json.loads((made / file).read_text()), file)
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.format = 0


@pytest.mark.parametrize("file", FILES)
def test_a_missing_key_and_a_wrong_type_are_named_with_the_file(made, file):
    data = json.loads((made / file).read_text())
    fields = dataclasses.fields(FILES[file])
    needed = [f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING]
    for key in needed:
        less = {name: value for name, value in data.items() if name != key}
        with pytest.raises(UserError, match=f"{file} is damaged: it lacks {key}"):
            FILES[file].read(less, file)
        with pytest.raises(UserError, match=f"{file}: {key} is damaged"):
            FILES[file].read(data | {key: 1.5}, file)
    with pytest.raises(UserError, match="a JSON object"):
        from_json(FILES[file], [], file)


def test_an_unknown_format_is_refused_with_what_is_read(made):
    for file in ("run/config.json", "store/sums/1.0.0/lineage.json", "student/lineage.json"):
        data = json.loads((made / file).read_text()) | {"format": 99}
        with pytest.raises(UserError, match="format 99"):
            FILES[file].read(data, file)


def test_a_lineage_of_format_2_is_read_as_one_run(made):
    """Format 2 held the facts of its one run beside those of the version."""
    new = json.loads((made / "store/sums/1.0.0/lineage.json").read_text())
    (run,) = new["runs"].values()
    old = {"format": 2} | run | {key: new[key] for key in new if key not in ("format", "runs")}
    lineage = Lineage.read(old, "lineage.json")
    assert lineage.runs.keys() == {"rationales"}
    assert lineage.run == Lineage.read(new, "lineage.json").run
    assert (lineage.name, lineage.version, lineage.format) == ("sums", "1.0.0", 2)


def test_a_run_of_format_3_goes_on_under_the_same_command(made):
    config = RunConfig.read(json.loads((made / "run/config.json").read_text()), "config.json")
    older = config.as_written_by(3)
    assert older["format"] == 3
    assert "prompts" not in older
    assert RunConfig.read(older, "config.json").prompts is None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy:
    first: int
    more: dict[str, int] = rest()  # noqa: RUF009 - a field, not a value
    last: str | None = optional()


def test_the_rest_stands_where_its_field_stands_and_nothing_is_left_out():
    data = {"first": 1, "b": 2, "a": 3, "last": "x"}
    toy = from_json(Toy, data, "toy")
    assert toy == Toy(first=1, more={"b": 2, "a": 3}, last="x")
    assert list(to_json(toy)) == ["first", "b", "a", "last"]
    assert to_json(Toy(first=1)) == {"first": 1}


def test_true_is_no_number():
    with pytest.raises(UserError, match="toy: first is damaged: bool"):
        from_json(Toy, {"first": True}, "toy")
