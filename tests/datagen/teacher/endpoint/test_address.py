"""Base URLs as people write them, and what is asked at them over a socket."""

import asyncio

import pytest

from datagen.errors import UserError
from datagen.secrets import Secrets
from datagen.teacher import Request, connect
from datagen.teacher.endpoint.address import Address
from tests.datagen.endpoint import Endpoint, Served

PLAIN = "https://api.example.com/v1/chat/completions"
WRITTEN = {
    "https://api.example.com/v1": PLAIN,
    "https://api.example.com/v1/": PLAIN,
    "https://api.example.com/v1//": PLAIN,
    "https://api.example.com/v1/chat/completions": PLAIN,
    "https://api.example.com/v1/chat/completions/": PLAIN,
    "https://api.example.com/v1/completions": PLAIN,
    "https://api.example.com/v1/models": PLAIN,
    "HTTPS://API.example.com/v1": PLAIN.replace("api", "API"),
    "  https://api.example.com/v1\n": PLAIN,
    '"https://api.example.com/v1"': PLAIN,
    "<https://api.example.com/v1>": PLAIN,
    "api.example.com/v1": PLAIN,
    "https://api.example.com/v1#top": PLAIN,
    "https://api.example.com": "https://api.example.com/chat/completions",
    "localhost:8000/v1": "http://localhost:8000/v1/chat/completions",
    "10.0.0.7:8000/v1": "http://10.0.0.7:8000/v1/chat/completions",
    "gpu-box:8000/v1": "http://gpu-box:8000/v1/chat/completions",
    "[::1]:8000/v1": "http://[::1]:8000/v1/chat/completions",
    "http://host/v1?a=b": "http://host/v1/chat/completions?a=b",
    "http://host/v1/?a=b&c=d%20e": "http://host/v1/chat/completions?a=b&c=d%20e",
    "http://ann:se%3Acret@host:81/v1": "http://host:81/v1/chat/completions",
    "http://ann:p@ss@host/v1": "http://host/v1/chat/completions",
    "https://r.openai.azure.com/openai/deployments/d?api-version=1": "https://r.openai.azure.com"
    "/openai/deployments/d/chat/completions?api-version=1",
    "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1": "https://"
    "r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
}


@pytest.mark.parametrize(("written", "asked"), WRITTEN.items())
def test_the_url_that_is_asked(written, asked):
    assert Address.parse(written).url("chat/completions") == asked


