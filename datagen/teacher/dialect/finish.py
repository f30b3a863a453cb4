"""Why an endpoint stopped a sample: only words that are known here leave this module."""

from __future__ import annotations

from typing import Any

STOP = {
    "complete",
    "completed",
    "done",
    "end",
    "end_turn",
    "eos",
    "eos_token",
    "finish",
    "finished",
    "normal",
    "stop",
    "stop_sequence",
    "stop_token",
}
"""Words of servers for a text that ended by itself."""
LENGTH = {
    "context_length",
    "length",
    "max_length",
    "max_output_tokens",
    "max_tokens",
    "model_length",
    "token_limit",
}
"""Words of servers for a text that was cut off. They become one word, so that no method takes a cut
text for a whole one."""
KEPT = {
    "abort",
    "content_filter",
    "error",
    "function_call",
    "insufficient_system_resource",
    "pause_turn",
    "recitation",
    "refusal",
    "repetition",
    "safety",
    "tool_calls",
    "tool_use",
}
"""Further words, which stay."""
UNKNOWN = "unknown"
OTHER = "other"


def finish_reason(value: Any) -> str:
    """Return the reason that a server gave, as one of the words of this module.

    A server could write anything here, and the word is published with the row.

    Example:
        >>> finish_reason("MAX_TOKENS"), finish_reason(None), finish_reason("your key is ...")
        ('length', 'unknown', 'other')
    """
    if not isinstance(value, str) or not value.strip():
        return UNKNOWN
    word = value.strip().lower().replace("-", "_")
    if word in STOP:
        return "stop"
    if word in LENGTH:
        return "length"
    return word if word in KEPT else OTHER
