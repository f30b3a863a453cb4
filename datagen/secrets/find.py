"""Finding the secrets of this process: in variables, and in the addresses of servers."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from datagen.secrets.address import (
    PUBLIC_NAME,
    is_public,
    is_secret,
    pairs_of,
    segments_of,
    split_url,
)

ADDRESSES = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "AZURE_OPENAI_ENDPOINT", "HF_ENDPOINT")
"""Variables with addresses whose path and query can hold a key."""
KEYS = re.compile(r"_API_KEY$|^AZURE_OPENAI_AD_TOKEN$|^HF_TOKEN$|^HUGGING_FACE_HUB_TOKEN$")
"""Variables whose values are sent to servers as keys."""
OTHER_KEYS = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD)(_ID)?$")
"""Other variables that often hold a secret. Their values count only if they look like a key,
because a container can have POSTGRES_PASSWORD=postgres."""
USERINFO = re.compile(r"://([^/?#\s]+)@")
PLACEHOLDER = re.compile(
    r"any|anything|default|dummy|empty|example|fake|key|llama|lm-?studio|local|localhost|none"
    r"|no-?key(-needed|-required)?|not-?needed|null|ollama|placeholder|sglang|test|unused|vllm"
    r"|whatever|sk-no-key-required|(sk-)?x+",
    re.IGNORECASE,
)
"""What people write as key for a server without keys. These are no secrets."""
SHORTEST = 6
"""Characters. A shorter secret is replaced only where it cannot be a word of a model's text."""
SHORTEST_KEY = 8
"""Characters of a value that looks like a key. Shorter ones can be a version or a unit."""
SHORTEST_OTHER = 16
"""The same for the variables in OTHER_KEYS, whose values no teacher is sent."""


@dataclass
class Found:
    """Secrets of two kinds.

    The text of a model can hold a short word by chance, so it is not changed for a `possible`
    secret. An error message is.
    """

    sure: set[str] = field(default_factory=set)
    possible: set[str] = field(default_factory=set)

    def add(self, secret: str) -> None:
        """Add a value that is secret. It is sure if it is not too short."""
        # a server can repeat it as it was typed, or decoded
        for value in {secret.strip(), unquote(secret).strip()}:
            if value and not PLACEHOLDER.fullmatch(value):
                (self.sure if len(value) >= SHORTEST else self.possible).add(value)

    def add_if_key(self, value: str) -> None:
        """Add a value that may be a secret. It is sure if it looks like a key."""
        if looks_like_key(value):
            self.add(value)
        else:
            self.possible |= {value, unquote(value)}

    def add_phrase(self, phrase: str) -> None:
        """Add a secret word with what stands around it, such as `name=word`.

        The whole is no word of a model's text, also where the secret alone could be one.
        """
        for value in {phrase, unquote(phrase)}:
            (self.sure if len(value) >= SHORTEST else self.possible).add(value)

    def add_address(self, url: str) -> None:
        """Add the user and the password, the path and the query of an address."""
        for login in USERINFO.findall(url):
            self.add_login(login)
        parts = split_url(url)
        for segment in segments_of(parts.path):
            if not is_public(segment):
                self.add_if_key(segment)
                self.add_phrase(f"/{segment}")
        for name, value in pairs_of(parts.query):
            if PUBLIC_NAME.fullmatch(name):
                continue
            if is_secret(name) or not name:
                self.add(value)
            else:
                self.add_if_key(value)
            self.add_phrase(f"{name}={value}")

    def add_login(self, login: str) -> None:
        """Add a USER:PASSWORD, and its parts. A user without a password can be a key."""
        user, _, password = login.partition(":")
        self.add(password or user)
        self.add_phrase(f"{user}:{password}")
        # what the client sends; it is no word of a text, however short the password is
        self.sure.add(
            base64.b64encode(unquote(login).encode(errors="replace")).decode().rstrip("=")
        )
        if looks_like_key(user):
            self.add(user)

    def add_foreign_login(self, login: str) -> None:
        """Add the login of a server that is no teacher, such as a proxy or a database."""
        user, _, password = login.partition(":")
        # many are words, such as postgres:postgres
        if looks_like_key(password or user):
            self.add(password or user)
        self.possible.add(login)


def find_secrets(
    environment: Mapping[str, str], keys: Iterable[str] = (), addresses: Iterable[str] = ()
) -> Found:
    """Return the secrets in variables, and further ones.

    Args:
        environment: names and values of the variables.
        keys: keys that are in no variable.
        addresses: addresses of servers that are in no variable.
    """
    found = Found()
    for key in keys:
        found.add(key)
    for address in addresses:
        found.add_address(address)
    for name, value in environment.items():
        if KEYS.search(name) or (OTHER_KEYS.search(name) and looks_like_key(value, SHORTEST_OTHER)):
            found.add(value)
        if name in ADDRESSES:
            found.add_address(value)
            continue
        for login in USERINFO.findall(value):
            found.add_foreign_login(login)
    return found


def looks_like_key(value: str, least: int = SHORTEST_KEY) -> bool:
    """Return whether a value has letters and digits and at least `least` characters."""
    return (
        len(value) >= least
        and any(map(str.isalpha, value))
        and any(map(str.isdigit, value))
        and not re.match(r"(19|20)\d\d-\d\d", value)
    )
