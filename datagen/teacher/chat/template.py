"""Chat turns as text under a tokenizer's chat template, and the token that ends an answer."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from datagen.errors import Refused

SENTINEL = "SENTINEL"
"""An answer whose place in a rendered conversation is easy to find."""
CONVERSATION = (
    {"role": "user", "content": "Say a word."},
    {"role": "assistant", "content": SENTINEL},
)
"""The shortest conversation. Every chat template can write it."""


def render_chat(
    tokenizer: Any,
    turns: Sequence[dict[str, str]],
    *,
    add_generation_prompt: bool = False,
    **arguments: Any,
) -> str:
    """Return chat turns as the tokenizer's chat template writes them.

    Args:
        tokenizer: with a chat template.
        turns: role and content of each turn.
        add_generation_prompt: whether the opening of an answer follows.
        arguments: further arguments of the template.

    Raises:
        Refused: the template does not take these turns. The message has the template's own words.
    """
    from jinja2 import TemplateError

    try:
        text: str = tokenizer.apply_chat_template(
            list(turns), tokenize=False, add_generation_prompt=add_generation_prompt, **arguments
        )
    # a template that computes with what is not there raises Python's own errors
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise Refused(f"the chat template refuses the conversation: {words}") from error
    return text


def after_answer(tokenizer: Any) -> str:
    """Return what the chat template writes after the answer that ends a conversation.

    Raises:
        Refused: the template does not take a conversation, or it leaves the answer out.
    """
    _, answer, rest = render_chat(tokenizer, CONVERSATION).rpartition(SENTINEL)
    if not answer:
        raise Refused("the chat template leaves out the text of an answer")
    return rest


def end_tokens(tokenizer: Any) -> list[int]:
    """Return the ids of the special tokens that the chat template writes after an answer, in order.

    The first of them is the end of turn. The list is empty if no special token follows an answer.

    Raises:
        Refused: the template does not take a conversation, or it leaves the answer out.
    """
    ids = tokenizer(after_answer(tokenizer), add_special_tokens=False).input_ids
    # some tokenizers do not mark the tokens of their chat template as special
    marks = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    return [int(token) for token in ids if token in marks]


def stop_tokens(tokenizer: Any, generation_config: Any) -> set[int]:
    """Return the ids of all tokens that end an answer of a model.

    They are the end of turn of the chat template, the tokenizer's end token, and those of the
    model's generation config.
    """
    listed = getattr(generation_config, "eos_token_id", None)
    ends = {*(listed if isinstance(listed, list) else [listed]), tokenizer.eos_token_id}
    if tokenizer.chat_template:
        # where the template fails, each request says so, and plain text needs no template
        with contextlib.suppress(Refused):
            ends |= set(end_tokens(tokenizer)[:1])
    return {int(end) for end in ends if end is not None}
