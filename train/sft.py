"""`train sft`: supervised fine-tuning of a student on dataset versions.

`accelerate launch -m train.sft` runs it on several devices. TRL's `SFTTrainer` does the training,
with the loss on the completion. Every flag of TRL's `SFTConfig` and `ModelConfig` is a flag here,
and a key of the flat YAML file that `--config` names.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from train.arguments import SftArguments
from train.data.grouping import Need, Plan
from train.data.training_data import Mixture, TrainingData, read_training_data
from train.data.versions import DataArguments
from train.flags import Command, parse, sft_config
from train.losses import catalogue
from train.process import guard, offline_if_local

if TYPE_CHECKING:
    from trl import ModelConfig, SFTConfig

    from train.losses.record import Chosen
    from train.trainers.student import StudentTrainer

COMMAND = Command("train sft", SftArguments, sft_config)
RATIONALE = Need("rationale", "a column rationale, which `datagen rationales` writes")


def main(argv: Sequence[str]) -> None:
    """Parse the flags, train, and print where the student is.

    Raises:
        UserError: the input cannot be used.
    """
    offline_if_local(argv)
    from train.trainers.fit import train_and_print

    train_and_print(build(*parse_sft(argv)))


def parse_sft(
    argv: Sequence[str], values: Mapping[str, Any] | None = None
) -> tuple[DataArguments, SFTConfig, ModelConfig, SftArguments]:
    """Return the settings of `train sft`.

    Args:
        argv: the words of the command line.
        values: flags by name; `argv` wins.

    Raises:
        UserError: a flag is unknown, or a value does not fit.
    """
    return parse(COMMAND, argv, values)


def build(
    data: DataArguments, training: SFTConfig, model: ModelConfig, sft: SftArguments
) -> StudentTrainer:
    """Return the trainer of these settings, with its rows tokenised.

    A warning counts the rows that are cut.

    Raises:
        UserError: the settings, the base or the data cannot be used.
    """
    from train.trainers.assemble import Loaded, Origin, assemble, refuse_packing
    from train.trainers.group_trainer import GroupTrainer
    from train.trainers.student import StudentTrainer

    sft.check()
    chosen = catalogue.chosen(sft)
    if chosen.losses:
        refuse_packing(training, f"--{chosen.losses[0].flag}")

    def load() -> Loaded:
        found = read(data, sft, training, chosen)
        if not chosen.losses:
            return Loaded(found.dataset, found.rows)
        return Loaded(found.dataset, found.members, {"groups": found.groups, "chosen": chosen})

    origin = Origin("sft", recorded_settings(sft), losses=chosen.sentences)
    kind = GroupTrainer if chosen.losses else StudentTrainer
    return assemble(kind, data, training, model, origin=origin, load=load)


def read(
    data: DataArguments, sft: SftArguments, training: SFTConfig, chosen: Chosen
) -> TrainingData:
    """Return the rows of the versions, grouped as the losses need them.

    Raises:
        UserError: a version, a config or a column is missing.
    """
    needs = {loss.flag: loss.need for loss in chosen.losses if loss.need}
    if sft.long_share is not None:
        needs["long_share"] = RATIONALE
    rows = tuple(loss.rows for loss in chosen.losses)
    plan = Plan(rows, needs, options=sft, long_share=sft.long_share)
    mixture = Mixture(sft.mixture, sft.mixture_rows or rows_seen(training))
    return read_training_data(data, mixture, plan, seed=training.seed)


def rows_seen(training: SFTConfig) -> int | None:
    """Return how many rows (or groups) `--max_steps` steps use, or None without `--max_steps`."""
    if training.max_steps <= 0:
        return None
    per_device = training.per_device_train_batch_size * training.gradient_accumulation_steps
    return training.max_steps * per_device * training.world_size


def recorded_settings(sft: SftArguments) -> dict[str, Any]:
    """Return the settings that the lineage states: those that differ from their default."""
    differing = {
        name: value for name, value in vars(sft).items() if value != getattr(type(sft), name)
    }
    # the lineage has the mixture under `dataset`, with names and hashes
    differing.pop("mixture", None)
    return differing


if __name__ == "__main__":
    sys.exit(guard(lambda: main(sys.argv[1:])))
