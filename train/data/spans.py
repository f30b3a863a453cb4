"""Where the answer stands in a completion, and the demonstrations' outputs in a prompt: their
characters, and their tokens under the student's chat template.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from datagen.answers import numbers
from datagen.errors import UserError
from train.data.rows import Spans

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig

log = logging.getLogger("train.sft")
SPAN = "answer_span"


def with_answer_spans(
    dataset: Dataset, tokenizer: Any, args: SFTConfig, *, needed_by: str
) -> Dataset:
    """Replace the column `answer` by `answer_span`, the tokens that name it.

    Rows that lose their answer by truncation are counted in a warning.

    Args:
        dataset: with prompt, completion and answer.
        tokenizer: with the chat template.
        args: TRL's settings of the truncation.
        needed_by: the flag that an error names.

    Returns:
        The rows with first and last + 1 of the answer's tokens; two equal numbers where there are
        none.

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

    # a loss on answers that no row has would train by nothing, and say so nowhere
    found = sum(start < end for start, end in kept[SPAN])
    if not found:
        raise UserError(f"{needed_by}: no row's completion holds its `answer` within --max_length")
    if found < named and args.process_index == 0:
        lost = named - found
        what = "%d of %d rows have no `answer` in what is kept of the completion: all is rationale"
        log.warning(what, lost, named)
    return kept


def token_span(
    row: dict[str, Any], tokenizer: Any, max_length: int | None = None, *, keep_end: bool = False
) -> tuple[int, int]:
    """The answer's tokens in prompt and completion under the chat template, cut to `max_length`.

    Returns:
        First and last + 1 of the tokens; two equal numbers where there are none.
    """
    text = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
    # some templates strip the content
    content = row["completion"][-1]["content"].strip()
    # the last place: templates repeat no completion behind itself, but a prompt may hold its text
    begin = text.rfind(content)
    found = answer_span(content, row["answer"])
    if found is None or begin < 0:
        return 0, 0

    span = (begin + found[0], begin + found[1])
    [inside] = kept_tokens(text, [span], tokenizer, max_length, keep_end=keep_end)
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def kept_tokens(
    text: str,
    spans: Sequence[Sequence[int]],
    tokenizer: Any,
    max_length: int | None,
    *,
    keep_end: bool,
) -> list[list[int]]:
    """The tokens that hold characters of each span, by their places in what truncation keeps."""
    # the template has written the special tokens already
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    offsets = encoded["offset_mapping"]
    limit = len(offsets) if max_length is None else max_length
    shift = max(0, len(offsets) - limit) if keep_end else 0
    kept = list(enumerate(offsets))[shift : shift + limit]
    return [
        [t - shift for t, (left, right) in kept if left < last and right > first]
        for first, last in spans
    ]


def with_output_tokens(dataset: Dataset, tokenizer: Any, args: SFTConfig) -> Dataset:
    """In the column `outputs`, replace the characters in the prompt's last turn by the places of
    their tokens.
    """
    keep_end = args.truncation_mode == "keep_end"

    def tokens_of(row: dict[str, Any]) -> dict[str, Any]:
        text = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
        begin = start_of_last_turn(row["prompt"], text, tokenizer)
        spans: Spans = []
        if begin >= 0:
            spans = [[begin + first, begin + last] for first, last in row["outputs"]]
        tokens = kept_tokens(text, spans, tokenizer, args.max_length, keep_end=keep_end)
        return {"outputs": tokens}

    return dataset.map(tokens_of, num_proc=args.dataset_num_proc)


def start_of_last_turn(prompt: list[dict[str, str]], text: str, tokenizer: Any) -> int:
    """The first character of the prompt's last turn in the rendered text; -1 where it is not."""
    # an earlier turn may hold the same text, so the search begins behind it
    head = ""
    if len(prompt) > 1:
        head = tokenizer.apply_chat_template(prompt[:-1], tokenize=False)
    return text.find(prompt[-1]["content"].strip(), len(head) if text.startswith(head) else 0)


def answer_span(text: str, answer: str | None) -> tuple[int, int] | None:
    """The characters where a text last names the answer. The search is linear in the text.

    A number is found in whatever way it is written ("1,200" for "1200"). Other answers are found
    as a word of their own, in upper or lower case.

    Returns:
        First and last + 1 of the characters, or None.

    Example:
        >>> answer_span("3 + 4 = 7. The answer is 7.", "7")
        (25, 26)
    """
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
