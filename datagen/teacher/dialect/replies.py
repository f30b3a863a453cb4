"""Reading a reply: here, and only here, every shape that servers use becomes completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datagen.json_bytes import dumps
from datagen.teacher.base import Completion, Request
from datagen.teacher.chat.reasoning import split_reasoning
from datagen.teacher.cost.budget import estimated_tokens
from datagen.teacher.dialect.errors import (
    error_message,
    is_retryable,
    message_of,
    one_line,
    refusal,
    status_of,
)
from datagen.teacher.dialect.failure import Failure
from datagen.teacher.dialect.finish import finish_reason
from datagen.teacher.dialect.logprobs import mean_logprob

MOST_TOKENS = 10_000_000
"""More tokens than any model reads or writes for one sample. A larger count is no count."""
THOUGHT_PARTS = ("thinking", "reasoning", "reasoning.text", "reasoning_text", "summary_text")
"""Types of content parts that hold what a model thought before its answer."""
THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")
"""Fields of a message for the same."""
TEXT_KEYS = ("text", "content", "value", "refusal", "thinking", "reasoning", "summary", "parts")
"""Keys of a content part that hold its text, or further parts."""


@dataclass(frozen=True)
class Said:
    """What one choice of a reply says."""

    content: str
    reasoning: str
    finish_reason: str
    mean_logprob: float | None


@dataclass(frozen=True)
class Tokens:
    """The tokens of a call as the server counts them. None where it gives no possible count."""

    prompt: int | None
    completion: int | None
    cached: int


def completions(reply: dict[str, Any], request: Request, wanted: int) -> list[Completion]:
    """Return the usable choices of a reply, at least one and at most `wanted`.

    Stop strings are applied, because not every server applies them. The server counts tokens for
    the whole call. The first completion gets the prompt tokens; the completion tokens are split
    evenly. A count that is missing or impossible is estimated.

    Raises:
        Failure: no choice has content, or the server says that it failed.
        Refused: the server says that it will not answer.
        ContextExceeded: the text is longer than the model's context.
    """
    check_error(reply)
    choices = ordered(reply.get("choices"))
    stop = request.sampling.stop
    found = [said for choice in choices if (said := read_choice(choice, stop))][:wanted]
    if not found:
        raise Failure(without_answer(reply, choices))
    tokens = read_usage(reply.get("usage"), most=MOST_TOKENS * len(choices))
    return [completion(said, i, len(found), tokens, request) for i, said in enumerate(found)]


def completion(said: Said, i: int, count: int, tokens: Tokens, request: Request) -> Completion:
    """Return choice i of `count` as a completion, with its share of the tokens."""
    own = estimated_tokens(said.content) + estimated_tokens(said.reasoning)
    # a server that counts nothing for an answer, or for a prompt, does not count
    counted = bool(tokens.completion) or (tokens.completion == 0 and own == 0)
    asked = 0 if i else tokens.prompt or estimated_tokens(request.prompt)
    share, rest = divmod(tokens.completion or 0, count)
    # the first choices get the remainder, so that the sum is what the server counted
    spent = share + (i < rest) if counted else own
    # a server that does not say why an answer ends can still have cut it off
    is_cut = said.finish_reason == "unknown" and counted and spent >= request.sampling.max_tokens
    return Completion(
        text=said.content,
        finish_reason="length" if is_cut else said.finish_reason,
        tokens=spent,
        prompt_tokens=asked,
        cached_tokens=min(tokens.cached, asked),
        mean_logprob=said.mean_logprob,
        reasoning=said.reasoning,
        estimated=not counted or (i == 0 and not tokens.prompt and asked > 0),
    )


def check_error(reply: Any) -> None:
    """Check that a reply is an object without an error. Some servers send errors with status 200.

    Raises:
        Failure: the error may pass.
        Refused: it will not.
        ContextExceeded: the text is longer than the model's context.
    """
    if not isinstance(reply, dict):
        raise Failure("the reply is no JSON object")
    choices = reply.get("choices") or [{}]
    first = choices[0] if isinstance(choices, list) else {}
    error = reply.get("error") or (first.get("error") if isinstance(first, dict) else None)
    if reply.get("object") == "error":
        error = error or reply
    if not error:
        return
    status = status_of(error)
    content = dumps(error)
    message = f"{status} {error_message(content)}"
    if is_retryable(status, content):
        raise Failure(message, status=status)
    raise refusal(status, message, content)


def without_answer(reply: dict[str, Any], choices: Sequence[Any]) -> str:
    """Return why a reply holds no answer."""
    if choices:
        return "a reply with null content"
    said = {key: reply[key] for key in ("message", "detail", "msg") if reply.get(key)}
    words = one_line(message_of(said))
    return f"a reply without choices: {words}" if words else "a reply without choices"


def ordered(choices: Any) -> list[dict[str, Any]]:
    """Return the choices in the order of their index. Other things in the list are left out."""
    found = [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
    indices = [choice.get("index") for choice in found]
    if not all(isinstance(index, int) for index in indices):
        return found
    return sorted(found, key=lambda choice: choice["index"])


def read_choice(choice: dict[str, Any], stop: Sequence[str]) -> Said | None:
    """Return what a choice says, or None if it says nothing and gives no reason for that."""
    message = choice.get("message")
    if not isinstance(message, dict) or not message:
        message = {"content": message or choice.get("text")}
    content, thought = read_parts(message.get("content"))
    # the field of a model that refused to follow a JSON schema
    refusal = message.get("refusal")
    if not content and isinstance(refusal, str):
        content = refusal
    thoughts = [thought, *(flat_text(message.get(field)) for field in THOUGHT_FIELDS)]
    field = next(filter(None, thoughts), "") or flat_text(message.get("reasoning_details"))
    ended = read_finish_reason(choice)
    if ended == "error":
        return None

    is_null = message.get("content") is None and not content
    if is_null and not field and ended in {"unknown", "stop"}:
        return None
    reasoning, text = split_reasoning(readable(content), readable(field))
    cut = until_stop(text, stop)
    logprob = mean_logprob(choice.get("logprobs"), None if cut == text else len(cut))
    ended = ended if cut == text else "stop"
    return Said(cut, reasoning, ended, logprob)


def read_parts(content: Any) -> tuple[str, str]:
    """Return the text of a message's content, and the thoughts in it.

    Example:
        >>> read_parts([{"type": "thinking", "thinking": "2 + 2"}, {"type": "text", "text": "4"}])
        ('4', '2 + 2')
    """
    parts = content if isinstance(content, list) else [content]
    answer = [flat_text(part) for part in parts if not is_thought(part)]
    return "".join(answer), "".join(flat_text(part) for part in parts if is_thought(part))


def is_thought(part: Any) -> bool:
    return isinstance(part, dict) and (
        part.get("type") in THOUGHT_PARTS or part.get("thought") is True
    )


def flat_text(value: Any) -> str:
    """Return the text in a content part. What is no text, such as an image, has none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(flat_text, value))
    if isinstance(value, dict):
        return next(filter(None, (flat_text(value.get(key)) for key in TEXT_KEYS)), "")
    return ""


