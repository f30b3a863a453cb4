"""Which losses a student learns by, and with what weights: the pure functions of `train.losses` on
a batch of groups.

    (1−w) · { (1−λ) · [ (1−α)·L_rationale + α·L_answer ] + λ·L_label } + w·L_counterfactual
      + β·L_LM + d·L_demonstrations + a·consistency + c·contrast + p·preference

A part whose weight is not given is not there; without α the bracket is the mean over all tokens of
the completions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from train import losses
from train.groups import CANDIDATE, LABEL, LEARNED, WRONG
from train.losses.groups import LEAST_CANDIDATES

if TYPE_CHECKING:
    from train.sft import SftArguments


@dataclass(frozen=True)
class Batch:
    """N rows of T tokens in groups. Masks are (N, T−1): position t predicts token t+1."""

    inputs: Mapping[str, Tensor]

    @cached_property
    def role(self) -> Tensor:
        return self.inputs["role"]

    @cached_property
    def prompt(self) -> Tensor:
        """Tokens of the prompt, where these are learned too."""
        return self.inputs["prompt_mask"][:, 1:]

    @cached_property
    def shown(self) -> Tensor:
        """Tokens of the demonstrations' outputs, where these are learned too."""
        return self.inputs["shown_mask"][:, 1:]

    @cached_property
    def completion(self) -> Tensor:
        return (self.inputs["labels"][:, 1:] != -100) & ~self.prompt & ~self.shown

    @cached_property
    def answer(self) -> Tensor:
        """Tokens of the completion that name the answer."""
        return self.completion & self.inputs["answer_mask"][:, 1:]

    def of(self, mask: Tensor, role: int) -> Tensor:
        """The mask in the rows of a role."""
        return mask & (self.role == role)[:, None]

    def by_group(self, values: Tensor) -> Tensor:
        """One value a row (N,) as (groups, most rows of a group), 0 where a group has fewer."""
        group = self.inputs["group"]
        sizes = group.bincount()
        starts = sizes.cumsum(0) - sizes
        place = torch.arange(len(group), device=group.device) - starts[group]
        return values.new_zeros(len(sizes), int(sizes.max())).index_put((group, place), values)

    def role_by_group(self, role: int) -> Tensor:
        return self.by_group(self.role == role)

    @cached_property
    def asked(self) -> Tensor:
        """Groups that have right and wrong rationales."""
        return self.role_by_group(LEARNED).any(-1) & self.role_by_group(WRONG).any(-1)


@dataclass(frozen=True)
class Outcome:
    """What the student makes of a batch."""

    log_probs: Tensor
    """(N, T−1), of every label."""
    answer_logits: Tensor | None = None
    """(M, V), at the answers' tokens of the learned rows, row by row; where the terms ask for
    them."""


@dataclass(frozen=True)
class Term:
    """A part of the loss, a mean over what it counts. So it can be summed over the parts of a step:
    each part's mean times its share of the whole count."""

    name: str
    weight: float
    count: Callable[[Batch], Tensor]
    """How much of it a batch holds: tokens, positions, questions."""
    loss: Callable[[Batch, Outcome], Tensor]


def terms(sft: SftArguments) -> list[Term]:
    """The parts of the loss that these settings ask for."""
    found = base(sft.answer_weight)
    if sft.label_weight is not None:
        found = share(
            found, likelihood("label", lambda b: b.of(b.completion, LABEL)), sft.label_weight
        )
    if sft.counterfactual_weight is not None:
        found = share(
            found,
            likelihood("counterfactual", lambda b: b.of(b.answer, WRONG)),
            sft.counterfactual_weight,
        )
    if sft.lm_weight:
        found.append(likelihood("lm", lambda b: b.of(b.prompt, LEARNED), sft.lm_weight))
    if sft.demonstration_weight:
        found.append(
            likelihood("demonstrations", lambda b: b.of(b.shown, LEARNED), sft.demonstration_weight)
        )
    if sft.consistency_weight:
        found.append(consistency(sft.consistency_weight, sft.temperature))
    if sft.contrast_weight:
        found.append(contrast(sft.contrast_weight, sft.temperature))
    if sft.preference_weight:
        found.append(preference(sft.preference_weight, sft.temperature))
    return [term for term in found if term.weight]


