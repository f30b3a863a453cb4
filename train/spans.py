"""Where the answer stands in a completion: its characters, and its tokens under the student's chat template."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from datagen.answers import numbers
from datagen.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig

log = logging.getLogger("train.sft")
SPAN = "answer_span"


def with_spans(dataset: Dataset, tokenizer: Any, args: SFTConfig, *, needed_by: str = "--answer_weight") -> Dataset:
    """`answer_span`, first and last + 1 of the tokens that are kept, in the place of `answer`; equal where there is
    none. Warns of rows that have lost theirs. Raises UserError where no row has one."""
    named = sum(answer is not None for answer in dataset["answer"])
    kept = dataset.map(
        lambda row: {
            SPAN: list(token_span(row, tokenizer, args.max_length, keep_end=args.truncation_mode == "keep_end"))
        },
        remove_columns=["answer"],
        num_proc=args.dataset_num_proc,
    )
    found = sum(start < end for start, end in kept[SPAN])
    if not found:
        raise UserError(f"{needed_by}: no row's completion holds its `answer` within --max_length")
    if found < named and args.process_index == 0:
        log.warning(
            "%d of %d rows have no `answer` in what is kept of the completion: all is rationale", named - found, named
        )
    return kept


def token_span(
    row: dict[str, Any], tokenizer: Any, max_length: int | None = None, *, keep_end: bool = False
) -> tuple[int, int]:
    """First and last + 1 of the answer's tokens in prompt and completion under the chat template, cut to `max_length`;
    two equal numbers where there are none."""
    text = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
    content = row["completion"][-1]["content"].strip()
    begin, found = text.rfind(content), answer_span(content, row["answer"])
    if found is None or begin < 0:
        return 0, 0
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    first, last = begin + found[0], begin + found[1]
    tokens = [t for t, (left, right) in enumerate(offsets) if left < last and right > first]
    limit = len(offsets) if max_length is None else max_length
    shift = max(0, len(offsets) - limit) if keep_end else 0
    inside = [t - shift for t in tokens if 0 <= t - shift < limit]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def answer_span(text: str, answer: str | None) -> tuple[int, int] | None:
    """First and last + 1 of the characters of the answer's last mention, or None: a number in whatever way it is
    written ("1,200" for "1200"), other answers as a word of their own, in any case. Linear in the text."""
    if not answer:
        return None
    value = numbers.parse(answer)
    if value is not None:
        found = [match for match in numbers.NUMBER.finditer(text) if numbers.value_of(match) == value]
    else:
        found = list(re.finditer(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE))
    return found[-1].span() if found else None
