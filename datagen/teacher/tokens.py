"""Tokens of a row under a tokenizer's chat template, and which tokenizer that is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datagen.errors import Refused, UserError
from datagen.teacher.chat.template import after_answer, render_chat

THOUGHTS = re.compile(r"(</?think>)")
"""The marks around thoughts. Many templates write the white space around them in their own way."""
SHOWN = 60
"""Characters of a text that a message shows."""


class TemplateMisfit(UserError):
    """The chat template cannot write a row: it refuses its turns, or leaves out a part of them."""


@dataclass(frozen=True)
class RowText:
    """A row under a chat template: the text of its prompt, and the text that follows it."""

    prompt: str
    """It ends with the template's opening of an answer, exactly as a model is asked it."""
    completion: str
    """With the end of the turn."""
    primed: str = ""
    """What the template itself writes before the answer's text, if this may not fit the answer."""

    @property
    def starts_elsewhere(self) -> bool:
        """Whether the completion does not fit what the template writes at the start of an answer.

        The template opens thoughts that the completion never closes, or it closes them and the
        completion thinks.
        """
        opened = self.primed.count("<think>") > self.primed.count("</think>")
        return bool(self.primed) and opened == ("</think>" not in self.completion)


def row_text(row: Mapping[str, Any], tokenizer: Any, *, number: int | None = None) -> RowText:
    """Return the text of a row's prompt and completion under the chat template.

    Templates may write a prompt otherwise once an answer follows. The text of the prompt is always
    the one with which a model is asked.

    Args:
        row: prompt and completion as chat turns.
        tokenizer: with the chat template.
        number: names the row in errors if it has no id.

    Raises:
        TemplateMisfit: the template refuses the row or leaves out a part of its completion.
    """
    known = row.get("id", number)
    name = "a row" if known is None else f"row {known}"
    try:
        prompt = render_chat(tokenizer, row["prompt"], add_generation_prompt=True)
        whole = render_chat(tokenizer, [*row["prompt"], *row["completion"]])
        end = after_answer(tokenizer)
    except Refused as error:
        raise TemplateMisfit(f"{name}: {error}") from None

    answer = row["completion"][-1]["content"]
    body = whole.removesuffix(end).rstrip()
    start = start_of(answer, body)
    if start is None:
        own = body[shared_length(prompt, body) :]
        raise TemplateMisfit(fault(answer.strip(), own, f"the completion of {name}"))
    if whole.startswith(prompt):
        written = whole[len(prompt) : start]
        twice = "</think>" in written and "</think>" in answer
        return RowText(prompt, whole[len(prompt) :], written if twice else "")

    shared = shared_length(prompt, whole[:start])
    primed = prompt[shared:]
    if not primed.strip():
        # only white space differs, such as the line after an opened block of thoughts
        return RowText(prompt, whole[shared:start].lstrip() + whole[start:])
    rest = whole[start:]
    # the prompt may have opened the answer's thoughts already
    continued = rest.removeprefix(primed.strip())
    return RowText(prompt, rest if continued == rest else continued.lstrip("\n"), primed)


def start_of(answer: str, body: str) -> int | None:
    """Return where the answer starts at the end of a rendered conversation, or None.

    White space at its ends and around the marks of thoughts does not count.

    Args:
        answer: the text of the last turn.
        body: the conversation up to what the template writes after an answer.
    """
    if body.endswith(answer.rstrip()):
        return len(body) - len(answer.rstrip())
    if body.endswith(answer.strip()):
        return len(body) - len(answer.strip())
    pieces = [piece.strip() for piece in THOUGHTS.split(answer)]
    pattern = r"\s*".join(re.escape(piece) for piece in pieces if piece)
    found = re.search(rf"{pattern}\Z", body)
    return found.start() if found else None


def fault(answer: str, written: str, name: str) -> str:
    """Return what a chat template did to an answer.

    Args:
        answer: the text.
        written: what the template wrote in its place.
        name: of the answer, for the message.
    """
    start = shared_length(answer, written)
    end = shared_length(answer[::-1], written[::-1])
    lost = answer[start : max(start, len(answer) - end)]
    shown = " ".join(lost.split())
    if not shown:
        return f"the chat template changes the white space in {name}"
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
    return f"the chat template leaves out {len(lost.strip())} characters of {name} ({shown!r})"


def shared_length(first: str, second: str) -> int:
    """Return how many characters two texts have in common at their start."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))


def encode(text: str, tokenizer: Any) -> list[int]:
    """Return the tokens of a rendered text."""
    # the template writes the special tokens, so the tokenizer must not add them again
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def text_tokens(text: RowText, tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the tokens of a row's prompt and the tokens of its completion."""
    prompt = encode(text.prompt, tokenizer)
    whole = encode(text.prompt + text.completion, tokenizer)
    if whole[: len(prompt)] == prompt:
        return prompt, whole[len(prompt) :]
    # a token would cover the end of the prompt and the start of the completion, but a model that
    # is asked gets the tokens of the prompt alone
    return prompt, encode(text.completion, tokenizer)


def text_offsets(text: RowText, tokenizer: Any) -> list[tuple[int, int]]:
    """Return the characters of each token of `text_tokens`, counted from the prompt's start."""

    def offsets(part: str) -> list[tuple[int, int]]:
        encoded = tokenizer(part, add_special_tokens=False, return_offsets_mapping=True)
        return [(first, last) for first, last in encoded["offset_mapping"]]

    whole = text.prompt + text.completion
    prompt, completion = text_tokens(text, tokenizer)
    if encode(whole, tokenizer) == prompt + completion:
        return offsets(whole)
    shift = len(text.prompt)
    behind = [(shift + first, shift + last) for first, last in offsets(text.completion)]
    return offsets(text.prompt) + behind


def row_tokens(
    row: Mapping[str, Any], tokenizer: Any, *, number: int | None = None
) -> tuple[list[int], list[int]]:
    """Return the tokens of a row's prompt and the tokens of its completion.

    The prompt ends with the template's opening of an answer, as a teacher is asked it. The
    completion includes the end of the turn.

    Args:
        row: prompt and completion as chat turns.
        tokenizer: with the chat template.
        number: names the row in errors if it has no id.

    Raises:
        TemplateMisfit: the template refuses the row or leaves out a part of its completion.
    """
    return text_tokens(row_text(row, tokenizer, number=number), tokenizer)


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """Return 16 hex digits of a hash over the tokens and their ids.

    Two tokenizers have the same fingerprint if every id means the same token in both. It does not
    matter to what size a model pads its vocabulary.
    """
    vocabulary = sorted((number, token) for token, number in tokenizer.get_vocab().items())
    return hashlib.sha256(json.dumps(vocabulary).encode()).hexdigest()[:16]