def base(alpha: float | None) -> list[Term]:
    """`losses.nll`, or the two parts of `losses.rationale_answer`."""
    if alpha is None:
        return [likelihood("nll", lambda b: b.of(b.completion, LEARNED))]
    return [
        likelihood("rationale", lambda b: b.of(b.completion & ~b.answer, LEARNED), 1 - alpha),
        likelihood("answer", lambda b: b.of(b.answer, LEARNED), alpha),
    ]


def share(found: list[Term], term: Term, weight: float) -> list[Term]:
    """(1−w) · what there is + w · the term, as `distilling_step_by_step` and `counterfactual` share
    it."""
    return [
        *(replace(t, weight=t.weight * (1 - weight)) for t in found),
        replace(term, weight=weight),
    ]


def likelihood(name: str, mask: Callable[[Batch], Tensor], weight: float = 1.0) -> Term:
    """Cross-entropy of the tokens of a mask."""
    return Term(
        name, weight, lambda b: mask(b).sum(), lambda b, out: losses.nll(out.log_probs, mask(b))
    )


def consistency(weight: float, temperature: float) -> Term:
    """Two rationales of a question agree on its answer. `pairs` (P, L, 2) are indices into the
    answers' tokens of the learned rows, −1 where an answer has ended."""

    def loss(batch: Batch, out: Outcome) -> Tensor:
        assert out.answer_logits is not None
        pairs = batch.inputs["pairs"]
        first, second = (out.answer_logits[pairs[..., side].clamp(min=0)] for side in (0, 1))
        return losses.consistency(first, second, pairs[..., 0] >= 0, temperature=temperature)

    return Term("consistency", weight, lambda b: (b.inputs["pairs"][..., 0] >= 0).sum(), loss)


def contrast(weight: float, temperature: float) -> Term:
    """Right rationales of a question are more likely than wrong ones."""

    def loss(batch: Batch, out: Outcome) -> Tensor:
        scores = batch.by_group(losses.mean_log_likelihood(out.log_probs, batch.completion))
        right, wrong = (batch.role_by_group(role) for role in (LEARNED, WRONG))
        return losses.contrast(scores, correct=right, mask=right | wrong, temperature=temperature)

    return Term("contrast", weight, lambda b: b.asked.sum(), loss)


def preference(weight: float, temperature: float) -> Term:
    """The student finds those demonstrations useful that the teacher does."""

    def loss(batch: Batch, out: Outcome) -> Tensor:
        student = batch.by_group(losses.mean_log_likelihood(out.log_probs, batch.completion))
        teacher = batch.by_group(batch.inputs["score"].to(student.dtype))
        return losses.preference(
            student, teacher, batch.role_by_group(CANDIDATE), temperature=temperature
        )

    def count(batch: Batch) -> Tensor:
        return (batch.role_by_group(CANDIDATE).sum(-1) >= LEAST_CANDIDATES).sum()

    return Term("preference", weight, count, loss)


def total(
    parts: list[Term], batch: Batch, out: Outcome, counts: Tensor | None = None
) -> tuple[Tensor, dict[str, Any]]:
    """The batch's part of the step's loss, and the value of every term. `counts`, one of each term,
    are the whole step's; by default the batch is the step."""
    own = torch.stack([term.count(batch) for term in parts])
    shares = own / (own if counts is None else counts).clamp(min=1)
    values = [term.loss(batch, out) for term in parts]
    loss = sum(
        term.weight * value * part for term, value, part in zip(parts, values, shares, strict=True)
    )
    return loss, {
        term.name: (value.detach() * count, count)
        for term, value, count in zip(parts, values, own, strict=True)
    }
