"""Where the answer stands in a completion, and the demonstrations' outputs in a prompt: their
characters, and their tokens under the student's chat template."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from datagen.answers import numbers
from datagen.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig

log = logging.getLogger("train.sft")
SPAN = "answer_span"


def with_spans(
    dataset: Dataset, tokenizer: Any, args: SFTConfig, *, needed_by: str = "--answer_weight"
) -> Dataset:
    """`answer_span`, first and last + 1 of the tokens that are kept, in the place of `answer`;
    equal where there is none. Warns of rows that have lost theirs. Raises UserError where no row
    has one."""
    named = sum(answer is not None for answer in dataset["answer"])
    kept = dataset.map(
        lambda row: {
            SPAN: list(
                token_span(
                    row, tokenizer, args.max_length, keep_end=args.truncation_mode == "keep_end"
                )
            )
        },
        remove_columns=["answer"],
        num_proc=args.dataset_num_proc,
    )
    found = sum(start < end for start, end in kept[SPAN])
    if not found:
        raise UserError(f"{needed_by}: no row's completion holds its `answer` within --max_length")
    if found < named and args.process_index == 0:
        log.warning(
            "%d of %d rows have no `answer` in what is kept of the completion: all is rationale",
            named - found,
            named,
        )
    return kept


def token_span(
    row: dict[str, Any], tokenizer: Any, max_length: int | None = None, *, keep_end: bool = False
) -> tuple[int, int]:
    """First and last + 1 of the answer's tokens in prompt and completion under the chat template,
    cut to `max_length`; two equal numbers where there are none."""
    text = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
    content = row["completion"][-1]["content"].strip()
    begin, found = text.rfind(content), answer_span(content, row["answer"])
    if found is None or begin < 0:
        return 0, 0
    [inside] = kept_tokens(
        text, [(begin + found[0], begin + found[1])], tokenizer, max_length, keep_end=keep_end
    )
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def kept_tokens(
    text: str,
    spans: Sequence[Sequence[int]],
    tokenizer: Any,
    max_length: int | None,
    *,
    keep_end: bool,
) -> list[list[int]]:
    """The tokens that hold characters of each span, by their places in what is kept of `max_length`
    tokens."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)[
        "offset_mapping"
    ]
    limit = len(offsets) if max_length is None else max_length
    shift = max(0, len(offsets) - limit) if keep_end else 0
    kept = list(enumerate(offsets))[shift : shift + limit]
    return [
        [t - shift for t, (left, right) in kept if left < last and right > first]
        for first, last in spans
    ]


def with_shown(dataset: Dataset, tokenizer: Any, args: SFTConfig) -> Dataset:
    """In `shown` the characters of the demonstrations' outputs in the last turn become their
    tokens' places."""

    def tokens_of(row: dict[str, Any]) -> dict[str, Any]:
        text = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
        head = (
            tokenizer.apply_chat_template(row["prompt"][:-1], tokenize=False)
            if len(row["prompt"]) > 1
            else ""
        )
        begin = text.find(
            row["prompt"][-1]["content"].strip(), len(head) if text.startswith(head) else 0
        )
        spans = (
            [(begin + first, begin + last) for first, last in row["shown"]] if begin >= 0 else []
        )
        keep_end = args.truncation_mode == "keep_end"
        return {"shown": kept_tokens(text, spans, tokenizer, args.max_length, keep_end=keep_end)}

    return dataset.map(tokens_of, num_proc=args.dataset_num_proc)


def answer_span(text: str, answer: str | None) -> tuple[int, int] | None:
    """First and last + 1 of the characters of the answer's last mention, or None: a number in
    whatever way it is written ("1,200" for "1200"), other answers as a word of their own, in any
    case. Linear in the text."""
    if not answer:
        return None
    value = numbers.parse(answer)
    if value is not None:
        found = [
            match for match in numbers.NUMBER.finditer(text) if numbers.value_of(match) == value
        ]
    else:
        found = list(re.finditer(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE))
    return found[-1].span() if found else None
