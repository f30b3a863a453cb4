"""Texts without secrets: every form of a secret goes, and everything else stays."""

import base64
import json
import random
import string
from urllib.parse import quote, quote_plus

import pytest

from datagen.secrets import Secrets

KEY = "sk-Ab12/+==cd_34"
FORMS = {
    "as it is": lambda s: s,
    "upper case": str.upper,
    "percent": lambda s: quote(s, safe=""),
    "percent, lower case": lambda s: quote(s, safe="").lower(),
    "form": quote_plus,
    "twice percent": lambda s: quote(quote(s, safe="")),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 of a URL": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "inside base64": lambda s: base64.b64encode(f"x{s}yz".encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "in a longer word": lambda s: f"api{s}1",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(20))
def test_every_form_of_a_random_key_goes_from_content_and_message(form, seed):
    draw = random.Random(f"{form}{seed}")
    letters = string.ascii_letters + string.digits + "+/=_-.~ "
    key = "".join(draw.choices(letters, k=draw.randint(9, 40))).strip() + "aZ9"
    secrets = Secrets({"OPENAI_API_KEY": key})
    told = FORMS[form](key)
    for text in (secrets.message(f"before {told} after"), content(secrets, f"before {told} after")):
        assert told not in text
        assert "***" in text
        assert text.startswith("before ")
        assert text.endswith(" after")


def content(secrets, text):
    """The text of a choice, after its reply was cleaned."""
    reply = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
    return json.loads(secrets.body(reply))["choices"][0]["message"]["content"]


@pytest.mark.parametrize("key", ["none", "EMPTY", "ollama", "x", "xxxx", "sk-no-key-required", ""])
def test_a_placeholder_is_no_secret(key):
    secrets = Secrets({"OPENAI_API_KEY": key, "HF_TOKEN": ""})
    text = f"{key} none of the models is empty: x + xxxx, sk-no-key-required"
    assert secrets.message(text) == text
    assert content(secrets, text) == text


def test_words_of_other_texts_stay():
    secrets = Secrets(
        {
            "OPENAI_BASE_URL": "http://anna:secret@host/team/v1?api-version=2024-10-21&u=on",
            "POSTGRES_URL": "postgres://postgres:postgres@db/main",
            "POSTGRES_PASSWORD": "postgres",
            "REPOSITORY": "ssh://git@git.example/a",
            "SORT_KEY": "customer_id",
        }
    )
    for text in (
        "secretary, secretly: a team on api-version 2024-10-21 uses v1 on postgres: sort by "
        "customer_id, or ask anna on the host, git: yes",
        "x = 2 on 2024-10-21, 1,234 * 5",
    ):
        assert content(secrets, text) == text
    # a word that is a password goes as a whole word
    assert content(secrets, "the secret is here") == "the *** is here"


def test_a_short_password_goes_where_no_text_of_a_model_is():
    secrets = Secrets({"OPENAI_BASE_URL": "http://me:pw@host/v1"})
    assert content(secrets, "pw is a word, and me too") == "pw is a word, and me too"
    assert content(secrets, "Basic bWU6cHc=") == "Basic ***="
    assert secrets.message("wrong password pw") == "wrong password ***"
    error = b'{"error": {"message": "wrong password pw"}}'
    assert json.loads(secrets.body(error)) == {"error": {"message": "wrong password ***"}}


def test_a_body_without_a_secret_is_the_same_bytes():
    secrets = Secrets({"OPENAI_API_KEY": KEY})
    for body in (
        b'{"choices": [ {"text": "caf\\u00e9 \\/ \\u003cb\\u003e", "logprob": NaN, "n": 1e400}]}',
        b"\xff\xfe no JSON",
        b"[" * 100_000,
        b"",
    ):
        assert secrets.body(body) == body


def test_escapes_keys_numbers_and_broken_json_hide_nothing():
    secrets = Secrets({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://me:12345678@host/v1"})
    escaped = "".join(f"\\u{ord(char):04X}" for char in KEY)
    slashed = KEY.replace("/", "\\/")
    for body in (
        f'{{"a": "{escaped}"}}',
        f'{{"a": "{slashed}"}}',
        f'{{"{KEY}": 1}}',
        f'{{"a": "{KEY}',
        '{"a": 12345678}',
        "[" * 100_000 + KEY,
    ):
        clean = secrets.body(body.encode()).decode()
        assert "***" in clean
        assert KEY not in clean
        assert "12345678" not in clean


def test_more_keys_and_addresses_can_be_named():
    secrets = Secrets({}, keys=["hf_0123456789"], addresses=["https://host/key-0123456789/v1"])
    assert secrets.message("hf_0123456789 /key-0123456789/v1") == "*** ***/v1"
