"""A trainer that learns from stored probabilities: their column checked and collated, the head that compares them.

The column `teacher_topk` of a row, for the tokens of its completion, the end of turn among them:

    tokens     list<int32>            the completion's tokens under the teacher's tokenizer
    ids        list<list<int32>>      of each, the K most probable tokens in its place
    logprobs   list<list<float16>>    their log-probabilities under the full softmax, in nats
    tail       list<float32>          the probability of all others together
    tokenizer  string                 fingerprint of the tokenizer
"""

from __future__ import annotations

import functools
import math
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from trl.trainer.utils import FusedCausalLMOutput

from datagen.errors import UserError
from datagen.teacher.tokens import row_tokens, tokenizer_fingerprint
from train.losses import chunked, token_log_probs, topk_divergence
from train.student import StudentTrainer

if TYPE_CHECKING:
    from datasets import Dataset

    from train.kd import KdArguments

COLUMN, ROW = "teacher_topk", "row"
FIELDS = ("tokens", "ids", "logprobs", "tail", "tokenizer")
NOT_STORED = -1.0
SLACK = 1e-3
"""By which 16 bits may pass what a probability can be."""
SCALES = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
"""What some architectures do to the logits behind the head, in their configurations' words."""


class TopkTrainer(StudentTrainer):
    """sft_weight · cross-entropy + kd_weight · divergence from the stored probabilities, mean over the tokens."""

    def __init__(self, *args: Any, kd: KdArguments, **kwargs: Any):
        self.kd = kd
        super().__init__(*args, **kwargs)
        self.data_collator = TopkCollator(
            pad_token_id=self._tokenizer.pad_token_id,
            pad_to_multiple_of=self.args.pad_to_multiple_of,
            stored=self.stored,
        )
        add_topk_head(getattr(self.model, "get_base_model", lambda: self.model)(), kd)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        def mixed(**batch: Any) -> Any:
            outputs = model(**batch)
            self.note(outputs)
            outputs.log_probs = self.kd.sft_weight * outputs.log_probs - self.kd.kd_weight * outputs.divergence
            return outputs

        return super().compute_loss(mixed, inputs, return_outputs, num_items_in_batch)

    def note(self, outputs: Any) -> None:
        """Both parts of the loss, for the log: means over the batches of all devices."""
        sums = torch.stack([outputs.divergence.sum(), -outputs.log_probs.sum(), outputs.label_mask.sum()]).detach()
        kd, nll, tokens = self.accelerator.reduce(sums).tolist()
        for name, value in (("kd", kd), ("nll", nll)):
            self._metrics["train"][name].append(value / max(tokens, 1))

    def _prepare_dataset(self, dataset: Any, processing_class: Any, *rest: Any) -> Any:
        """The probabilities stay where they lie, memory-mapped; rows carry only their number through TRL's steps."""
        self.stored = Stored(dataset)
        self.stored.check_tokenizer(processing_class, dataset)
        rows = dataset.remove_columns([COLUMN]).add_column(ROW, list(range(len(dataset))))
        prepared = super()._prepare_dataset(rows, processing_class, *rest)
        self.stored.check_rows(prepared, processing_class)
        return prepared

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns: list[str] = sorted({*self._signature_columns, ROW})


class Stored:
    """The column `teacher_topk` of a dataset, read a row at a time. Raises UserError where it is of another form."""

    def __init__(self, dataset: Dataset):
        column = dataset.features[COLUMN]
        missing = [field for field in FIELDS if not isinstance(column, dict) or field not in column]
        if missing:
            raise UserError(f"the column {COLUMN} has no {', '.join(missing)}: it is not what `train kd` reads")
        self.rows = dataset.select_columns([COLUMN]).with_format("arrow")
        ids = (self.field(row, "ids") for row in range(len(self.rows)))
        self.k = next((len(first[0]) for first in ids if len(first)), 0)

    def field(self, row: int, name: str) -> Any:
        """One field of one row, as an Arrow array."""
        return self.rows[row][COLUMN].combine_chunks().field(name).flatten()

    def tensors(self, row: int) -> tuple[Tensor, Tensor, Tensor]:
        """Ids (n, K), log-probabilities (n, K) and tail (n,) of the n tokens of a row's completion."""
        tail = self.numbers(self.field(row, "tail")).float()
        ids, logprobs = (self.numbers(self.field(row, name).flatten()) for name in ("ids", "logprobs"))
        shape = (len(tail), self.k)
        return ids.long().view(shape), logprobs.float().view(shape), tail

    @staticmethod
    def numbers(values: Any) -> Tensor:
        return torch.from_numpy(values.to_numpy(zero_copy_only=False).copy())

    def check_tokenizer(self, tokenizer: Any, dataset: Dataset) -> None:
        """Every row has probabilities, of the student's tokenizer. Raises UserError naming the first token that is
        another."""
        own = tokenizer_fingerprint(tokenizer)
        batches = (batch[COLUMN].combine_chunks() for batch in self.rows.iter(1000))
        names = [name for batch in batches for name in batch.field("tokenizer").to_pylist()]
        if None in names:
            raise UserError(f"{COLUMN} of row {names.index(None)}: nothing is stored")
        if others := sorted(set(names) - {own}):
            raise UserError(
                f"{COLUMN} was stored with another tokenizer ({', '.join(others)}) than the student's ({own})"
                f"{self.first_difference(tokenizer, dataset)}; take a student of the teacher's family, or `train gkd "
                "--cross_tokenizer`"
            )

    def first_difference(self, tokenizer: Any, dataset: Dataset) -> str:
        """Where the two read the first rows otherwise; nothing where they do not."""
        for row in range(min(len(dataset), 100)):
            ours = row_tokens(dataset[row], tokenizer)[1]
            for place, (stored, own) in enumerate(zip(self.field(row, "tokens").to_pylist(), ours, strict=False)):
                if stored != own:
                    text = tokenizer.decode([own])
                    return f": token {place} of row {row}'s completion is {own} ({text!r}) to it and was {stored}"
        return ""

    def check_rows(self, prepared: Dataset, tokenizer: Any) -> None:
        """Each row's stored tokens begin the tokens that the student learns, as far as these are kept, and every one
        has its K. Raises UserError."""
        for row, labels in zip(prepared[ROW], prepared["labels"], strict=True):
            self.check_form(row, len(tokenizer))
            learned = [label for label in labels if label != -100]
            for place, pair in enumerate(zip(self.field(row, "tokens").to_pylist(), learned, strict=False)):
                if pair[0] != pair[1]:
                    then, now = (tokenizer.decode([token]) for token in pair)
                    raise UserError(
                        f"{COLUMN} of row {row} is of another text: token {place} of the completion was {then!r} "
                        f"when it was stored and is {now!r} under the student's chat template"
                    )

    def check_form(self, row: int, vocabulary: int) -> None:
        import pyarrow.compute as pc

        tokens, tail, *lists = (self.field(row, name) for name in ("tokens", "tail", "ids", "logprobs"))
        lengths = {len(tail), *map(len, lists)} == {len(tokens)}
        widths = {k for each in lists for k in pc.list_value_length(each).to_pylist()} <= {self.k}
        if not (lengths and widths):
            raise UserError(f"{COLUMN} of row {row}: every token needs {self.k} ids and log-probabilities, and a tail")
        if not (in_range(lists[1].flatten(), -math.inf, SLACK) and in_range(tail, 0, 1 + SLACK)):
            raise UserError(f"{COLUMN} of row {row}: a log-probability or a tail is no number, or out of range")
        if (largest := pc.max(lists[0].flatten()).as_py() or 0) >= vocabulary:
            raise UserError(f"{COLUMN} of row {row}: the tokenizer has no token {largest}")


