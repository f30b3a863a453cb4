"""Where the answer stands in a completion, and a trainer that weighs it against the rationale."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from datagen.answers import numbers
from datagen.errors import UserError
from train.losses import span_weights
from train.student import StudentTrainer

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig

log = logging.getLogger("train.sft")
SPAN = "answer_span"


class SpanTrainer(StudentTrainer):
    """(1−α) · L_rationale + α · L_answer (`losses.rationale_answer`): the answer's tokens are one span, all other
    tokens of the completion, its end among them, the other. Each is normalised over the whole step, across accumulated
    batches and devices."""

    def __init__(self, *args: Any, answer_weight: float, **kwargs: Any):
        self.answer_weight = answer_weight
        super().__init__(*args, **kwargs)
        self.data_collator = SpanCollator(
            pad_token_id=self._tokenizer.pad_token_id, pad_to_multiple_of=self.args.pad_to_multiple_of
        )

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        weights = span_weights(**spans(inputs), alpha=self.answer_weight, counts=self.counts)
        del inputs["answer_mask"]

        def weighted(**batch: Any) -> Any:
            outputs = model(**batch)
            outputs.log_probs = outputs.log_probs * weights
            return outputs

        return super().compute_loss(weighted, inputs, return_outputs, num_items_in_batch=1)  # the weights divide

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        counts = sum(torch.stack([mask.sum() for mask in spans(batch).values()]) for batch in batch_samples)
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            counts = self.accelerator.gather(counts.to(device)[None]).sum(0)
        self.counts = counts.to(device) if batch_samples else None
        return super()._get_num_items_in_batch(batch_samples, device)

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: SFTConfig, *rest: Any) -> Any:
        return super()._prepare_dataset(with_spans(dataset, processing_class, args), processing_class, args, *rest)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns: list[str] = sorted({*self._signature_columns, SPAN})


@dataclass
class SpanCollator(DataCollatorForLanguageModeling):
    """TRL's batch, and `answer_mask` (B, T): true at the tokens of the answer."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch = super().torch_call(examples)
        batch["answer_mask"] = torch.zeros_like(batch["labels"], dtype=torch.bool)
        for mask, example in zip(batch["answer_mask"], examples, strict=True):
            mask[slice(*example[SPAN])] = True
        return dict(batch)


def spans(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The masks of both spans, (B, T−1): the first token is predicted by nothing."""
    learned, answer = batch["labels"][:, 1:] != -100, batch["answer_mask"][:, 1:]
    return {"rationale": learned & ~answer, "answer": learned & answer}


def with_spans(dataset: Dataset, tokenizer: Any, args: SFTConfig) -> Dataset:
    """`answer_span`, first and last + 1 of the tokens that are kept, in the place of `answer`; equal where there is
    none. Warns of such rows. Raises UserError where no row has one."""
    kept = dataset.map(
        lambda row: {
            SPAN: list(token_span(row, tokenizer, args.max_length, keep_end=args.truncation_mode == "keep_end"))
        },
        remove_columns=["answer"],
        num_proc=args.dataset_num_proc,
    )
    without = sum(start == end for start, end in kept[SPAN])
    if without == len(kept):
        raise UserError("--answer_weight: no row's completion holds its `answer` within --max_length")
    if without and args.process_index == 0:
        log.warning(
            "%d of %d rows have no `answer` in what is kept of the completion: all is rationale", without, len(kept)
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
