"""The log-probabilities of a reply's tokens."""

from __future__ import annotations

import math
from typing import Any

LARGEST = 0.01
"""The largest log-probability in nats. It is above 0 because servers round."""


def mean_logprob(logprobs: Any, length: int | None = None) -> float | None:
    """Return the mean over the tokens of a choice, in nats; None if it is not known.

    Chat replies list tokens under `content`, text replies under `token_logprobs` and `tokens`.

    Args:
        logprobs: what the server sent for the choice.
        length: count only the tokens of so many characters at the beginning. None counts all.
    """
    try:
        tokens, values = read_tokens(logprobs)
        if length is not None:
            values = values[: tokens_within(tokens, length)]
    except (KeyError, TypeError, AttributeError):
        return None
    known = [value for value in values if value is not None]
    # one NaN says that the others cannot be trusted either
    if not known or not all(is_logprob(value) for value in known):
        return None
    return sum(known) / len(known)


def read_tokens(logprobs: Any) -> tuple[list[str], list[Any]]:
    """Return the tokens of a choice, and the log-probability of each."""
    chat = logprobs.get("content") or []
    if chat:
        return [token.get("token", "") for token in chat], [token["logprob"] for token in chat]
    return logprobs.get("tokens") or [], list(logprobs.get("token_logprobs") or [])


def tokens_within(tokens: list[str], length: int) -> int:
    """Return how many tokens the first `length` characters have."""
    count = 0
    for token in tokens:
        if length <= 0:
            break
        length -= len(token)
        count += 1
    return count


def is_logprob(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value <= LARGEST
