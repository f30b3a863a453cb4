"""Teachers. All engines have the interface in `base.py`, and `connect` makes one from a spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from datagen.errors import UserError
from datagen.teacher.base import (
    Capabilities,
    Completion,
    ContextExceeded,
    Messages,
    Pair,
    Refused,
    Request,
    Sampling,
    Teacher,
    TeacherError,
    Unavailable,
)
from datagen.teacher.chat.options import ChatOptions
from datagen.teacher.spec import TeacherSpec

if TYPE_CHECKING:
    from datagen.teacher.endpoint.throttle import Patience

__all__ = [
    "Capabilities",
    "Completion",
    "ContextExceeded",
    "Messages",
    "Pair",
    "Refused",
    "Request",
    "Sampling",
    "Teacher",
    "TeacherError",
    "TeacherSpec",
    "Unavailable",
    "check_workers",
    "connect",
]


def check_workers(workers: int | None) -> None:
    """Raise UserError for a number of workers that is out of range."""
    if workers is not None and workers < 1:
        raise UserError(f"--workers {workers}: must be at least 1")


def connect(
    spec: str | TeacherSpec,
    *,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    concurrency: int = 64,
    patience: Patience | None = None,
    batches: Path | None = None,
    thinking: bool | None = None,
    chat_template_kwargs: Mapping[str, Any] | str | None = None,
) -> Teacher:
    """Return the teacher that a spec names. Nothing is loaded or reached before `open`.

    Args:
        spec: `micro`, `hf:NAME_OR_PATH`, `vllm:NAME_OR_PATH`, `openai:MODEL` or
            `any-llm:PROVIDER/MODEL`, or a parsed spec.
        engine: where the teacher runs: "local" is this process, "ray" the workers of a Ray
            cluster. With "ray" this function joins the cluster, so the main thread must call it.
        workers: the number of teachers with "ray". Default: as many as the cluster's GPUs hold, or
            one a machine without GPUs.
        concurrency: the most requests in flight at an endpoint.
        patience: how long to wait for an endpoint.
        batches: a file that records the submitted batches. With it, an endpoint is asked through
            its Batch API.
        thinking: whether the model thinks before it answers. Default: as its chat template says.
        chat_template_kwargs: further variables of the chat template, by name or as JSON.

    Raises:
        UserError: the spec names no teacher, or an argument does not fit it.

    Example:
        >>> connect("micro").name
        'micro'
    """
    spec = spec if isinstance(spec, TeacherSpec) else TeacherSpec.parse(spec)
    if batches and not (spec.capabilities.batch_api and engine == "local"):
        raise UserError(f"{spec.name} has no Batch API here: only openai: teachers may have one")

    if engine == "ray" and spec.engine == "any-llm":
        raise UserError(f"{spec.name} answers over the network: leave out --engine ray")
    chat = ChatOptions.of(thinking, chat_template_kwargs)

    # engines are imported late: Ray, torch and vLLM take seconds, and need not be installed
    if engine == "ray":
        from datagen.teacher.ray.teacher import RayTeacher

        return RayTeacher(
            spec, concurrency=concurrency, patience=patience, workers=workers, chat=chat
        )
    from datagen.teacher.engines import make_engine

    return make_engine(spec, concurrency=concurrency, patience=patience, batches=batches, chat=chat)
