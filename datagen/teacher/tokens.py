"""Tokens of a row under a tokenizer's chat template, and which tokenizer that is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from datagen.errors import UserError


def token_ids(
    turns: str | list[dict[str, str]], tokenizer: Any, *, add_generation_prompt: bool = False
) -> list[int]:
    """Tokens of a text, or of chat turns under the tokenizer's template."""
    if isinstance(turns, str):
        return list(tokenizer(turns).input_ids)
    text = tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=add_generation_prompt
    )
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def row_tokens(row: Mapping[str, Any], tokenizer: Any) -> tuple[list[int], list[int]]:
    """Tokens of a row's prompt, as a teacher is asked it, and of its completion, the end of turn
    among them.

    Raises UserError for a template that writes a prompt otherwise once it is answered.
    """
    prompt = token_ids(row["prompt"], tokenizer, add_generation_prompt=True)
    whole = token_ids(row["prompt"] + row["completion"], tokenizer)
    if whole[: len(prompt)] != prompt:
        raise UserError(
            f"row {row.get('id')}: the tokenizer's chat template writes the prompt otherwise when "
            "an answer follows, so where the completion begins is not known"
        )
    return prompt, whole[len(prompt) :]


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """16 hex digits over the tokens and their ids: equal where an id means the same token, whatever
    a model pads its vocabulary to.
    """
    vocabulary = sorted((number, token) for token, number in tokenizer.get_vocab().items())
    return hashlib.sha256(json.dumps(vocabulary).encode()).hexdigest()[:16]
