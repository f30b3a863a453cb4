"""Replacing secrets in texts, in every form in which a server can repeat them."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from datagen.secrets.find import find_secrets

MARK = "***"
"""What stands in place of a secret."""
ESCAPES = (b"\\u00", b"\\/")
"""How JSON can write a character of a secret in another way, in lower case."""
SHORTEST_CORE = 6
"""Bytes of a secret for which its part of a longer text's Base64 is searched. The part of a shorter
secret is so short that other texts could hold it by chance."""


class Redactor:
    """Replaces some secrets in texts."""

    def __init__(self, secrets: Iterable[str]):
        forms = set().union(*map(forms_of, secrets)) - {""}
        # the longest first, so that no end of a form stays
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(pattern_of, ordered)) or r"(?!)")
        # searching for each form is much faster than the pattern, and most texts hold none
        self._needles = shortest(form.encode("utf-8", "surrogatepass").lower() for form in forms)

    def finds(self, lowered: bytes) -> bool:
        """Return whether a text in lower case, as UTF-8, may hold a secret."""
        return any(needle in lowered for needle in self._needles)

    def text(self, text: str) -> str:
        """Return a text with a mark in place of every secret."""
        return self._pattern.sub(MARK, text)

    def value(self, value: Any) -> Any:
        """Return a JSON value with a mark in place of every secret in its texts and keys."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        # a number can be a secret too, such as a numeric password
        clean = self.text(str(value)) if isinstance(value, int | float) else ""
        return clean if MARK in clean else value


class Secrets:
    """The secrets of this process, as they are now.

    Example:
        >>> secrets = Secrets({"OPENAI_API_KEY": "sk-1234567"})
        >>> secrets.message("no such key: SK-1234567")
        'no such key: ***'
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        keys: Iterable[str] = (),
        addresses: Iterable[str] = (),
    ):
        """Args:
        environment: names and values of variables. Default: those of this process.
        keys: further keys, which are in no variable.
        addresses: further addresses of servers, which can hold a key.
        """
        variables = os.environ if environment is None else environment
        found = find_secrets(variables, keys, addresses)
        self._content = Redactor(found.sure)
        self._message = Redactor(found.sure | found.possible)

    def message(self, text: str) -> str:
        """Return a message of a server, such as the reason of an error, without secrets."""
        return self._message.text(text)

    def body(self, content: bytes) -> bytes:
        """Return the body of a reply without secrets. A body without any is unchanged."""
        lowered = content.lower()
        if not self._message.finds(lowered) and not any(code in lowered for code in ESCAPES):
            return content
        try:
            value = json.loads(content)
            is_error = isinstance(value, dict) and value.get("error")
            clean = (self._message if is_error else self._content).value(value)
        except (ValueError, RecursionError):
            # no JSON is no answer, so its text is only shown as a message
            return self.message(content.decode("utf-8", "replace")).encode()
        return content if clean == value else json.dumps(clean).encode()


def forms_of(secret: str) -> set[str]:
    """Return a secret in all forms that servers repeat: as it is, or encoded."""
    content = secret.encode("utf-8", "surrogatepass")
    forms = {
        secret,
        quote(secret, safe="", errors="replace"),
        quote(secret, errors="replace"),
        quote_plus(secret, errors="replace"),
        quote(quote(secret, safe="", errors="replace"), safe=""),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        html.escape(secret),
    }
    if len(content) >= SHORTEST_CORE:
        forms |= {content.hex(), *base64_cores(content)}
    return forms | base64_forms(content)


def base64_forms(content: bytes) -> set[str]:
    """Return the Base64 of a secret in both alphabets, without its padding."""
    encoded = {base64.b64encode(content), base64.urlsafe_b64encode(content)}
    return {form.decode().rstrip("=") for form in encoded}


def base64_cores(content: bytes) -> set[str]:
    """Return the part of a longer text's Base64 that a secret inside the text decides.

    A secret can begin at any of three places in a group of Base64. So a secret is found in
    "Basic ...", the Base64 of USER:PASSWORD, whatever the user is.
    """
    cores: set[str] = set()
    for before in range(3):
        # the first and the last character of the part depend on the text around it
        start = -(-before * 8 // 6)
        end = (before + len(content)) * 8 // 6
        padded = b"\0" * before + content
        cores |= {
            base64.b64encode(padded).decode()[start:end],
            base64.urlsafe_b64encode(padded).decode()[start:end],
        }
    return cores


def shortest(forms: Iterable[bytes]) -> list[bytes]:
    """Return the forms that hold no other form: where these are not, no form is."""
    found: list[bytes] = []
    for form in sorted(forms, key=len):
        if not any(other in form for other in found):
            found.append(form)
    return found


def pattern_of(form: str) -> str:
    """Return the pattern of a form. Words count only as a whole, and other forms anywhere."""
    escaped = f"(?i:{re.escape(form)})"
    kinds = (str.isdigit, str.isupper, str.islower)
    if sum(any(map(kind, form)) for kind in kinds) > 1:
        return escaped
    # the letters of a code such as %20 are no part of a word
    before = r"((?<![^\W_])|(?<=%[0-9A-Fa-f]{2}))" if form[0].isalnum() else ""
    after = r"(?![^\W_])" if form[-1].isalnum() else ""
    return before + escaped + after
