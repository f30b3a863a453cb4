"""The one renderer of questions: generation, training and evaluation ask the same text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from datagen.teacher.base import Messages

Style = Literal["chat", "plain"]
"""`chat` sends messages; `plain` sends text that a base model continues."""
NEXT_QUESTION = "\n\nQ:"
"""A base model goes on with another question. Its text is cut off there."""


def render(asked: str, *, style: Style, shots: Sequence[tuple[str, str]] = ()) -> str | Messages:
    r"""Return the prompt of a question, after example answers.

    Args:
        asked: the question with its instructions.
        style: chat turns, or text in the form `Q: ... A:`.
        shots: (question, answer) pairs that are shown first.

    Returns:
        Chat turns as (role, content) pairs, or plain text.

    Example:
        >>> render("2 + 2?", style="plain")
        'Q: 2 + 2?\nA:'
        >>> render("2 + 2?", style="chat")
        (('user', '2 + 2?'),)
    """
    if style == "plain":
        turns = [f"Q: {question}\nA: {answer}" for question, answer in shots]
        return "\n\n".join([*turns, f"Q: {asked}\nA:"])
    messages: list[tuple[str, str]] = []
    for question, answer in shots:
        messages += [("user", question), ("assistant", answer)]
    return (*messages, ("user", asked))


def stop_strings(style: Style) -> tuple[str, ...]:
    """Return the strings at which a completion ends. A chat ends by itself."""
    return (NEXT_QUESTION,) if style == "plain" else ()
