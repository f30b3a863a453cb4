"""The trainer of `train sft` with extra losses. It draws groups of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from train.data.grouping import Groups, renumber_groups
from train.data.roles import LEARNED
from train.data.spans import with_answer_spans, with_output_tokens
from train.losses.objective import parts_of, total
from train.losses.record import Batch, Chosen, Outcome
from train.trainers.group_collator import MEMBERS, OWN, GroupCollator
from train.trainers.student import StudentTrainer
from train.trl.forward import add_answer_logits
from train.trl.trainers import Prepare

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig

MEMBER = "member"
"""The column of a row's number. It identifies the rows that TRL has kept."""


class GroupTrainer(StudentTrainer):
    """A trainer with the loss of `train.losses.objective`; each part is a mean over the whole step.

    A row of the training set is a group; a batch holds the members of its groups.
    """

    members: Dataset

    def __init__(self, *args: Any, chosen: Chosen, groups: Groups, **kwargs: Any):
        self.chosen = chosen
        self.groups = groups
        self.parts = parts_of(chosen)
        super().__init__(*args, **kwargs)
        # after TRL's constructor, which calls `prepare_rows`
        self.data_collator = GroupCollator(
            pad_token_id=self.tokenizer.pad_token_id,
            pad_to_multiple_of=self.args.pad_to_multiple_of,
            members=self.members,
            learn_prompts=chosen.with_tokens("prompt") is not None,
        )
        if chosen.compares_logits:
            add_answer_logits(self.model, needed_by=f"--{chosen.compares_logits}")

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        batch = Batch({name: inputs[name] for name in ("labels", *OWN)})
        # the model's forward takes no such arguments
        for name in OWN:
            del inputs[name]
        if self.chosen.compares_logits:
            inputs["answers"] = batch.of(batch.answer, LEARNED)
        counts = self.step_counts if num_items_in_batch is not None else None

        def loss_of(outputs: Any) -> Tensor:
            outcome = Outcome(outputs.log_probs, getattr(outputs, "answer_logits", None))
            loss, logged = total(self.parts, batch, outcome, self.chosen.options, counts)
            self.log_parts(logged)
            return loss

        return self.loss_from(loss_of, model, inputs, return_outputs)

    def log_parts(self, logged: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Log every part's mean over the batches of all devices."""
        sums = torch.stack(
            [torch.stack([value, count.to(value)]) for value, count in logged.values()]
        )
        reduced = self.accelerator.reduce(sums).tolist()
        for name, (value, count) in zip(logged, reduced, strict=True):
            if count:
                self.log_mean(name, value / count)

    def counts_of(self, batch: Mapping[str, Any]) -> Tensor:
        return torch.stack([part.term.count(Batch(batch)) for part in self.parts])

    def prepare_rows(
        self, rows: Dataset, tokenizer: Any, args: SFTConfig, prepare: Prepare
    ) -> Dataset:
        """Tokenise the members once, and return the groups that are left as rows."""
        from datasets import Dataset

        # TRL drops rows whose completion was cut off entirely: the numbers identify the others
        rows = rows.add_column(MEMBER, list(range(len(rows))))
        if flag := self.chosen.with_tokens("answer"):
            rows = with_answer_spans(rows, tokenizer, args, needed_by=f"--{flag}")
        else:
            rows = rows.remove_columns("answer")
        if self.chosen.with_tokens("outputs"):
            rows = with_output_tokens(rows, tokenizer, args)
        else:
            rows = rows.remove_columns("outputs")

        self.members = prepare(rows)
        groups = renumber_groups(self.groups, self.members[MEMBER], self.members["role"])
        return Dataset.from_dict({MEMBERS: groups})

    def batch_columns(self, columns: Sequence[str]) -> list[str]:
        return [MEMBERS]
