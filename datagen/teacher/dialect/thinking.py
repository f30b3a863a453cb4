"""The fields of a request that say whether a model thinks."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from datagen.errors import UserError
from datagen.teacher.chat.options import SWITCHES, ChatOptions

EFFORT_HOSTS = ("openai.com", "azure.com", "googleapis.com")
"""Hosts whose models have no chat template to fill in. They take `reasoning_effort` instead."""
EFFORTS = {False: "none", True: "medium"}
"""Medium is the default effort of these models."""


def chat_fields(chat: ChatOptions, url: str) -> dict[str, Any]:
    """Return the fields of a chat request.

    Servers such as vLLM and SGLang take `chat_template_kwargs`.

    Args:
        chat: the options.
        url: the base URL of the endpoint.

    Example:
        >>> chat_fields(ChatOptions(thinking=False), "http://localhost:8000/v1")
        {'chat_template_kwargs': {'enable_thinking': False}}
        >>> chat_fields(ChatOptions(thinking=False), "https://api.openai.com/v1")
        {'reasoning_effort': 'none'}
    """
    fields: dict[str, Any] = {}
    variables = dict(chat.variables)
    if chat.thinking is not None:
        if takes_effort(url):
            fields["reasoning_effort"] = EFFORTS[chat.thinking]
        else:
            variables[SWITCHES[0]] = chat.thinking
    if variables:
        fields["chat_template_kwargs"] = variables
    return fields


def effort(chat: ChatOptions, name: str) -> dict[str, Any]:
    """Return the fields of a chat request to a provider that has no chat template to fill in.

    Args:
        chat: the options.
        name: the teacher's name, for the error.

    Raises:
        UserError: variables of a chat template are given.
    """
    if chat.variables:
        raise UserError(f"--chat_template_kwargs: {name} takes no variables of a chat template")
    return {} if chat.thinking is None else {"reasoning_effort": EFFORTS[chat.thinking]}


def takes_effort(url: str) -> bool:
    """Return whether the host of a URL takes `reasoning_effort`."""
    host = urlsplit(url).hostname or ""
    return any(host == known or host.endswith(f".{known}") for known in EFFORT_HOSTS)
