"""A trainer that learns from stored probabilities: they are collated, and a head compares them."""

from __future__ import annotations

import functools
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from trl.trainer.utils import FusedCausalLMOutput

from datagen.errors import UserError
from datagen.schema import PROMPT_TOPK
from train.losses import chunked, token_log_probs, topk_divergence
from train.student import StudentTrainer
from train.topk_column import ROW, Stored

if TYPE_CHECKING:
    from train.kd import KdArguments

TENSORS = ("topk_ids", "topk_logprobs", "topk_tail")
NOT_STORED = -1.0
SCALES = (
    "final_logit_softcapping",
    "logit_scale",
    "output_multiplier",
    "lm_head_multiplier",
    "logits_scaling",
)
"""What some architectures do to the logits behind the head, in their configurations' words."""


class TopkTrainer(StudentTrainer):
    """L_completion + lm_weight · L_prompt, each sft_weight · cross-entropy + kd_weight · divergence
    from the stored probabilities, a mean over its own tokens of the whole step."""

    def __init__(self, *args: Any, kd: KdArguments, **kwargs: Any):
        self.kd = kd
        self.prompt_tokens: Tensor | None = None
        super().__init__(*args, **kwargs)
        self.data_collator = TopkCollator(
            pad_token_id=self._tokenizer.pad_token_id,
            pad_to_multiple_of=self.args.pad_to_multiple_of,
            stored=self.stored,
            prompts=self.prompts,
        )
        add_topk_head(getattr(self.model, "get_base_model", lambda: self.model)(), kd)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        prompt = inputs["prompt_mask"][:, 1:]

        def mixed(**batch: Any) -> Any:
            outputs = model(**batch)
            self.note(outputs, prompt)
            values = self.kd.sft_weight * outputs.log_probs - self.kd.kd_weight * outputs.divergence
            if self.kd.lm_weight:  # TRL divides by the completions' tokens
                whole = num_items_in_batch is not None
                completions = num_items_in_batch if whole else outputs.label_mask.sum()
                prompts = (self.prompt_tokens if whole else prompt.sum()).clamp(min=1)  # type: ignore[union-attr]
                values = values.where(~prompt, values * self.kd.lm_weight * completions / prompts)
            outputs.log_probs = values
            return outputs

        return super().compute_loss(mixed, inputs, return_outputs, num_items_in_batch)

    def note(self, outputs: Any, prompt: Tensor) -> None:
        """The parts of the loss, for the log: means over the batches of all devices."""
        parts = {"": outputs.label_mask} | ({"lm_": prompt} if self.kd.lm_weight else {})
        for prefix, mask in parts.items():
            values = (outputs.divergence[mask].sum(), -outputs.log_probs[mask].sum(), mask.sum())
            kd, nll, tokens = self.accelerator.reduce(torch.stack(values).detach()).tolist()
            for name, value in (("kd", kd), ("nll", nll)):
                self._metrics["train"][prefix + name].append(value / max(tokens, 1))

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        count = torch.tensor(
            sum(int(batch["prompt_mask"].sum()) for batch in batch_samples), device=device
        )
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            count = self.accelerator.gather(count).sum()
        self.prompt_tokens = count
        return super()._get_num_items_in_batch(batch_samples, device)

    def _prepare_dataset(self, dataset: Any, processing_class: Any, *rest: Any) -> Any:
        """The probabilities stay where they lie, memory-mapped; rows carry only their number
        through TRL's steps."""
        self.stored = Stored(dataset)
        self.prompts = Stored(dataset, PROMPT_TOPK, k=self.stored.k) if self.kd.lm_weight else None
        columns = [stored for stored in (self.stored, self.prompts) if stored is not None]
        for stored in columns:
            stored.check_tokenizer(processing_class, dataset)
        rows = dataset.remove_columns([stored.column for stored in columns]).add_column(
            ROW, list(range(len(dataset)))
        )
        prepared = super()._prepare_dataset(rows, processing_class, *rest)
        for stored in columns:
            stored.check_rows(prepared, processing_class)
        return prepared

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns: list[str] = sorted({*self._signature_columns, ROW})


