"""Which teachers' terms are pointed out, by names and licences as they are written on the Hub."""

import json

import pytest

from datagen.publish.terms import license_warnings
from datagen.versions import resolve
from tests.datagen.publish.conftest import make_run
from tests.hub.conftest import datagen


def teacher(name, *, license=None, at="http://127.0.0.1/v1"):
    return {"name": name, "identity": f"{name}@{at}", "license": license}


@pytest.mark.parametrize(
    ("about", "word"),
    [
        (teacher("hf:meta-llama/Llama-2-7b-chat-hf", license="llama2"), "1.b.v"),
        (teacher("hf:meta-llama/Meta-Llama-3-8B-Instruct", license="llama3"), "1.b.v"),
        (teacher("vllm:meta-llama/Llama-3.3-70B-Instruct", license="llama3.3"), "Built with Llama"),
        (teacher("hf:mine", license="llama3.1"), "Built with Llama"),
        (teacher("hf:google/gemma-2-9b-it", license="gemma"), "derivative of Gemma"),
        (teacher("openai:gpt-4.1", at="https://api.openai.com/v1"), "compet"),
        (teacher("openai:claude-sonnet", at="https://api.anthropic.com/v1"), "compet"),
        (
            teacher(
                "openai:gemini-pro", at="https://generativelanguage.googleapis.com/v1beta/openai"
            ),
            "compet",
        ),
        (teacher("hf:mine", license="cc-by-nc-4.0"), "commercial"),
    ],
)
def test_terms_that_bind_are_named_once_with_their_source(about, word):
    (warning,) = license_warnings(about)
    assert word in warning
    assert about["name"] in warning


@pytest.mark.parametrize(
    "about",
    [
        teacher("hf:Qwen/Qwen3-8B", license="apache-2.0"),
        teacher("openai:gpt-oss-20b", license="apache-2.0"),
        teacher("hf:google/gemma-4-E4B-it", license="apache-2.0"),
        teacher("hf:TinyLlama/TinyLlama-1.1B-Chat-v1.0", license="apache-2.0"),
        teacher("micro", license="apache-2.0"),
    ],
)
def test_terms_that_do_not_bind_are_not_named(about):
    assert license_warnings(about) == []


def test_publishing_warns_goes_on_and_writes_the_terms_into_the_lineage(tmp_path, store, capsys):
    run = make_run(tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    assert datagen("publish", run, "org/free", "--store", store) == 0
    assert resolve("org/free", store=store).lineage["runs"]["rationales"]["terms"] is None
    (run / "config.json").write_text(
        json.dumps(config | {"teacher": teacher("hf:Llama-2-7b", license="llama2")})
    )
    assert datagen("publish", run, "org/sums", "--store", store) == 0
    warning = capsys.readouterr().err.strip()
    assert warning.startswith("warning: the terms of hf:Llama-2-7b forbid")
    assert resolve("org/sums", store=store).lineage["runs"]["rationales"][
        "terms"
    ] == warning.removeprefix("warning: ")
