"""The teacher of `train gkd`: opened, its tokenizer compared with the student's, its vocabulary
brought to the student's size.
"""

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
"""Logit of a token that no tokenizer knows. Its probability is about e^-30 = 1e-13: no sum in
float32 or bfloat16 notices it, and it stays finite under every temperature."""


def arguments_of_teacher(
    mode: str, training: Any, model: ModelConfig, tokenizer: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the trainer is given of the teacher, and what the lineage says of it.

    Args:
        mode: gkd, on-policy, server or gold.
        training: TRL's settings, with the teacher's name.
        model: the base.
        tokenizer: the student's.

    Raises:
        UserError: the teacher cannot be opened, or its tokenizer is another.
    """
    name = training.teacher_model_name_or_path
    if mode == "server":
        return arguments_of_server(training, tokenizer)

    path = teacher_path(name)
    if mode == "gold":
        training.teacher_tokenizer_name_or_path = path
    else:
        check_same_tokens(tokenizer, open_teacher_tokenizer(path, training))
    lineage = teacher_lineage(name, training)
    teacher = open_teacher(path, training)
    if mode != "gold":
        fit_vocabulary(teacher, config_of(training, model).vocab_size)
    training.teacher_model_init_kwargs = None  # they are used up; TRL refuses them beside a model
    return {"teacher_model": teacher}, lineage


def arguments_of_server(training: Any, tokenizer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The client of the server. The teacher's tokenizer is checked where its name is known."""
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
    """The teacher in the lineage."""
    revision = getattr(training, "teacher_model_revision", None)
    lineage = model_lineage(teacher_path(name), revision)
    return lineage | ({"name": name} if TeacherSpec.of_model(name).is_embedded else {})


def teacher_path(name: str | None) -> str:
    """What transformers opens; for `micro` the folder of the embedded teacher.

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
    """The teacher's model.

    Its weights are bfloat16 where the student trains in it, else float32;
    `--teacher_model_init_kwargs` wins. Raises UserError where it cannot be opened.
    """
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if training.bf16 else torch.float32
    own = dict(training.teacher_model_init_kwargs or {})
    with cannot_open(path):
        model = AutoModelForCausalLM.from_pretrained(
            path, **opening(training) | {"dtype": dtype} | own
        )
    return model.eval()


def open_teacher_tokenizer(path: str, training: Any) -> Any:
    """The teacher's tokenizer. Raises UserError where it cannot be opened."""
    from transformers import AutoTokenizer

    with cannot_open(path):
        return AutoTokenizer.from_pretrained(path, **opening(training))


def opening(training: Any) -> dict[str, Any]:
    """Arguments of `from_pretrained`."""
    revision = getattr(training, "teacher_model_revision", None)
    found = {"trust_remote_code": training.trust_remote_code}
    return found | ({"revision": revision} if revision else {})


@contextmanager
def cannot_open(path: str) -> Iterator[None]:
    """Raise UserError where transformers cannot open a model."""
    try:
        yield
    except (OSError, ValueError) as error:
        missing = path.startswith((".", "/")) and not Path(path).is_dir()
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        why = "no such folder" if missing else said
        raise UserError(f"cannot open the teacher {path}: {why}") from None


def check_same_tokens(student: Any, teacher: Any) -> None:
    """Check that every id means the same token to both.

    A model may pad its vocabulary; that is no difference of the tokenizers.

    Raises:
        UserError: it names the first id that differs.
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

    The tokenizers are the same, so rows that come or go are padding. A bias leaves no probability
    to rows that come.

    Args:
        teacher: the model.
        size: rows of the student's head.
    """
    import torch

    before = teacher.get_output_embeddings().weight.shape[0]
    if size == before:
        return
    # without the mean of all embeddings: the bias below decides alone
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
    """The configuration of the student's language model."""
    from transformers import AutoConfig

    opening = {"revision": model.model_revision, "trust_remote_code": training.trust_remote_code}
    return AutoConfig.from_pretrained(model.model_name_or_path, **opening).get_text_config()
