"""The trainer of `train kd`: it learns from stored probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from datagen.schema import PROMPT_TOPK
from train.data.topk_column import ROW, Stored
from train.losses.divergences import in_context, mixed
from train.losses.likelihood import token_log_probs
from train.losses.stored_topk import topk_divergence
from train.trainers.student import StudentTrainer
from train.trainers.topk_collator import TopkCollator
from train.trl.forward import add_distillation_head
from train.trl.trainers import Prepare

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig

    from train.arguments import KdArguments


class TopkTrainer(StudentTrainer):
    """A trainer with the loss `losses.mixed` or, with `lm_weight`, `losses.in_context`.

    Each part is a mean over its own tokens of the whole step.
    """

    stored: Stored
    prompts: Stored | None

    def __init__(self, *args: Any, kd: KdArguments, **kwargs: Any):
        self.kd = kd
        super().__init__(*args, **kwargs)
        # after TRL's constructor, which calls `prepare_rows` and replaces the model's forward
        self.data_collator = TopkCollator(
            pad_token_id=self.tokenizer.pad_token_id,
            pad_to_multiple_of=self.args.pad_to_multiple_of,
            stored=self.stored,
            prompts=self.prompts,
        )
        add_distillation_head(self.model, self.per_token, needed_by="train kd")

    def per_token(
        self, logits: Tensor, tokens: Tensor, ids: Tensor, logprobs: Tensor, tail: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return divergence, log-probability, entropy, and whether a token is the most likely one.

        Entropy and accuracy are for the log only, without a gradient.
        """
        divergence = topk_divergence(
            logits, ids, logprobs, tail, kind=self.kd.divergence, temperature=self.kd.temperature
        )
        log_probs = token_log_probs(logits, tokens)
        with torch.no_grad():
            own = logits.log_softmax(-1)
            entropy = -(own.exp() * own).sum(-1)
            return divergence, log_probs, entropy, own.argmax(-1) == tokens

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        prompt = inputs["prompt_mask"][:, 1:]
        counts = self.step_counts if num_items_in_batch is not None else None

        def loss_of(outputs: Any) -> Tensor:
            self.log_parts(outputs, prompt)
            return self.loss(outputs, prompt, counts)

        return self.loss_from(loss_of, model, inputs, return_outputs)

    def loss(self, outputs: Any, prompt: Tensor, counts: Tensor | None) -> Tensor:
        """Return the batch's share of the loss of the step that has these counts."""
        weights = {"sft_weight": self.kd.sft_weight, "kd_weight": self.kd.kd_weight}
        completions, prompts = (None, None) if counts is None else counts
        values = outputs.log_probs, outputs.divergence
        if not self.kd.lm_weight:
            return mixed(*values, outputs.label_mask, count=completions, **weights)
        return in_context(
            *values,
            target=outputs.label_mask,
            text=prompt,
            lm_weight=self.kd.lm_weight,
            counts=(completions, prompts),
            **weights,
        )

    def log_parts(self, outputs: Any, prompt: Tensor) -> None:
        """Log the parts of the loss as means over the batches of all devices."""
        parts = {"": outputs.label_mask} | ({"lm_": prompt} if self.kd.lm_weight else {})
        for prefix, mask in parts.items():
            values = (outputs.divergence[mask].sum(), -outputs.log_probs[mask].sum(), mask.sum())
            kd, nll, tokens = self.accelerator.reduce(torch.stack(values).detach()).tolist()
            for name, value in (("kd", kd), ("nll", nll)):
                # a batch may have no such token
                self.log_mean(prefix + name, value / max(tokens, 1))

    def counts_of(self, batch: Mapping[str, Any]) -> Tensor:
        completions = (batch["labels"][:, 1:] != -100).sum()
        return torch.stack([completions, batch["prompt_mask"].sum()])

    def prepare_rows(
        self, rows: Dataset, tokenizer: Any, args: SFTConfig, prepare: Prepare
    ) -> Dataset:
        """Tokenise the rows, and check them against the stored probabilities.

        The probabilities stay memory-mapped. Only the number of each row goes through TRL's
        preparation.
        """
        self.stored = Stored(rows)
        self.prompts = Stored(rows, PROMPT_TOPK, k=self.stored.k) if self.kd.lm_weight else None
        columns = [stored for stored in (self.stored, self.prompts) if stored is not None]
        for stored in columns:
            stored.check_tokenizer(tokenizer, rows)

        numbered = rows.remove_columns([stored.column for stored in columns])
        prepared = prepare(numbered.add_column(ROW, list(range(len(rows)))))
        for stored in columns:
            stored.check_rows(prepared, tokenizer)
        return prepared

    def batch_columns(self, columns: Sequence[str]) -> list[str]:
        return sorted({*columns, ROW})
