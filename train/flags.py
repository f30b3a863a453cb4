"""The flags of a training: our own and all of TRL's.

They come from the command line, a YAML file, or keyword arguments.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import yaml

from datagen.errors import UserError
from train.data.versions import DataArguments

if TYPE_CHECKING:
    from trl import ModelConfig

    from train.trl.parser import FlagParser

Own = TypeVar("Own")
YES = ("true", "1", "yes", "t", "y")
"""Words that TRL's parser reads as true."""
HELP = ("-h", "--help")


@dataclass(frozen=True)
class Command:
    """A command that trains, and its flags besides those of the data and of TRL's `ModelConfig`."""

    name: str
    own: type[Any]
    """The dataclass of its own flags."""
    config: Callable[[], type[Any]]
    """Returns TRL's configuration, which is imported only when it is needed."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Other names of TRL's flags."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Values that differ from TRL's."""


def sft_config() -> type[Any]:
    """Return TRL's `SFTConfig`, whose import loads torch."""
    from trl import SFTConfig

    return SFTConfig


class WordParser(argparse.ArgumentParser):
    """A parser of a few flags, used before the others are known."""

    def __init__(self) -> None:
        # an abbreviation could also mean a flag that this parser does not know
        super().__init__(add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def underscored(words: Sequence[str]) -> list[str]:
    """Return the words with all flags written with underscores instead of dashes.

    Example:
        >>> underscored(["--output-dir", "a-b", "--max-steps=3"])
        ['--output_dir', 'a-b', '--max_steps=3']
    """
    found = []
    for word in words:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            word = f"--{name.replace('-', '_')}{equals}{value}"
        found.append(word)
    return found


def as_flags(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a YAML file or of keyword arguments in the form of flags.

    `model` is short for `model_name_or_path`. Names may have dashes. A mixture may be a map from
    sources to weights. Numbers and paths become text, which the parser reads like the words of a
    command line.
    """
    flags = {name.replace("-", "_"): value for name, value in values.items()}
    if "model" in flags:
        flags["model_name_or_path"] = flags.pop("model")
    if isinstance(flags.get("mixture"), dict):
        flags["mixture"] = [f"{source}={weight}" for source, weight in flags["mixture"].items()]
    return {name: as_word(value) for name, value in flags.items()}


def as_word(value: Any) -> Any:
    """Return a number or a path as text, and any other value unchanged."""
    # YAML reads `2` as an int where a float is wanted, and `1e-5` as a text
    if type(value) in (int, float) or isinstance(value, os.PathLike):
        return str(value)
    return value


def read_yaml(path: str) -> dict[str, Any]:
    """Return the values of a flat YAML file.

    Raises:
        UserError: the file cannot be read, or it is not flat YAML.
    """
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"--config {path}: cannot read it ({why})") from None
    except yaml.YAMLError as error:
        raise UserError(f"--config {path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(found, dict):
        raise UserError(f"--config {path}: no `flag: value` lines")
    return found


def split_config(argv: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Return the words without `--config`, and the values of the file that it names.

    The flags among the words get underscores. An `env` block of the file sets environment
    variables, as in TRL.
    """
    flags = WordParser()
    flags.add_argument("--config")
    found, rest = flags.parse_known_args(underscored(argv))
    values = read_yaml(found.config) if found.config else {}
    # `env` is no flag, so it is taken out before the flags are read
    variables = values.pop("env", None) or {}
    if not isinstance(variables, dict):
        raise UserError(
            f"--config {found.config}: env needs a line `NAME: value` for each variable"
        )
    os.environ.update({name: str(value) for name, value in variables.items()})
    return rest, as_flags(values)


def peek(
    words: Sequence[str], values: Mapping[str, Any], names: Sequence[str], *, switch: str = ""
) -> dict[str, Any]:
    """Return the values of a few flags, before the parser of all flags is chosen.

    Args:
        words: the command line, without `--config`.
        values: the values of a file or of keyword arguments; `words` win.
        names: the flags.
        switch: one more flag, which may stand without a value.
    """
    flags = WordParser()
    for name in names:
        # --mixture takes several values
        flags.add_argument(f"--{name}", nargs="*" if name == "mixture" else None)
    if switch:
        flags.add_argument(f"--{switch}", nargs="?", const="true")
    found, _ = flags.parse_known_args(list(words))
    return {
        name: values.get(name) if value is None else value for name, value in vars(found).items()
    }


def is_yes(value: Any) -> bool:
    """Return whether TRL's parser would read the value as true."""
    return str(value).lower() in YES


def parser_of(command: Command) -> FlagParser:
    """Return the parser of a command's flags, with defaults that fit the device."""
    import torch
    from transformers.utils import is_torch_bf16_gpu_available
    from trl import ModelConfig

    from train.trl.parser import FlagParser

    # TRL's defaults are for GPUs: bf16 and checkpointing would only slow a CPU down
    accelerator = torch.accelerator.is_available()
    device = {
        "use_cpu": not accelerator,
        "bf16": accelerator and is_torch_bf16_gpu_available(),
        "gradient_checkpointing": accelerator,
        "report_to": "none",
    }
    return FlagParser(
        # our own flags first: the help lists them in this order
        (DataArguments, command.own, command.config(), ModelConfig),
        command.name,
        renamed=command.renamed,
        defaults=device | dict(command.defaults),
    )


def parse(
    command: Command, argv: Sequence[str], values: Mapping[str, Any] | None = None
) -> tuple[DataArguments, Any, ModelConfig, Any]:
    """Return the settings of a command: data, training, model, and its own.

    Args:
        command: which flags there are.
        argv: the words of the command line.
        values: flags by name; a YAML file and `argv` win.

    Raises:
        UserError: a flag is unknown, a value does not fit, or the base or the data is missing.
    """
    words, written = split_config(argv)
    found = parser_of(command).parse(words, {**as_flags(values or {}), **written})
    data, settings, training, model = found
    if not model.model_name_or_path:
        raise UserError("--model is missing: the base to start from, a folder or a name on the Hub")
    if not (data.dataset or getattr(settings, "mixture", None)):
        raise UserError("--dataset is missing: the version to train on, as NAME@VERSION")
    check_numbers(training)
    check_folder(training, str(model.model_name_or_path))
    check_refused(training)
    return data, training, model, settings


def check_numbers(training: Any) -> None:
    """Raise UserError for numbers with which nothing would be trained."""
    longest = getattr(training, "max_length", None)
    if longest is not None and longest < 1:
        raise UserError(f"--max_length {longest}: at least 1 is needed")
    for name, least in (
        ("per_device_train_batch_size", 1),
        ("gradient_accumulation_steps", 1),
        ("dataloader_num_workers", 0),
    ):
        if getattr(training, name) < least:
            raise UserError(f"--{name} {getattr(training, name)}: at least {least} is needed")
    # `not >=` instead of `<`, so that nan is refused too
    if not training.learning_rate >= 0:
        raise UserError(
            f"--learning_rate {training.learning_rate}: a number of at least 0 is needed"
        )
    if training.max_steps <= 0 and not training.num_train_epochs > 0:
        raise UserError(
            f"--num_train_epochs {training.num_train_epochs}: without --max_steps more than 0 is "
            "needed"
        )


def check_folder(training: Any, model: str) -> None:
    """Raise UserError for an output folder that cannot be written to, or that is the base's own."""
    # checked before hours of training, not when the student is saved
    folder = Path(training.output_dir)
    nearest = next(found for found in (folder, *folder.absolute().parents) if found.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise UserError(f"--output_dir {folder}: {nearest} is no folder that can be written to")
    if Path(model).is_dir() and folder.exists() and folder.samefile(model):
        raise UserError(
            f"--output_dir {folder}: it is the base's own folder, which would be overwritten"
        )


def check_refused(training: Any) -> None:
    """Raise UserError for flags of TRL that we do not support or that would fail late."""
    import torch

    if training.hub_token:
        raise UserError(
            "--hub_token would be stored in the student's folder: set the variable HF_TOKEN instead"
        )
    if training.resume_from_checkpoint:
        raise UserError(
            "--resume_from_checkpoint: a training goes on by itself from the last whole checkpoint "
            "of its --output_dir; weights to start from are --model"
        )
    if training.optim_args and not re.fullmatch(
        r"\s*[^=,]+=[^=,]*(,[^=,]+=[^=,]*)*", training.optim_args
    ):
        raise UserError(f"--optim_args {training.optim_args}: NAME=VALUE is needed, with commas")
    if getattr(training, "activation_offloading", False) and not torch.accelerator.is_available():
        raise UserError("--activation_offloading needs an accelerator, and this machine has none")
