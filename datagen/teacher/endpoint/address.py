"""The address of an endpoint, read from a base URL as people write it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from datagen.errors import UserError
from datagen.secrets import public_url

ROUTES = ("/chat/completions", "/completions", "/models", "/responses")
"""Routes that people copy from a manual together with the base URL. They are not part of it."""
AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
DEPLOYMENT = "/openai/deployments/"
"""Stands in the path of an Azure deployment, also if a gateway with another name is in front."""
NO_ADDRESS = (
    "OPENAI_BASE_URL is no address: write it as http://HOST:PORT/v1 or https://HOST/v1, "
    "and write special characters of a password as %40 and the like"
)
"""It does not repeat the text, which can hold a password in a place where none is expected."""


@dataclass(frozen=True)
class Address:
    """Where an endpoint is.

    Example:
        >>> address = Address.parse("http://ann:secret@localhost:8000/v1/?key=abc")
        >>> address.shown
        'http://localhost:8000/v1'
        >>> address.url("chat/completions")
        'http://localhost:8000/v1/chat/completions?key=abc'
    """

    scheme: str
    authority: str
    """Host and port as they were written. Runs of earlier releases recorded them so."""
    path: str
    """Without a slash at its end."""
    query: str = ""
    user: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address that a base URL names.

        A missing scheme, spaces or quotes around it, slashes at its end, and a route such as
        `/chat/completions` are understood. A fragment is dropped.

        Raises:
            UserError: the text is no address. The message does not repeat it.
        """
        text = text.strip().strip("\"'<>").strip()
        if not text or re.search(r"[\s\x00-\x1f]", text):
            raise UserError(NO_ADDRESS)
        try:
            parts = urlsplit(text if "://" in text else f"{scheme_for(text)}://{text}")
            is_whole = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            raise UserError(NO_ADDRESS) from None
        if not is_whole:
            raise UserError(NO_ADDRESS)
        return cls(
            parts.scheme,
            parts.netloc.rpartition("@")[2],
            base_path(parts.path),
            parts.query,
            parts.username,
            parts.password,
        )

    @property
    def origin(self) -> str:
        """Scheme, host and port, without anything secret."""
        return f"{self.scheme}://{self.authority}"

    @property
    def host(self) -> str:
        """The name of the host, in lower case."""
        return urlsplit(f"//{self.authority}").hostname or ""

    @property
    def base(self) -> str:
        """The base URL that a client is given, without user, password and query."""
        return self.origin + self.path

    @property
    def written(self) -> str:
        """The whole base URL, with its secrets."""
        login = "" if self.user is None else f"{self.user}:{self.password or ''}@"
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{login}{self.authority}{self.path}{query}"

    @property
    def shown(self) -> str:
        """The base URL for messages and lineage: without user, password, private path and query."""
        return public_url(self.written)

    @property
    def is_azure(self) -> bool:
        """Whether Azure's own servers are asked. They take the key in a header of their own."""
        return self.host.endswith(AZURE_HOSTS)

    @property
    def is_deployment(self) -> bool:
        """Whether the path names an Azure deployment."""
        return DEPLOYMENT in f"{self.path}/"

    def url(self, path: str) -> str:
        """Return the URL of a path relative to the base URL. The query follows the path.

        If the path begins with a slash ("/tokenize"), the /v1 of the base URL is left out.
        """
        base = self.path.removesuffix("/v1") if path.startswith("/") else f"{self.path}/"
        return self.origin + base + path + (f"?{self.query}" if self.query else "")

    def hint(self) -> str:
        """Return what to check in an address that answers 404."""
        if self.is_deployment:
            return "an Azure deployment ends in its name, and needs ?api-version=DATE"
        if self.is_azure:
            return "on Azure it ends in /openai/v1"
        return "it usually ends in /v1"


def scheme_for(text: str) -> str:
    """Return the scheme of an address that was written without one.

    Example:
        >>> scheme_for("localhost:8000/v1"), scheme_for("api.example.com/v1")
        ('http', 'https')
    """
    host = urlsplit(f"//{text}").hostname or ""
    try:
        return "http" if ipaddress.ip_address(host).is_private else "https"
    except ValueError:
        # a name without a dot is a machine of the own network, and those rarely have a certificate
        return "https" if "." in host.rstrip(".") else "http"


def base_path(path: str) -> str:
    """Return the path of a base URL, without a route and without slashes at its end."""
    path = path.rstrip("/")
    for route in ROUTES:
        path = path.removesuffix(route)
    return path.rstrip("/")
