"""`train gkd`: on-policy distillation from a live teacher.

`accelerate launch -m train.gkd` runs it on several devices. TRL's trainers do the training. The
flags decide which one:

- `DistillationTrainer` compares student and teacher in memory, at any lambda.
- `ServerDistillationTrainer` asks a teacher behind a vLLM server, at any lambda.
- `GOLDTrainer` serves `--cross_tokenizer`.

Every flag of the chosen trainer's configuration is a flag here.

The loss of a token is D(softmax(teacher/T) || softmax(student/T)), the paper's generalised
Jensen-Shannon divergence, where T is `--temperature`, at which the student samples too. It has no
factor T^2, other than `train kd`: the paper has none, and there is no second part of the loss to be
kept in proportion to. The loss is the mean over all completion tokens of the step.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from train.arguments import GkdArguments
from train.data.versions import DataArguments
from train.flags import HELP, Command, as_flags, is_yes, parse, parser_of, peek, split_config
from train.process import guard, offline_if_local

if TYPE_CHECKING:
    from trl import ModelConfig

DEFAULTS = {"beta": 0.5, "temperature": 1.0, "learning_rate": 2e-5, "disable_dropout": True}
"""The same defaults for all of TRL's trainers. Their own defaults differ, so another kind of
teacher would change other settings too."""
OWN_DEFAULTS: dict[str, dict[str, Any]] = {
    "gold": {"use_uld_loss": True},
    "server": {"beta": 0.0, "loss_top_k": 20},
}
"""A server returns only the teacher's most probable tokens. They are enough for a forward KL. TRL's
mixed divergence would use only the first of them. 20 is what `vllm serve` returns by default."""
NEW_TOKENS = "max_new_tokens"
TRL_NEW_TOKENS = "max_completion_length"
"""TRL's name of `max_new_tokens`."""
DEFAULT_NEW_TOKENS = 128
"""The default of `max_new_tokens` in all modes: TRL's for GKD, enough for a short rationale."""
MODE_CONDITIONS = {
    "gkd": "a teacher in memory",
    "server": "--teacher_model_server_url",
    "gold": "--cross_tokenizer",
}
"""When each of TRL's trainers is used, in the words of the help."""


def main(argv: Sequence[str]) -> None:
    """Parse the flags, train, and print where the student is.

    Raises:
        UserError: the input cannot be used.
    """
    offline_if_local(argv)
    from train.trainers.fit import train_and_print

    train_and_print(build(*parse_gkd(argv)))


def parse_gkd(
    argv: Sequence[str], values: Mapping[str, Any] | None = None
) -> tuple[str, DataArguments, Any, ModelConfig, GkdArguments]:
    """Return the mode, which names a trainer of TRL, and its settings.

    Args:
        argv: the words of the command line. `--help` prints the flags of all modes and exits.
        values: flags by name; `argv` wins.

    Raises:
        UserError: a flag is unknown, or a value does not fit.
    """
    if set(argv) & set(HELP):
        print(help_of_all(), end="")
        sys.exit(0)
    mode = mode_of(argv, values)
    data, training, model, gkd = parse(command_of(mode), argv, values)
    check(mode, training)
    return mode, data, training, model, gkd


def command_of(mode: str) -> Command:
    """Return the command with the flags of a mode."""

    def config() -> type[Any]:
        from train.trainers.gkd_trainers import MODES

        return MODES[mode].config

    return Command(
        "train gkd",
        GkdArguments,
        config,
        renamed={NEW_TOKENS: TRL_NEW_TOKENS},
        defaults=DEFAULTS | {TRL_NEW_TOKENS: DEFAULT_NEW_TOKENS} | OWN_DEFAULTS.get(mode, {}),
    )


def help_of_all() -> str:
    """Return the help with each flag once, and its modes if it does not belong to all."""
    from train.trl.parser import merged_help

    parsers = {mode: parser_of(command_of(mode)) for mode in MODE_CONDITIONS}
    return merged_help(
        parsers,
        "Distil a live teacher. Which flags there are depends on the mode. A flag without a note "
        "belongs to all modes.",
        lambda modes: f"(Only with: {'; '.join(MODE_CONDITIONS[mode] for mode in modes)}.)",
    )


