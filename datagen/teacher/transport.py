"""One attempt at an endpoint over HTTP: sent, read, and what went wrong sorted into what may pass
and what will not."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import time
import urllib.request
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import datagen
from datagen.errors import UserError

if TYPE_CHECKING:
    import aiohttp

CONNECT_S = 20.0
PASSING = {408, 409, 425, 429}
"""Client errors that may succeed later, beside all server errors."""
TOO_MANY = 429
OUT_OF_CREDIT = "insufficient_quota"
"""Code of a 429 that no waiting cures."""


class Failure(Exception):
    """An attempt that brought no answer, where another may."""

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
        """HTTP's, 0 where none came; 408 for a deadline that passed."""
        self.unreachable = unreachable
        """No connection at all."""
        self.retry_after = retry_after
        """Seconds the endpoint asks to wait."""

    @property
    def endpoint_at_fault(self) -> bool:
        """Nobody is there, or a gateway says so: no other request would have fared better."""
        return self.unreachable or self.status in {502, 503, 504}


class Refused(Exception):
    """The endpoint will never take this request. `status` is HTTP's."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Transport:
    """A session with one endpoint. Neither key nor password ever stands in an error."""

    def __init__(self, url: str, key: str):
        """`url` may hold user:password@, which then goes in the key's place. Raises UserError for
        what is no URL."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UserError(
                f"OPENAI_BASE_URL {without_password(url)!r} is no address: it begins with http:// or https://"
            )
        self.url = without_password(url)
        self._secrets = [
            secret for secret in (key, parts.password, unquote(parts.password or "")) if secret
        ]
        self.headers = {
            "Authorization": authorization(key, parts.username, parts.password),
            "Content-Type": "application/json",
            "User-Agent": f"emergent-distill/{datagen.__version__}",
        }
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
        """The body of a 200. Raises Failure or Refused. A path from the root ("/tokenize") leaves
        out the URL's /v1."""
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
                content = await response.read()
                if response.status == 200:
                    return content
                raise self._rejection(response, content)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Failure(self.line(error), unreachable=True) from None
        except TimeoutError:
            raise Failure(f"no answer within {timeout:.0f} s", status=408) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Failure(f"connection lost: {self.line(error)}") from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            secure = self.url.startswith("https")
            connector = aiohttp.TCPConnector(
                limit=0, ttl_dns_cache=300, ssl=certificates() if secure else True
            )
            self._session = aiohttp.ClientSession(connector=connector, headers=self.headers)
        return self._session

    def _rejection(self, response: aiohttp.ClientResponse, content: bytes) -> Failure | Refused:
        status = response.status
        message = self.line(f"{status} {reason(content)}")
        if 300 <= status < 400:
            target = self.line(response.headers.get("Location", "elsewhere"))
            return Refused(
                status, f"it redirects to {target}: set OPENAI_BASE_URL to the address itself"
            )
        if (status in PASSING or status >= 500) and OUT_OF_CREDIT.encode() not in content:
            return Failure(message, status=status, retry_after=retry_after(response.headers))
        return Refused(status, message)

    def line(self, error: object) -> str:
        """An error as one line, no secret in it."""
        text = str(error).strip() or type(error).__name__
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text.splitlines()[0][:300]


def authorization(key: str, user: str | None, password: str | None) -> str:
    if user is None:
        return f"Bearer {key}"
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def certificates() -> Any:
    """Trusted roots: those of SSL_CERT_FILE or SSL_CERT_DIR, else certifi's (an image may have none
    of its own)."""
    import os
    import ssl

    import certifi

    own = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    return (
        ssl.create_default_context() if own else ssl.create_default_context(cafile=certifi.where())
    )


def reason(content: bytes) -> str:
    """What an error body says, in any of the shapes that servers use."""
    text = content[:100_000].decode("utf-8", "replace")
    try:
        found = json.loads(text)
        while isinstance(found, dict):
            found = next(found[key] for key in ("error", "message", "detail") if key in found)
    except (ValueError, StopIteration, RecursionError):
        found = text
    return " ".join(str(found).split()) or "without a reason"


def retry_after(headers: Any) -> float | None:
    """Seconds to wait by `Retry-After-Ms` or `Retry-After` (seconds or an HTTP date, RFC 9110,
    section 10.2.3)."""
    for name, scale in (("Retry-After-Ms", 1e-3), ("Retry-After", 1.0)):
        value = headers.get(name, "")
        with contextlib.suppress(ValueError):
            return max(0.0, float(value) * scale)
        with contextlib.suppress(ValueError):
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return None
