"""Scoring a given continuation on a vLLM server: its `/tokenize` route, and `prompt_logprobs` in
`/v1/completions`.

The tokens are those of the hf engine: the prompt's (through the chat template for messages), then
the continuation's, tokenized for itself."""

from __future__ import annotations

from typing import Any

from datagen.teacher.base import Messages
from datagen.teacher.endpoint import Endpoint
from datagen.teacher.transport import Refused


async def score(
    endpoint: Endpoint, model: str, prompt: str | Messages, continuation: str
) -> list[float]:
    """Nats, one a token of the continuation. Raises Refused or TeacherError where the server is no
    vLLM."""
    answer = await tokens(
        endpoint, {"model": model, "prompt": continuation, "add_special_tokens": False}
    )
    if not answer:
        return []
    asked = {"prompt": prompt} if isinstance(prompt, str) else {"messages": turns(prompt)}
    ids = await tokens(endpoint, {"model": model} | asked) + answer
    body = {
        "model": model,
        "prompt": ids,
        "prompt_logprobs": 0,
        "max_tokens": 1,
        "temperature": 0.0,
    }

    def read(reply: dict[str, Any]) -> list[float]:
        """One entry a token: null for the first, then {"TOKEN ID": {"logprob": ...}}; 0 asks for no
        other tokens."""
        entries = reply["choices"][0].get("prompt_logprobs")
        if not entries:
            raise Refused(200, "no prompt_logprobs in the reply")
        entries = entries[-len(answer) :]
        return [
            float(entry[str(token)]["logprob"])
            for entry, token in zip(entries, answer, strict=True)
        ]

    return await endpoint.ask("completions", body, read)


async def tokens(endpoint: Endpoint, body: dict[str, Any]) -> list[int]:
    return await endpoint.ask(
        "/tokenize", body, lambda reply: [int(token) for token in reply["tokens"]]
    )


def turns(messages: Messages) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in messages]
