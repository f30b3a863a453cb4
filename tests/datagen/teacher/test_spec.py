"""Which teacher a text names, and what its engine can do."""

import asyncio
import pickle

import pytest

from datagen.cli import main
from datagen.errors import ContextExceeded, DatagenError, Refused, TeacherError, UserError
from datagen.microworld import WEIGHTS
from datagen.teacher import TeacherSpec, Unavailable, connect
from datagen.teacher.fingerprint import fingerprint
from datagen.teacher.spec import ENGINES


@pytest.mark.parametrize(
    ("text", "engine", "model", "arguments"),
    [
        ("micro", "micro", "", {}),
        ("hf:org/model", "hf", "org/model", {}),
        ("hf:/folder/a:b?c", "hf", "/folder/a:b?c", {}),
        ("openai:org/model:free?x", "openai", "org/model:free?x", {}),
        ("vllm:org/model", "vllm", "org/model", {}),
        ("vllm:./m?lora=a%20b&max_model_len=9", "vllm", "./m", {"lora": "a b", "max_model_len": 9}),
    ],
)
def test_a_spec_is_taken_apart_and_keeps_its_name(text, engine, model, arguments):
    spec = TeacherSpec.parse(text)
    assert (spec.engine, spec.model, spec.arguments) == (engine, model, arguments)
    assert spec.name == text
    assert connect(spec).name == connect(text).name == text


@pytest.mark.parametrize("text", ["", "gpt-4", "hf", "hf:", "micro:x", "vllm:", "azure:gpt", ":x"])
def test_an_unknown_teacher_is_one_line(text):
    with pytest.raises(UserError) as error:
        TeacherSpec.parse(text)
    assert str(error.value) == (
        f"unknown teacher {text!r}: use micro, hf:NAME_OR_PATH, vllm:NAME_OR_PATH, "
        "openai:MODEL or any-llm:PROVIDER/MODEL"
    )


def test_arguments_that_cannot_be_read_are_told_at_once():
    with pytest.raises(UserError, match="write NAME=VALUE"):
        TeacherSpec.parse("vllm:org/model?max_model_len")


@pytest.mark.parametrize(
    ("text", "name"),
    [("org/model", "hf:org/model"), ("a:b", "hf:a:b"), ("micro", "micro"), ("hf:x", "hf:x")],
)
def test_a_bare_model_is_one_of_transformers(text, name):
    assert TeacherSpec.of_model(text).name == name


def test_capabilities_are_those_of_the_engines():
    """What an engine declares, it has; what it does not declare, it has not."""
    for name in ENGINES:
        teacher = connect(name if name == "micro" else f"{name}:org/model")
        assert teacher.capabilities == ENGINES[name]
        assert hasattr(teacher, "topk") == teacher.capabilities.topk
        assert hasattr(teacher, "load_tokenizer") == teacher.capabilities.tokenizer


def test_identities_are_those_of_old_journals(tiny_model, monkeypatch):
    """name@fingerprint and name@URL; no weights are loaded for them."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:secret@127.0.0.1:9/v1/")
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", None)
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", None)

    def identity(spec):
        return asyncio.run(connect(spec).identify())

    assert identity("micro") == f"micro@{fingerprint(WEIGHTS / 'teacher')}"
    assert identity(f"hf:{tiny_model}") == f"hf:{tiny_model}@{fingerprint(tiny_model)}"
    vllm = f"vllm:{tiny_model}?seed=1&lora={WEIGHTS / 'teacher'}"
    assert identity(vllm) == f"{vllm}@{fingerprint(tiny_model)}@{fingerprint(WEIGHTS / 'teacher')}"
    assert identity("openai:m") == "openai:m@http://127.0.0.1:9/v1"


def test_a_finished_run_loads_no_weights_to_print_its_summary(tmp_path, monkeypatch, capsys):
    command = ["rationales", "microworld", "--split", "test", "--limit", "3", "--samples", "2"]
    command += ["--out", str(tmp_path / "run")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", None)
    assert main(command) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    "error", [ContextExceeded("a"), Refused("b", status=400), Unavailable("c"), TeacherError("d")]
)
def test_errors_survive_the_way_between_processes(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
    assert isinstance(again, TeacherError)
    assert isinstance(again, DatagenError)


def test_batches_need_an_engine_that_has_them(tmp_path):
    with pytest.raises(UserError, match="has no Batch API"):
        connect("micro", batches=tmp_path / "batches.sqlite")


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "--base", "micro", "--out"],
        ["probe", "micro", "none"],
    ],
)
def test_workers_are_at_least_one(command, tmp_path, capsys):
    from train.cli import main

    words = [*command, str(tmp_path)] if command[-1] == "--out" else command
    assert main([*words, "--engine", "ray", "--workers", "0"]) == 2
    assert "--workers 0: must be at least 1" in capsys.readouterr().err


def test_topk_takes_workers_too(tmp_path, capsys):
    assert main(["topk", "none", "--workers", "0"]) == 2
    assert "--workers 0: must be at least 1" in capsys.readouterr().err
