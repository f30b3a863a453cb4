"""Supervised fine-tuning of a student on one dataset version: `train sft`, or `accelerate launch -m train.sft` on
several devices.

TRL's `SFTTrainer` does the training, with the loss on the completion. Every flag of TRL's `SFTConfig` and
`ModelConfig` is a flag here, and a key of the flat YAML file that `--config` names.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from datagen.errors import UserError
from train.cli import guard
from train.data import DataArguments, cut_rows, load_version, teaches_to_stop
from train.parse import offline_if_local, parse

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import ModelConfig, SFTConfig

    from train.student import StudentTrainer

log = logging.getLogger("train.sft")
Trainer = TypeVar("Trainer", bound="StudentTrainer")
PLAIN = {"packing": False, "padding_free": False, "loss_type": "nll", "label_smoothing_factor": 0}
"""Settings under which every row is a row of the batch and the loss a sum over its tokens."""


@dataclass(frozen=True, kw_only=True)
class SftArguments:
    """What counts in the loss."""

    answer_weight: float | None = None
    """Weight, from 0 to 1, of the tokens of a row's `answer` where the completion last names it, against all its other
    tokens, each of the two a mean of its own; default: the mean over all tokens alike."""


def main(argv: Sequence[str]) -> None:
    """Parse the flags and train. Raises UserError for bad input."""
    offline_if_local(argv)
    run(build(*parse_sft(argv)))


def run(trainer: StudentTrainer) -> None:
    """Train, or continue from the last whole checkpoint in `output_dir`; leave model, card and lineage there."""
    from train.student import last_checkpoint

    checkpoint = last_checkpoint(Path(trainer.args.output_dir), trainer.lineage)
    trainer.describe()
    trainer.train(resume_from_checkpoint=checkpoint)
    trainer.finish()


def parse_sft(argv: Sequence[str]) -> tuple[DataArguments, SFTConfig, ModelConfig, SftArguments]:
    """The settings of `train sft`. Raises UserError for unknown flags and values that do not fit."""
    return parse(argv, "train sft", SftArguments)


def build(data: DataArguments, training: SFTConfig, model: ModelConfig, sft: SftArguments) -> StudentTrainer:
    """The trainer of these settings, its rows tokenised. Raises UserError for bad input; warns of rows that are cut."""
    from train.spans import SpanTrainer
    from train.student import StudentTrainer

    weight = sft.answer_weight
    if weight is None:
        return assemble(StudentTrainer, data, training, model, method="sft")
    if not 0 <= weight <= 1:
        raise UserError(f"--answer_weight {weight}: a number from 0 to 1 is needed")
    plain(training, "--answer_weight")
    told = {"answer_weight": weight}
    return assemble(SpanTrainer, data, training, model, method="sft", columns=("answer",), settings=told, **told)


def plain(training: SFTConfig, what: str) -> None:
    """Raises UserError where TRL would change rows or loss in a way that the weights of tokens do not follow."""
    for name, value in PLAIN.items():
        if getattr(training, name) != value:
            raise UserError(f"--{name} {getattr(training, name)}: it does not go with {what}; {value} does")


def assemble(
    kind: type[Trainer],
    data: DataArguments,
    training: SFTConfig,
    model: ModelConfig,
    *,
    method: str,
    columns: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    **own: Any,
) -> Trainer:
    """A trainer of this kind: base, rows with their `columns`, and lineage, in which `settings` stand beside TRL's.
    `own` are the kind's arguments. Raises UserError for bad input."""
    from trl import get_peft_config, get_quantization_config

    from train.student import base_of, lineage_of

    if training.eval_strategy != "no":
        raise UserError("--eval_strategy: a version has no evaluation split; measure the student with `train evaluate`")
    tokenizer = open_tokenizer(training, model)
    with training.main_process_first():
        version, rows = load_version(data, columns)
    training.model_init_kwargs = init_kwargs(training, model)
    lineage = lineage_of(data, training, model, base=base_of(model), version=version, rows=len(rows)) | {
        "method": method
    }
    lineage["settings"] |= settings or {}
    try:
        trainer = kind(
            model=model.model_name_or_path,
            args=training,
            train_dataset=rows,
            processing_class=tokenizer,
            quantization_config=get_quantization_config(model),
            peft_config=get_peft_config(model),
            lineage=lineage,
            **own,
        )
    except ValueError as error:  # how TRL and PEFT refuse settings that do not go together
        raise UserError(" ".join(str(error).split())) from error
    if trainer.is_world_process_zero():
        warn(rows, trainer)
    return trainer


def open_tokenizer(training: SFTConfig, model: ModelConfig) -> Any:
    """The base's tokenizer. Raises UserError where there is no such model, or no chat template."""
    from transformers import AutoConfig, AutoTokenizer

    name = str(model.model_name_or_path)
    opening = {"revision": model.model_revision, "trust_remote_code": training.trust_remote_code}
    try:
        AutoConfig.from_pretrained(name, **opening)
        tokenizer = AutoTokenizer.from_pretrained(name, **opening)
    except (OSError, ValueError) as error:
        what = "no such folder" if name.startswith((".", "/")) and not Path(name).is_dir() else str(error).strip()
        raise UserError(f"cannot open the model {name}: {what.splitlines()[0]}") from None
    if not (tokenizer.chat_template or training.chat_template_path):
        raise UserError(f"{name} has no chat template, and rows are conversations: give one with --chat_template_path")
    return tokenizer


def warn(rows: Dataset, trainer: StudentTrainer) -> None:
    """Say what the student would otherwise silently not learn: the ends of rows that are too long, and to stop."""
    limit, tokenizer = trainer.args.max_length, trainer.processing_class
    cut = cut_rows(rows, tokenizer, max_length=limit, workers=trainer.args.dataset_num_proc)
    if cut:
        log.warning("%d of %d rows have more than %d tokens and are cut there (--max_length)", cut, len(rows), limit)
    if not teaches_to_stop(rows, tokenizer, trainer.end_tokens()):
        log.warning("the completions hold no token that ends generation: the student will not learn to stop")


def init_kwargs(training: SFTConfig, model: ModelConfig) -> dict[str, Any]:
    """How the base is opened, from TRL's `ModelConfig`; the user's own `--model_init_kwargs` win."""
    return {
        "revision": model.model_revision,
        "trust_remote_code": training.trust_remote_code,
        "attn_implementation": model.attn_implementation,
        "dtype": model.dtype,
        **(training.model_init_kwargs or {}),
    }


if __name__ == "__main__":
    sys.exit(guard(lambda: main(sys.argv[1:])))
