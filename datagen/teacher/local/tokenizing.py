"""A model's own tokenizer, and a prompt's tokens under its chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datagen.errors import NoChatTemplate, UserError
from datagen.teacher.base import Messages
from datagen.teacher.chat.reasoning import AT_START, CLOSINGS, OPENINGS, opening_at_end
from datagen.teacher.chat.template import render_chat
from datagen.teacher.spec import check_folder

CHANNELS = {"<|channel|>", "<|message|>", "<|start|>", "<|end|>"}
"""Special tokens of which gpt-oss makes its marks of reasoning."""
TAIL = 40
"""Tokens that hold the longest opening mark at the end of a prompt."""


def open_tokenizer(path: str) -> Any:
    """Return the tokenizer of a model. It pads on the left, so that all prompts end together.

    Raises:
        UserError: there is no such model.
    """
    check_folder(path)
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from None
    # which token pads does not matter, because padding is masked
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def cannot_open(path: str, cause: BaseException) -> UserError:
    """Return the error, in one line, for a model that transformers cannot open."""
    reason = (str(cause).strip() or type(cause).__name__).splitlines()[0][:300]
    return UserError(f"cannot open the model {path}: {reason}")


def prompt_tokens(
    tokenizer: Any, prompt: str | Messages, name: str, variables: Mapping[str, Any] | None = None
) -> list[int]:
    """Return the tokens of a text, or of messages under the chat template.

    Messages are followed by the template's opening of an answer.

    Args:
        tokenizer: the model's tokenizer.
        prompt: a text or messages.
        name: the teacher's name, for the error.
        variables: further variables of the chat template.

    Raises:
        NoChatTemplate: the prompt is messages and the model has no chat template.
        Refused: the chat template does not take these messages.
    """
    if isinstance(prompt, str):
        return list(tokenizer(prompt).input_ids)
    if not tokenizer.chat_template:
        raise NoChatTemplate(
            f"{name} has no chat template, so it takes no chat turns: use the chat (instruct) "
            "version of the model, or put a chat_template.jinja into its folder"
        )
    messages = [{"role": role, "content": content} for role, content in prompt]
    text = render_chat(tokenizer, messages, add_generation_prompt=True, **(variables or {}))
    return continuation_tokens(tokenizer, text)  # the template wrote the special tokens


def continuation_tokens(tokenizer: Any, text: str) -> list[int]:
    """Return the tokens of a text that follows another one, without a token that begins a text."""
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def tokens_after(tokenizer: Any, ids: list[int], text: str) -> list[int]:
    """Return the tokens of a text that follows a prompt.

    If both the end of the prompt and the text open reasoning, it is opened once.
    """
    again = AT_START.match(text)
    if again and opening_before(tokenizer, ids):
        text = text[again.end() :]
    return continuation_tokens(tokenizer, text)


def opening_before(tokenizer: Any, ids: list[int]) -> str:
    """Return the mark with which a prompt opens reasoning at its end, or ""."""
    return opening_at_end(tokenizer.decode(ids[-TAIL:]))


class AnswerDecoder:
    """Decodes answers without special tokens, but with all marks of reasoning.

    Some tokenizers, such as Magistral's, count these marks as special tokens. Without them nobody
    could tell the reasoning from the answer.
    """

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        special = {
            number: str(token).lower()
            for number, token in tokenizer.added_tokens_decoder.items()
            if token.special
        }
        marks = {*OPENINGS, *CLOSINGS, "<|channel>"}
        marks |= CHANNELS if "<|channel|>" in special.values() else set()
        self._has_marks = any(word in marks for word in special.values())
        self._left_out = {number for number, word in special.items() if word not in marks}

    def decode(self, answers: Sequence[list[int]]) -> list[str]:
        """Return the texts of the answers, each given by its tokens."""
        if not self._has_marks:
            return list(self._tokenizer.batch_decode(answers, skip_special_tokens=True))
        kept = [[token for token in tokens if token not in self._left_out] for tokens in answers]
        return list(self._tokenizer.batch_decode(kept, skip_special_tokens=False))
