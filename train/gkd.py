"""On-policy distillation from a live teacher: `train gkd`, or `accelerate launch -m train.gkd` on
several devices.

TRL's trainers do it all. Which one follows from what is asked: `GKDTrainer` mixes the dataset's
completions with the student's own (λ); at λ = 1 the stable `DistillationTrainer` takes its place,
and `ServerDistillationTrainer` at any λ where the teacher is on a vLLM server (`gkd_server`); with
`--cross_tokenizer` it is `GOLDTrainer`. Every flag of the chosen one's configuration is a flag
here."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.teacher.spec import TeacherSpec
from train.cli import guard
from train.data import DataArguments, load_version
from train.gkd_teacher import (
    check_same_tokens,
    fit_vocabulary,
    open_teacher,
    open_teacher_tokenizer,
    teacher_path,
)
from train.parse import Words, as_flags, offline_if_local, parse, read_yaml
from train.sft import init_kwargs, open_tokenizer, run

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import ModelConfig

log = logging.getLogger("train.gkd")

DEFAULTS = {"beta": 0.5, "temperature": 1.0, "learning_rate": 2e-5}
"""One value for all of TRL's trainers, whose own defaults differ: so that λ alone differs where λ
alone is changed."""
OWN_DEFAULTS: dict[str, dict[str, Any]] = {
    "gold": {"use_uld_loss": True},
    "server": {"beta": 0.0, "loss_top_k": 20},
}
"""A server gives the teacher's most probable tokens: enough for a forward KL; TRL's mixed
divergence knows the first of them alone. 20 is what `vllm serve` gives without being told more."""
NEW_TOKENS = "max_new_tokens"
"""TRL's name of it is `max_completion_length` in all but GKD; here it is this in all."""


@dataclass(frozen=True, kw_only=True)
class GkdArguments:
    """How the teacher's tokens relate to the student's."""

    cross_tokenizer: bool = False
    """The teacher has another tokenizer: align its tokens with the student's by their text (TRL's
    GOLD)."""


@dataclass(frozen=True, kw_only=True)
class OnPolicyArguments(GkdArguments):
    """Where λ is no setting of the trainer."""

    lmbda: float = 1.0
    """Share of the steps whose completions are the student's own."""


def main(argv: Sequence[str]) -> None:
    """Parse the flags and train. Raises UserError for bad input."""
    offline_if_local(argv)
    run(build(*parse_gkd(argv)))


def parse_gkd(argv: Sequence[str]) -> tuple[str, DataArguments, Any, ModelConfig, GkdArguments]:
    """The kind of trainer and its settings. Raises UserError."""
    kind = kind_of(argv)
    from train.gkd_trainers import CONFIGS

    own = OnPolicyArguments if kind in ("on-policy", "server") else GkdArguments
    renamed = {} if kind == "gkd" else {NEW_TOKENS: "max_completion_length"}
    defaults: dict[str, Any] = DEFAULTS | (
        {"max_new_tokens": 128} if kind == "gkd" else {"max_completion_length": 128}
    )
    defaults |= OWN_DEFAULTS.get(kind, {})
    found = parse(argv, "train gkd", own, config=CONFIGS[kind], renamed=renamed, defaults=defaults)
    check(kind, found[1], own_share(found[1], found[3]))
    return kind, *found


def check(kind: str, training: Any, lmbda: float) -> None:
    """Raises UserError for values out of range."""
    if not 0 <= lmbda <= 1:
        raise UserError(f"--lmbda {lmbda}: a number from 0 to 1 is needed")
    if not 0 < training.temperature < math.inf:
        raise UserError(f"--temperature {training.temperature}: a number above 0 is needed")
    if kind == "server" and training.temperature != 1:
        raise UserError(
            f"--temperature {training.temperature}: a vLLM server tells probabilities at temperature 1"
        )
    if new_tokens(training) < 1:
        raise UserError(f"--{NEW_TOKENS} {new_tokens(training)}: at least 1 is needed")


def own_share(training: Any, gkd: GkdArguments) -> float:
    """λ, ours or the trainer's."""
    return gkd.lmbda if isinstance(gkd, OnPolicyArguments) else training.lmbda


def new_tokens(training: Any) -> int:
    """Most tokens of a completion that the student writes."""
    return (
        getattr(training, NEW_TOKENS)
        if hasattr(training, NEW_TOKENS)
        else training.max_completion_length
    )


def kind_of(argv: Sequence[str]) -> str:
    """Which trainer the flags ask for. Raises UserError for a λ that is no number."""
    flags = Words(add_help=False, allow_abbrev=False)
    for name in ("config", "lmbda", "teacher_model_server_url"):
        flags.add_argument(f"--{name}")
    flags.add_argument("--cross_tokenizer", nargs="?", const="true")
    words, _ = flags.parse_known_args(argv)
    written = as_flags(read_yaml(words.config)) if words.config else {}
    told = {
        name: written.get(name) if value is None else value for name, value in vars(words).items()
    }
    if str(told["cross_tokenizer"]).lower() in ("true", "1", "yes"):
        return "gold"
    if told["teacher_model_server_url"]:
        return "server"
    try:
        return "on-policy" if float(told["lmbda"] or 0.5) == 1 else "gkd"
    except ValueError:
        raise UserError(f"--lmbda {told['lmbda']}: a number from 0 to 1 is needed") from None


