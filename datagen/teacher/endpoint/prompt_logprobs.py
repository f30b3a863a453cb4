"""Scoring a given continuation on a vLLM server, by its `/tokenize` route and by `prompt_logprobs`
in `/v1/completions`.

The tokens are those of the hf engine: the prompt's (under the chat template for messages), then
the continuation's, tokenized by itself.
"""

from __future__ import annotations

from typing import Any

from datagen.errors import Refused
from datagen.teacher.base import Messages
from datagen.teacher.endpoint.endpoint import Endpoint


async def score(
    endpoint: Endpoint, model: str, prompt: str | Messages, continuation: str
) -> list[float]:
    """Log-probability, in nats, of each token of the continuation.

    Raises:
        Refused: The server is no vLLM server, or it refuses the request.
        ContextExceeded: Prompt and continuation are longer than the model's context.
        Unavailable: No answer after all attempts.
    """
    given = {"model": model, "prompt": continuation, "add_special_tokens": False}
    answer = await tokens(endpoint, given)
    if not answer:
        return []
    asked = {"prompt": prompt} if isinstance(prompt, str) else {"messages": turns(prompt)}
    ids = await tokens(endpoint, {"model": model} | asked) + answer
    body = {
        "model": model,
        "prompt": ids,
        "prompt_logprobs": 0,  # of the given token alone, and of no others
        "max_tokens": 1,
        "temperature": 0.0,
    }

    def read(reply: dict[str, Any]) -> list[float]:
        """The reply has an entry for each token: null for the first, then
        {"TOKEN ID": {"logprob": ...}}.
        """
        entries = reply["choices"][0].get("prompt_logprobs")
        if not entries:
            raise Refused("no prompt_logprobs in the reply", status=200)
        pairs = zip(entries[-len(answer) :], answer, strict=True)
        return [float(entry[str(token)]["logprob"]) for entry, token in pairs]

    return await endpoint.ask("completions", body, read)


async def tokens(endpoint: Endpoint, body: dict[str, Any]) -> list[int]:
    """The tokens of a text or of messages, by the server's `/tokenize`."""

    def read(reply: dict[str, Any]) -> list[int]:
        if not isinstance(reply.get("tokens"), list):
            raise Refused("no tokens in the reply of /tokenize", status=200)
        return [int(token) for token in reply["tokens"]]

    return await endpoint.ask("/tokenize", body, read)


def turns(messages: Messages) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in messages]
