"""Reading a column of stored probabilities, and checking it against the student's tokens.

`teacher_topk` of a row covers the tokens of its completion, including the end of turn:

    tokens     list<int32>            the completion's tokens under the teacher's tokenizer
    ids        list<list<int32>>      for each, the K most probable tokens in its place
    logprobs   list<list<float16>>    their log-probabilities under the full softmax, in nats
    tail       list<float32>          the probability of all other tokens together
    tokenizer  string                 fingerprint of the tokenizer

`teacher_topk_prompt` covers the tokens of the prompt, from the second token on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from datagen.errors import UserError
from datagen.schema import PROMPT_TOPK, TOPK
from datagen.teacher.tokens import row_tokens, tokenizer_fingerprint

if TYPE_CHECKING:
    from datasets import Dataset

ROW = "row"
"""The column of a row's number, by which its probabilities are found after TRL's preparation."""
FIELDS = ("tokens", "ids", "logprobs", "tail", "tokenizer")
SLACK = 1e-3
"""How far a stored number may exceed the range of a probability. The log-probabilities are float16,
whose 11 significant bits give a relative error of 5e-4."""


class Stored:
    """A column of stored probabilities, read one row at a time.

    Args:
        dataset: the rows.
        column: its name.
        k: how many probabilities each token has. Default: as many as the first token.

    Raises:
        UserError: the column lacks a field.
    """

    def __init__(self, dataset: Dataset, column: str = TOPK, *, k: int | None = None):
        self.column = column
        self.part = "prompt" if column == PROMPT_TOPK else "completion"
        fields = dataset.features[column]
        missing = [field for field in FIELDS if not isinstance(fields, dict) or field not in fields]
        if missing:
            raise UserError(
                f"the column {column} has no {', '.join(missing)}: it is not what `train kd` reads"
            )
        # Arrow keeps the column memory-mapped: the probabilities of a large version are far larger
        # than its texts
        self.rows = dataset.select_columns([column]).with_format("arrow")
        ids = (self.field(row, "ids") for row in range(len(self.rows)))
        self.k = k or next((len(first[0]) for first in ids if len(first)), 0)

    def field(self, row: int, name: str) -> Any:
        """Return one field of one row, as an Arrow array."""
        return self.rows[row][self.column].combine_chunks().field(name).flatten()

    def tensors(self, row: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return ids (n, K), log-probabilities (n, K) and tail (n,) of the n tokens of a row."""
        # stored in 16 bits, computed in 32: the loss subtracts numbers of nearly equal size
        tail = self.numbers(self.field(row, "tail")).float()
        ids, logprobs = (
            self.numbers(self.field(row, name).flatten()) for name in ("ids", "logprobs")
        )
        shape = (len(tail), self.k)
        return ids.long().view(shape), logprobs.float().view(shape), tail

    @staticmethod
    def numbers(values: Any) -> Tensor:
        """Return an Arrow array as a tensor."""
        return torch.from_numpy(values.to_numpy(zero_copy_only=False).copy())

    def check_tokenizer(self, tokenizer: Any, dataset: Dataset) -> None:
        """Check that every row has probabilities, of the student's tokenizer.

        Raises:
            UserError: it names the first row or the first token that differs.
        """
        own = tokenizer_fingerprint(tokenizer)
        batches = (batch[self.column].combine_chunks() for batch in self.rows.iter(1000))
        names = list(chain.from_iterable(batch.field("tokenizer").to_pylist() for batch in batches))
        if None in names:
            why = (
                "; --lm_weight needs the teacher to have seen the student's prompt"
                if self.part == "prompt"
                else ""
            )
            raise UserError(f"{self.column} of row {names.index(None)}: nothing is stored{why}")
        if others := sorted(set(names) - {own}):
            where = self.first_difference(tokenizer, dataset)
            raise UserError(
                f"{self.column} was stored with another tokenizer ({', '.join(others)}) than the "
                f"student's ({own}){where}; take a student of the teacher's family, or `train gkd "
                "--cross_tokenizer`"
            )

    def first_difference(self, tokenizer: Any, dataset: Dataset) -> str:
        """Return the first difference that the student's tokenizer makes in the first rows.

        The text continues an error message. It is empty if there is no difference.
        """
        # the text only helps to find the cause, so it is not searched for in all rows
        for row in range(min(len(dataset), 100)):
            prompt, completion = row_tokens(dataset[row], tokenizer)
            ours = completion if self.part == "completion" else prompt[1:]
            for place, (stored, own) in enumerate(
                zip(self.field(row, "tokens").to_pylist(), ours, strict=False)
            ):
                if stored != own:
                    text = tokenizer.decode([own])
                    return (
                        f": token {place} of row {row}'s {self.part} is {own} ({text!r}) for "
                        f"the student, and {stored} is stored"
                    )
        return ""

    def check_rows(self, prepared: Dataset, tokenizer: Any) -> None:
        """Check that each row's stored tokens are those that the student learns.

        Truncation may have cut the learned tokens; the stored ones must begin with them.

        Raises:
            UserError: a row is of another text, or a token does not have its K probabilities.
        """
        for row, ids, labels in zip(
            prepared[ROW], prepared["input_ids"], prepared["labels"], strict=True
        ):
            self.check_form(row, len(tokenizer))
            learned = self.learned(ids, labels)
            # not strict: truncation may have cut the learned tokens
            for place, pair in enumerate(
                zip(self.field(row, "tokens").to_pylist(), learned, strict=False)
            ):
                if pair[0] != pair[1]:
                    then, now = (tokenizer.decode([token]) for token in pair)
                    raise UserError(
                        f"{self.column} of row {row} is of another text: token {place} of the "
                        f"{self.part} was {then!r} when it was stored and is {now!r} under the "
                        "student's chat template"
                    )

    def learned(self, ids: Sequence[int], labels: Sequence[int]) -> list[int]:
        """Return the tokens of a row that the column covers."""
        if self.part == "completion":
            return [label for label in labels if label != -100]
        return list(ids[1 : next(place for place, label in enumerate(labels) if label != -100)])

    def check_form(self, row: int, vocabulary: int) -> None:
        """Check the lengths and ranges of one row.

        Raises:
            UserError: a length, a number or a token does not fit.
        """
        import pyarrow.compute as pc

        tokens, tail, *lists = (
            self.field(row, name) for name in ("tokens", "tail", "ids", "logprobs")
        )
        lengths = {len(tail), *map(len, lists)} == {len(tokens)}
        widths = set[int]().union(*(pc.list_value_length(each).to_pylist() for each in lists))
        if not (lengths and widths <= {self.k}):
            raise UserError(
                f"{self.column} of row {row}: every token needs {self.k} ids and log-probabilities"
                ", and a tail"
            )
        if not (in_range(lists[1].flatten(), -math.inf, SLACK) and in_range(tail, 0, 1 + SLACK)):
            raise UserError(
                f"{self.column} of row {row}: a log-probability or a tail is no number, or out of "
                "range"
            )
        if (largest := pc.max(lists[0].flatten()).as_py() or 0) >= vocabulary:
            raise UserError(f"{self.column} of row {row}: the tokenizer has no token {largest}")


def in_range(values: Any, low: float, high: float) -> bool:
    """Return whether all values are finite numbers from `low` to `high`."""
    import numpy as np

    found = values.to_numpy(zero_copy_only=False).astype(np.float64)
    return bool((np.isfinite(found) & (found >= low) & (found <= high)).all())
