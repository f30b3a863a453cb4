"""A teacher to ask by hand: in a script, in a notebook, from asynchronous code."""

from __future__ import annotations

from typing import Any

from datagen.teacher.client import TeacherClient


def connect(teacher: str, **options: Any) -> TeacherClient:
    """A teacher that can be asked, synchronously and asynchronously.

    Nothing is loaded or reached before the first question.

    Args:
        teacher: `micro` (embedded), `hf:NAME_OR_PATH`, `vllm:NAME_OR_PATH`, `openai:MODEL` or
            `any-llm:PROVIDER/MODEL`.
        **options: `concurrency`, the requests in flight at most (64); `engine="ray"` and `workers`
            to ask on a Ray cluster; `thinking` and `chat_template_kwargs` for a model that reasons.

    Returns:
        The teacher. `with` closes it.

    Raises:
        UserError: there is no such teacher.

    Example:
        >>> import datagen
        >>> with datagen.connect("micro") as teacher:
        ...     answers = teacher.ask("What is 3 plus 4?", samples=2, max_tokens=8)
        >>> len(answers), answers[0].tokens <= 8
        (2, True)
    """
    return TeacherClient.connect(teacher, **options)
