"""Finding the answer in a completion, and the demonstrations' outputs in a prompt.

They are found as characters first, then as tokens under the student's chat template.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from datagen.answers import numbers, words
from datagen.answers.characters import same_length
from datagen.answers.finders import choices
from datagen.errors import UserError
from datagen.teacher.tokens import RowText, row_text, text_offsets
from train.data.rows import Spans

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig

log = logging.getLogger("train.sft")
SPAN = "answer_span"
"""The column of the answer's tokens, [start, end]; the end is excluded."""


def with_answer_spans(
    dataset: Dataset, tokenizer: Any, args: SFTConfig, *, needed_by: str
) -> Dataset:
    """Return the rows with `answer_span`, the tokens that name the answer, in place of `answer`.

    A warning counts the rows that lose their answer by truncation.

    Args:
        dataset: with prompt, completion and answer.
        tokenizer: with the chat template.
        args: TRL's settings, which decide the truncation.
        needed_by: the flag that an error names.

    Returns:
        The rows with the start and the end of the answer's tokens. The end is excluded. Both are
        equal where there are no such tokens.

    Raises:
        UserError: no row has an answer in its completion.
    """
    keep_end = args.truncation_mode == "keep_end"
    named = sum(answer is not None for answer in dataset["answer"])
    kept = dataset.map(
        lambda row: {SPAN: list(token_span(row, tokenizer, args.max_length, keep_end=keep_end))},
        remove_columns=["answer"],
        num_proc=args.dataset_num_proc,
    )

    # a loss on answers that no row has would be 0 throughout, and the user would not notice
    found = sum(start < end for start, end in kept[SPAN])
    if not found:
        raise UserError(f"{needed_by}: no row's completion holds its `answer` within --max_length")
    if found < named and args.process_index == 0:
        lost = named - found
        what = (
            "%d of %d rows have no `answer` in what is left of the completion: it is all rationale"
        )
        log.warning(what, lost, named)
    return kept


def token_span(
    row: dict[str, Any], tokenizer: Any, max_length: int | None = None, *, keep_end: bool = False
) -> tuple[int, int]:
    """Return the answer's tokens in a row under the chat template, cut to `max_length`.

    Returns:
        Start and end of the tokens in prompt and completion. The end is excluded. Both are equal
        where there are no such tokens.
    """
    text = row_text(row, tokenizer)
    # some templates strip the content, or write the white space around thoughts in their own way
    content = row["completion"][-1]["content"].strip()
    if content not in text.completion:
        content = content.rpartition("</think>")[2].strip()
    # the last match: a prompt may hold the text of the completion too, but it comes before it
    begin = (text.prompt + text.completion).rfind(content)
    found = answer_span(content, row["answer"])
    if found is None or begin < 0:
        return 0, 0

    span = (begin + found[0], begin + found[1])
    [inside] = kept_tokens(text, [span], tokenizer, max_length, keep_end=keep_end)
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def kept_tokens(
    text: RowText,
    spans: Sequence[Sequence[int]],
    tokenizer: Any,
    max_length: int | None,
    *,
    keep_end: bool,
) -> list[list[int]]:
    """Return the tokens that overlap each span, by their places after truncation."""
    offsets = text_offsets(text, tokenizer)
    limit = len(offsets) if max_length is None else max_length
    shift = max(0, len(offsets) - limit) if keep_end else 0
    kept = list(enumerate(offsets))[shift : shift + limit]
    return [
        [t - shift for t, (left, right) in kept if left < last and right > first]
        for first, last in spans
    ]


def with_output_tokens(dataset: Dataset, tokenizer: Any, args: SFTConfig) -> Dataset:
    """Return the rows with `outputs` as places of tokens instead of characters.

    The characters count from the start of the prompt's last turn.
    """
    keep_end = args.truncation_mode == "keep_end"

    def tokens_of(row: dict[str, Any]) -> dict[str, Any]:
        text = row_text(row, tokenizer)
        # the last match: an earlier turn may hold the same text
        begin = text.prompt.rfind(row["prompt"][-1]["content"].strip())
        spans: Spans = []
        if begin >= 0:
            spans = [[begin + first, begin + last] for first, last in row["outputs"]]
        tokens = kept_tokens(text, spans, tokenizer, args.max_length, keep_end=keep_end)
        return {"outputs": tokens}

    return dataset.map(tokens_of, num_proc=args.dataset_num_proc)


def answer_span(text: str, answer: str | None) -> tuple[int, int] | None:
    """Return the characters where a text names the answer for the last time.

    A number is found however it is written ("1,200" or "twelve hundred" for "1200"). A letter is
    found where it names an option: the article "a" is not choice A. Any other answer is found as
    whole words, in upper or lower case. The search takes time linear in the length of the text.

    Returns:
        Start and end of the characters, or None. The end is excluded.

    Example:
        >>> answer_span("3 + 4 = 7. The answer is 7.", "7")
        (25, 26)
    """
    if not answer:
        return None
    text = same_length(text)
    value = numbers.parse(answer)
    if value is not None:
        found = number_spans(text, value)
    elif len(answer) == 1 and answer.isascii() and answer.isupper():
        found = choices.letter_spans(text, answer)
    else:
        found = text_spans(text, answer)
    return found[-1] if found else None


def number_spans(text: str, value: Fraction) -> list[tuple[int, int]]:
    """Return where a text writes a number in digits, or else in words."""
    digits = [m.span() for m in numbers.NUMBER.finditer(text) if numbers.value_of(m) == value]
    return digits or [
        (found.start, found.end) for found in words.find(text) if found.value == value
    ]


def text_spans(text: str, answer: str) -> list[tuple[int, int]]:
    """Return where a text holds the words of an answer, with or without commas between them."""
    parts = [re.escape(part) for part in answer.split()]
    # sequences of brackets are answers too: they are written with and without spaces
    between = r",?\s+" if any(map(str.isalnum, answer)) else r"\s*"
    pattern = rf"(?<!\w){between.join(parts)}(?!\w)"
    return [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]
