"""`train gkd`: on-policy distillation from a live teacher.

`accelerate launch -m train.gkd` runs it on several devices. TRL's trainers do the training. The
flags decide which one:

- `GKDTrainer` mixes the dataset's completions with the student's own (lambda).
- `DistillationTrainer`, which is stable in TRL, replaces it at lambda = 1.
- `ServerDistillationTrainer` serves any lambda if the teacher is behind a vLLM server.
- `GOLDTrainer` serves `--cross_tokenizer`.

Every flag of the chosen trainer's configuration is a flag here.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from train.arguments import GkdArguments, OnPolicyArguments
from train.data.versions import DataArguments
from train.flags import HELP, Command, as_flags, is_yes, parse, parser_of, peek, split_config
from train.process import guard, offline_if_local

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import ModelConfig

log = logging.getLogger("train.gkd")

DEFAULTS = {"beta": 0.5, "temperature": 1.0, "learning_rate": 2e-5}
"""The same defaults for all of TRL's trainers. Their own defaults differ, so a change of lambda
would change other settings too."""
OWN_DEFAULTS: dict[str, dict[str, Any]] = {
    "gold": {"use_uld_loss": True},
    "server": {"beta": 0.0, "loss_top_k": 20},
}
"""A server returns only the teacher's most probable tokens. They are enough for a forward KL. TRL's
mixed divergence would use only the first of them. 20 is what `vllm serve` returns by default."""
NEW_TOKENS = "max_new_tokens"
TRL_NEW_TOKENS = "max_completion_length"
"""TRL's name of `max_new_tokens` in all trainers but GKD's. Here all of them use one name."""
DEFAULT_NEW_TOKENS = 128
"""The default of `max_new_tokens` in all modes. It is TRL's default for GKD."""
MODE_CONDITIONS = {
    "gkd": "lambda below 1",
    "on-policy": "lambda = 1",
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
    check(mode, training, lambda_of(training, gkd))
    return mode, data, training, model, gkd


def command_of(mode: str) -> Command:
    """Return the command with the flags of a mode."""

    def config() -> type[Any]:
        from train.trainers.gkd_trainers import MODES

        return MODES[mode].config

    own = OnPolicyArguments if mode in ("on-policy", "server") else GkdArguments
    length = NEW_TOKENS if mode == "gkd" else TRL_NEW_TOKENS
    return Command(
        "train gkd",
        own,
        config,
        renamed={} if mode == "gkd" else {NEW_TOKENS: TRL_NEW_TOKENS},
        defaults=DEFAULTS | {length: DEFAULT_NEW_TOKENS} | OWN_DEFAULTS.get(mode, {}),
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
    """Return the mode that the flags ask for.

    Raises:
        UserError: lambda is no number.
    """
    words, written = split_config(argv)
    given = {**as_flags(values or {}), **written}
    flags = peek(words, given, ("lmbda", "teacher_model_server_url"), switch="cross_tokenizer")
    if is_yes(flags["cross_tokenizer"]):
        return "gold"
    if flags["teacher_model_server_url"]:
        return "server"
    try:
        # 0.5 is TRL's default of lambda
        return "on-policy" if float(flags["lmbda"] or 0.5) == 1 else "gkd"
    except ValueError:
        raise UserError(f"--lmbda {flags['lmbda']}: a number from 0 to 1 is needed") from None


def check(mode: str, training: Any, lmbda: float) -> None:
    """Raise UserError for values out of range."""
    if not 0 <= lmbda <= 1:
        raise UserError(f"--lmbda {lmbda}: a number from 0 to 1 is needed")
    temperature = training.temperature
    if not 0 < temperature < math.inf:
        raise UserError(f"--temperature {temperature}: a number above 0 is needed")
    if mode == "server" and temperature != 1:
        raise UserError(
            f"--temperature {temperature}: a vLLM server has probabilities at temperature 1 only"
        )
    if new_tokens(training) < 1:
        raise UserError(f"--{NEW_TOKENS} {new_tokens(training)}: at least 1 is needed")


def lambda_of(training: Any, gkd: GkdArguments) -> float:
    """Return lambda, from our own flag or from the trainer's."""
    lmbda: float = gkd.lmbda if isinstance(gkd, OnPolicyArguments) else training.lmbda
    return lmbda


def new_tokens(training: Any) -> int:
    """Return how many tokens the student may write for a completion."""
    name = NEW_TOKENS if hasattr(training, NEW_TOKENS) else TRL_NEW_TOKENS
    tokens: int = getattr(training, name)
    return tokens


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
    from train.trainers.gkd_trainers import MODES
    from train.trainers.lineage import base_of, lineage_of
    from train.trainers.teacher import arguments_of_teacher

    tokenizer = open_tokenizer(training, model)
    # the student continues its prompt, so no padding may stand between them
    tokenizer.padding_side = "left"
    with training.main_process_first():
        loaded = load_one(data)
    lmbda = lambda_of(training, gkd)
    check_lengths(loaded.rows, tokenizer, training, model, whole=mode == "server" and lmbda < 1)

    # before the teacher's arguments are taken out of TRL's settings
    lineage = lineage_of(training, model, base=base_of(model), dataset=loaded.dataset)
    teacher, teacher_lineage = arguments_of_teacher(mode, training, model, tokenizer)
    if mode == "server":
        teacher["lmbda"] = lmbda
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


def rows_for(mode: str, rows: Dataset) -> Dataset:
    """Return the rows with the columns that the mode's trainer reads."""
    if mode == "on-policy":
        # all completions are the student's own
        return rows.select_columns(["prompt"])
    if mode == "server":
        return rows.select_columns(["prompt", "completion"])
    # GKD and GOLD read whole conversations
    return rows.map(
        lambda row: {"messages": row["prompt"] + row["completion"]},
        remove_columns=rows.column_names,
    )


def check_lengths(
    rows: Dataset, tokenizer: Any, training: Any, model: ModelConfig, *, whole: bool
) -> None:
    """Check that every row fits into the lengths.

    Args:
        rows: prompt and completion.
        tokenizer: the student's.
        training: with the lengths.
        model: the base.
        whole: whether the mode cuts no rows, so that a whole row must fit into the context.

    Raises:
        UserError: a prompt leaves no room for what the student writes, a completion leaves none for
            its prompt, or a whole row is longer than the context.
    """
    from datagen.teacher.tokens import row_tokens
    from train.trainers.teacher import config_of

    # TRL fails on such rows in the middle of a training, or runs over the model's positions
    context = getattr(config_of(training, model), "max_position_embeddings", None) or sys.maxsize
    new = new_tokens(training)
    limit = getattr(training, "max_length", None) or sys.maxsize
    for number, row in enumerate(rows):
        prompt, completion = (len(tokens) for tokens in row_tokens(row, tokenizer))
        if prompt + new > context:
            raise UserError(
                f"row {number}: its prompt has {prompt} tokens, and with --{NEW_TOKENS} {new} "
                f"exceeds the student's context of {context}"
            )
        if completion >= limit:
            raise UserError(
                f"row {number}: its completion fills --max_length {limit} and leaves no room for "
                "the prompt"
            )
        if whole and prompt + completion > context:
            raise UserError(
                f"row {number} has {prompt + completion} tokens: more than the context, {context}"
            )


if __name__ == "__main__":
    sys.exit(guard(lambda: main(sys.argv[1:])))
