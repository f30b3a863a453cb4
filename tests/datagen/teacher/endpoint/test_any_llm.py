"""Teachers of other providers through any-llm: with a stub of the library, and where it is installed
with the library itself against a server on loopback."""

import asyncio
import json
import sys
import types

import pytest

from datagen.cli import main
from datagen.errors import ContextExceeded, Refused, Unavailable, UserError
from datagen.teacher import Request, Sampling, TeacherSpec, connect
from datagen.teacher.endpoint.throttle import Patience
from tests.datagen.endpoint import Endpoint, Served

ASK = Request((("user", "What is 3 plus 4?"),), n=2, sampling=Sampling(seed=5, max_tokens=40))


class LibraryError(Exception):
    status_code = param = retry_after = None

    def __init__(self, message, **more):
        super().__init__(message)
        vars(self).update(more)


def error_kind(name):
    return type(name, (LibraryError,), {})


UNSUPPORTED = error_kind("UnsupportedParameterError")


class Client:
    """Answers as the test server does, and fails first with the errors in `failures`."""

    ENV_API_KEY_NAME = "STUB_API_KEY"

    def __init__(self):
        self.failures, self.bodies, self.made_with = [], [], []
        self.server = Endpoint()

    async def acompletion(self, **body):
        self.bodies.append(body)
        if self.failures:
            raise self.failures.pop(0)
        reply = self.server.reply(body, "")
        return types.SimpleNamespace(model_dump_json=lambda: json.dumps(reply))


@pytest.fixture
def client(monkeypatch):
    """The client of the only provider that a stub of the library knows."""
    client = Client()

    class AnyLLM:
        @staticmethod
        def create(provider, **options):
            client.made_with.append((provider, options))
            if provider != "stub":
                raise LibraryError(f"'{provider}' is not a supported provider")
            if "max_retries" in options:
                raise UNSUPPORTED("'max_retries' is not supported for stub")
            return client

    library, errors = types.ModuleType("any_llm"), types.ModuleType("any_llm.exceptions")
    library.AnyLLM = AnyLLM
    errors.AnyLLMError, errors.UnsupportedParameterError = LibraryError, UNSUPPORTED
    monkeypatch.setitem(sys.modules, "any_llm", library)
    monkeypatch.setitem(sys.modules, "any_llm.exceptions", errors)
    monkeypatch.setenv("STUB_API_KEY", "sk-stub-0123456789")
    return client


def ask(*requests, spec="any-llm:stub/org/model-1", patience=None):
    async def go():
        teacher = connect(spec, patience=patience)
        try:
            await teacher.open()
            return [await teacher.complete(request) for request in requests]
        finally:
            await teacher.close()

    return asyncio.run(go())


def test_a_spec_names_provider_and_model():
    spec = TeacherSpec.parse("any-llm:stub/org/model-1")
    assert (spec.engine, spec.model, spec.name) == (
        "any-llm",
        "stub/org/model-1",
        "any-llm:stub/org/model-1",
    )
    assert not spec.capabilities.score
    for text in ("any-llm:model", "any-llm:/model", "any-llm:stub/"):
        with pytest.raises(UserError, match="name the provider too"):
            TeacherSpec.parse(text)


def test_the_library_gets_the_request_and_its_reply_becomes_completions(client):
    [answers] = ask(ASK)
    assert [provider for provider, _ in client.made_with] == ["stub", "stub"]
    assert client.bodies == [
        {
            "model": "org/model-1",
            "messages": [{"role": "user", "content": "What is 3 plus 4?"}],
            "n": 2,
            "temperature": 0.7,
            "max_tokens": 40,
            "seed": 5,
        }
    ]
    assert all("The answer is" in answer.text for answer in answers)
    assert [answer.tokens for answer in answers] == [7, 7]


def test_a_parameter_that_the_library_refuses_is_left_out(client, capsys):
    client.failures = [UNSUPPORTED("'seed' is not supported for stub")]
    [[first, _], [second, _]] = ask(ASK, ASK)
    assert first.left_out == second.left_out == ("seed",)
    assert [("seed" in body) for body in client.bodies] == [True, False, False]
    assert capsys.readouterr().err.count("seed is left out") == 1


