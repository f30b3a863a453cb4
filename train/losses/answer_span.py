"""The loss that weighs the answer's tokens against the rationale's (`--answer_weight`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from train.data.grouping import Need
from train.data.roles import LEARNED
from train.losses.record import SHARE, Loss, likelihood_term

if TYPE_CHECKING:
    from torch import Tensor


def rationale_answer(rationale: Tensor, answer: Tensor, alpha: float = 0.5) -> Tensor:
    """Return (1-alpha) * L_rationale + alpha * L_answer.

    Each part is a mean over its own tokens (`nll`). In a mean over all tokens, a handful of answer
    tokens would hardly count next to 150 tokens of a rationale.

    Args:
        rationale: cross-entropy of the completion's tokens that do not name the answer, a scalar.
        answer: cross-entropy of the tokens that name the answer, a scalar.
        alpha: the share of the answer, from 0 to 1.

    Raises:
        ValueError: alpha is out of range.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; it must lie from 0 to 1")
    return (1 - alpha) * rationale + alpha * answer


LOSS = Loss(
    name="answer",
    flag="answer_weight",
    range=SHARE,
    help=(
        "Weight of the final-answer tokens, from 0 to 1. The loss is (1 - w) * mean over the "
        "rationale tokens + w * mean over the answer tokens. The answer tokens are those where the "
        "completion last names the row's `answer`. Default: the mean over all tokens."
    ),
    sentence="tokens of the answer, against all others of the completion",
    term=likelihood_term(lambda batch: batch.of(batch.answer, LEARNED)),
    add=rationale_answer,
    need=Need("answer", "a column answer, which `datagen rationales` writes"),
    tokens=frozenset({"answer"}),
    plain=("rationale", lambda batch: batch.of(batch.completion & ~batch.answer, LEARNED)),
)
