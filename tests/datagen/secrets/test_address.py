"""Addresses that may be shown: no secret is in them, and two endpoints stay two."""

import pytest

from datagen.records.names import public_identity, public_name
from datagen.secrets import public_url

PUBLIC = [
    "https://api.openai.com/v1",
    "https://generativelanguage.googleapis.com/v1beta/openai",
    "https://openrouter.ai/api/v1",
    "https://api.groq.com/openai/v1",
    "https://dashscope.aliyuncs.com/compatible-mode/v1",
    "https://open.bigmodel.cn/api/paas/v4",
    "https://api.fireworks.ai/inference/v1",
    "http://localhost:8000",
    "http://[::1]:8000/v1",
    "http://Host.Example:11434/v1",
]


@pytest.mark.parametrize("url", PUBLIC)
def test_a_path_of_public_words_stays_so_that_old_journals_are_found(url):
    assert public_url(url) == url
    assert public_url(f"{url}/") == url
    assert public_url(url.replace("//", "//me:secret@")) == url
    assert public_url(f"{url}?api_key=abc&api-version=2024-10-21") == url
    assert public_identity(f"openai:m@{url}") == f"openai:m@{url}"


@pytest.mark.parametrize(
    "rest",
    [
        "/sk-1234/v1",
        "/v1/accounts/0123456789abcdef/openai",
        "/opensesame",
        "/v1?u=sk-1234",
        "/v1?sk-1234",
        "/V1",
        "/v1v1",
        "/%76%31",
    ],
)
def test_any_other_path_or_query_becomes_a_short_hash(rest):
    shown = public_url(f"https://me:pw@host.example:8443{rest}")
    where, _, digest = shown.partition("/~")
    assert where == "https://host.example:8443"
    assert len(digest) == 8
    assert public_url(shown) == shown
    assert public_name(f"openai:m@https://host.example:8443{rest}") == f"openai:m@{shown}"


def test_two_endpoints_stay_two_and_a_new_key_is_the_same_endpoint():
    def shown(rest):
        return public_url(f"https://host.example/{rest}")

    assert shown("team-a/v1") != shown("team-b/v1")
    assert shown("team-a/v1") == shown("team-a/v1/")
    assert shown("team-a/v1?deployment=x") != shown("team-a/v1?deployment=y")
    assert shown("team-a/v1?key=1&deployment=x") == shown("team-a/v1?deployment=x&key=2")


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        ("http://me:p@ss@host/v1", "p@ss"),
        ("me:secret@host:8000/v1", "secret"),
        ("https://host/v1#secret", "secret"),
        ("http://[secret/v1", "secret"),
        ("http://me:pa/secret@host/v1", "secret"),
        ("ftp://me:secret@host/v1", "secret"),
    ],
)
def test_what_is_no_right_address_hides_its_secret_too(url, hidden):
    assert hidden not in public_url(url)


def test_other_names_with_an_address_stay():
    assert public_name("s3://bucket/model?token=x") == "s3://bucket/model"
    assert public_name("hf:org/model") == "hf:org/model"
