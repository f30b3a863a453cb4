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
    """Return the tokens of a text, or of chat turns under the tokenizer's template."""
    if isinstance(turns, str):
        return list(tokenizer(turns).input_ids)
    # the template writes the special tokens, so the tokenizer must not add them again
    text = tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=add_generation_prompt
    )
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def row_tokens(row: Mapping[str, Any], tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the tokens of a row's prompt and the tokens of its completion.

    The prompt ends with the template's opening of an answer, as a teacher is asked it. The
    completion includes the end of the turn.

    Raises:
        UserError: the chat template writes a prompt in another way once an answer follows.
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
    """Return 16 hex digits of a hash over the tokens and their ids.

    Two tokenizers have the same fingerprint if every id means the same token in both. It does not
    matter to what size a model pads its vocabulary.
    """
    vocabulary = sorted((number, token) for token, number in tokenizer.get_vocab().items())
    return hashlib.sha256(json.dumps(vocabulary).encode()).hexdigest()[:16]
