"""One attempt at an endpoint over HTTP.

It sends a request, reads the reply, and sorts errors into those that may pass and those that will
not.
"""

from __future__ import annotations

import base64
import contextlib
import time
import urllib.request
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import datagen
from datagen.errors import ContextExceeded, Refused, UserError
from datagen.secrets import Secrets
from datagen.teacher.dialect.errors import error_message, is_retryable, refusal
from datagen.teacher.dialect.failure import Failure
from datagen.teacher.endpoint.address import Address
from datagen.terminal import show, visible

if TYPE_CHECKING:
    import aiohttp

CONNECT_S = 20.0
"""Seconds for a connection. A server that is there accepts one much sooner."""
LONGEST_MESSAGE = 600
"""Characters of an error that are kept. Gateways put their own words before those of the server."""


class Transport:
    """A session with one endpoint. No reply and no error message that leaves it holds a secret."""

    def __init__(self, address: Address, key: str):
        """Args:
        address: where the endpoint is. A user and a password in it are sent instead of the key.
        key: the API key.
        """
        self.address = address
        self.where = address.shown
        """The address, as messages show it."""
        self.secrets = Secrets(keys=[key], addresses=[address.written])
        self._told = False
        self.credentials = credentials(address, key)
        self.headers = {
            **self.credentials,
            "Content-Type": "application/json",
            "User-Agent": f"emergent-distill/{datagen.__version__}",
        }

        # by default aiohttp ignores the proxies of the environment, and `no_proxy`
        self._proxy = (
            None
            if urllib.request.proxy_bypass(address.host)
            else urllib.request.getproxies().get(address.scheme)
        )
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, path: str, body: bytes | None = None, *, timeout: float
    ) -> bytes:
        """Return the body of a reply with a status of success.

        Args:
            method: the HTTP method.
            path: the path, as `Address.url` takes it.
            body: what is sent.
            timeout: seconds for the whole attempt.

        Raises:
            Failure: another attempt may succeed.
            Refused: the endpoint will never take this request.
            ContextExceeded: the text is longer than the model's context.
        """
        import aiohttp

        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_S)
        try:
            async with self._open().request(
                method,
                self.address.url(path),
                data=body,
                timeout=limits,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                content = self.clean(await response.read())
                if 200 <= response.status < 300:
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
            secure = self.address.scheme == "https"
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
            target = target_of(response.headers.get("Location", ""))
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
        return visible(text.splitlines()[0])[:LONGEST_MESSAGE]


def credentials(address: Address, key: str) -> dict[str, str]:
    """Return the headers that hold the credentials.

    They are HTTP Basic if the address names a user, and else the key as a bearer token. Azure takes
    the key as `api-key`; a gateway in front of it may take either.
    """
    if address.user is not None:
        pair = f"{unquote(address.user)}:{unquote(address.password or '')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    bearer = {"Authorization": f"Bearer {key}"}
    if address.is_azure:
        return {"api-key": key}
    return bearer | {"api-key": key} if address.is_deployment else bearer


def target_of(location: str) -> str:
    """Return where a redirect leads, without anything secret."""
    try:
        return Address.parse(location).shown
    except UserError:
        return "another page"


def tls_context() -> Any:
    """Return a TLS context with the trusted root certificates.

    They are those of SSL_CERT_FILE or SSL_CERT_DIR, or else those of certifi, because a container
    image may have none.
    """
    import os
    import ssl

    import certifi

    own = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    return (
        ssl.create_default_context() if own else ssl.create_default_context(cafile=certifi.where())
    )


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
