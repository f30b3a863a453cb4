"""Scoring a given continuation on a vLLM server.

It uses the server's `/tokenize` route, and `prompt_logprobs` in `/v1/completions`. The tokens are
the same as in the hf engine: first those of the prompt (under the chat template for messages), then
those of the continuation, which is tokenized separately.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datagen.errors import Refused
from datagen.teacher.base import Messages
from datagen.teacher.endpoint.endpoint import Endpoint


async def score(
    endpoint: Endpoint,
    model: str,
    prompt: str | Messages,
    continuation: str,
    chat_fields: Mapping[str, Any],
) -> list[float]:
    """Return the log-probability, in nats, of each token of the continuation.

    `chat_fields` are the fields of a request whose prompt is messages.

    Raises:
        Refused: the server is no vLLM server, or it refuses the request.
        ContextExceeded: prompt and continuation are longer than the model's context.
        Unavailable: there was no answer after all attempts.
    """
    # without special tokens: the continuation follows the prompt, and begins no text
    given = {"model": model, "prompt": continuation, "add_special_tokens": False}
    answer = await tokens(endpoint, given)
    if not answer:
        return []
    asked: dict[str, Any] = {"prompt": prompt}
    if not isinstance(prompt, str):
        asked = {"messages": turns(prompt), **chat_fields}
    ids = await tokens(endpoint, {"model": model} | asked) + answer
    body = {
        "model": model,
        "prompt": ids,
        # 0: the log-probability of the given token, and of no other tokens
        "prompt_logprobs": 0,
        # the server must draw at least one token
        "max_tokens": 1,
        "temperature": 0.0,
    }

    def read(reply: dict[str, Any]) -> list[float]:
        """Return the log-probabilities of the last tokens of a reply."""
        entries = reply["choices"][0].get("prompt_logprobs")
        if not entries:
            raise Refused("no prompt_logprobs in the reply", status=200)
        pairs = zip(entries[-len(answer) :], answer, strict=True)
        return [float(entry[str(token)]["logprob"]) for entry, token in pairs]

    return await endpoint.ask("completions", body, read)


async def tokens(endpoint: Endpoint, body: dict[str, Any]) -> list[int]:
    """Return the tokens of a text or of messages, from the server's `/tokenize`."""

    def read(reply: dict[str, Any]) -> list[int]:
        if not isinstance(reply.get("tokens"), list):
            raise Refused("no tokens in the reply of /tokenize", status=200)
        return [int(token) for token in reply["tokens"]]

    return await endpoint.ask("/tokenize", body, read)


def turns(messages: Messages) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in messages]
