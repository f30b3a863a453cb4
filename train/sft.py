"""Supervised fine-tuning of a student on one dataset version: `train sft`, or `accelerate launch -m train.sft` on
several devices.

TRL's `SFTTrainer` does the training, with the loss on the completion. Every flag of TRL's `SFTConfig` and
`ModelConfig` is a flag here, and a key of the flat YAML file that `--config` names.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from train.cli import guard
from train.data import DataArguments, cut_rows, load_version, teaches_to_stop
from train.parse import offline_if_local, parse_sft

if TYPE_CHECKING:
    from trl import ModelConfig, SFTConfig

log = logging.getLogger("train.sft")


def main(argv: Sequence[str]) -> None:
    """Parse the flags and train. Raises UserError for bad input."""
    offline_if_local(argv)
    train(*parse_sft(argv))


def train(data: DataArguments, training: SFTConfig, model: ModelConfig) -> None:
    """Train, or continue from the last whole checkpoint in `output_dir`; leave the model, its card and its lineage
    there."""
    from trl import get_peft_config, get_quantization_config

    from train.student import StudentTrainer, base_of, last_checkpoint, lineage_of

    if training.eval_strategy != "no":
        raise UserError("--eval_strategy: a version has no evaluation split; measure the student with `train evaluate`")
    tokenizer, base = open_tokenizer(model), base_of(model)
    with training.main_process_first():
        version, rows = load_version(data)
    lineage = lineage_of(data, training, model, base=base, version=version, rows=len(rows))
    checkpoint = last_checkpoint(Path(training.output_dir), lineage)
    if training.process_index == 0:
        warn_of_cuts(rows, tokenizer, training)
    training.model_init_kwargs = init_kwargs(training, model)
    trainer = StudentTrainer(
        model=model.model_name_or_path,
        args=training,
        train_dataset=rows,
        processing_class=tokenizer,
        quantization_config=get_quantization_config(model),
        peft_config=get_peft_config(model),
        lineage=lineage,
    )
    if not teaches_to_stop(rows, tokenizer, trainer.end_tokens()):
        log.warning("the completions hold no token that ends generation: the student will not learn to stop")
    trainer.describe()
    trainer.train(resume_from_checkpoint=checkpoint)
    trainer.finish()


def open_tokenizer(model: ModelConfig) -> Any:
    """The base's tokenizer. Raises UserError where there is no such model, or no chat template."""
    from transformers import AutoConfig, AutoTokenizer

    name = model.model_name_or_path
    try:
        AutoConfig.from_pretrained(name, revision=model.model_revision)
        tokenizer = AutoTokenizer.from_pretrained(name, revision=model.model_revision)
    except (OSError, ValueError) as error:
        what = "no such folder" if name.startswith((".", "/", "~")) and not Path(name).is_dir() else str(error).strip()
        raise UserError(f"cannot open the model {name}: {what.splitlines()[0]}") from None
    if not tokenizer.chat_template:
        raise UserError(
            f"{name} has no chat template, and the rows are conversations: give one with --chat_template_path"
        )
    return tokenizer


def warn_of_cuts(rows: Any, tokenizer: Any, training: SFTConfig) -> None:
    cut = cut_rows(rows, tokenizer, max_length=training.max_length, workers=training.dataset_num_proc)
    if cut:
        limit = training.max_length
        log.warning("%d of %d rows have more than %d tokens and are cut there (--max_length)", cut, len(rows), limit)


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
