"""The token that ends a student's answers: found in its chat template, and set everywhere."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from datagen.errors import Refused, UserError
from datagen.teacher.chat.template import after_answer, end_tokens, stop_tokens
from train.data.tokenising import OTHER_TEMPLATE
from train.trl.forward import unwrapped

log = logging.getLogger("train.sft")
TEMPLATE_FILES = (".jinja", ".j2")
"""Suffixes by which TRL tells the file of a template from a model whose template is taken."""


def use_template(tokenizer: Any, path: str | None) -> bool:
    """Set the chat template that `--chat_template_path` names, if it is a file.

    Returns:
        Whether the tokenizer has its final template. TRL takes over the template of a model, and
        the tokens that this template needs, when it opens the student.

    Raises:
        UserError: the file cannot be read, or its name does not end as TRL wants it.
    """
    if not path:
        return True
    is_template = path.endswith(TEMPLATE_FILES)
    if not (is_template or Path(path).is_file()):
        return False
    if not is_template:
        raise UserError(
            f"--chat_template_path {path}: the name of a template's file ends in .jinja"
        )
    try:
        tokenizer.chat_template = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"--chat_template_path {path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--chat_template_path {path}: cannot be read ({error})") from None
    return True


def set_end_of_turn(tokenizer: Any, given: str | None = None) -> None:
    """Make a token that the chat template writes after an answer the tokenizer's end token.

    Args:
        tokenizer: the student's, with its chat template.
        given: the end token that `--eos_token` names. It wins.

    Raises:
        UserError: the template ends an answer with no token, so the student could not learn to
            stop; or the tokenizer does not have the token `given`.
    """
    ends = template_ends(tokenizer)
    if given is not None and given not in tokenizer.get_vocab():
        raise UserError(f"--eos_token {given}: the tokenizer has no such token")
    # a template may write the tokenizer's own end token after its end of turn
    if given is None and tokenizer.eos_token_id in ends:
        return
    token = given or tokenizer.convert_ids_to_tokens(ends[0])
    if token != tokenizer.eos_token:
        log.info("the end of turn is %s, not %s", token, tokenizer.eos_token)
        tokenizer.eos_token = token


def template_ends(tokenizer: Any) -> list[int]:
    """Return the ids of the special tokens that the chat template writes after an answer.

    Raises:
        UserError: there is none, so the student could not learn to stop.
    """
    try:
        ends = end_tokens(tokenizer)
        rest = after_answer(tokenizer).strip()
    except Refused as error:
        raise UserError(f"{error}; {OTHER_TEMPLATE}") from None
    if not ends:
        what = f"only {rest!r}, which is no special token of the tokenizer," if rest else "nothing"
        raise UserError(
            f"the chat template writes {what} after an answer, so the student would never learn to "
            f"stop; {OTHER_TEMPLATE}"
        )
    return ends


def set_stop_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Let the model stop at every token that ends an answer, and return their ids.

    Saved students carry the ids in their generation config, which transformers and vLLM read.

    Args:
        model: the student.
        tokenizer: its tokenizer, after `set_end_of_turn`.
    """
    student = unwrapped(model)
    ends = sorted(stop_tokens(tokenizer, student.generation_config))
    student.config.get_text_config().eos_token_id = tokenizer.eos_token_id
    student.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    return ends