def in_range(values: Any, low: float, high: float) -> bool:
    """Whether all are finite numbers from `low` to `high`."""
    import numpy as np

    found = values.to_numpy(zero_copy_only=False).astype(np.float64)
    return bool((np.isfinite(found) & (found >= low) & (found <= high)).all())


@dataclass
class TopkCollator(DataCollatorForLanguageModeling):
    """TRL's batch, and in the place of every label what the teacher thought of it: `topk_ids` and `topk_logprobs`
    (B, T, K), `topk_tail` (B, T), which is below 0 where nothing is stored."""

    stored: Stored | None = None

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch = super().torch_call(examples)
        found = [self.stored.tensors(example[ROW]) for example in examples]  # type: ignore[union-attr]
        shape, k = batch["labels"].shape, found[0][0].shape[1]
        batch["topk_ids"] = torch.arange(k).expand(*shape, k).clone()
        batch["topk_logprobs"] = torch.zeros(*shape, k)
        batch["topk_tail"] = torch.full(shape, NOT_STORED)
        for b, tensors in enumerate(found):
            start = int((batch["labels"][b] != -100).int().argmax())
            end = min(start + len(tensors[0]), len(examples[b]["input_ids"]))
            for name, values in zip(("topk_ids", "topk_logprobs", "topk_tail"), tensors, strict=True):
                batch[name][b, start:end] = values[: end - start]
        return dict(batch)


@dataclass
class TopkOutput(FusedCausalLMOutput):
    """TRL's output of its fused head, and the divergence (B, T−1) of each label; 0 where it is −100 or not stored."""

    divergence: Tensor | None = None


def add_topk_head(model: Any, kd: KdArguments) -> None:
    """`model(..., topk_ids=, topk_logprobs=, topk_tail=, labels=)` gives a `TopkOutput`, in chunks of positions and
    only of those that have a label. Without these the forward is what it was.

    Raises UserError for a head whose logits are scaled afterwards.
    """
    config = model.config.get_text_config()
    if scales := [name for name in SCALES if getattr(config, name, None) not in (None, 1)]:
        raise UserError(f"train kd knows no logits with a {scales[0]}, as {config.model_type} has them")
    before = model.forward

    def per_position(logits: Tensor, labels: Tensor, *stored: Tensor) -> tuple[Tensor, ...]:
        divergence = topk_divergence(logits, *stored, kind=kd.divergence, temperature=kd.temperature)
        log_probs = token_log_probs(logits, labels)
        with torch.no_grad():
            own = logits.log_softmax(-1)
            return divergence, log_probs, -(own.exp() * own).sum(-1), own.argmax(-1) == labels

    @functools.wraps(before)
    def forward(self: Any, *args: Any, topk_tail: Tensor | None = None, **batch: Any) -> Any:
        if topk_tail is None:
            return before(*args, **batch)
        stored = [batch.pop("topk_ids"), batch.pop("topk_logprobs"), topk_tail]
        labels, _ = batch.pop("labels")[:, 1:], batch.pop("fused_lm_head", None)
        mask, head = labels != -100, self.get_output_embeddings()
        hidden = self.base_model(*args, **batch).last_hidden_state[:, :-1][mask]
        targets = [labels[mask], *(x[:, 1:][mask] for x in stored)]
        values = chunked(per_position, hidden, head.weight, *targets, bias=head.bias)
        divergence, *rest = (x.new_zeros(mask.shape).masked_scatter(mask, x) for x in values)
        known = divergence.masked_fill(topk_tail[:, 1:] < 0, 0)
        fields = dict(zip(("log_probs", "entropy", "is_top1"), rest, strict=True))
        return TopkOutput(**fields, label_mask=mask, divergence=known)

    model.forward = types.MethodType(forward, model)
