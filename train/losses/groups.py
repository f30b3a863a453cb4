"""Losses over several texts of one question: rationales that agree, right against wrong ones,
demonstrations ranked."""

from __future__ import annotations

import torch
from torch import Tensor

from train.losses.divergence import divergence, forward_kl
from train.losses.likelihood import masked_mean

LEAST_CANDIDATES = 3
"""Standardised scores of two candidates are always ±1: there is nothing to align."""


def consistency(first: Tensor, second: Tensor, mask: Tensor, *, temperature: float = 1.0) -> Tensor:
    """½ · [KL(p‖q) + KL(q‖p)], mean over the answer's positions: p and q are the student's own
    distributions there, after one rationale and after another of the same question (MCC-KD: Chen et
    al. 2023, arXiv 2310.14747).

    Logits (..., L, V) of both, their answer spans gathered so that position i is the answer's i-th
    token in both; the mask (..., L) is false where a span has ended. Add it to the mean
    cross-entropy of both with a weight of 0.1."""
    both = [
        divergence(a, b, temperature=temperature) for a, b in ((first, second), (second, first))
    ]
    return masked_mean(sum(both) / 2, mask)


def contrast(scores: Tensor, *, correct: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
    """InfoNCE of right against wrong rationales of a question (the form of van den Oord et al.
    2018, arXiv 1807.03748).

    −1/|P| · Σ_{i in P} log[ e^(s_i/τ) / (e^(s_i/τ) + Σ_{j in N} e^(s_j/τ)) ], mean over the
    questions that have both kinds. `scores` (Q, C) are length-normalised log-likelihoods
    (`mean_log_likelihood`), P the right and N the wrong rationales; both masks are (Q, C), `mask`
    false where a question has fewer than C. Right rationales are no negatives of each other."""
    right, wrong = correct & mask, ~correct & mask
    scaled = scores / temperature
    negatives = scaled.masked_fill(~wrong, torch.finfo(scores.dtype).min).logsumexp(
        -1, keepdim=True
    )
    losses = torch.logaddexp(scaled, negatives) - scaled
    of_question = losses.masked_fill(~right, 0).sum(-1) / right.sum(-1).clamp(min=1)
    return masked_mean(of_question, right.any(-1) & wrong.any(-1))


def preference(
    student: Tensor, teacher: Tensor, mask: Tensor, *, temperature: float = 1.0
) -> Tensor:
    """KL(softmax(z_T/τ) ‖ softmax(z_S/τ)) over the candidate demonstrations of a query, mean over
    queries.

    The student is to find useful what the teacher does. The teacher's scores (Q, C) are stored; the
    student's are its own log-likelihoods of the gold answer per token, the candidate before the
    query. z are the scores of a query less their mean, over their standard deviation. Our own
    proposal; the nearest published form trains a retriever (LLM-R: Wang et al. 2023, arXiv
    2307.07164). Queries with fewer than three candidates do not count."""
    teacher, student = (listwise(scores, mask, temperature) for scores in (teacher, student))
    return masked_mean(forward_kl(teacher, student), mask.sum(-1) >= LEAST_CANDIDATES)


def listwise(scores: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Log-softmax of the standardised scores over the candidates of the mask; −1000 elsewhere."""
    count = mask.sum(-1, keepdim=True).clamp(min=1)
    centred = (scores - scores.masked_fill(~mask, 0).sum(-1, keepdim=True) / count).masked_fill(
        ~mask, 0
    )
    deviation = (centred.square().sum(-1, keepdim=True) / count + 1e-12).sqrt()
    return (centred / deviation / temperature).masked_fill(~mask, -1e3).log_softmax(-1)
