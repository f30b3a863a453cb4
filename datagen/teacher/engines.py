"""Making the engine of a spec: one that runs in this process, or one that asks an endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from datagen.teacher.base import Teacher
from datagen.teacher.chat.options import ChatOptions
from datagen.teacher.spec import TeacherSpec

if TYPE_CHECKING:
    from datagen.teacher.endpoint.throttle import Patience


def make_engine(
    spec: TeacherSpec,
    *,
    concurrency: int = 64,
    patience: Patience | None = None,
    batches: Path | None = None,
    chat: ChatOptions | None = None,
) -> Teacher:
    """Return the engine of a spec, not opened yet.

    `datagen.teacher.connect` describes the arguments; `chat` holds the last two of them. Ray
    workers use this function too, so it is separate from `connect`.
    """
    if spec.engine == "openai":
        from datagen.teacher.endpoint.openai import OpenAITeacher

        return OpenAITeacher(
            spec.model, concurrency=concurrency, patience=patience, batches=batches, chat=chat
        )
    if spec.engine == "any-llm":
        from datagen.teacher.endpoint.any_llm import AnyLlmTeacher

        return AnyLlmTeacher(spec.model, concurrency=concurrency, patience=patience, chat=chat)
    if spec.engine == "vllm":
        from datagen.teacher.local.vllm import VllmTeacher

        return VllmTeacher(spec, chat=chat)
    from datagen.teacher.local.hf import HfTeacher

    return HfTeacher(spec.path, name=spec.name, chat=chat)