def build(
    kind: str, data: DataArguments, training: Any, model: ModelConfig, gkd: GkdArguments
) -> Any:
    """The trainer of these settings. Raises UserError for bad input."""
    from trl import get_peft_config, get_quantization_config

    from train.failures import refusals
    from train.gkd_trainers import STUDENTS
    from train.student import base_of, dataset_lineage, lineage_of

    tokenizer = open_tokenizer(training, model)
    tokenizer.padding_side = "left"
    with training.main_process_first():
        version, rows = load_version(data)
    check_lengths(
        rows, tokenizer, training, model, whole=kind == "server" and own_share(training, gkd) < 1
    )
    dataset = dataset_lineage(version, data.dataset_config, len(rows))
    made_of = lineage_of(training, model, base=base_of(model), dataset=dataset)
    teacher, lineage = teacher_of(kind, training, model, tokenizer)
    teacher |= {"lmbda": own_share(training, gkd)} if kind == "server" else {}
    made_of |= {"method": "gkd", "teacher": lineage}
    made_of["settings"] |= {"trainer": STUDENTS[kind].__mro__[2].__name__} | vars(gkd)
    training.model_init_kwargs = init_kwargs(training, model)
    if quantization := get_quantization_config(model):
        training.model_init_kwargs["quantization_config"] = quantization
    with refusals(ValueError, TypeError, OSError):
        return STUDENTS[kind](
            model=model.model_name_or_path,
            args=training,
            train_dataset=rows_for(kind, rows),
            processing_class=tokenizer,
            peft_config=get_peft_config(model),
            lineage=made_of,
            **teacher,
        )


def teacher_of(
    kind: str, training: Any, model: ModelConfig, tokenizer: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the trainer is given of the teacher, and what lineage says of it. Raises UserError."""
    from cards.render import public_name
    from train.gkd_server import TeacherServer
    from train.student import model_lineage

    name, server = training.teacher_model_name_or_path, {}
    if kind == "server":
        server = {"teacher": TeacherServer(training.teacher_model_server_url)}
        if not name:
            log.warning(
                "the tokenizer of a server's teacher is not checked: --teacher_model_name_or_path names one"
            )
            return server, {"name": public_name(f"vllm:{server['teacher'].model}")}
    path = teacher_path(name)
    told = model_lineage(path, getattr(training, "teacher_model_revision", None))
    told |= {"name": name} if TeacherSpec.of_model(name).is_embedded else {}
    if kind == "gold":
        training.teacher_tokenizer_name_or_path = path
    else:
        check_same_tokens(tokenizer, open_teacher_tokenizer(path, training))
    if server:
        return server, told
    teacher = open_teacher(path, training)
    if kind != "gold":
        fit_vocabulary(teacher, config_of(training, model).vocab_size)
    training.teacher_model_init_kwargs = None  # they are used up; TRL refuses them beside a model
    return {"teacher_model": teacher}, told


def rows_for(kind: str, rows: Dataset) -> Dataset:
    """The columns that the trainer reads."""
    if kind in ("on-policy", "server"):
        return rows.select_columns(["prompt", *(["completion"] if kind == "server" else [])])
    return rows.map(
        lambda row: {"messages": row["prompt"] + row["completion"]},
        remove_columns=rows.column_names,
    )


def check_lengths(
    rows: Dataset, tokenizer: Any, training: Any, model: ModelConfig, *, whole: bool
) -> None:
    """Raises UserError for a prompt that leaves no room for what the student writes, a completion
    that leaves none for its prompt, and, where nothing is cut (`whole`), a row longer than the
    student's context."""
    from datagen.teacher.tokens import row_tokens

    context = getattr(config_of(training, model), "max_position_embeddings", None) or sys.maxsize
    new = new_tokens(training)
    limit = getattr(training, "max_length", None) or sys.maxsize
    for number, row in enumerate(rows):
        prompt, completion = row_tokens(row, tokenizer)
        if len(prompt) + new > context:
            raise UserError(
                f"row {number}: its prompt has {len(prompt)} tokens, and with --{NEW_TOKENS} {new} exceeds the "
                f"student's context of {context}"
            )
        if len(completion) >= limit:
            raise UserError(
                f"row {number}: its completion fills --max_length {limit}, and leaves no prompt"
            )
        if whole and len(prompt) + len(completion) > context:
            raise UserError(
                f"row {number} has {len(prompt) + len(completion)} tokens: more than the context, {context}"
            )


def config_of(training: Any, model: ModelConfig) -> Any:
    from transformers import AutoConfig

    opening = {"revision": model.model_revision, "trust_remote_code": training.trust_remote_code}
    return AutoConfig.from_pretrained(model.model_name_or_path, **opening).get_text_config()


if __name__ == "__main__":
    sys.exit(guard(lambda: main(sys.argv[1:])))
