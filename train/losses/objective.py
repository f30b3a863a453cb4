r"""The whole loss of `train sft` on a batch: the plain cross-entropy and the chosen losses.

    (1-w) * { (1-l) * [ (1-a) * L_rationale + a * L_answer ] + l * L_label } + w * L_counterfactual
      + b * L_LM + d * L_demonstrations + c * consistency + i * contrast + p * preference

A part whose weight is not given is left out. Without `a` the bracket is the mean over all tokens of
the completions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from train.data.roles import LEARNED
from train.losses.record import Add, Batch, Chosen, Outcome, Term, add_weighted, likelihood_term

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Part:
    """One part of the loss, with its weight."""

    name: str
    weight: float
    term: Term
    add: Add


def parts_of(chosen: Chosen) -> list[Part]:
    """Return the plain cross-entropy, then the chosen losses in the order of the catalogue."""
    # a loss that takes tokens for itself (the answer) leaves the others to the plain cross-entropy
    plain = next((loss.plain for loss in chosen.losses if loss.plain), None)
    name, mask = plain or ("nll", lambda batch: batch.of(batch.completion, LEARNED))
    further = [
        Part(loss.name, chosen.weights[loss.flag], loss.term, loss.add) for loss in chosen.losses
    ]
    return [Part(name, 1.0, likelihood_term(mask), add_weighted), *further]


def total(
    parts: list[Part],
    batch: Batch,
    outcome: Outcome,
    options: Any = None,
    counts: Tensor | None = None,
) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
    """Return the batch's share of the step's loss, and the value of every part for the log.

    Args:
        parts: what the loss consists of.
        batch: the rows.
        outcome: what the student computed for them.
        options: temperature, negatives, candidates.
        counts: the count of each part over the whole step, (parts,). Default: the batch is the
            step.

    Returns:
        The loss; and by name (sum, count) of each part over this batch.
    """
    loss = outcome.log_probs.new_zeros(())
    logged = {}
    for place, part in enumerate(parts):
        # divided by the whole step, so that the parts of accumulated batches and devices add up
        own = part.term.count(batch)
        whole = own if counts is None else counts[place]
        value = part.term.value(batch, outcome, options, whole)
        loss = part.add(loss, value, part.weight)
        # the log shows means over what was counted here, whatever the step's count is
        logged[part.name] = (value.detach() * whole.clamp(min=1), own)
    return loss, logged
