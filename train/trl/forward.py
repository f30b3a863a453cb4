"""Models whose forward pass returns more than TRL's.

They also return logits at chosen tokens, or the divergence from stored probabilities.

TRL 1.16 replaces `model.forward` by one that computes the head in chunks and returns a
`FusedCausalLMOutput`. Here it is replaced once more, for batches with an argument of ours.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from trl.trainer.utils import FusedCausalLMOutput

from datagen.errors import UserError
from train.losses.chunks import chunked

SCALES = (
    "final_logit_softcapping",
    "logit_scale",
    "output_multiplier",
    "lm_head_multiplier",
    "logits_scaling",
)
"""How the configurations of some architectures name what they do to the logits after the head. We
multiply hidden states with the head ourselves, so such a model would be trained wrongly."""
PerToken = Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]]
"""(logits (n, V), tokens (n,), ids (n, K), logprobs (n, K), tail (n,)) -> divergence,
log-probability, entropy, and whether the token is the most likely one, each (n,)."""


def unwrapped(model: Any) -> Any:
    """Return the model itself, also if PEFT has wrapped it."""
    return getattr(model, "get_base_model", lambda: model)()


def check_head(model: Any, *, needed_by: str) -> None:
    """Raise UserError for a head whose logits are scaled afterwards."""
    config = model.config.get_text_config()
    if scales := [name for name in SCALES if getattr(config, name, None) not in (None, 1)]:
        raise UserError(
            f"{needed_by} does not work with {config.model_type}: its logits have a {scales[0]}"
        )


def extend_forward(model: Any, argument: str, forward: Callable[..., Any]) -> None:
    """Replace the model's forward for the batches that hold the argument.

    For these batches `forward(before, **batch)` is called. `before` is the forward that the model
    had. It still serves all other batches.
    """
    before = model.forward

    # with the old signature, which TRL and transformers read
    @functools.wraps(before)
    def extended(_: Any, *args: Any, **batch: Any) -> Any:
        if batch.get(argument) is None:
            batch.pop(argument, None)
            return before(*args, **batch)
        return forward(before, *args, **batch)

    model.forward = types.MethodType(extended, model)


@dataclass
class AnswerOutput(FusedCausalLMOutput):
    """TRL's output of its fused head, plus the logits at the answers' tokens, (M, V)."""

    answer_logits: Tensor | None = None


def add_answer_logits(wrapped: Any, *, needed_by: str) -> None:
    """Let the model return an `AnswerOutput` for a batch with `answers`.

    `answers` (N, T-1) is true where a token of an answer is predicted.

    Raises:
        UserError: the logits of this architecture are scaled behind its head.
    """
    model = unwrapped(wrapped)
    check_head(model, needed_by=needed_by)

    def forward(before: Any, *args: Any, answers: Tensor, **batch: Any) -> AnswerOutput:
        # TRL's forward does not return the hidden states: a hook catches them
        hidden: list[Tensor] = []
        hook = model.base_model.register_forward_hook(
            lambda _, __, out: hidden.append(out.last_hidden_state)
        )
        try:
            outputs = before(*args, **batch)
        finally:
            hook.remove()
        # position t predicts token t+1, so the last position is left out
        logits = model.get_output_embeddings()(hidden[-1][:, :-1][answers]).float()
        return AnswerOutput(**outputs, answer_logits=logits)

    extend_forward(model, "answers", forward)


@dataclass
class DistilledOutput(FusedCausalLMOutput):
    """TRL's output of its fused head, plus the divergence of each token that is learned.

    `divergence` (B, T-1) is 0 at other tokens and where nothing is stored. `log_probs` are those of
    all tokens that are learned. The other fields cover only the labels, as in TRL.
    """

    divergence: Tensor | None = None


def add_distillation_head(wrapped: Any, per_token: PerToken, *, needed_by: str) -> None:
    """Let the model return a `DistilledOutput` for a batch with stored probabilities.

    The batch holds `labels` (B, T), `prompt_mask` (B, T), `topk_ids` and `topk_logprobs` (B, T, K),
    and `topk_tail` (B, T), below 0 where nothing is stored. The head is computed in chunks of
    positions, and only of those with a label or in the mask.

    Raises:
        UserError: the logits of this architecture are scaled behind its head.
    """
    model = unwrapped(wrapped)
    check_head(model, needed_by=needed_by)

    def forward(_: Any, *args: Any, topk_tail: Tensor, **batch: Any) -> DistilledOutput:
        stored = [batch.pop("topk_ids"), batch.pop("topk_logprobs"), topk_tail]
        labels = batch.pop("labels")[:, 1:]
        # an argument of TRL's forward, which the base model does not take
        batch.pop("fused_lm_head", None)
        labeled = labels != -100
        mask = labeled | batch.pop("prompt_mask")[:, 1:]
        tokens = labels.where(labeled, batch["input_ids"][:, 1:])

        hidden = model.base_model(*args, **batch).last_hidden_state[:, :-1][mask]
        head = model.get_output_embeddings()
        targets = [tokens[mask], *(x[:, 1:][mask] for x in stored)]
        values = chunked(per_token, hidden, head.weight, *targets, bias=head.bias)
        divergence, log_probs, entropy, is_top1 = (
            x.new_zeros(mask.shape).masked_scatter(mask, x) for x in values
        )
        return DistilledOutput(
            log_probs=log_probs,
            entropy=entropy * labeled,
            is_top1=is_top1 & labeled,
            label_mask=labeled,
            divergence=divergence.masked_fill(topk_tail[:, 1:] < 0, 0),
        )

    extend_forward(model, "topk_tail", forward)
