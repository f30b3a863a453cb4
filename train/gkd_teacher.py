"""The teacher in memory: opened, its tokenizer compared with the student's, its vocabulary brought
to one size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.teacher.spec import TeacherSpec

PADDING_LOGIT = -30.0
"""Of a token that no tokenizer knows: a probability that no sum notices."""


def teacher_path(name: str | None) -> str:
    """What transformers opens: the folder of the embedded teacher for `micro`. Raises UserError for
    nothing."""
    if not name:
        raise UserError(
            "--teacher_model_name_or_path is missing: micro, a folder or a name on the Hub"
        )
    spec = TeacherSpec.of_model(name)
    if not spec.capabilities.local:
        raise UserError(
            f"--teacher_model_name_or_path {name}: an endpoint is no model that can be opened here; "
            "give micro, a folder or a name on the Hub"
        )
    return spec.path


def open_teacher(path: str, training: Any) -> Any:
    """The model. Weights are bfloat16 where the student trains in it, else float32, if
    `--teacher_model_init_kwargs` says nothing else. Raises UserError."""
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if training.bf16 else torch.float32
    chosen = opening(training) | {"dtype": dtype} | dict(training.teacher_model_init_kwargs or {})
    with refused(path):
        return AutoModelForCausalLM.from_pretrained(path, **chosen).eval()


def open_teacher_tokenizer(path: str, training: Any) -> Any:
    """Raises UserError."""
    from transformers import AutoTokenizer

    with refused(path):
        return AutoTokenizer.from_pretrained(path, **opening(training))


def opening(training: Any) -> dict[str, Any]:
    revision = getattr(training, "teacher_model_revision", None)
    return {"trust_remote_code": training.trust_remote_code} | (
        {"revision": revision} if revision else {}
    )


@contextmanager
def refused(path: str) -> Iterator[None]:
    """Where transformers cannot open a model, raises UserError."""
    try:
        yield
    except (OSError, ValueError) as error:
        missing = path.startswith((".", "/")) and not Path(path).is_dir()
        what = (
            "no such folder"
            if missing
            else (str(error).strip() or type(error).__name__).splitlines()[0]
        )
        raise UserError(f"cannot open the teacher {path}: {what}") from None


def check_same_tokens(student: Any, teacher: Any) -> None:
    """Every id means the same token to both; what a model pads its vocabulary to is another matter.
    Raises UserError naming the first id that does not."""
    ours, theirs = (
        {number: token for token, number in t.get_vocab().items()} for t in (student, teacher)
    )
    for number in sorted(ours.keys() | theirs.keys()):
        if ours.get(number) != theirs.get(number):
            here, there = (
                repr(found[number]) if number in found else "no token" for found in (ours, theirs)
            )
            raise UserError(
                f"the student has another tokenizer than its teacher: token {number} is {here} to the student and "
                f"{there} to the teacher; take a student of the teacher's family, or add --cross_tokenizer"
            )


def fit_vocabulary(teacher: Any, size: int) -> None:
    """Give the teacher's head `size` rows, the student's number. The tokenizers are the same, so
    what goes or comes only pads: rows that come get a bias that leaves them no probability."""
    import torch

    before = teacher.get_output_embeddings().weight.shape[0]
    if size == before:
        return
    teacher.resize_token_embeddings(size, mean_resizing=False)
    teacher.config.get_text_config().vocab_size = size
    if size > before:
        head = teacher.get_output_embeddings()
        bias = torch.zeros(size, dtype=head.weight.dtype, device=head.weight.device)
        if head.bias is not None:
            bias[:before] = head.bias.data[:before]
        bias[before:] = PADDING_LOGIT
        head.bias = torch.nn.Parameter(bias, requires_grad=False)
