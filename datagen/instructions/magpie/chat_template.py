"""What a chat template puts before and behind a user's words."""

from __future__ import annotations

from typing import Any

from datagen.errors import UserError
from datagen.teacher.chat.template import render_chat

SENTINEL = "SENTINEL"
"""Words of a user, to see where a chat template puts them."""


def user_turn(tokenizer: Any) -> tuple[str, str]:
    """Return the texts around a user's words in a chat template.

    Args:
        tokenizer: of the model.

    Returns:
        The pre-query template, which stands before the words; and the text that ends them. That is
        the end of the turn. If the template marks none, it is the beginning of the next turn.

    Raises:
        UserError: the model has no chat template, or the template begins with the user's words.

    Source:
        Magpie, arXiv 2406.08464, section 2.1.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise UserError("the model has no chat template: magpie needs an aligned (chat) model")
    before, _, behind = around_words(tokenizer, next_turn=False)

    # the text is encoded again later, which adds this token once more
    first = tokenizer.bos_token
    adds_first = tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
    if first and before.startswith(first) and adds_first:
        before = before.removeprefix(first)
    if not before.strip():
        raise UserError(
            "the model's chat template puts nothing before a user's words: magpie cannot use it"
        )
    if behind.strip():
        return before, behind.strip()
    return before, around_words(tokenizer, next_turn=True)[2].strip()


def around_words(tokenizer: Any, *, next_turn: bool) -> tuple[str, str, str]:
    """Return a chat of one user turn, split at the user's words.

    Args:
        tokenizer: of the model.
        next_turn: whether the beginning of the assistant's turn follows.
    """
    turn = [{"role": "user", "content": SENTINEL}]
    text = render_chat(tokenizer, turn, add_generation_prompt=next_turn)
    before, words, behind = text.partition(SENTINEL)
    return before, words, behind
