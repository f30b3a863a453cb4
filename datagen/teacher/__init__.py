"""Who answers: engines behind one seam, opened by `connect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from datagen.errors import UserError
from datagen.teacher.base import Completion, Messages, Request, Sampling, Teacher, TeacherError

if TYPE_CHECKING:
    from datagen.teacher.throttle import Patience

__all__ = ["Completion", "Messages", "Request", "Sampling", "Teacher", "TeacherError", "connect"]


def connect(
    spec: str,
    *,
    concurrency: int = 64,
    patience: Patience | None = None,
    batches: Path | None = None,
) -> Teacher:
    """Open a teacher: `micro` (embedded), `hf:NAME_OR_PATH` (transformers), `vllm:NAME_OR_PATH`
    (vLLM in this process) or `openai:MODEL` (any compatible endpoint).

    Nothing is loaded or reached until `check` or the first request. `concurrency` bounds the
    requests in flight. Of endpoints alone: `patience` says how long one is waited for; `batches`, a
    file that remembers what is under way, asks through the Batch API."""
    engine, _, model = spec.partition(":")
    if engine == "micro" and not model:
        from datagen.microworld import WEIGHTS
        from datagen.teacher.hf import HfTeacher

        return HfTeacher(str(WEIGHTS / "teacher"), name="micro")
    if engine == "hf" and model:
        from datagen.teacher.hf import HfTeacher

        return HfTeacher(model, name=spec)
    if engine == "vllm" and model:
        from datagen.teacher.vllm import VllmTeacher

        return VllmTeacher(model, name=spec)
    if engine == "openai" and model:
        from datagen.teacher.openai import OpenAITeacher

        return OpenAITeacher(model, concurrency=concurrency, patience=patience, batches=batches)
    raise UserError(
        f"unknown teacher {spec!r}: use micro, hf:NAME_OR_PATH, vllm:NAME_OR_PATH or openai:MODEL"
    )
