"""The flags of a trainer: our data arguments, and all of TRL's, from the command line and one flat
YAML file."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import yaml

from datagen.errors import UserError
from datagen.teacher.spec import TeacherSpec
from train.data import DataArguments

if TYPE_CHECKING:
    from trl import ModelConfig

Own = TypeVar("Own")


class Words(argparse.ArgumentParser):
    """Reads some flags ahead of the others."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def offline_if_local(argv: Sequence[str]) -> None:
    """Models in folders and data in the store need no hub: ask nothing over the network, unless the
    student is to go there. `HF_HUB_OFFLINE=0` overrides it.

    The libraries read the environment when they are imported, so this comes before they are.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    flags = Words(add_help=False, allow_abbrev=False)
    flags.add_argument("--model", "--model_name_or_path", "--model-name-or-path")
    flags.add_argument("--teacher_model_name_or_path", "--teacher-model-name-or-path")
    flags.add_argument("--config", default=None)
    flags.add_argument("--dataset")
    flags.add_argument("--mixture", nargs="*")
    flags.add_argument("--store")
    flags.add_argument("--push_to_hub", "--push-to-hub", nargs="?", const="true")
    found, _ = flags.parse_known_args(argv)
    values = as_flags(read_yaml(found.config)) if found.config else {}
    model = found.model or values.get("model_name_or_path")
    teacher = (
        found.teacher_model_name_or_path or values.get("teacher_model_name_or_path") or "micro"
    )
    if str(found.push_to_hub or values.get("push_to_hub")).lower() in ("true", "1", "yes"):
        return
    teacher_here = TeacherSpec.of_model(str(teacher)).folder is not None
    here = model and Path(str(model)).is_dir() and teacher_here
    if here and not data_on_hub(
        {**values, **{name: value for name, value in vars(found).items() if value}}
    ):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")


def data_on_hub(flags: dict[str, Any]) -> bool:
    """Whether a dataset of `--dataset` or `--mixture` comes from the Hub."""
    from datagen.versions.locate import on_hub

    store = Path(str(flags["store"])) if flags.get("store") else None
    names = [
        flags.get("dataset"),
        *(re.split("[:=]", str(source))[0] for source in flags.get("mixture") or []),
    ]
    return any(on_hub(str(name), store=store) for name in names if name)


def read_yaml(path: str) -> dict[str, Any]:
    """A flat YAML file as a dict. Raises UserError where it is none."""
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"--config {path}: cannot read it ({getattr(error, 'strerror', None) or error})"
        ) from None
    except yaml.YAMLError as error:
        raise UserError(f"--config {path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(found, dict):
        raise UserError(f"--config {path}: no `flag: value` lines")
    return found


def as_flags(values: dict[str, Any]) -> dict[str, Any]:
    """YAML values as the flags take them: `model` is short for `model_name_or_path`, `2` becomes
    2.0 for a float."""
    flags = {
        "model_name_or_path" if name == "model" else name: value for name, value in values.items()
    }
    if isinstance(flags.get("mixture"), dict):
        flags["mixture"] = [f"{source}={weight}" for source, weight in flags["mixture"].items()]
    return {
        name: str(value) if type(value) in (int, float) else value for name, value in flags.items()
    }


def parse(
    argv: Sequence[str],
    command: str,
    own: type[Own],
    *,
    config: type[Any] | None = None,
    renamed: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> tuple[DataArguments, Any, ModelConfig, Own]:
    """The settings of a command that has the fields of `own` beside those of the data and TRL's.

    `config` is TRL's configuration, `SFTConfig` where none is given; `renamed` has other names of
    its flags, `defaults` values that they have here. Raises UserError for unknown flags and values
    that do not fit."""
    from trl import ModelConfig, SFTConfig, TrlParser

    class Parser(TrlParser):
        def error(self, message: str) -> NoReturn:
            raise UserError(f"{message} ({command} --help lists the flags)")

        def set_defaults_with_config(self, **values: Any) -> list[str]:
            flags = {
                (renamed or {}).get(name, name): value for name, value in as_flags(values).items()
            }
            no_nulls(flags, self.dataclass_types)
            return super().set_defaults_with_config(**flags)

    parser = Parser((DataArguments, config or SFTConfig, ModelConfig, own), prog=command)
    finish(parser, DataArguments, own)
    for name, target in (renamed or {}).items():
        parser._option_string_actions[f"--{name}"] = parser._option_string_actions[f"--{target}"]
    parser.set_defaults(**(defaults or {}))
    arguments = [part for argument in argv for part in config_apart(argument)]
    try:
        data, training, model, settings = parser.parse_args_and_config(arguments)
    except (ValueError, TypeError, OSError, ImportError) as error:
        said = " ".join(str(error).split())
        if re.match(
            "Unknown arguments from config file|Some specified arguments are not used", said
        ):
            unknown = ", ".join(re.findall(r"'(--[\w-]+)", said))
            kind = (config or SFTConfig).__name__
            raise UserError(
                f"no flag {unknown} with these settings, which {kind} serves ({command} --help lists them)"
            ) from None
        raise UserError(said) from None
    if not model.model_name_or_path:
        raise UserError("--model is missing: the base to start from, a folder or a name on the Hub")
    if not (data.dataset or getattr(settings, "mixture", None)):
        raise UserError("--dataset is missing: the version to train on, as NAME@VERSION")
    check(training, str(model.model_name_or_path))
    return data, training, model, settings


def no_nulls(values: Mapping[str, Any], kinds: Sequence[type[Any]]) -> None:
    """Raises UserError for a key that is null where a value is needed."""
    for field in [field for kind in kinds for field in dataclasses.fields(kind)]:
        optional = field.default is None or re.search("None|Optional", str(field.type))
        if field.name in values and values[field.name] is None and not optional:
            raise UserError(f"--config: {field.name} is null: leave it out for its default")


def check(training: Any, model: str) -> None:
    """Raises UserError for numbers with which nothing is trained, and for what is not ours to
    honour."""
    longest = getattr(training, "max_length", None)
    if longest is not None and longest < 1:
        raise UserError(f"--max_length {longest}: at least 1 is needed")
    for name in ("per_device_train_batch_size", "gradient_accumulation_steps"):
        if getattr(training, name) < 1:
            raise UserError(f"--{name} {getattr(training, name)}: at least 1 is needed")
    if not training.learning_rate >= 0:
        raise UserError(
            f"--learning_rate {training.learning_rate}: a number of at least 0 is needed"
        )
    if training.max_steps <= 0 and not training.num_train_epochs > 0:
        raise UserError(
            f"--num_train_epochs {training.num_train_epochs}: without --max_steps more than 0 is needed"
        )
    folder = Path(training.output_dir)
    there = next(found for found in (folder, *folder.absolute().parents) if found.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"--output_dir {folder}: {there} is no folder that can be written to")
    if Path(model).is_dir() and folder.exists() and folder.samefile(model):
        raise UserError(
            f"--output_dir {folder}: it is the base's own folder, which would be overwritten"
        )
    if training.hub_token:
        raise UserError(
            "--hub_token: it would be written beside the student; set HF_TOKEN in its place"
        )
    if training.resume_from_checkpoint:
        raise UserError(
            "--resume_from_checkpoint: a training goes on by itself from the last whole checkpoint of its "
            "--output_dir; weights to start from are --model"
        )


def finish(parser: argparse.ArgumentParser, *ours: type[Any]) -> None:
    """Our fields' docstrings as help, `--model` for short, and defaults that fit the device at
    hand."""
    import torch
    from docstring_parser import parse_from_object
    from transformers.utils import is_torch_bf16_gpu_available

    actions = {action.dest: action for action in parser._actions}
    for parameter in [found for kind in ours for found in parse_from_object(kind).params]:
        actions[parameter.arg_name].help = parameter.description
    parser._option_string_actions["--model"] = actions["model_name_or_path"]
    actions["model_name_or_path"].option_strings = [
        "--model",
        *actions["model_name_or_path"].option_strings,
    ]
    accelerator = torch.accelerator.is_available()
    parser.set_defaults(
        use_cpu=not accelerator,
        bf16=accelerator and is_torch_bf16_gpu_available(),
        gradient_checkpointing=accelerator,
        report_to="none",
    )


def config_apart(argument: str) -> list[str]:
    """`--config=x.yaml` as two words, the form that `TrlParser` reads."""
    return (
        ["--config", argument.removeprefix("--config=")]
        if argument.startswith("--config=")
        else [argument]
    )
