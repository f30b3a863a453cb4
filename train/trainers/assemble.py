"""Building a trainer from its settings: base, tokenizer, rows and lineage."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from trl import get_peft_config, get_quantization_config

from datagen.errors import UserError
from train.data.versions import (
    DataArguments,
    cut_rows,
    dataset_lineage,
    load_version,
)
from train.trainers.failures import refusals
from train.trainers.lineage import base_of, lineage_of
from train.trainers.stopping import set_end_of_turn, use_template
from train.trainers.student import StudentTrainer

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import ModelConfig, SFTConfig

log = logging.getLogger("train.sft")
Trainer = TypeVar("Trainer", bound=StudentTrainer)
ROW_BY_ROW = {
    "packing": False,
    "padding_free": False,
    "loss_type": "nll",
    "label_smoothing_factor": 0,
}
"""Settings with which each row is one row of the batch and the loss is a sum over its tokens."""


@dataclass(frozen=True)
class Loaded:
    """The data that a student learns from."""

    dataset: dict[str, Any]
    """The entry of the data in the lineage."""
    rows: Dataset
    own: dict[str, Any] = field(default_factory=dict)
    """Arguments of the trainer that come from the data."""


@dataclass(frozen=True)
class Origin:
    """What the lineage says besides base, data and TRL's settings."""

    method: str
    settings: Mapping[str, Any]
    losses: Mapping[str, str] = field(default_factory=dict)
    """What the card says of each loss, by its flag."""

    def add_to(self, lineage: dict[str, Any]) -> dict[str, Any]:
        """Return the lineage with method, settings and losses added."""
        lineage = lineage | {"method": self.method}
        lineage["settings"] = lineage["settings"] | dict(self.settings)
        return lineage | ({"losses": dict(self.losses)} if self.losses else {})


def assemble(
    kind: type[Trainer],
    data: DataArguments,
    training: SFTConfig,
    model: ModelConfig,
    *,
    origin: Origin,
    load: Callable[[], Loaded],
    **own: Any,
) -> Trainer:
    """Return a trainer of this kind with base, rows and lineage.

    Args:
        kind: the class of the trainer.
        data: the flags of the data.
        training: TRL's settings.
        model: TRL's settings of the base and the adapter.
        origin: what the lineage says besides these.
        load: reads the rows. On several devices the first process reads them first.
        own: further arguments of the class.

    Raises:
        UserError: the settings, the base or the data cannot be used.
    """
    if training.eval_strategy != "no":
        raise UserError(
            "--eval_strategy: a version has no evaluation split; measure the student with "
            "`train evaluate`"
        )
    # before the rows are read, which takes minutes: a wrong name is reported at once
    tokenizer = open_tokenizer(training, model)
    with training.main_process_first():
        loaded = load()

    lineage = lineage_of(training, model, base=base_of(model), dataset=loaded.dataset)
    training.model_init_kwargs = init_kwargs(training, model)
    with refusals(ValueError, TypeError, OSError):
        trainer = kind(
            model=model.model_name_or_path,
            args=training,
            train_dataset=loaded.rows,
            processing_class=tokenizer,
            quantization_config=get_quantization_config(model),
            peft_config=get_peft_config(model),
            lineage=origin.add_to(lineage),
            **loaded.own,
            **own,
        )
    check_rows(loaded.rows, trainer)
    return trainer


def load_one(data: DataArguments, columns: Sequence[str] = ()) -> Loaded:
    """Return the one version of `--dataset`, with these columns."""
    version, rows = load_version(data, columns)
    return Loaded(dataset_lineage(version, data.dataset_config, len(rows)), rows)


def refuse_packing(training: SFTConfig, needed_by: str) -> None:
    """Raise UserError for settings of TRL that change rows or loss.

    The losses give weights to single tokens, and with those settings the weights would be wrong.
    """
    for name, value in ROW_BY_ROW.items():
        found = getattr(training, name)
        if found != value:
            raise UserError(f"--{name} {found} does not work with {needed_by}; {value} does")


def open_tokenizer(training: SFTConfig, model: ModelConfig) -> Any:
    """Return the tokenizer of the base, with the end of turn of its chat template.

    Raises:
        UserError: there is no such model, it has no chat template, or its template does not end an
            answer.
    """
    from transformers import AutoConfig, AutoTokenizer

    name = str(model.model_name_or_path)
    opening = {"revision": model.model_revision, "trust_remote_code": training.trust_remote_code}
    try:
        # a folder may have a tokenizer but no model, and that error would come much later
        AutoConfig.from_pretrained(name, **opening)
        tokenizer = AutoTokenizer.from_pretrained(name, **opening)
    except (OSError, ValueError) as error:
        missing = name.startswith((".", "/")) and not Path(name).is_dir()
        why = "no such folder" if missing else str(error).strip().splitlines()[0]
        raise UserError(f"cannot open the model {name}: {why}") from None
    if not (tokenizer.chat_template or getattr(training, "chat_template_path", None)):
        raise UserError(
            f"{name} has no chat template, and rows are conversations: give one with "
            "--chat_template_path"
        )
    if use_template(tokenizer, getattr(training, "chat_template_path", None)):
        set_end_of_turn(tokenizer, getattr(training, "eos_token", None))
    return tokenizer


def check_rows(rows: Dataset, trainer: StudentTrainer) -> None:
    """Warn if the student will not learn the ends of long rows.

    Raises:
        UserError: no row has a token of its completion left.
    """
    limit = trainer.args.max_length
    if not len(trainer.train_dataset):
        raise UserError(
            f"--max_length {limit}: the prompt of every row is that long, so no completion is left"
        )
    # one process warns for all of them
    if not trainer.is_world_process_zero():
        return

    tokenizer = trainer.processing_class
    workers = trainer.args.dataset_num_proc
    cut, lost = cut_rows(rows, tokenizer, max_length=limit, workers=workers)
    if cut:
        what = "%d of %d rows have more than %d tokens and are cut there (--max_length)"
        log.warning(what, cut, len(rows), limit)
    if lost and trainer.args.truncation_mode == "keep_start":
        log.warning(
            "%d of these have no token of their completion left, so they teach nothing",
            lost,
        )


def init_kwargs(training: SFTConfig, model: ModelConfig) -> dict[str, Any]:
    """Return the arguments that open the base, from TRL's `ModelConfig`.

    `--model_init_kwargs` wins.
    """
    return {
        "revision": model.model_revision,
        "trust_remote_code": training.trust_remote_code,
        "attn_implementation": model.attn_implementation,
        "dtype": model.dtype,
        **(training.model_init_kwargs or {}),
    }
