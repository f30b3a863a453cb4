"""Distillation of a teacher's probabilities, as a dataset version stores them: `train kd`, or
`accelerate launch -m train.kd` on several devices. No teacher is in memory.

TRL's `SFTTrainer` does the training; the loss of a completion's token is `sft_weight` times its
cross-entropy and `kd_weight` times the divergence from the K most probable tokens of the teacher
and the rest as one (`losses.topk_divergence`), meant over all tokens of the step's completions.
`lm_weight` adds the same loss of the prompts' tokens: with `sft_weight` 1−α and `kd_weight` α this
is in-context learning distillation, L_ICL + β·L_LM (Huang et al. 2022, arXiv 2212.10670;
`losses.in_context`)."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datagen.errors import UserError
from train.cli import guard
from train.data import DataArguments
from train.parse import offline_if_local, parse
from train.sft import assemble, plain, run

if TYPE_CHECKING:
    from trl import ModelConfig, SFTConfig

    from train.topk import TopkTrainer

KINDS = ("forward_kl", "reverse_kl", "jsd", "skewed_kl", "total_variation")


@dataclass(frozen=True, kw_only=True)
class KdArguments:
    """What the student learns of the teacher."""

    kd_weight: float = 1.0
    """Weight of the divergence from the teacher's stored probabilities."""
    sft_weight: float = 0.0
    """Weight of the cross-entropy of the completion's tokens."""
    lm_weight: float = 0.0
    """Weight of the loss of the prompts' tokens, demonstrations among them, beside that of the
    completions': both its parts, as --kd_weight and --sft_weight share them. Needs what `datagen
    topk --prompts` stores."""
    divergence: str = "forward_kl"
    """forward_kl, reverse_kl, jsd, skewed_kl or total_variation."""
    temperature: float = 1.0
    """Temperature of both distributions; the divergence is multiplied by its square."""


def main(argv: Sequence[str]) -> None:
    """Parse the flags and train. Raises UserError for bad input."""
    offline_if_local(argv)
    data, training, model, kd = parse_kd(argv)
    run(build(data, training, model, kd))


def parse_kd(argv: Sequence[str]) -> tuple[DataArguments, SFTConfig, ModelConfig, KdArguments]:
    """The settings of `train kd`. Raises UserError."""
    data, training, model, kd = parse(argv, "train kd", KdArguments)
    check(kd)
    return data, training, model, kd


def build(
    data: DataArguments, training: SFTConfig, model: ModelConfig, kd: KdArguments
) -> TopkTrainer:
    """The trainer of these settings, its rows tokenised and checked. Raises UserError for bad
    input."""
    from datagen.schema import PROMPT_TOPK, TOPK
    from train.topk import TopkTrainer

    plain(training, "train kd")
    if training.truncation_mode != "keep_start":
        raise UserError(
            "--truncation_mode: train kd keeps the start; stored probabilities follow the completion's start"
        )
    columns, settings = (TOPK, PROMPT_TOPK) if kd.lm_weight else (TOPK,), dataclasses.asdict(kd)
    return assemble(
        TopkTrainer, data, training, model, method="kd", columns=columns, settings=settings, kd=kd
    )


def check(kd: KdArguments) -> None:
    if kd.divergence not in KINDS:
        raise UserError(f"--divergence {kd.divergence}: there are {', '.join(KINDS)}")
    if not 0 < kd.temperature < math.inf:
        raise UserError(f"--temperature {kd.temperature}: a number above 0 is needed")
    if not (
        kd.kd_weight >= 0 and kd.sft_weight >= 0 and 0 < kd.kd_weight + kd.sft_weight < math.inf
    ):
        raise UserError(
            "--kd_weight and --sft_weight: at least one above 0 and none below is needed"
        )
    if not 0 <= kd.lm_weight < math.inf:
        raise UserError(f"--lm_weight {kd.lm_weight}: a number of at least 0 is needed")


if __name__ == "__main__":
    sys.exit(guard(lambda: main(sys.argv[1:])))