def mode_of(argv: Sequence[str], values: Mapping[str, Any] | None = None) -> str:
    """Return the mode that the flags ask for."""
    words, written = split_config(argv)
    given = {**as_flags(values or {}), **written}
    flags = peek(words, given, ("teacher_model_server_url",), switch="cross_tokenizer")
    if is_yes(flags["cross_tokenizer"]):
        return "gold"
    return "server" if flags["teacher_model_server_url"] else "gkd"


def check(mode: str, training: Any) -> None:
    """Raise UserError for values out of range."""
    if not 0 <= training.lmbda <= 1:
        raise UserError(f"--lmbda {training.lmbda}: a number from 0 to 1 is needed")
    temperature = training.temperature
    if not 0 < temperature < math.inf:
        raise UserError(f"--temperature {temperature}: a number above 0 is needed")
    if mode == "server" and temperature != 1:
        raise UserError(
            f"--temperature {temperature}: a vLLM server has probabilities at temperature 1 only"
        )
    if training.max_completion_length < 1:
        raise UserError(f"--{NEW_TOKENS} {training.max_completion_length}: at least 1 is needed")


def build(
    mode: str, data: DataArguments, training: Any, model: ModelConfig, gkd: GkdArguments
) -> Any:
    """Return the trainer of these settings.

    Raises:
        UserError: the settings, the base, the teacher or the data cannot be used.
    """
    from trl import get_peft_config, get_quantization_config

    from train.trainers.assemble import Origin, init_kwargs, load_one, open_tokenizer
    from train.trainers.failures import refusals
    from train.trainers.gkd_rows import check_rows, rows_for
    from train.trainers.gkd_trainers import MODES
    from train.trainers.lineage import base_of, lineage_of
    from train.trainers.teacher import arguments_of_teacher, config_of

    tokenizer = open_tokenizer(training, model)
    prepare_tokenizer(tokenizer, training)
    with training.main_process_first():
        loaded = load_one(data)

    # before the teacher's arguments are taken out of TRL's settings
    lineage = lineage_of(training, model, base=base_of(model), dataset=loaded.dataset)
    teacher, teacher_lineage = arguments_of_teacher(mode, training, model, tokenizer)
    check_rows(mode, loaded.rows, tokenizer, training, config_of(training, model))
    origin = Origin("gkd", {"trainer": MODES[mode].trainer.__name__} | vars(gkd))
    lineage = origin.add_to(lineage | {"teacher": teacher_lineage})

    training.model_init_kwargs = init_kwargs(training, model)
    if quantization := get_quantization_config(model):
        training.model_init_kwargs["quantization_config"] = quantization
    with refusals(ValueError, TypeError, OSError):
        return MODES[mode].student(
            model=model.model_name_or_path,
            args=training,
            train_dataset=rows_for(mode, loaded.rows),
            processing_class=tokenizer,
            peft_config=get_peft_config(model),
            lineage=lineage,
            **teacher,
        )


def prepare_tokenizer(tokenizer: Any, training: Any) -> None:
    """Set on which side the student's tokenizer pads, and with what.

    Raises:
        UserError: the tokenizer has no such token, or there is no such template.
    """
    # `train sft` also takes the name of a model here, which TRL looks up there alone
    if (path := training.chat_template_path) and not Path(path).is_file():
        raise UserError(f"--chat_template_path {path}: no text file that can be read")
    # the student continues its prompt, so no padding may stand between them
    tokenizer.padding_side = "left"
    if (token := training.pad_token) is None:
        return
    if token not in tokenizer.get_vocab():
        raise UserError(f"--pad_token {token}: the student's tokenizer has no such token")
    tokenizer.pad_token = token


if __name__ == "__main__":
    sys.exit(guard(lambda: main(sys.argv[1:])))
