"""A model's own tokenizer, and a prompt's tokens under its chat template."""

from __future__ import annotations

from typing import Any

from datagen.errors import NoChatTemplate, UserError
from datagen.teacher.base import Messages
from datagen.teacher.chat import render_chat
from datagen.teacher.spec import check_folder


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


def prompt_tokens(tokenizer: Any, prompt: str | Messages, name: str) -> list[int]:
    """Return the tokens of a text, or of messages under the chat template.

    Messages are followed by the template's opening of an answer.

    Args:
        tokenizer: the model's tokenizer.
        prompt: a text or messages.
        name: the teacher's name, for the error.

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
    text = render_chat(tokenizer, messages, add_generation_prompt=True)
    return continuation_tokens(tokenizer, text)  # the template wrote the special tokens


def continuation_tokens(tokenizer: Any, text: str) -> list[int]:
    """Return the tokens of a text that follows another one, without a token that begins a text."""
    return list(tokenizer(text, add_special_tokens=False).input_ids)
