"""Generate completions in batches, for the evaluations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast


def chat(tokenizer: PreTrainedTokenizerFast, user: str) -> str:
    """Return the prompt of one user message in the format of the chat template."""
    return str(
        tokenizer.apply_chat_template(
            [{"role": "user", "content": user}], tokenize=False, add_generation_prompt=True
        )
    )


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    users: Sequence[str],
    *,
    max_new_tokens: int = 200,
    temperature: float = 0.0,
    batch: int = 256,
) -> list[str]:
    """Generate one completion for each user message.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        users: The user messages.
        max_new_tokens: The longest completion, in tokens.
        temperature: 0 for greedy decoding.
        batch: Prompts in a batch.

    Returns:
        The completions in the order of the messages.
    """
    texts = [chat(tokenizer, user) for user in users]
    # Prompts of similar length need little padding.
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    sampling: dict[str, bool | float] = {"do_sample": False}
    if temperature:
        sampling = {"do_sample": True, "temperature": temperature, "top_k": 0}

    answers = [""] * len(texts)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        inputs = tokenizer([texts[i] for i in chosen], return_tensors="pt", padding=True)
        ids = model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **sampling,
        )
        for i, row in zip(chosen, ids[:, inputs["input_ids"].shape[1] :], strict=True):
            answers[i] = tokenizer.decode(row, skip_special_tokens=True)
    return answers


def final_number(text: str) -> str | None:
    """Return the number after the last "The answer is", or None."""
    _, found, tail = text.rpartition("The answer is ")
    return tail.rstrip(".\n ") if found else None
