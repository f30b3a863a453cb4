"""The files of a Batch API: splitting requests into files, and reading replies from files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from datagen.teacher.dialect.errors import RETRYABLE, error_message, refusal
from datagen.teacher.dialect.failure import Failure
from datagen.teacher.endpoint.batch_book import Reply
from datagen.teacher.endpoint.endpoint import parsed

Answer = TypeVar("Answer")

MAX_REQUESTS = 50_000
"""Requests that one file may hold: the public API's limit."""
MAX_BYTES = 90_000_000
"""Bytes that one file may hold. The public API's limit is 200 MB. After a failure, a file of less
than half that size is uploaded again sooner."""


def read_reply(
    reply: Reply, read: Callable[[dict[str, Any]], Answer], redact: Callable[[object], str] = str
) -> Answer:
    """Return what `read` makes of a reply that a batch brought.

    `redact` makes an error a line without secrets.

    Raises:
        Failure: another batch may bring an answer.
        Refused: no batch will.
        ContextExceeded: the text is longer than the model's context.
    """
    if reply.status == 200:
        return parsed(reply.content.encode(), read, redact)
    if reply.status in RETRYABLE or not 300 <= reply.status < 500:
        raise Failure(reply.content, status=reply.status)
    raise refusal(reply.status, reply.content, reply.content.encode())


def split_into_files(bodies: dict[str, str]) -> Iterator[list[tuple[str, str]]]:
    """Yield the requests in parts that each fit into one file."""
    part: list[tuple[str, str]] = []
    size = 0
    for id, body in bodies.items():
        if part and (len(part) == MAX_REQUESTS or size + len(body) > MAX_BYTES):
            yield part
            part = []
            size = 0
        part.append((id, body))
        # the line of a request also holds its id, its path and the JSON around them
        size += len(body) + 200
    if part:
        yield part


def read_replies(content: bytes) -> Iterator[tuple[str, Reply]]:
    """Yield the replies of an output or error file, each with the id of its request, in any order.

    Lines that are no reply are left out.
    """
    for line in content.split(b"\n"):
        # a server may write anything here: one bad line must not lose the others
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            found = json.loads(line)
            response = found.get("response")
            error = found.get("error")
            if response:
                yield str(found["custom_id"]), read_response(response)
            elif error:
                message = str(error.get("message") or error.get("code"))
                yield str(found["custom_id"]), Reply(0, message[:300])


def read_response(response: dict[str, Any]) -> Reply:
    """Return the body of an answer, or the status and the message of an error."""
    status = int(response["status_code"])
    body = json.dumps(response["body"])
    return Reply(status, body if status == 200 else f"{status} {error_message(body.encode())}")
