"""The gradient of every loss against finite differences, and positions outside of its mask, which
have no influence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.train.test_losses import (
    CORRECT,
    IDS,
    KINDS,
    MASK,
    OTHER,
    PLACES,
    TEMPERATURES,
    THERE,
    TOKENS,
    B,
    T,
    V,
    mean_divergence,
    mean_topk_divergence,
    normal,
    topk_of,
)
from train import losses

Case = tuple[Callable[..., Tensor], tuple[Tensor, ...], Tensor]
"""A loss of the student's tensors; these; and where (..., T) they count."""


def cases() -> dict[str, Case]:
    x, y, logits, more = (
        normal(B, T),
        normal(B, T, seed=1),
        normal(B, T, V),
        normal(B, T, V, seed=1),
    )
    stored: Any = topk_of(more, IDS)
    found: dict[str, Case] = {
        "nll": (lambda a: losses.nll(a, MASK), (x,), MASK),
        "rationale_answer": (
            lambda a: losses.rationale_answer(losses.nll(a, MASK), losses.nll(a, OTHER)),
            (x,),
            MASK | OTHER,
        ),
        "step_by_step": (
            lambda a, b: losses.distilling_step_by_step(losses.nll(b, MASK), losses.nll(a, MASK)),
            (x, y),
            MASK,
        ),
        "counterfactual": (
            lambda a, b: losses.counterfactual(losses.nll(a, MASK), losses.nll(b, MASK)),
            (x, y),
            MASK,
        ),
        "mean_log_likelihood": (lambda a: losses.mean_log_likelihood(a, MASK).sum(), (x,), MASK),
        "sampled_forward_kl": (lambda a, b: losses.sampled_forward_kl(a, b, MASK), (x, y), MASK),
        "consistency": (lambda a, b: losses.consistency(a, b, MASK), (logits, more), MASK),
        "contrast": (lambda a: losses.contrast(a, correct=CORRECT, mask=THERE), (x,), THERE),
        "preference": (lambda a, b: losses.preference(a, b, THERE), (x, y), THERE),
        "in_context": (
            lambda a, b: losses.in_context(
                losses.token_log_probs(a, TOKENS), losses.divergence(b, a), target=MASK, text=OTHER
            ),
            (logits, more),
            MASK | OTHER,
        ),
    }
    for kind in KINDS:
        for temperature in TEMPERATURES:
            how: Any = (kind, temperature)
            found[f"divergence-{kind}-{temperature}"] = (
                lambda a, b, how=how: mean_divergence(a, b, *how),
                (logits, more),
                MASK,
            )
            found[f"topk_divergence-{kind}-{temperature}"] = (
                lambda a, how=how: mean_topk_divergence(a, IDS, stored, *how),
                (logits,),
                MASK,
            )
    return found


@pytest.mark.parametrize("case", cases().values(), ids=cases())
def test_gradients_are_those_of_finite_differences(case: Case) -> None:
    loss, tensors, _ = case
    assert torch.autograd.gradcheck(loss, tuple(x.clone().requires_grad_() for x in tensors))


def test_the_gradient_of_the_reverse_estimate_holds_the_advantage_constant() -> None:
    """It is no derivative of its value: against the product in a loop."""
    x, y = normal(B, T).requires_grad_(), normal(B, T, seed=1)
    losses.sampled_reverse_kl(x, y, MASK).backward()
    for b in range(B):
        for t in range(T):
            expected = (x[b, t] - y[b, t]).item() / len(PLACES) if (b, t) in PLACES else 0
            assert x.grad[b, t].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("case", cases().values(), ids=cases())
def test_other_positions_have_no_influence(case: Case) -> None:
    """Padded, masked: whatever stands there, the same value to the last bit, and no gradient."""
    loss, tensors, counts = case
    changed = [x.clone() for x in tensors]
    for number, x in enumerate(changed):
        x[~counts] = 1e3 * normal(*x.shape, seed=number + 5)[~counts]
        x.requires_grad_()
    found = loss(*changed)
    assert found.item() == loss(*tensors).item()
    for x in torch.autograd.grad(found, changed):
        assert (x[~counts] == 0).all()
        assert (x[counts] != 0).any()


@pytest.mark.parametrize("rows", [1, 4, 15, 100])
def test_chunks_give_the_values_and_gradients_of_all_at_once(rows: int) -> None:
    hidden, weight, bias = normal(15, 4), normal(V, 4, seed=1), normal(V, seed=2)
    ids, tokens = IDS.reshape(15, -1), TOKENS.reshape(15)
    logprobs, tail = topk_of(normal(15, V, seed=3), ids)

    def both(
        logits: Tensor, ids: Tensor, logprobs: Tensor, tail: Tensor, tokens: Tensor
    ) -> tuple[Tensor, Tensor]:
        return losses.topk_divergence(logits, ids, logprobs, tail), losses.token_log_probs(
            logits, tokens
        )

    def whole(*x: Tensor) -> tuple[Tensor, ...]:
        return both(x[0] @ x[1].T + x[2], ids, logprobs, tail, tokens)

    def parts(*x: Tensor) -> tuple[Tensor, ...]:
        return losses.chunked(both, x[0], x[1], ids, logprobs, tail, tokens, bias=x[2], rows=rows)

    gradients = []
    for way in (whole, parts):
        x = tuple(t.clone().requires_grad_() for t in (hidden, weight, bias))
        kd, ce = way(*x)
        total = (kd * torch.linspace(0, 1, 15)).sum() - 0.3 * ce.sum()
        gradients.append([kd, ce, *torch.autograd.grad(total, x)])
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)