def test_a_route_beside_v1_lies_at_the_root():
    assert Address.parse("http://host:8000/v1/?a=b").url("/tokenize") == (
        "http://host:8000/tokenize?a=b"
    )
    assert Address.parse("http://host/api").url("/tokenize") == "http://host/api/tokenize"


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "ftp://host/v1", "http://", "http:///v1", "http://host:port/v1", "/v1"),
        *("http://ann:pa/ss@host/v1", "http://[::1/v1", "http://host:99999/v1", "http://ho st/v1"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(written):
    with pytest.raises(UserError, match="OPENAI_BASE_URL is no address") as error:
        Address.parse(written)
    assert "pa/ss" not in str(error.value)
    assert "ann" not in str(error.value)


def test_what_is_shown_has_no_user_no_password_and_no_query():
    address = Address.parse("http://ann:se%3Acret@host:81/v1/?key=abcdefghij&version=2")
    assert address.shown == "http://host:81/v1"
    assert (address.user, address.password) == ("ann", "se%3Acret")
    secrets = Secrets({}, addresses=[address.written])
    assert secrets.message("se%3Acret, se:cret, abcdefghij, 2") == "***, ***, ***, 2"


def ask(url, monkeypatch, *, opened=True):
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")

    async def go():
        teacher = connect("openai:arith")
        try:
            if opened:
                await teacher.open()
            return await teacher.complete(Request((("user", "What is 3 plus 4?"),)))
        finally:
            await teacher.close()

    return asyncio.run(go())


@pytest.mark.parametrize("written", ["{}", " {}/ ", "{}/chat/completions", "'{}'"])
def test_a_server_is_found_however_its_url_is_written(monkeypatch, written):
    with Served(Endpoint()) as url:
        assert ask(written.format(url), monkeypatch)
        assert ask(written.format(url.removeprefix("http://")), monkeypatch)


def test_a_deployment_is_asked_with_its_query_and_both_forms_of_the_key(monkeypatch):
    endpoint = Endpoint(base="/openai/deployments/arith", query="api-version=2024-10-21")
    with Served(endpoint) as url:
        assert ask(f"{url}?api-version=2024-10-21", monkeypatch)
        assert ask(f"{url}/chat/completions?api-version=2024-10-21", monkeypatch)
        with pytest.raises(UserError, match=r"404 Resource not found.*needs \?api-version=DATE"):
            ask(url, monkeypatch)
    assert endpoint.headers[0]["api-key"] == "test-key"
    assert endpoint.headers[0]["Authorization"] == "Bearer test-key"


def test_azure_takes_the_key_in_its_own_header():
    from datagen.teacher.endpoint.transport import credentials

    azure = Address.parse("https://r.openai.azure.com/openai/v1")
    assert credentials(azure, "k") == {"api-key": "k"}
    assert credentials(Address.parse("https://openai.azure.com.example.org/v1"), "k") == {
        "Authorization": "Bearer k"
    }
    assert "api-key" not in credentials(Address.parse("http://u:p@host/v1"), "k")


@pytest.mark.parametrize("base", ["", "/v2"])
def test_a_404_names_the_address_that_was_asked_and_what_it_lacks(monkeypatch, base):
    with Served(Endpoint()) as url:
        wrong = url.removesuffix("/v1") + base
        with pytest.raises(UserError) as error:
            ask(wrong.replace("//", "//ann:secret@") + "/?key=abcdefghij", monkeypatch)
    said = str(error.value)
    assert said.startswith(f"{wrong}/chat/completions answered 404 ")
    assert "OPENAI_BASE_URL (it usually ends in /v1)" in said
    assert "secret" not in said
    assert "abcdefghij" not in said


def test_a_404_about_the_model_is_about_the_model(monkeypatch):
    body = {"error": {"message": "The model 'arith' does not exist", "code": "model_not_found"}}
    with (
        Served(Endpoint(refuses={"messages": (404, body)})) as url,
        pytest.raises(UserError, match="refuses model 'arith': 404 The model 'arith' does not"),
    ):
        ask(url, monkeypatch, opened=False)


def test_a_web_page_in_place_of_the_models_is_named(monkeypatch):
    page = b"<!doctype html><title>Box UI</title>"

    class Pages(Endpoint):
        async def models(self, request):
            from aiohttp import web

            return web.Response(body=page, content_type="text/html")

    with (
        Served(Pages()) as url,
        pytest.raises(UserError, match=r'a web page \("Box UI"\).*usually ends in /v1'),
    ):
        ask(url, monkeypatch)


@pytest.mark.parametrize(
    ("listed", "known"),
    [
        ("arith", True),
        ("models/arith", True),
        ("*", True),
        ("arith:latest", True),
        ("arit", False),
        ("arith-2", False),
    ],
)
def test_a_server_may_list_a_model_by_another_name(monkeypatch, listed, known):
    class Listing(Endpoint):
        async def models(self, request):
            from aiohttp import web

            return web.json_response({"data": [{"id": listed}]})

    with Served(Listing()) as url:
        if known:
            assert ask(url, monkeypatch)
        else:
            with pytest.raises(UserError, match=f"no model 'arith'; it has: {listed}"):
                ask(url, monkeypatch)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
def test_a_server_need_not_list_its_models(monkeypatch, status):
    class Silent(Endpoint):
        async def models(self, request):
            from aiohttp import web

            return web.json_response({"error": {"message": "no list"}}, status=status)

    with Served(Silent()) as url:
        assert ask(url, monkeypatch)