def test_errors_that_pass_are_asked_again(client):
    client.failures = [
        error_kind("RateLimitError")("slow down", retry_after="0"),
        error_kind("ProviderError")("oops", status_code=500),
        error_kind("ProviderError")("connection reset"),
    ]
    assert ask(ASK)
    assert len(client.bodies) == 4


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (error_kind("InvalidRequestError")("bad"), Refused, "400 bad"),
        (error_kind("ContentFilterError")("no"), Refused, "400 no"),
        (error_kind("ContextLengthExceededError")("long"), ContextExceeded, "400 long"),
        (error_kind("AuthenticationError")("who?"), UserError, "'org/model-1': 401 who?"),
        (error_kind("ModelNotFoundError")("gone"), UserError, "'org/model-1': 404 gone"),
        (LibraryError("bad", status_code=422, param="x"), Refused, r"422 bad \(param: x\)"),
    ],
)
def test_errors_that_do_not_pass_are_told_apart(client, error, kind, said):
    client.failures = [error]
    with pytest.raises(kind, match=said):
        ask(ASK)
    assert len(client.bodies) == 1


def test_no_error_tells_the_key(client):
    client.failures = [RuntimeError("bad key sk-stub-0123456789")] * 2
    with pytest.raises(Unavailable, match=r"bad key \*\*\*") as error:
        ask(ASK, patience=Patience(retries=1))
    assert "sk-stub" not in str(error.value)


def test_what_it_cannot_do_is_said(client):
    with pytest.raises(UserError, match="continues no plain text: use --prompt_style chat"):
        ask(Request("3 + 4 ="))
    with pytest.raises(UserError, match="'nobody' is not a supported provider"):
        ask(ASK, spec="any-llm:nobody/m")
    with pytest.raises(UserError, match="cannot score a given continuation"):
        asyncio.run(connect("any-llm:stub/m").score("3 + 4 =", " 7"))
    with pytest.raises(UserError, match="leave out --engine ray"):
        connect("any-llm:stub/m", engine="ray")


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "any_llm", None)
    with pytest.raises(UserError, match=r"pip install 'emergent-distill\[any-llm\]'"):
        ask(ASK)


def test_a_run_is_journaled_like_any_other(tmp_path, client):
    lines = [{"question": f"What is {i} plus 2?", "answer": str(i + 2)} for i in range(3)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["rationales", str(tmp_path / "q.jsonl"), "--teacher", "any-llm:stub/m"]
    words += ["--keep_by", "none", "--samples", "2", "--out", str(tmp_path / "run")]
    client.failures = [error_kind("InvalidRequestError")("bad")]
    assert main(words) == 0
    assert len(client.bodies) == 3
    # only the request that failed is asked again
    assert main(words) == 0
    assert len(client.bodies) == 4
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["teacher"]["identity"] == "any-llm:stub/m"


def test_the_library_itself_against_a_server(monkeypatch, capsys):
    """Its names and its ways as they are in the release that is installed."""
    pytest.importorskip("any_llm")
    refused = 400, {"error": {"message": "'seed' is not supported", "param": "seed"}}
    endpoint = Endpoint(refuses={"seed": refused}, faults=["429", "500"])
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "test-key")
        [answers] = ask(ASK, spec="any-llm:openai/arith")
        assert len(answers) == 2
        assert all("The answer is" in answer.text for answer in answers)
        assert answers[0].left_out == ("seed",)
        assert [answer.tokens for answer in answers] == [7, 7]
        # 429, 500, the refusal of the seed, and the answer: the library itself does not retry
        assert len(endpoint.bodies) == 4

        endpoint.refuses, endpoint.faults = {}, ["400"]
        with pytest.raises(Refused, match=r"400 .*injected 400"):
            ask(ASK, spec="any-llm:openai/arith")
        endpoint.faults = ["401"]
        with pytest.raises(UserError, match="openai refuses model 'arith': 401"):
            ask(ASK, spec="any-llm:openai/arith")
    with pytest.raises(UserError, match=r"any-llm:nobody/MODEL: .*nobody"):
        ask(ASK, spec="any-llm:nobody/m")
