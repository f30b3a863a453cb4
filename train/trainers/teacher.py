"""The teacher of `train gkd`: opening it, and fitting tokenizer and vocabulary to the student's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.records.names import public_name
from datagen.teacher.spec import TeacherSpec
from train.trainers.lineage import model_lineage

if TYPE_CHECKING:
    from trl import ModelConfig

log = logging.getLogger("train.gkd")

PADDING_LOGIT = -30.0
"""The logit of a token that no tokenizer has. Its probability is about e^-30 = 1e-13, which
vanishes in any sum in float32 or bfloat16. It stays finite at every temperature."""


def arguments_of_teacher(
    mode: str, training: Any, model: ModelConfig, tokenizer: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the trainer's arguments of the teacher, and the teacher's entry in the lineage.

    Args:
        mode: gkd, server or gold.
        training: TRL's settings, with the teacher's name.
        model: the base.
        tokenizer: the student's.

    Raises:
        UserError: the teacher cannot be opened, or it has another tokenizer.
    """
    name = training.teacher_model_name_or_path
    if mode == "server":
        return arguments_of_server(training, tokenizer)

    path = teacher_path(name)
    if mode == "gold":
        # GOLD aligns two tokenizers, so they may differ
        training.teacher_tokenizer_name_or_path = path
    else:
        check_same_tokens(tokenizer, open_teacher_tokenizer(path, training))
    lineage = teacher_lineage(name, training)
    teacher = open_teacher(path, training)
    if mode != "gold":
        fit_vocabulary(teacher, config_of(training, model).vocab_size)
    # already used above, and TRL refuses them together with an open model
    training.teacher_model_init_kwargs = None
    return {"teacher_model": teacher}, lineage


def arguments_of_server(training: Any, tokenizer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the client of the teacher's server, and its entry in the lineage.

    The teacher's tokenizer is checked if its name is known.
    """
    from train.trl.server import TeacherServer

    server = TeacherServer(training.teacher_model_server_url)
    name = training.teacher_model_name_or_path
    if not name:
        log.warning(
            "the tokenizer of the server's teacher is not checked: --teacher_model_name_or_path "
            "names it"
        )
        return {"teacher": server}, {"name": public_name(f"vllm:{server.model}")}
    lineage = teacher_lineage(name, training)
    check_same_tokens(tokenizer, open_teacher_tokenizer(teacher_path(name), training))
    return {"teacher": server}, lineage


def teacher_lineage(name: str, training: Any) -> dict[str, Any]:
    """Return the entry of the teacher in the lineage."""
    revision = getattr(training, "teacher_model_revision", None)
    lineage = model_lineage(teacher_path(name), revision)
    return lineage | ({"name": name} if TeacherSpec.of_model(name).is_embedded else {})


def teacher_path(name: str | None) -> str:
    """Return what transformers opens: for `micro` the folder of the embedded teacher.

    Raises:
        UserError: no teacher is named, or it is behind an endpoint.
    """
    if not name:
        raise UserError(
            "--teacher_model_name_or_path is missing: micro, a folder or a name on the Hub"
        )
    spec = TeacherSpec.of_model(name)
    if not spec.capabilities.local:
        raise UserError(
            f"--teacher_model_name_or_path {name}: an endpoint is no model that can be opened "
            "here; give micro, a folder or a name on the Hub"
        )
    return spec.path


def open_teacher(path: str, training: Any) -> Any:
    """Return the teacher's model.

    Its weights are bfloat16 if the student trains in bfloat16, else float32.
    `--teacher_model_init_kwargs` wins.

    Raises:
        UserError: it cannot be opened.
    """
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if training.bf16 else torch.float32
    own = dict(training.teacher_model_init_kwargs or {})
    with cannot_open(path):
        model = AutoModelForCausalLM.from_pretrained(
            path, **opening_arguments(training) | {"dtype": dtype} | own
        )
    return model.eval()


def open_teacher_tokenizer(path: str, training: Any) -> Any:
    """Return the teacher's tokenizer.

    Raises:
        UserError: it cannot be opened.
    """
    from transformers import AutoTokenizer

    with cannot_open(path):
        return AutoTokenizer.from_pretrained(path, **opening_arguments(training))


def opening_arguments(training: Any) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` for the teacher."""
    revision = getattr(training, "teacher_model_revision", None)
    found = {"trust_remote_code": training.trust_remote_code}
    return found | ({"revision": revision} if revision else {})


@contextmanager
def cannot_open(path: str) -> Iterator[None]:
    """Raise UserError if transformers cannot open a model."""
    try:
        yield
    except (OSError, ValueError) as error:
        missing = path.startswith((".", "/")) and not Path(path).is_dir()
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        why = "no such folder" if missing else first_line
        raise UserError(f"cannot open the teacher {path}: {why}") from None


def check_same_tokens(student: Any, teacher: Any) -> None:
    """Check that every id means the same token to student and teacher.

    A model may pad its vocabulary. That is not a difference between the tokenizers.

    Raises:
        UserError: an id differs. The message names the first one.
    """
    ours, theirs = (
        {number: token for token, number in t.get_vocab().items()} for t in (student, teacher)
    )
    for number in sorted(ours.keys() | theirs.keys()):
        if ours.get(number) != theirs.get(number):
            here, there = (
                repr(found[number]) if number in found else "no token" for found in (ours, theirs)
            )
            raise UserError(
                f"the student has another tokenizer than its teacher: token {number} is {here} to "
                f"the student and {there} to the teacher; take a student of the teacher's family, "
                "or add --cross_tokenizer"
            )


def fit_vocabulary(teacher: Any, size: int) -> None:
    """Give the teacher's head as many rows as the student's.

    The tokenizers are the same, so the rows that are added or removed are padding. A bias leaves
    no probability to the added rows.

    Args:
        teacher: the model.
        size: rows of the student's head.
    """
    import torch

    before = teacher.get_output_embeddings().weight.shape[0]
    if size == before:
        return
    # no need to compute the mean of all embeddings: the bias below decides the logits
    teacher.resize_token_embeddings(size, mean_resizing=False)
    teacher.config.get_text_config().vocab_size = size
    if size > before:
        head = teacher.get_output_embeddings()
        bias = torch.zeros(size, dtype=head.weight.dtype, device=head.weight.device)
        if head.bias is not None:
            bias[:before] = head.bias.data[:before]
        bias[before:] = PADDING_LOGIT
        head.bias = torch.nn.Parameter(bias, requires_grad=False)


def config_of(training: Any, model: ModelConfig) -> Any:
    """Return the configuration of the student's language model."""
    from transformers import AutoConfig

    opening = {"revision": model.model_revision, "trust_remote_code": training.trust_remote_code}
    return AutoConfig.from_pretrained(model.model_name_or_path, **opening).get_text_config()
