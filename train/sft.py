"""Supervised fine-tuning of a student on one dataset version: `train sft`, or `accelerate launch -m
train.sft` on several devices.

TRL's `SFTTrainer` does the training, with the loss on the completion. Every flag of TRL's
`SFTConfig` and `ModelConfig` is a flag here, and a key of the flat YAML file that `--config` names.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    """What counts in the loss, and in which proportions the data come.

    Losses that compare rows of a question make a batch one of questions:
    `per_device_train_batch_size` counts these."""

    mixture: list[str] | None = None
    """Several versions in the place of --dataset: NAME@VERSION:CONFIG=WEIGHT for each, in
    proportion to the weights, exactly; in YAML a map of NAME@VERSION:CONFIG to weights is the
    same."""
    mixture_rows: int | None = None
    """Rows of an epoch of the mixture; default: as many as --max_steps takes, else the fewest that
    hold every version whole, smaller ones repeated."""
    long_share: float | None = None
    """Train on one rationale of each question: the longest for this share of the questions, the
    shortest for the others."""
    answer_weight: float | None = None
    """Weight, from 0 to 1, of the tokens of a row's `answer` where the completion last names it,
    against all its other tokens, each of the two a mean of its own; default: the mean over all
    tokens alike."""
    label_weight: float | None = None
    """Weight, from 0 to 1, of the direct answer (the row of `answers` of the same question) as a
    task of its own, against the rationale (distilling step by step)."""
    counterfactual_weight: float | None = None
    """Weight, from 0 to 1, of the answers that wrong rationales end with, these given, against the
    right rationales (SCOTT)."""
    consistency_weight: float | None = None
    """Weight of the divergence between what two rationales of a question make of its answer
    (MCC-KD; 0.1 there). A batch holds pairs of rationales then."""
    contrast_weight: float | None = None
    """Weight of the contrast between a right rationale and wrong ones of the same question
    (InfoNCE)."""
    preference_weight: float | None = None
    """Weight of the divergence between the teacher's and the student's preference among candidate
    demonstrations."""
    lm_weight: float | None = None
    """Weight of the language-modelling loss on the prompts, demonstrations among them (in-context
    distillation)."""
    demonstration_weight: float | None = None
    """Weight of the outputs of the demonstrations in the prompt, each given those before it: an
    episode of k demonstrations teaches reading them k times more."""
    temperature: float = 1.0
    """Temperature of consistency, contrast and preference."""
    negatives: int = 4
    """Most wrong rationales beside a right one."""
    candidates: int = 8
    """Most candidate demonstrations of a query."""


SHARES = ("answer_weight", "label_weight", "counterfactual_weight", "long_share")
WEIGHTS = (
    "consistency_weight",
    "contrast_weight",
    "preference_weight",
    "lm_weight",
    "demonstration_weight",
)
LOSSES = (*SHARES[:3], *WEIGHTS)


def main(argv: Sequence[str]) -> None:
    """Parse the flags and train. Raises UserError for bad input."""
    offline_if_local(argv)
    run(build(*parse_sft(argv)))


def run(trainer: StudentTrainer) -> None:
    """Train, or continue from the last whole checkpoint in `output_dir`; leave model, card and
    lineage there. A student that is finished stays as it is."""
    from train.checkpoints import claim, finished, last_checkpoint
    from train.failures import refusals, room

    folder = Path(trainer.args.output_dir)
    claim(folder, trainer.lineage)
    if finished(folder):
        return tell(trainer, f"{folder} holds this student already, finished; nothing was trained")
    checkpoint = last_checkpoint(folder)
    with room(folder), refusals():
        trainer.describe()
        trainer.train(resume_from_checkpoint=checkpoint)
        trainer.finish()
    return tell(
        trainer,
        f"written to {folder}; next: train evaluate --students {folder.name}=hf:{folder} ...",
    )


def tell(trainer: StudentTrainer, line: str) -> None:
    if trainer.is_world_process_zero():
        print(line)


def parse_sft(argv: Sequence[str]) -> tuple[DataArguments, SFTConfig, ModelConfig, SftArguments]:
    """The settings of `train sft`. Raises UserError for unknown flags and values that do not
    fit."""
    return parse(argv, "train sft", SftArguments)


def build(
    data: DataArguments, training: SFTConfig, model: ModelConfig, sft: SftArguments
) -> StudentTrainer:
    """The trainer of these settings, its rows tokenised. Raises UserError for bad input; warns of
    rows that are cut."""
    from train.group_trainer import GroupTrainer
    from train.material import read_material
    from train.objectives import terms
    from train.student import StudentTrainer

    check(sft)
    losses = [name for name in LOSSES if getattr(sft, name) is not None]
    for name in losses[:1]:
        plain(training, f"--{name}")

    def load() -> Loaded:
        material = read_material(data, sft, training)
        if not losses:
            return Loaded(material.dataset, material.rows)
        return Loaded(
            material.dataset, material.members, {"groups": material.groups, "terms": terms(sft)}
        )

    told = {
        name: value for name, value in vars(sft).items() if value != getattr(SftArguments, name)
    }
    told.pop("mixture", None)  # it stands under `dataset`, by names and hashes
    kind = GroupTrainer if losses else StudentTrainer
    return assemble(kind, data, training, model, method="sft", settings=told, load=load)


def check(sft: SftArguments) -> None:
    """Raises UserError for values out of range."""
    ranges = [(SHARES, 1.0, "from 0 to 1"), (WEIGHTS, sys.float_info.max, "of at least 0")]
    for names, most, wanted in ranges:
        for name in names:
            value = getattr(sft, name)
            if value is not None and not 0 <= value <= most:
                raise UserError(f"--{name} {value}: a number {wanted} is needed")
    for name, least in (("mixture_rows", 1), ("negatives", 1), ("candidates", 3)):
        value = getattr(sft, name)
        if value is not None and value < least:
            raise UserError(f"--{name} {value}: at least {least} is needed")
    if not 0 < sft.temperature < math.inf:
        raise UserError(f"--temperature {sft.temperature}: a number above 0 is needed")


def plain(training: SFTConfig, what: str) -> None:
    """Raises UserError where TRL would change rows or loss in a way that the weights of tokens do
    not follow."""
    for name, value in PLAIN.items():
        if getattr(training, name) != value:
            raise UserError(
                f"--{name} {getattr(training, name)}: it does not go with {what}; {value} does"
            )


def assemble(
    kind: type[Trainer],
    data: DataArguments,
    training: SFTConfig,
    model: ModelConfig,
    *,
    method: str,
    columns: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    load: Callable[[], Loaded] | None = None,
    **own: Any,
) -> Trainer:
    """A trainer of this kind: base, rows, and lineage, in which `settings` stand beside TRL's. The
    rows are those of `--dataset` with their `columns`, or what `load` gives. `own` are the kind's
    arguments. Raises UserError for bad input."""
    from trl import get_peft_config, get_quantization_config

    from train.failures import refusals
    from train.student import base_of, lineage_of

    if training.eval_strategy != "no":
        raise UserError(
            "--eval_strategy: a version has no evaluation split; measure the student with `train evaluate`"
        )
    tokenizer = open_tokenizer(training, model)
    with training.main_process_first():
        loaded = load() if load else load_one(data, columns)
    lineage = lineage_of(training, model, base=base_of(model), dataset=loaded.dataset) | {
        "method": method
    }
    lineage["settings"] |= settings or {}
    training.model_init_kwargs = init_kwargs(training, model)
    with refusals(ValueError, TypeError, OSError):
        trainer = kind(
            model=model.model_name_or_path,
            args=training,
            train_dataset=loaded.rows,
            processing_class=tokenizer,
            quantization_config=get_quantization_config(model),
            peft_config=get_peft_config(model),
            lineage=lineage,
            **loaded.own,
            **own,
        )
    if not len(trainer.train_dataset):
        raise UserError(
            f"--max_length {training.max_length}: every row's prompt fills it, and no completion is left"
        )
    if trainer.is_world_process_zero():
        warn(loaded.rows, trainer)
    return trainer


@dataclass(frozen=True)
class Loaded:
    """What a student learns from."""

    dataset: dict[str, Any]
    """As the lineage names it."""
    rows: Dataset
    own: dict[str, Any] = field(default_factory=dict)
    """Arguments of the trainer that come from the data."""


def load_one(data: DataArguments, columns: Sequence[str]) -> Loaded:
    """The one version of `--dataset`."""
    from train.student import dataset_lineage

    version, rows = load_version(data, columns)
    return Loaded(dataset_lineage(version, data.dataset_config, len(rows)), rows)


def open_tokenizer(training: SFTConfig, model: ModelConfig) -> Any:
    """The base's tokenizer. Raises UserError where there is no such model, or no chat template."""
    from transformers import AutoConfig, AutoTokenizer

    name = str(model.model_name_or_path)
    opening = {"revision": model.model_revision, "trust_remote_code": training.trust_remote_code}
    try:
        AutoConfig.from_pretrained(name, **opening)
        tokenizer = AutoTokenizer.from_pretrained(name, **opening)
    except (OSError, ValueError) as error:
        what = (
            "no such folder"
            if name.startswith((".", "/")) and not Path(name).is_dir()
            else str(error).strip()
        )
        raise UserError(f"cannot open the model {name}: {what.splitlines()[0]}") from None
    if not (tokenizer.chat_template or getattr(training, "chat_template_path", None)):
        raise UserError(
            f"{name} has no chat template, and rows are conversations: give one with --chat_template_path"
        )
    return tokenizer


