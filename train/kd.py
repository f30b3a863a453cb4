"""`train kd`: distillation of the teacher's probabilities that a dataset version stores.

`accelerate launch -m train.kd` runs it on several devices. No teacher is in memory. TRL's
`SFTTrainer` does the training.

The loss of a completion's token is `sft_weight` * cross-entropy + `kd_weight` * divergence
(`losses.mixed`). The divergence is over the teacher's K most probable tokens and, as one more
outcome, all other tokens. The loss is a mean over all tokens of the step's completions.
`lm_weight` adds the same loss of the prompts' tokens (`losses.in_context`). With `sft_weight`
1-alpha and `kd_weight` alpha this is in-context learning distillation (Huang et al. 2022, arXiv
2212.10670).
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from train.arguments import KdArguments
from train.data.versions import DataArguments
from train.flags import Command, parse, sft_config
from train.process import guard, offline_if_local

if TYPE_CHECKING:
    from trl import ModelConfig, SFTConfig

    from train.trainers.topk_trainer import TopkTrainer

COMMAND = Command("train kd", KdArguments, sft_config)


def main(argv: Sequence[str]) -> None:
    """Parse the flags, train, and print where the student is.

    Raises:
        UserError: the input cannot be used.
    """
    offline_if_local(argv)
    from train.trainers.fit import train_and_print

    train_and_print(build(*parse_kd(argv)))


def parse_kd(
    argv: Sequence[str], values: Mapping[str, Any] | None = None
) -> tuple[DataArguments, SFTConfig, ModelConfig, KdArguments]:
    """Return the settings of `train kd`.

    Args:
        argv: the words of the command line.
        values: flags by name; `argv` wins.

    Raises:
        UserError: a flag is unknown, or a value does not fit.
    """
    data, training, model, kd = parse(COMMAND, argv, values)
    kd.check()
    return data, training, model, kd


def build(
    data: DataArguments, training: SFTConfig, model: ModelConfig, kd: KdArguments
) -> TopkTrainer:
    """Return the trainer of these settings, with its rows tokenised and checked.

    Raises:
        UserError: the settings, the base or the data cannot be used.
    """
    from datagen.schema import PROMPT_TOPK, TOPK
    from train.trainers.assemble import Origin, assemble, load_one, refuse_packing
    from train.trainers.topk_trainer import TopkTrainer

    refuse_packing(training, "train kd")
    if training.truncation_mode != "keep_start":
        raise UserError(
            "--truncation_mode: train kd needs keep_start, because the stored probabilities "
            "belong to the start of the completion"
        )
    columns = (TOPK, PROMPT_TOPK) if kd.lm_weight else (TOPK,)
    return assemble(
        TopkTrainer,
        data,
        training,
        model,
        origin=Origin("kd", dataclasses.asdict(kd)),
        load=lambda: load_one(data, columns),
        kd=kd,
    )


if __name__ == "__main__":
    sys.exit(guard(lambda: main(sys.argv[1:])))
