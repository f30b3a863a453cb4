"""One attempt at an endpoint over HTTP.

It sends a request, reads the reply, and sorts errors into those that may pass and those that will
not.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import time
import urllib.request
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import datagen
from datagen.errors import ContextExceeded, Refused, UserError
from datagen.secrets import Secrets, public_url
from datagen.terminal import show, visible

if TYPE_CHECKING:
    import aiohttp

CONNECT_S = 20.0
"""Seconds for a connection. A server that is there accepts one much sooner."""
RETRYABLE = {408, 409, 425, 429}
"""Client errors that may succeed later, as all server errors may."""
TOO_MANY = 429
OUT_OF_CREDIT = "insufficient_quota"
"""The code of a 429 that does not pass: the account has no credit."""
TOO_LONG_STATUS = {400, 413, 422}
"""The statuses with which servers say that the text is too long."""
TOO_LONG = re.compile(
    rb"context_length_exceeded"  # the public API's code
    rb"|maximum (context|model) length"  # vLLM, and the public API's message
    rb"|context (length|size|window)",  # SGLang, llama.cpp and others
    re.IGNORECASE,
)
"""Words in such a reply. Servers have no common error code for it, so the message is searched."""


class Failure(Exception):
    """An attempt that brought no answer. Another attempt may succeed."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        unreachable: bool = False,
        retry_after: float | None = None,
    ):
        super().__init__(message)
        self.status = status
        """HTTP status: 0 if there was no reply, 408 if the deadline passed."""
        self.unreachable = unreachable
        """Whether there was no connection at all."""
        self.retry_after = retry_after
        """Seconds that the endpoint asks to wait."""

    @property
    def endpoint_at_fault(self) -> bool:
        """Whether the endpoint is unreachable, or a gateway says so.

        Any other request would have failed too.
        """
        return self.unreachable or self.status in {502, 503, 504}


class Transport:
    """A session with one endpoint. No reply and no error message that leaves it holds a secret."""

    def __init__(self, url: str, key: str):
        """Args:
            url: the base URL. If it holds user:password@, they are sent instead of the key.
            key: the API key.

        Raises:
            UserError: `url` is no URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UserError(
                f"OPENAI_BASE_URL {public_url(url)!r} is no address: "
                "it begins with http:// or https://"
            )
        self.url = without_credentials(url)
        self.where = public_url(url)
        """The URL that messages show."""
        self.secrets = Secrets(keys=[key], addresses=[url])
        self._told = False
        self.headers = {
            "Authorization": authorization(key, parts.username, parts.password),
            "Content-Type": "application/json",
            "User-Agent": f"emergent-distill/{datagen.__version__}",
        }

        # by default aiohttp ignores the proxies of the environment, and `no_proxy`
        host = parts.hostname
        self._proxy = (
            None
            if urllib.request.proxy_bypass(host)
            else urllib.request.getproxies().get(parts.scheme)
        )
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, path: str, body: bytes | None = None, *, timeout: float
    ) -> bytes:
        """Return the body of a reply with status 200.

        Args:
            method: the HTTP method.
            path: the path relative to the base URL. For a path that begins with a slash
                ("/tokenize"), the /v1 of the base URL is left out.
            body: what is sent.
            timeout: seconds for the whole attempt.

        Raises:
            Failure: another attempt may succeed.
            Refused: the endpoint will never take this request.
            ContextExceeded: the text is longer than the model's context.
        """
        import aiohttp

        base = self.url.removesuffix("/v1") if path.startswith("/") else f"{self.url}/"
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_S)
        try:
            async with self._open().request(
                method,
                base + path,
                data=body,
                timeout=limits,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                content = self.clean(await response.read())
                if response.status == 200:
                    return content
                raise self._rejection(response, content)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Failure(self.redact(error), unreachable=True) from None
        except TimeoutError:
            raise Failure(f"no answer within {timeout:.0f} s", status=408) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Failure(f"connection lost: {self.redact(error)}") from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            secure = self.url.startswith("https")
            # no limit of connections here: the throttle decides how many requests are in flight
            connector = aiohttp.TCPConnector(
                limit=0, ttl_dns_cache=300, ssl=tls_context() if secure else True
            )
            self._session = aiohttp.ClientSession(connector=connector, headers=self.headers)
        return self._session

    def _rejection(
        self, response: aiohttp.ClientResponse, content: bytes
    ) -> Failure | Refused | ContextExceeded:
        """Return the error for a reply with another status than 200."""
        status = response.status
        message = self.redact(f"{status} {error_message(content)}")
        if 300 <= status < 400:
            target = self.redact(response.headers.get("Location", "elsewhere"))
            return Refused(
                f"it redirects to {target}: set OPENAI_BASE_URL to the address itself",
                status=status,
            )
        if is_retryable(status, content):
            return Failure(message, status=status, retry_after=retry_after(response.headers))
        return refusal(status, message, content)

    def clean(self, content: bytes) -> bytes:
        """Return the body of a reply without secrets, and say once if it held one."""
        clean = self.secrets.body(content)
        if clean is not content and not self._told:
            self._told = True
            # a text that holds a word by chance is changed too, so the user must know
            show(f"{self.where} repeats a secret of yours: replies get *** instead", error=True)
        return clean

    def redact(self, error: object) -> str:
        """Return an error as one line without secrets and control characters."""
        text = self.secrets.message(str(error).strip()) or type(error).__name__
        return visible(text.splitlines()[0])[:300]


def is_retryable(status: int, content: bytes) -> bool:
    """Return whether the same request may succeed later, judged by the reply's status and body."""
    return (status in RETRYABLE or status >= 500) and OUT_OF_CREDIT.encode() not in content