@dataclass
class TopkCollator(DataCollatorForLanguageModeling):
    """TRL's batch, and in the place of every label what the teacher thought of it: `topk_ids` and
    `topk_logprobs` (B, T, K), `topk_tail` (B, T), which is below 0 where nothing is stored. With
    `prompts` of the prompts' tokens too: `prompt_mask` (B, T) is true at those that are learned,
    all but the first; they have no label."""

    stored: Stored | None = None
    prompts: Stored | None = None

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        assert self.stored is not None
        batch = dict(super().torch_call(examples))
        shape, k = batch["labels"].shape, self.stored.k
        batch["topk_ids"] = torch.arange(k).expand(*shape, k).clone()
        batch["topk_logprobs"] = torch.zeros(*shape, k)
        batch["topk_tail"] = torch.full(shape, NOT_STORED)
        batch["prompt_mask"] = torch.zeros(shape, dtype=torch.bool)
        for b, example in enumerate(examples):
            start = int((batch["labels"][b] != -100).int().argmax())
            self.put(batch, b, self.stored.tensors(example[ROW]), start, len(example["input_ids"]))
            if self.prompts is not None:
                self.put(batch, b, self.prompts.tensors(example[ROW]), 1, start)
                batch["prompt_mask"][b, 1:start] = True
        return batch

    @staticmethod
    def put(
        batch: dict[str, Tensor], b: int, tensors: Sequence[Tensor], start: int, end: int
    ) -> None:
        """What is stored, into row b from place `start` on, at most up to `end`."""
        end = min(start + len(tensors[0]), end)
        for name, values in zip(TENSORS, tensors, strict=True):
            batch[name][b, start:end] = values[: end - start]


@dataclass
class TopkOutput(FusedCausalLMOutput):
    """TRL's output of its fused head, and the divergence (B, T−1) of each token that is learned; 0
    at others, and where nothing is stored. `log_probs` are those of all that is learned, all else
    of TRL's those of the labels alone."""

    divergence: Tensor | None = None


def add_topk_head(model: Any, kd: KdArguments) -> None:
    """`model(input_ids=, ..., labels=, prompt_mask=, topk_ids=, topk_logprobs=, topk_tail=)` gives
    a `TopkOutput`, in chunks of positions and only of those that have a label or stand in the mask.
    Without these the forward is what it was.

    Raises UserError for a head whose logits are scaled afterwards.
    """
    check_head(model, needed_by="train kd")
    before = model.forward

    def per_position(logits: Tensor, labels: Tensor, *stored: Tensor) -> tuple[Tensor, ...]:
        divergence = topk_divergence(
            logits, *stored, kind=kd.divergence, temperature=kd.temperature
        )
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
        labeled, head = labels != -100, self.get_output_embeddings()
        mask = labeled | batch.pop("prompt_mask")[:, 1:]
        tokens = labels.where(labeled, batch["input_ids"][:, 1:])
        hidden = self.base_model(*args, **batch).last_hidden_state[:, :-1][mask]
        targets = [tokens[mask], *(x[:, 1:][mask] for x in stored)]
        values = chunked(per_position, hidden, head.weight, *targets, bias=head.bias)
        divergence, log_probs, entropy, is_top1 = (
            x.new_zeros(mask.shape).masked_scatter(mask, x) for x in values
        )
        return TopkOutput(
            log_probs=log_probs,
            entropy=entropy * labeled,
            is_top1=is_top1 & labeled,
            label_mask=labeled,
            divergence=divergence.masked_fill(topk_tail[:, 1:] < 0, 0),
        )

    model.forward = types.MethodType(forward, model)


def check_head(model: Any, *, needed_by: str) -> None:
    """Raises UserError for a head whose logits are scaled afterwards."""
    config = model.config.get_text_config()
    if scales := [name for name in SCALES if getattr(config, name, None) not in (None, 1)]:
        raise UserError(
            f"{needed_by} knows no logits with a {scales[0]}, as {config.model_type} has them"
        )
