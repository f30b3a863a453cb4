"""A trainer from its settings: base, tokenizer, rows and lineage."""

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
    teaches_to_stop,
)
from train.trainers.failures import refusals
from train.trainers.lineage import base_of, lineage_of
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
"""Settings under which every row is a row of the batch and the loss a sum over its tokens."""


@dataclass(frozen=True)
class Loaded:
    """What a student learns from."""

    dataset: dict[str, Any]
    """As the lineage names it."""
    rows: Dataset
    own: dict[str, Any] = field(default_factory=dict)
    """Arguments of the trainer that come from the data."""


@dataclass(frozen=True)
class Origin:
    """What the lineage says beside base, data and TRL's settings."""

    method: str
    settings: Mapping[str, Any]
    losses: Mapping[str, str] = field(default_factory=dict)
    """What the card says of each loss, by its flag."""

    def add_to(self, lineage: dict[str, Any]) -> dict[str, Any]:
        """The lineage with this in it."""
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
    """A trainer of this kind: base, rows, and lineage.

    Args:
        kind: the class.
        data: the flags of the data.
        training: TRL's settings.
        model: TRL's settings of the base and the adapter.
        origin: what the lineage says beside these.
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
    # before the rows: a wrong name is said at once, not after minutes of reading
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
    """The one version of `--dataset`, with these columns."""
    version, rows = load_version(data, columns)
    return Loaded(dataset_lineage(version, data.dataset_config, len(rows)), rows)


def refuse_packing(training: SFTConfig, needed_by: str) -> None:
    """Raise UserError for settings of TRL that change rows or loss.

    The weights of single tokens could not follow them.
    """
    for name, value in ROW_BY_ROW.items():
        found = getattr(training, name)
        if found != value:
            raise UserError(f"--{name} {found}: it does not go with {needed_by}; {value} does")


def open_tokenizer(training: SFTConfig, model: ModelConfig) -> Any:
    """The base's tokenizer.

    Raises:
        UserError: there is no such model, or it has no chat template.
    """
    from transformers import AutoConfig, AutoTokenizer

    name = str(model.model_name_or_path)
    opening = {"revision": model.model_revision, "trust_remote_code": training.trust_remote_code}
    try:
        # the tokenizer of a folder without a model would open, and the error would come much later
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
    return tokenizer


def check_rows(rows: Dataset, trainer: StudentTrainer) -> None:
    """Warn of what the student would otherwise silently not learn.

    That is the ends of rows that are too long, and to stop.

    Raises:
        UserError: no row has a token of its completion left.
    """
    limit = trainer.args.max_length
    if not len(trainer.train_dataset):
        raise UserError(
            f"--max_length {limit}: every row's prompt fills it, and no completion is left"
        )
    if not trainer.is_world_process_zero():
        return

    tokenizer = trainer.processing_class
    workers = trainer.args.dataset_num_proc
    cut, lost = cut_rows(rows, tokenizer, max_length=limit, workers=workers)
    if cut:
        what = "%d of %d rows have more than %d tokens and are cut there (--max_length)"
        log.warning(what, cut, len(rows), limit)
    if lost and trainer.args.truncation_mode == "keep_start":
        log.warning("%d of these have no token of their completion left, and teach nothing", lost)
    if not teaches_to_stop(rows, tokenizer, trainer.end_tokens()):
        log.warning(
            "the completions hold no token that ends generation: the student will not learn to stop"
        )


def init_kwargs(training: SFTConfig, model: ModelConfig) -> dict[str, Any]:
    """How the base is opened, from TRL's `ModelConfig`. `--model_init_kwargs` wins."""
    return {
        "revision": model.model_revision,
        "trust_remote_code": training.trust_remote_code,
        "attn_implementation": model.attn_implementation,
        "dtype": model.dtype,
        **(training.model_init_kwargs or {}),
    }
