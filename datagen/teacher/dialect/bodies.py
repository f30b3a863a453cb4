"""The bodies of requests, before the terms of a server are applied."""

from __future__ import annotations

import json
from typing import Any

from datagen.teacher.base import Messages, Request


def make_call(model: str, request: Request, have: int) -> tuple[str, dict[str, Any]]:
    """Return the path and the body of the call for the samples after the first `have`."""
    if isinstance(request.prompt, str):
        return "completions", text_body(model, request, have)
    return "chat/completions", chat_body(model, request, request.prompt, have)


def common_body(model: str, request: Request, have: int) -> dict[str, Any]:
    """Return the part of the body that chat and text requests share."""
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "n": request.n - have,
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        # one seed for each call: the samples of later calls must differ
        "seed": sampling.seed + request.first + have,
    }

    if sampling.top_p < 1:
        body["top_p"] = sampling.top_p
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    return body


def chat_body(model: str, request: Request, messages: Messages, have: int) -> dict[str, Any]:
    body = common_body(model, request, have)
    body["messages"] = [{"role": role, "content": content} for role, content in messages]
    if request.sampling.logprobs:
        body["logprobs"] = True
    if request.sampling.schema:
        asked = {"name": "answer", "strict": True, "schema": json.loads(request.sampling.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": asked}
    return body


def text_body(model: str, request: Request, have: int) -> dict[str, Any]:
    body = common_body(model, request, have) | {"prompt": request.prompt}
    if request.sampling.logprobs:
        body["logprobs"] = 1
    return body
