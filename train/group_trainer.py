"""A trainer that draws groups of rows, and learns by the terms of `train.objectives`."""

from __future__ import annotations

import functools
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from trl.trainer.utils import FusedCausalLMOutput

from train.groups import LEARNED, Groups, kept
from train.objectives import Batch, Outcome, Term, total
from train.spans import SPAN, with_shown, with_spans
from train.student import StudentTrainer
from train.topk import check_head

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig

MEMBER, MEMBERS = "member", "members"
NEEDS_ANSWERS = {
    "rationale": "answer_weight",
    "answer": "answer_weight",
    "counterfactual": "counterfactual_weight",
    "consistency": "consistency_weight",
}
"""Terms that look at the answer's tokens, and the settings they come from."""


class GroupTrainer(StudentTrainer):
    """Σ weight · term, each term a mean over the whole step, across accumulated batches and
    devices. A row of the training set is a group; the batch holds its members."""

    def __init__(self, *args: Any, terms: Sequence[Term], groups: Groups, **kwargs: Any):
        self.terms, self.groups = list(terms), groups
        self.counts: Tensor | None = None
        super().__init__(*args, **kwargs)
        names = {term.name for term in self.terms}
        self.data_collator = GroupCollator(
            pad_token_id=self._tokenizer.pad_token_id,
            pad_to_multiple_of=self.args.pad_to_multiple_of,
            members=self.members,
            learn_prompts="lm" in names,
        )
        self.compares_answers = "consistency" in names
        if self.compares_answers:
            add_answer_logits(getattr(self.model, "get_base_model", lambda: self.model)())

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        batch = Batch({name: inputs[name] for name in ("labels", *OWN)})
        for name in OWN:
            del inputs[name]
        if self.compares_answers:
            inputs["answers"] = batch.of(batch.answer, LEARNED)

        def weighed(**inputs: Any) -> Any:
            outputs = model(**inputs)
            outcome = Outcome(outputs.log_probs, getattr(outputs, "answer_logits", None))
            loss, values = total(self.terms, batch, outcome, self.counts)
            self.note(values)
            outputs.log_probs = -loss[None]  # TRL's loss is its sum, with the sign turned
            return outputs

        return super().compute_loss(
            weighed, inputs, return_outputs, num_items_in_batch=1
        )  # the terms divide

    def note(self, values: dict[str, Any]) -> None:
        """Every term's mean over the batches of all devices, for the log."""
        sums = torch.stack(
            [torch.stack([value, count.to(value)]) for value, count in values.values()]
        )
        for name, (value, count) in zip(
            values, self.accelerator.reduce(sums).tolist(), strict=True
        ):
            if count:
                self._metrics["train"][name].append(value / count)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        batches = [Batch(samples) for samples in batch_samples]
        counts = sum(
            torch.stack([term.count(batch) for term in self.terms]).to(device) for batch in batches
        )
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            counts = self.accelerator.gather(counts[None]).sum(0)
        self.counts = counts if batches else None
        return super()._get_num_items_in_batch(batch_samples, device)

    def _prepare_dataset(
        self, dataset: Any, processing_class: Any, args: SFTConfig, *rest: Any
    ) -> Any:
        from datasets import Dataset

        rows = dataset.add_column(MEMBER, list(range(len(dataset))))
        if needed := [
            f"--{NEEDS_ANSWERS[term.name]}" for term in self.terms if term.name in NEEDS_ANSWERS
        ]:
            rows = with_spans(rows, processing_class, args, needed_by=needed[0])
        else:
            rows = rows.remove_columns("answer")
        learns_shown = any(term.name == "demonstrations" for term in self.terms)
        rows = (
            with_shown(rows, processing_class, args)
            if learns_shown
            else rows.remove_columns("shown")
        )
        self.members = super()._prepare_dataset(rows, processing_class, args, *rest)
        groups = kept(self.groups, self.members[MEMBER], self.members["role"])
        return Dataset.from_dict({MEMBERS: groups})

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns: list[str] = [MEMBERS]


OWN = ("role", "score", "group", "pairs", "answer_mask", "prompt_mask", "shown_mask")