def warn(rows: Dataset, trainer: StudentTrainer) -> None:
    """Say what the student would otherwise silently not learn: the ends of rows that are too long,
    and to stop."""
    limit, tokenizer = trainer.args.max_length, trainer.processing_class
    cut, lost = cut_rows(rows, tokenizer, max_length=limit, workers=trainer.args.dataset_num_proc)
    if cut:
        log.warning(
            "%d of %d rows have more than %d tokens and are cut there (--max_length)",
            cut,
            len(rows),
            limit,
        )
    if lost and trainer.args.truncation_mode == "keep_start":
        log.warning("%d of these have no token of their completion left, and teach nothing", lost)
    if not teaches_to_stop(rows, tokenizer, trainer.end_tokens()):
        log.warning(
            "the completions hold no token that ends generation: the student will not learn to stop"
        )


def init_kwargs(training: SFTConfig, model: ModelConfig) -> dict[str, Any]:
    """How the base is opened, from TRL's `ModelConfig`; the user's own `--model_init_kwargs`
    win."""
    return {
        "revision": model.model_revision,
        "trust_remote_code": training.trust_remote_code,
        "attn_implementation": model.attn_implementation,
        "dtype": model.dtype,
        **(training.model_init_kwargs or {}),
    }


if __name__ == "__main__":
    sys.exit(guard(lambda: main(sys.argv[1:])))
