"""What a server says when it gives no answer, in the many shapes that servers use."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from datagen.errors import ContextExceeded, Refused

READ_BYTES = 100_000
"""How much of an error body is read. It can be of any size."""
DEEPEST = 12
"""How deep messages are searched for in an error body. Real bodies nest them four deep."""
SHOWN_PARTS = 3
"""How many errors of a list are shown. The first ones name the reason."""
TOO_MANY = 429
RETRYABLE = {408, 409, 425, TOO_MANY}
"""Client errors that may succeed later, as all server errors may."""
NOT_IMPLEMENTED = 501
OUT_OF_CREDIT = "insufficient_quota"
"""The code of a 429 that does not pass: the account has no credit."""
UNKNOWN_FIELD = re.compile(
    rb"unexpected keyword argument|extra_forbidden|Extra inputs are not permitted"
    rb"|unsupported_(parameter|value)|unrecogni[sz]ed (request )?(argument|parameter)",
    re.IGNORECASE,
)
"""Words of a server that does not know a field. Some say so with a 500, which does not pass."""
FLAGGED = re.compile(
    r"flagged|moderation|content.{0,20}(polic|filter|management)|safety", re.IGNORECASE
)
"""Words of a server that objects to one text. Another text can pass, also after a 403."""
TOO_LONG_STATUS = {400, 413, 422}
"""The statuses with which servers say that the text is too long."""
TOO_LONG = re.compile(
    rb"context_length_exceeded"  # the public API's code
    rb"|maximum (context|model) length"  # vLLM, and the public API's message
    rb"|context[ _](length|size|window)"  # SGLang, llama.cpp and others
    rb"|(prompt|input) is too long|input token count|reduce the length"  # Anthropic, Gemini, Groq
    rb"|tokens` \\+ `max_new_tokens",  # TGI
    re.IGNORECASE,
)
"""Words in such a reply. Servers have no common error code for it, so the message is searched."""
MESSAGE_KEYS = (
    *("error", "errors", "message", "detail", "details", "msg", "error_message", "error_msg"),
    *("fault", "faultstring", "reason", "description", "title", "code", "type"),
)
"""Keys under which servers put the message, or an object with it. The first with a text counts."""
NAMED_STATUSES = (
    ("rate_?limit|too_?many|exhausted|throttl", TOO_MANY),
    ("quota|billing|credit|payment", 402),
    ("api_?key|authenti", 401),
    ("overload|unavailable|time_?out|deadline|server|internal|upstream", 500),
    ("invalid|unsupported|filter|moderat|flag|policy|permission|not_?found|bad_?request", 400),
)
"""The statuses that the words of an error code stand for, if the code is no number."""


def is_retryable(status: int, content: bytes) -> bool:
    """Return whether the same request may succeed later, judged by the reply's status and body."""
    if status == NOT_IMPLEMENTED or OUT_OF_CREDIT.encode() in content:
        return False
    if status in RETRYABLE:
        return True
    return status >= 500 and not UNKNOWN_FIELD.search(content[:READ_BYTES])


def refusal(status: int, message: str, content: bytes) -> Refused | ContextExceeded:
    """Return the error for a request that will fail however often it is sent."""
    if status in TOO_LONG_STATUS and TOO_LONG.search(content[:READ_BYTES]):
        return ContextExceeded(message)
    return Refused(message, status=status)


def status_of(error: Any) -> int:
    """Return the HTTP status that an error object in a reply with status 200 stands for.

    An error without a known code counts as one of the server, so it is asked again.
    """
    if not isinstance(error, dict):
        return 500
    for key in ("code", "status", "status_code", "type"):
        code = error.get(key)
        if isinstance(code, str) and code.isdigit():
            code = int(code[:9])
        if isinstance(code, int) and 400 <= code < 600:
            return code
        for words, status in NAMED_STATUSES:
            if isinstance(code, str) and re.search(words, code, re.IGNORECASE):
                return status
    return 500


def error_message(content: bytes) -> str:
    """Return the message of an error body as one line, in any of the shapes that servers use.

    Example:
        >>> error_message(b'{"detail": [{"loc": ["body", "seed"], "msg": "Not permitted"}]}')
        'seed: Not permitted'
    """
    text = content[:READ_BYTES].decode("utf-8", "replace")
    try:
        found = message_of(json.loads(text))
    except (ValueError, RecursionError):
        found = page_title(text) or text
    return one_line(found) or "without a reason"


def message_of(value: Any, depth: int = 0) -> str:
    """Return the message in a JSON value, or an empty text if there is none."""
    if depth > DEEPEST or value is None or isinstance(value, bool):
        return ""
    if isinstance(value, list):
        found = [message_of(part, depth + 1) for part in value[:SHOWN_PARTS]]
        return "; ".join(filter(None, found))
    if isinstance(value, dict):
        return message_of_object(value, depth)
    return message_of_text(str(value), depth)


def message_of_text(text: str, depth: int) -> str:
    """Return a message. Some gateways put the whole JSON body of another server into theirs."""
    if text.lstrip().startswith(("{", "[")):
        try:
            return message_of(json.loads(text), depth + 1) or text
        except (ValueError, RecursionError):
            return text
    return text


def message_of_object(value: dict[str, Any], depth: int) -> str:
    """Return the message of an error object, with the field that it blames."""
    found = (message_of(value[key], depth + 1) for key in MESSAGE_KEYS if key in value)
    message = next(filter(None, found), "")
    # pydantic's place of an error, such as ["body", "seed"]
    places = value.get("loc")
    if isinstance(places, list | tuple) and places:
        return f"{'.'.join(str(place) for place in places if place != 'body')}: {message}"

    param = value.get("param")
    if isinstance(param, str) and param and param not in message:
        message += f" (param: {param})"
    # a router's own message says only that a provider failed
    metadata = value.get("metadata")
    raw = message_of(metadata.get("raw"), depth + 1) if isinstance(metadata, dict) else ""
    return f"{message}: {raw}" if raw else message


def page_title(text: str) -> str:
    """Return what a web page is about, or an empty text if the text is no web page.

    Example:
        >>> page_title("<html><h1>502 Bad Gateway</h1></html>")
        'a web page ("502 Bad Gateway")'
    """
    if not re.match(r"\s*(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body)\b", text, re.I | re.S):
        return ""
    found = re.search(r"<(title|h1|h2)\b[^>]*>([^<]{1,500})</", text, re.I)
    words = found[2] if found else re.sub(r"<[^>]*>", " ", text[:2000])
    words = " ".join(html.unescape(words).split())[:100]
    return f'a web page ("{words}")' if words else "a web page"


def one_line(text: str) -> str:
    """Return a text as one line. Characters that steer a terminal are written out."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
