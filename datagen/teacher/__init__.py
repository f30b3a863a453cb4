"""Who answers: engines behind one seam, opened by `connect`."""

from __future__ import annotations

from datagen.errors import UserError
from datagen.teacher.base import Completion, Messages, Request, Sampling, Teacher, TeacherError

__all__ = ["Completion", "Messages", "Request", "Sampling", "Teacher", "TeacherError", "connect"]


def connect(spec: str, *, concurrency: int = 64) -> Teacher:
    """Open a teacher: `micro` (embedded), `hf:NAME_OR_PATH` (transformers), `vllm:NAME_OR_PATH` (vLLM in this process)
    or `openai:MODEL` (any compatible endpoint).

    Nothing is loaded or reached until `check` or the first request. `concurrency` bounds the requests in flight.
    """
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

        return OpenAITeacher(model, concurrency=concurrency)
    raise UserError(f"unknown teacher {spec!r}: use micro, hf:NAME_OR_PATH, vllm:NAME_OR_PATH or openai:MODEL")
