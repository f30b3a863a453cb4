"""The files of a Batch API: requests cut into files, replies read from them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from datagen.teacher.endpoint.batch_book import Reply
from datagen.teacher.endpoint.endpoint import parsed
from datagen.teacher.endpoint.transport import PASSING, Failure, reason, refusal

Answer = TypeVar("Answer")

MOST = 50_000
"""Requests that one file may hold: the public API's limit."""
MOST_BYTES = 90_000_000
"""Bytes that one file may hold. The public API's limit is 200 MB; half of it is
uploaded again sooner after a failure."""


def made_of(reply: Reply, read: Callable[[dict[str, Any]], Answer]) -> Answer:
    """What `read` makes of a reply that a batch brought.

    Raises:
        Failure: Another batch may bring an answer.
        Refused: No batch will.
        ContextExceeded: The text is longer than the model's context.
    """
    if reply.status == 200:
        return parsed(reply.content.encode(), read)
    if reply.status in PASSING or not 300 <= reply.status < 500:
        raise Failure(reply.content, status=reply.status)
    raise refusal(reply.status, reply.content, reply.content.encode())


def in_files(bodies: dict[str, str]) -> Iterator[list[tuple[str, str]]]:
    """The requests, as many at a time as a file may hold."""
    part: list[tuple[str, str]] = []
    size = 0
    for id, body in bodies.items():
        if part and (len(part) == MOST or size + len(body) > MOST_BYTES):
            yield part
            part = []
            size = 0
        part.append((id, body))
        size += len(body) + 200  # what stands around it in its line
    if part:
        yield part


def read_replies(content: bytes) -> Iterator[tuple[str, Reply]]:
    """The replies of an output or error file, each with the id of its request, in any order.

    Lines that are no reply are left out.
    """
    for line in content.split(b"\n"):
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
    """The body of an answer; the status and reason of an error."""
    status = int(response["status_code"])
    body = json.dumps(response["body"])
    return Reply(status, body if status == 200 else f"{status} {reason(body.encode())}")
