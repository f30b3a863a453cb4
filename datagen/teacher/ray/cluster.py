"""A Ray cluster: joining it, its resources, and starting its workers."""

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
"""Seconds between two checks of a worker that Ray is starting again. That takes a few seconds."""


def join() -> Any:
    """Return the module `ray`, after joining a cluster or starting one here.

    The main thread must call this: the kernel ends the processes that Ray starts together with the
    thread that started them.

    Raises:
        UserError: Ray is not installed, or the cluster cannot be joined.
    """
    # Ray reports usage to its makers unless it is told not to
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise UserError("Ray is not installed: pip install 'emergent-distill[ray]'") from None
    # a process can join only once, and the caller may have joined a cluster already
    if not ray.is_initialized():
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", include_dashboard=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(
                f"cannot join the Ray cluster (RAY_ADDRESS): {str(error).splitlines()[0]}"
            ) from None
    return ray


def gpus_of(spec: TeacherSpec) -> int:
    """Return how many GPUs a worker with this teacher needs, on a cluster that has GPUs."""
    if not spec.capabilities.gpu:
        return 0
    sizes = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
    return math.prod(int(spec.arguments.get(name, 1)) for name in sizes)


def workers_for(ray: Any, gpus: int) -> int:
    """Return the number of workers: as many as the GPUs hold, or one a machine without GPUs.

    Without GPUs an engine uses all cores of its machine.

    Raises:
        UserError: the cluster has too few GPUs for one worker.
    """
    if gpus:
        found = int(ray.cluster_resources()["GPU"] // gpus)
        if not found:
            raise UserError(
                f"a worker needs {gpus} GPUs, the cluster has {ray.cluster_resources()['GPU']:g}"
            )
        return found
    return sum(node["Alive"] for node in ray.nodes())


def wait_for_identity(ray: Any, worker: Any, asked: Any) -> str:
    """Return the worker's reply to `asked`. If the worker has died, ask again after its restart."""
    from ray.exceptions import RayError

    while True:
        try:
            return str(ray.get(asked))
        except RayError as error:
            raise_if_final(error)
            time.sleep(RESTART_S)
            asked = worker.identify.remote()


async def wait_until_open(worker: Any) -> WorkerFacts:
    """Wait until a worker's teacher is open, and return what the worker knows of it.

    Ray may start the worker on another machine meanwhile. An error that keeps it from ever being
    open is raised.
    """
    from ray.exceptions import RayError

    while True:
        try:
            facts: WorkerFacts = await worker.open.remote()
            return facts
        except RayError as error:
            raise_if_final(error)
            await asyncio.sleep(RESTART_S)


def raise_if_final(error: Exception) -> None:
    """Raise an error that a restart does not cure.

    The function returns if Ray is starting the worker again. An error that the worker raised is
    raised as it was, without Ray's message around it.

    Raises:
        UserError: Ray has given the worker up.
    """
    from ray.exceptions import ActorDiedError, RayTaskError

    if isinstance(error, RayTaskError):
        raise error.cause from None
    if isinstance(error, ActorDiedError):
        raise UserError(f"a worker cannot be started: {last_line(error)}") from None


def last_line(error: Exception) -> str:
    """Return the last line of an error, which names the cause after Ray's traceback."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1][:300]