@dataclass
class GroupCollator(DataCollatorForLanguageModeling):
    """TRL's batch of the members of all groups, N rows of T tokens, and

    group, role, score    (N,)       which group, what for, the teacher's score
    answer_mask           (N, T)     true at the answer's tokens
    prompt_mask           (N, T)     true at the prompt's tokens, if they are learned too
    shown_mask            (N, T)     true at the demonstrations' outputs, if they are learned too
    pairs                 (P, L, 2)  see `objectives.consistency`
    """

    members: Dataset | None = None
    learn_prompts: bool = False

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        numbers = [number for example in examples for number in example[MEMBERS]]
        found = self.members[numbers]  # type: ignore[index]
        tokens = zip(found["input_ids"], found["labels"], strict=True)
        batch = super().torch_call([{"input_ids": ids, "labels": labels} for ids, labels in tokens])
        sizes = torch.tensor([len(example[MEMBERS]) for example in examples])
        batch["group"] = torch.arange(len(sizes)).repeat_interleave(sizes)
        batch["role"] = torch.tensor(found["role"])
        batch["score"] = torch.tensor(found["score"], dtype=torch.float32)
        batch["answer_mask"] = torch.zeros_like(batch["labels"], dtype=torch.bool)
        for mask, span in zip(batch["answer_mask"], found.get(SPAN, []), strict=False):
            mask[slice(*span)] = True
        unlearned = (batch["labels"] == -100) & batch["attention_mask"].bool()
        batch["prompt_mask"] = unlearned if self.learn_prompts else torch.zeros_like(unlearned)
        batch["shown_mask"] = torch.zeros_like(unlearned)
        for mask, outputs in zip(batch["shown_mask"], found.get("shown", []), strict=False):
            mask[[token for output in outputs for token in output]] = True
        learned = batch["prompt_mask"] | batch["shown_mask"]
        batch["labels"] = batch["labels"].where(~learned, batch["input_ids"])
        batch["pairs"] = pairs(batch)
        return dict(batch)


def pairs(inputs: dict[str, Tensor]) -> Tensor:
    """Of every group with two learned rows whose answers are the same tokens, where these stand
    among all answers' tokens of learned rows: (P, L, 2), −1 where an answer has ended."""
    batch = Batch(inputs)
    mask = batch.of(batch.answer, LEARNED)
    numbers = (mask.flatten().cumsum(0) - 1).view(mask.shape)
    found = []
    for group in range(int(inputs["group"][-1]) + 1):
        rows = ((inputs["group"] == group) & (batch.role == LEARNED)).nonzero().flatten().tolist()
        if len(rows) == 2:
            tokens = [inputs["input_ids"][row, 1:][mask[row]] for row in rows]
            if len(tokens[0]) and tokens[0].equal(tokens[1]):
                found.append(torch.stack([numbers[row][mask[row]] for row in rows], dim=-1))
    return pad_sequence(found or [numbers.new_zeros(0, 2)], batch_first=True, padding_value=-1)


@dataclass
class AnswerOutput(FusedCausalLMOutput):
    """TRL's output of its fused head, and the logits (M, V) at the answers' tokens."""

    answer_logits: Tensor | None = None


def add_answer_logits(model: Any) -> None:
    """`model(..., answers=mask, labels=, fused_lm_head=True)` gives an `AnswerOutput`; the mask (N,
    T−1) is true where an answer's token is predicted. Without it the forward is what it was.

    Raises UserError for a head whose logits are scaled afterwards.
    """
    check_head(model, needed_by="--consistency_weight")
    before = model.forward

    @functools.wraps(before)
    def forward(self: Any, *args: Any, answers: Tensor | None = None, **batch: Any) -> Any:
        if answers is None:
            return before(*args, **batch)
        hidden: list[Tensor] = []
        hook = self.base_model.register_forward_hook(
            lambda _, __, out: hidden.append(out.last_hidden_state)
        )
        try:
            outputs = before(*args, **batch)
        finally:
            hook.remove()
        logits = self.get_output_embeddings()(hidden[-1][:, :-1][answers]).float()
        return AnswerOutput(**outputs, answer_logits=logits)

    model.forward = types.MethodType(forward, model)