def refusal(status: int, message: str, content: bytes) -> Refused | ContextExceeded:
    """Return the error for a request that will fail however often it is sent."""
    # only the beginning is searched: an error body can be of any size
    if status in TOO_LONG_STATUS and TOO_LONG.search(content[:100_000]):
        return ContextExceeded(message)
    return Refused(message, status=status)


def authorization(key: str, user: str | None, password: str | None) -> str:
    """Return the Authorization header.

    It is HTTP Basic if the URL names a user, and else the key as a bearer token.
    """
    if user is None:
        return f"Bearer {key}"
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def without_credentials(url: str) -> str:
    """Return a URL without user and password. A password can hold an @."""
    return re.sub(r"//[^/?#]*@", "//", url)


def tls_context() -> Any:
    """Return a TLS context with the trusted root certificates.

    They are those of SSL_CERT_FILE or SSL_CERT_DIR, or else those of certifi, because a container
    image may have none.
    """
    import ssl

    import certifi

    own = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    return (
        ssl.create_default_context() if own else ssl.create_default_context(cafile=certifi.where())
    )


def error_message(content: bytes) -> str:
    """Return the message of an error body, in any of the shapes that servers use."""
    text = content[:100_000].decode("utf-8", "replace")
    try:
        found = json.loads(text)
        # {"error": {"message": ...}}, {"detail": ...} and the like, however deep
        while isinstance(found, dict):
            found = next(found[key] for key in ("error", "message", "detail") if key in found)
    except (ValueError, StopIteration, RecursionError):
        found = text
    return " ".join(str(found).split()) or "without a reason"


def retry_after(headers: Any) -> float | None:
    """Return the seconds that the endpoint asks to wait, or None.

    The header is `Retry-After-Ms`, or `Retry-After` in seconds or as an HTTP date.

    Source: RFC 9110, section 10.2.3.
    """
    for name, scale in (("Retry-After-Ms", 1e-3), ("Retry-After", 1.0)):
        value = headers.get(name, "")
        with contextlib.suppress(ValueError):
            return max(0.0, float(value) * scale)
        with contextlib.suppress(ValueError):
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return None
