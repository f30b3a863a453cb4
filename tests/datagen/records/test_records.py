"""Records: the bytes that were written, and no others; older formats; damage named in one line."""

import dataclasses
import json

import pytest

from datagen.cli import main as datagen
from datagen.errors import UserError
from datagen.microworld import WEIGHTS
from datagen.records import Lineage, ReportRecord, RunConfig, RunStats, StudentLineage
from datagen.records.serialise import from_json, optional, rest, to_json
from train.cli import main as train
from train.push import retention


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

    # what other commands add to such files
    topk = ["--teacher", "micro", "--teacher_topk", "2", "--out", str(folder / "topk")]
    assert datagen(["topk", run, *topk]) == 0
    probe = ["--max_tokens", "4", "--out", str(folder / "probe"), "--store", store]
    assert train(["probe", str(folder / "student"), "sums@1.0.0", *probe]) == 0
    words = ["--students", f"a=hf:{folder / 'student'}", "--teacher", "micro", "--out"]
    words += [str(folder / "report"), "--limit", "1", "--samples", "2", "--max_tokens", "4"]
    suites = ["--suite", "microworld", "in-context/category", "--demonstration_seeds", "1"]
    assert train(["evaluate", *words, *suites]) == 0
    return folder


FILES = {
    "run/config.json": RunConfig,
    "run/stats.json": RunStats,
    "store/sums/1.0.0/lineage.json": Lineage,
    "student/lineage.json": StudentLineage,
    "topk/config.json": RunConfig,
    "topk/stats.json": RunStats,
    "probe/config.json": RunConfig,
    "probe/stats.json": RunStats,
    "report/report.json": ReportRecord,
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
    with pytest.raises(UserError, match=f"{file} is damaged: it holds no JSON object. Restore"):
        FILES[file].read([], file)


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
    more: dict[str, int] = rest()
    last: str | None = optional()


def test_the_rest_stands_where_its_field_stands_and_nothing_is_left_out():
    data = {"first": 1, "b": 2, "a": 3, "last": "x"}
    toy = from_json(Toy, data, "toy")
    assert toy == Toy(first=1, more={"b": 2, "a": 3}, last="x")
    assert list(to_json(toy)) == ["first", "b", "a", "last"]
    assert to_json(Toy(first=1)) == {"first": 1}


def test_true_is_no_number():
    for value in (True, False):
        with pytest.raises(
            UserError, match="toy: first is damaged: it must be a whole number, and"
        ):
            from_json(Toy, {"first": value}, "toy")


@pytest.mark.parametrize(
    ("value", "said"),
    [(1, "a whole number"), (0.5, "a number"), ([], "a list"), ({}, "an object"), (True, "true")],
)
def test_the_message_names_both_types_as_json_knows_them(value, said):
    with pytest.raises(UserError, match=f"it must be a text, and it is {said}"):
        from_json(Toy, {"first": 1, "last": value}, "toy")


def test_a_run_of_the_first_formats_is_read_and_written_as_it_was():
    """Formats 1 to 3 have the same keys. This is the text of such a file."""
    for number in (1, 2, 3):
        text = OLD_RUN.replace("FORMAT", str(number))
        config = RunConfig.read(json.loads(text), "config.json")
        assert config.prompts is None
        assert config.source.more == {"tasks": ["sums"], "held_out": []}
        assert json.dumps(to_json(config), indent=2, ensure_ascii=False) + "\n" == text


OLD_RUN = """{
  "format": FORMAT,
  "method": "demonstrations",
  "code_version": "0.1.0",
  "teacher": {
    "name": "micro",
    "identity": "micro@1",
    "license": null
  },
  "source": {
    "suite": "mine",
    "hub": null,
    "split": "train",
    "tasks": [
      "sums"
    ],
    "held_out": [],
    "questions": 3,
    "sha256": "00"
  },
  "settings": {
    "shots": [
      1,
      2
    ],
    "description": "größer"
  }
}
"""


def test_a_pushed_student_is_written_as_it_was_read(made):
    """`train push` puts what a report measured behind the result."""
    data = json.loads((made / "student/lineage.json").read_text())
    kept = [to_json(suite) for suite in retention(made / "report/report.json", made / "student")]
    data["retention"] = kept
    lineage = StudentLineage.read(data, "lineage.json")
    assert json.dumps(to_json(lineage)) == json.dumps(data)
    assert [model.role for model in lineage.retention[0].models] == ["student", "teacher"]

    report = json.loads((made / "report/report.json").read_text())
    for own, model in zip(kept[0]["models"], report["suites"][0]["models"], strict=True):
        assert own.items() <= model.items()
        assert model["greedy_accuracy"] == own["greedy_accuracy"]


def test_rows_of_an_episodes_suite_are_read_and_written():
    """Written out by hand: its rows need a version of demonstrations."""
    found = {"value": 0.5, "low": 0.25, "high": 0.75}
    model = {"name": "a", "role": "student", "accuracy": found}
    model |= {"by_task": {"sums": found | {"n": 4}}, "by_k": {"2": found | {"n": 4}}}
    pair = {"a": "a", "b": "base", "difference": found, "clear": True}
    section = {"suite": "episodes:x@1.0.0", "n": 4, "shots": [2], "demonstration_seeds": 1}
    section |= {"failed": {"a": 0}, "models": [model], "comparisons": [pair]}
    report = {"format": 1, "code_version": "0.1.0", "settings": {}}
    report |= {"interval": {"level": 0.95, "method": "bootstrap"}, "models": [], "suites": []}
    report |= {"in_context": [section]}
    record = ReportRecord.read(report, "report.json")
    assert json.dumps(to_json(record)) == json.dumps(report)
    assert record.in_context[0].models[0].by_k["2"].n == 4


def test_a_lineage_of_unknown_configs_is_damaged():
    data = {"format": 2, "name": "x", "configs": {"songs": {}}}
    with pytest.raises(UserError, match=r"lineage.json is damaged: no family .* has songs"):
        Lineage.read(data, "lineage.json")
