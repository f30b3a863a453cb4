"""A Ray cluster: joining it, what it has room for, and the life of its workers."""

from __future__ import annotations

import asyncio
import math
import os
import time
from typing import Any

from datagen.errors import UserError
from datagen.teacher.ray.worker import WorkerFacts
from datagen.teacher.spec import TeacherSpec

RESTART_S = 1.0
"""Seconds between two looks at a worker that Ray starts again, which takes a few seconds."""


def join() -> Any:
    """Ray, joined or started here.

    The main thread must call this: the kernel ends what Ray starts with the thread that started it.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise UserError("Ray is not installed: pip install 'emergent-distill[ray]'") from None
    if not ray.is_initialized():
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", include_dashboard=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(
                f"cannot join the Ray cluster (RAY_ADDRESS): {str(error).splitlines()[0]}"
            ) from None
    return ray


def gpus_of(spec: TeacherSpec) -> int:
    """GPUs that a worker with this teacher needs, on a cluster that has some."""
    if not spec.capabilities.gpu:
        return 0
    sizes = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
    return math.prod(int(spec.arguments.get(name, 1)) for name in sizes)


def workers_for(ray: Any, gpus: int) -> int:
    """Number of workers: as many as the GPUs can hold, or one a machine without GPUs, because an
    engine uses all its cores.
    """
    if gpus:
        found = int(ray.cluster_resources()["GPU"] // gpus)
        if not found:
            raise UserError(
                f"a worker needs {gpus} GPUs, the cluster has {ray.cluster_resources()['GPU']:g}"
            )
        return found
    return sum(node["Alive"] for node in ray.nodes())


def identity_of(ray: Any, worker: Any, asked: Any) -> str:
    """The worker's reply to `asked`. If it died before, it is asked again after its restart."""
    from ray.exceptions import RayError

    while True:
        try:
            return str(ray.get(asked))
        except RayError as error:
            stop_at(error)
            time.sleep(RESTART_S)
            asked = worker.identify.remote()


async def opened(worker: Any) -> WorkerFacts:
    """Wait until a worker's teacher is open, on whatever machine Ray finds for it.

    Raises what keeps it from ever being open.
    """
    from ray.exceptions import RayError

    while True:
        try:
            facts: WorkerFacts = await worker.open.remote()
            return facts
        except RayError as error:
            stop_at(error)
            await asyncio.sleep(RESTART_S)


def stop_at(error: Exception) -> None:
    """Raise what a worker raised, without Ray's words around it, or that Ray has given it up.

    Otherwise return: Ray is starting it.
    """
    from ray.exceptions import ActorDiedError, RayTaskError

    if isinstance(error, RayTaskError):
        raise error.cause from None
    if isinstance(error, ActorDiedError):
        raise UserError(f"a worker cannot be started: {last_line(error)}") from None


def last_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1][:300]