def read_finish_reason(choice: dict[str, Any]) -> str:
    """Return why an answer ends, in our words."""
    reason = choice.get("finish_reason") or choice.get("stop_reason")
    return finish_reason(reason.get("type") if isinstance(reason, dict) else reason)


def until_stop(text: str, stop: Sequence[str]) -> str:
    """Return the text before the first of the stop strings.

    Example:
        >>> until_stop("It is 4. Q: What is 5 + 5?", ["Q:"])
        'It is 4. '
    """
    places = [place for string in stop if string and (place := text.find(string)) >= 0]
    return text[: min(places)] if places else text


def readable(text: str) -> str:
    """Return the text with U+FFFD in place of unpaired surrogates, which no file can hold."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def read_usage(usage: Any, *, most: int) -> Tokens:
    """Return the tokens of a call.

    Args:
        usage: what the server sent.
        most: a larger count is impossible.
    """
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    return Tokens(
        prompt=count_in(usage, ("prompt_tokens", "input_tokens"), most),
        completion=count_in(usage, ("completion_tokens", "output_tokens"), most),
        cached=count_in(details, ("cached_tokens",), most) or 0,
    )


def count_in(usage: dict[str, Any], names: Sequence[str], most: int) -> int | None:
    """Return the count under the first of these names, or None if it is missing or impossible."""
    value = next((usage[name] for name in names if usage.get(name) is not None), None)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # NaN fails both comparisons
    return int(value) if 0 <= value <= most else None
