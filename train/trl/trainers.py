"""TRL's trainers, with public hooks instead of their private methods (TRL 1.16)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from trl import SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from train.data.tokenising import with_tokens

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig

Collator = DataCollatorForLanguageModeling
"""TRL's collator of tokenised rows."""
Prepare = Callable[["Dataset"], "Dataset"]
"""TRL's own preparation of rows: chat template, tokens, labels, truncation."""


class AdaptedTrainer:
    """A mixin that comes before any trainer of TRL among the base classes."""

    args: Any
    state: Any
    _tokenizer: Any
    _metrics: Any

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the student, also if the trainer holds a processor."""
        return self._tokenizer

    def stop_at(self, ends: Sequence[int]) -> None:
        """Let the student's own completions end at these tokens during the training.

        TRL's trainers of on-policy distillation copy the model's end tokens when they are made.
        """
        if hasattr(self, "eos_token_ids"):
            self.eos_token_ids = list(ends)
        if config := getattr(self, "generation_config", None):
            config.eos_token_id = list(ends)
        if "eos_token_id" in (arguments := getattr(self, "generation_kwargs", {})):
            arguments["eos_token_id"] = list(ends)

    def log_mean(self, name: str, value: float) -> None:
        """Add a value to the next line of the training log, which shows the mean of its values."""
        self._metrics["train"][name].append(value)

    def describe(self, folder: str | None = None) -> None:
        """Write what the student is made from, in place of TRL's generic card."""
        raise NotImplementedError

    def create_model_card(self, *_: Any, **__: Any) -> None:
        self.describe()

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        # if resumed from the checkpoint of the last step, transformers would take one more step
        if self.state.global_step < self.state.max_steps:
            super()._run_epoch(*args, **kwargs)  # type: ignore[misc]

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)  # type: ignore[misc]
        # after saving: PEFT writes its own card, which is replaced here
        self.describe(output_dir)


class AdaptedSftTrainer(SFTTrainer):
    """TRL's `SFTTrainer` with hooks for the rows, the batches and a scalar loss."""

    step_counts: Tensor | None = None
    """The sum of `counts_of` over all batches of the step, on all devices."""

    def prepare_rows(
        self, rows: Dataset, tokenizer: Any, args: SFTConfig, prepare: Prepare
    ) -> Dataset:
        """Change the rows before or after TRL's preparation.

        TRL calls this in its constructor.
        """
        return prepare(rows)

    def batch_columns(self, columns: Sequence[str]) -> list[str]:
        """Return which columns of the prepared rows reach the collator."""
        return list(columns)

    def counts_of(self, batch: Mapping[str, Any]) -> Tensor | None:
        """Return the numbers by which the parts of the loss are divided, (parts,), or None.

        None means that TRL's own count is used.
        """
        return None

    def loss_from(
        self,
        loss_of: Callable[[Any], Tensor],
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool,
    ) -> Any:
        """Train with a scalar loss that is computed from the model's outputs.

        TRL's loss is the negative sum of `log_probs`, divided by the number of items and multiplied
        by the number of devices. The scalar is passed as the only log-probability of one item. So
        TRL's metrics, mixed precision and scaling work as usual.

        Args:
            loss_of: returns the batch's share of the step's loss from the model's outputs.
            model: the student.
            inputs: the batch.
            return_outputs: whether the outputs are returned too.
        """

        def forward(**batch: Any) -> Any:
            outputs = model(**batch)
            outputs.log_probs = -loss_of(outputs)[None]
            return outputs

        return super().compute_loss(forward, inputs, return_outputs, num_items_in_batch=1)

    def count_step(self, batches: list[Any], device: Any) -> Any:
        """Count the batches of a step before the first of them is computed, as the trainer does."""
        return self._get_num_items_in_batch(batches, device)

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, *rest: Any) -> Any:
        def prepare(rows: Dataset) -> Dataset:
            # the marks of an assistant's tokens come from TRL's own way with the template
            if not args.assistant_only_loss:
                rows = with_tokens(
                    rows,
                    processing_class,
                    workers=args.dataset_num_proc,
                    warn=args.process_index == 0,
                )
            return super(AdaptedSftTrainer, self)._prepare_dataset(
                rows, processing_class, args, *rest
            )

        return self.prepare_rows(dataset, processing_class, args, prepare)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns: list[str] = self.batch_columns(self._signature_columns)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        counted = [self.counts_of(batch) for batch in batch_samples]
        found = [counts.to(device) for counts in counted if counts is not None]
        self.step_counts = None
        if found:
            counts = torch.stack(found).sum(0)
            # each device sees only its own batches of the step
            if self.args.average_tokens_across_devices and self.args.world_size > 1:
                counts = self.accelerator.gather(counts[None]).sum(0)
            self.step_counts = counts
        return super()._get_num_items_in_batch(batch_samples, device)
