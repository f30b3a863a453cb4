"""`train push`: what stands on the Hub afterwards, however the command went."""

import hashlib
import json
import shutil

import pytest

from datagen.teacher.fingerprint import fingerprint
from tests.hub.conftest import spoil_once
from tests.hub.server import STRANGER, TOKEN
from train.cli import main

NAME = "org/student"
FIGURE = {"value": 0.43125, "low": 0.36, "high": 0.5, "n": 200}


def push(student, name=NAME, *more):
    return main(["push", str(student), name, *map(str, more)])


@pytest.fixture
def student(tiny_model, tmp_path):
    """What `train sft` leaves, with a checkpoint and a pickle that are nobody's business."""
    folder = shutil.copytree(tiny_model, tmp_path / "student")
    dataset = {
        "name": "org/sums",
        "version": "1.0.0",
        "content_sha256": "a" * 64,
        "config": "rationales",
        "rows": 24,
    }
    lineage = {
        "base": {"name": "tiny"},
        "dataset": dataset | {"commit": "b" * 40},
        "settings": {"seed": 0},
    }
    (folder / "lineage.json").write_text(
        json.dumps(lineage | {"format": 1, "method": "sft", "result": {"steps": 3}})
    )
    (folder / "README.md").write_text("the card of training")
    (folder / "training_args.bin").write_bytes(b"/home/me")
    (folder / "checkpoint-3").mkdir()
    (folder / "checkpoint-3" / "optimizer.pt").write_bytes(b"much")
    return folder


@pytest.fixture
def report(student, tmp_path):
    """A report on the student and on another one."""
    mark = fingerprint(student)
    about = [
        ("base", "base", "tiny@0"),
        ("mine", "student", f"hf:{student}@{mark}"),
        ("other", "student", "hf:x@1"),
    ]
    models = [
        {"name": name, "role": role, "spec": name, "mode": "rationale", "identity": what}
        for name, role, what in about
    ]
    none = {"majority_accuracy": None, "gap_closed": None}
    figures = [FIGURE | {"value": 0.01}, FIGURE, FIGURE | {"value": 0.99}]
    none |= {"gold_logprob": None, "edit_distance": None, "agreement": None, "unscored": None}
    none |= {"unanswered": 0, "failed": 0}
    measured = [{**m, **none, "greedy_accuracy": f} for m, f in zip(models, figures, strict=True)]
    measured[1]["gap_closed"] = {"value": 0.55, "low": 0.47, "high": 0.64}
    suite = {"suite": "microworld", "n": 200, "base_mode": "rationale", "models": measured}
    suite |= {"teacher_minus_base": None, "comparisons": []}
    whole = {"format": 1, "code_version": "0.1.0", "settings": {}, "models": models}
    whole |= {"interval": {"level": 0.95, "method": "bootstrap"}, "in_context": []}
    (tmp_path / "report.json").write_text(json.dumps(whole | {"suites": [suite]}))
    return tmp_path / "report.json"


def model_of(hub, name=NAME):
    return hub.repositories[f"models/{name}"]


def text_of(hub, path):
    return hub.read(model_of(hub).file("main", path)).decode()


def pushed(hub, name=NAME):
    """Titles of the commits that are not the repository's first."""
    return [commit.title for commit in model_of(hub, name).commits()[:-1]]


def test_a_student_is_one_commit_in_a_private_repository_and_opens_from_there(
    hub, student, tmp_path, capsys
):
    assert push(student) == 0
    commit = model_of(hub).main
    assert f"commit {commit.oid}" in capsys.readouterr().out
    assert pushed(hub) == ["Push a student of org/sums 1.0.0"]
    assert model_of(hub).private
    expected = {file.name for file in student.iterdir()} - {"training_args.bin", "checkpoint-3"}
    assert commit.files.keys() == expected | {".gitattributes"}
    weights = commit.files["model.safetensors"]
    assert weights.oid == hashlib.sha256((student / "model.safetensors").read_bytes()).hexdigest()
    from huggingface_hub import snapshot_download
    from transformers import AutoModelForCausalLM, AutoTokenizer

    opened = snapshot_download(
        NAME, revision=commit.oid, endpoint=hub.url, cache_dir=tmp_path / "opened", token=TOKEN
    )
    ours, theirs = (AutoModelForCausalLM.from_pretrained(folder) for folder in (student, opened))
    assert all(a.equal(b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert AutoTokenizer.from_pretrained(opened).chat_template


def test_the_same_again_is_no_commit_and_another_student_takes_its_place(hub, student, capsys):
    (student / "old.safetensors").write_bytes(b"a shard")
    push(student)
    head = model_of(hub).main.oid
    assert push(student) == 0
    assert f"already holds this student, at commit {head}" in capsys.readouterr().out
    (student / "old.safetensors").unlink()
    (student / "model.safetensors").write_bytes(b"other weights")
    assert push(student) == 0
    assert len(pushed(hub)) == 2
    assert "old.safetensors" not in model_of(hub).main.files
    assert model_of(hub).main.files["model.safetensors"].size == len(b"other weights")


def test_the_figures_of_the_report_are_in_card_and_lineage(hub, student, report, tmp_path):
    assert push(student, NAME, "--report", report) == 0
    card, lineage = text_of(hub, "README.md"), text_of(hub, "lineage.json")
    for value in ("0.431", "0.360", "0.500", "0.010", "0.550", "0.470", "0.640", "200 questions"):
        assert value in card
    assert "0.99" not in card + lineage  # another student's
    assert json.loads(lineage)["retention"][0]["models"][1]["greedy_accuracy"] == FIGURE
    assert str(tmp_path) not in card + lineage
    assert "retention" not in json.loads((student / "lineage.json").read_text())


@pytest.mark.parametrize("how", ["500", "lost", "cut", "504"])
@pytest.mark.parametrize(
    "route", ["whoami", "create", "info", "tree", "preupload", "batch", "put", "commit"]
)
def test_a_fault_at_any_route_is_got_over_with_one_commit(hub, student, no_waiting, route, how):
    done = spoil_once(hub, route, how)
    assert push(student) == 0
    assert done
    assert pushed(hub) == ["Push a student of org/sums 1.0.0"]
    assert all(len(hub.read(blob)) == blob.size for blob in model_of(hub).main.files.values())


@pytest.mark.parametrize("route", ["create", "put", "commit"])
def test_what_was_cut_off_for_good_after_a_write_is_finished_by_the_same_command(
    hub, student, no_waiting, route
):
    hub.fault = lambda number, asked: (
        "lost" if asked == route else "cut" if route in hub.routes[: number - 1] else None
    )
    assert push(student) == 2
    hub.fault = lambda number, asked: None
    assert push(student) == 0
    assert pushed(hub) == ["Push a student of org/sums 1.0.0"]


def test_public_is_asked_for(hub, student, capsys):
    assert push(student, NAME, "--public") == 0
    assert not model_of(hub).private
    assert push(student) == 2
    assert "is public: give --public" in capsys.readouterr().err
    push(student, "org/hidden")
    assert push(student, "org/hidden", "--public") == 2
    assert "is private: make it public on its page" in capsys.readouterr().err


def test_a_repository_with_other_files_is_left_alone(hub, student, capsys):
    push(student)
    model_of(hub).main = model_of(hub).commits()[-1]
    model_of(hub).main.files["pytorch_model.bin"] = model_of(hub).main.files[".gitattributes"]
    assert push(student) == 2
    assert "holds files that are no student (pytorch_model.bin" in capsys.readouterr().err
    assert pushed(hub) == []


def test_an_adapter_does_not_name_its_bases_folder(hub, student, tiny_model, capsys):
    (student / "adapter_config.json").write_text(
        json.dumps({"r": 8, "base_model_name_or_path": str(tiny_model)})
    )
    assert push(student) == 0
    assert json.loads(text_of(hub, "adapter_config.json")) == {
        "r": 8,
        "base_model_name_or_path": "tiny",
    }
    assert "the adapter's base tiny is a folder here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("student", None, "ORG/NAME"),
        ("org/a b", None, "is no dataset name"),
        ("theirs/student", None, "lets this token not write to theirs/student"),
        (NAME, lambda folder: (folder / "lineage.json").unlink(), "it has no lineage.json"),
        (
            NAME,
            lambda folder: (folder / "lineage.json").write_text("{}"),
            "lineage.json is damaged: it lacks base",
        ),
        (NAME, lambda folder: (folder / "model.safetensors").unlink(), "is not finished"),
        (NAME, shutil.rmtree, "no student folder"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(hub, student, capsys, name, change, message):
    if change:
        change(student)
    assert push(student, name) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not {"put", "commit"} & set(hub.routes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda report, student: report.unlink(), "report.json cannot be read"),
        (
            lambda report, student: report.write_text("{}"),
            "report.json is damaged: it lacks format",
        ),
        (
            lambda report, student: report.write_text('{"format": 1}'),
            "report.json is damaged: it lacks code_version",
        ),
        (
            lambda report, student: (student / "config.json").write_text("{}"),
            "measured no student with these weights",
        ),
    ],
)
def test_a_report_of_something_else_is_one_line(hub, student, report, capsys, change, message):
    change(report, student)
    assert push(student, NAME, "--report", report) == 2
    assert message in capsys.readouterr().err
    assert f"models/{NAME}" not in hub.repositories


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "no token"),
        ("hf_wrong", "does not know this token"),
        (STRANGER, "not write to org/student"),
    ],
)
def test_a_token_that_will_not_do_is_one_line(hub, student, monkeypatch, capsys, token, message):
    monkeypatch.setenv("HF_TOKEN", token)
    assert push(student) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert (token or "hf_") not in error
