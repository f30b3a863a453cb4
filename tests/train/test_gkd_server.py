"""`train gkd` with the teacher behind a server of vLLM's protocol: its loss is the local teacher's,
at every λ."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from aiohttp import web

from datagen.microworld import WEIGHTS
from tests.datagen.endpoint import Served
from tests.train.steps import steps_of
from tests.train.test_gkd import flags, refused
from tests.train.test_gkd_definition import same
from tests.train.test_kd import completion_of

VOCABULARY = 261


class Server:
    """What vLLM's server says of `prompt_logprobs`, computed by transformers; it gives at most
    `most`."""

    def __init__(self, folder: Path, *, most: int = VOCABULARY):
        from transformers import AutoModelForCausalLM

        self.model, self.most = AutoModelForCausalLM.from_pretrained(folder).eval(), most
        self.bodies: list[dict[str, Any]] = []
        self.base = "/v1"

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [web.get("/v1/models", self.models), web.post("/v1/completions", self.complete)]
        )
        return app

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": "/srv/teacher", "object": "model"}]}
        )

    async def complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        if body["prompt_logprobs"] > self.most:
            asked = body["prompt_logprobs"]
            message = f"Requested prompt logprobs of {asked}, greater than max allowed: {self.most}"
            return web.json_response({"error": {"message": message}}, status=400)
        choices = [
            {"prompt_logprobs": self.places(ids, body["prompt_logprobs"])} for ids in body["prompt"]
        ]
        return web.json_response({"choices": choices})

    def places(self, ids: list[int], k: int) -> list[Any]:
        with torch.no_grad():
            logprobs = self.model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        found: list[Any] = [None]
        for place, token in zip(logprobs[:-1], ids[1:], strict=True):
            order = place.argsort(descending=True).tolist()
            known = dict.fromkeys([token, *order[:k]])
            found.append(
                {str(i): {"logprob": float(place[i]), "rank": order.index(i) + 1} for i in known}
            )
        return found


@pytest.fixture
def server(teacher: Path) -> Iterator[tuple[str, Server]]:
    found = Server(teacher)
    with Served(found) as url:
        yield url, found


def losses(base: Path, store: Path, folder: Path | str, out: Path, **others: Any) -> list[float]:
    """Of each step."""
    from train.gkd import build, parse_gkd

    settings = {
        "beta": 0,
        "logging_steps": 1,
        "save_strategy": "no",
        "max_steps": 2,
        "limit": 4,
        **others,
    }
    trainer = build(*parse_gkd(flags(base, store, folder, out, **settings)))
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def check_against_the_local_teacher(
    base: Path, store: Path, folder: Path, out: Path, url: str, vocabulary: int
) -> None:
    """A batch is all there is to train on, so the order in which trainers draw it does not
    matter."""
    for lmbda in (0, 1):
        local = losses(base, store, folder, out / "local", lmbda=lmbda)
        told = {"teacher_model_server_url": url, "lmbda": lmbda}
        whole = losses(base, store, folder, out / "server", loss_top_k=vocabulary, **told)
        assert whole == pytest.approx(local, rel=1e-3)
        few = losses(base, store, folder, out / "few", loss_top_k=8, max_steps=1, **told)
        assert 0.2 * whole[0] < few[0] < whole[0]


def test_the_loss_is_that_of_the_local_teacher(
    base: Path, store: Path, teacher: Path, tmp_path: Path, server: tuple[str, Server]
) -> None:
    check_against_the_local_teacher(base, store, teacher, tmp_path, server[0], VOCABULARY)


@pytest.mark.parametrize("split", [(8, 1), (1, 8)])
def test_the_gradient_is_that_of_the_local_teacher(
    base: Path,
    store: Path,
    teacher: Path,
    tmp_path: Path,
    server: tuple[str, Server],
    split: tuple[int, int],
) -> None:
    """A mean over the tokens of the step, in one batch of 8 rows or in 8 of one."""
    rows, batches = split
    told = {"lmbda": 0, "beta": 0, "limit": 8, "max_steps": 1}
    told |= {"per_device_train_batch_size": rows, "gradient_accumulation_steps": batches}
    local = flags(base, store, teacher, tmp_path / "local", **told)
    [expected] = steps_of("gkd", local)
    told |= {"teacher_model_server_url": server[0], "loss_top_k": VOCABULARY}
    [found] = steps_of("gkd", flags(base, store, teacher, tmp_path / "server", **told))
    assert same(found, expected, rel=1e-3)


def test_off_policy_the_server_is_asked_of_the_rows(
    base: Path, store: Path, teacher: Path, tmp_path: Path, server: tuple[str, Server]
) -> None:
    from datasets import load_dataset

    url, found = server
    losses(base, store, teacher, tmp_path, teacher_model_server_url=url, lmbda=0, max_steps=1)
    rows = load_dataset(str(store / "sums" / "1.0.0"), "rationales", split="train").select(range(4))
    [body] = found.bodies
    assert sorted(body["prompt"]) == sorted(
        prompt + completion for prompt, completion in rows_of(rows, base)
    )
    assert (body["model"], body["prompt_logprobs"]) == ("/srv/teacher", 20)


def rows_of(rows: Any, base: Path) -> list[tuple[list[int], list[int]]]:
    return [completion_of(row, base) for row in rows]


@pytest.mark.parametrize("lmbda", [0, 0.5])
def test_the_share_of_own_completions_is_told_in_the_lineage(
    base: Path, store: Path, tmp_path: Path, server: tuple[str, Server], lmbda: float
) -> None:
    from train.cli import main

    words = flags(
        base,
        store,
        "",
        tmp_path / "out",
        lmbda=lmbda,
        teacher_model_server_url=server[0],
        max_steps=1,
    )
    place = words.index("--teacher_model_name_or_path")
    assert main(["gkd", *words[:place], *words[place + 2 :]]) == 0
    told = (tmp_path / "out" / "lineage.json").read_text()
    assert f'"lmbda": {float(lmbda)}' in told
    assert '"trainer": "ServerDistillationTrainer"' in told
    assert '"name": "vllm:teacher"' in told  # not where it lies there
    assert "127.0.0.1" not in told


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"teacher_model_server_url": "http://127.0.0.1:9"},
            "no server at http://127.0.0.1:9: `vllm serve TEACHER`",
        ),
        (
            {"loss_top_k": 300},
            "greater than max allowed: 261; start it with `vllm serve --max-logprobs -1`",
        ),
        (
            {"temperature": 0.9},
            "--temperature 0.9: a vLLM server has probabilities at temperature 1 only",
        ),
        ({"lmbda": 1.5}, "--lmbda 1.5: a number from 0 to 1 is needed"),
        ({"beta": 0.5, "loss_top_k": 8}, "loss_top_k must be 1 with beta>0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_settings_are_one_line(
    base: Path,
    store: Path,
    teacher: Path,
    tmp_path: Path,
    server: tuple[str, Server],
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    line: str,
) -> None:
    settings = {"teacher_model_server_url": server[0], "lmbda": 1, **changes}
    assert line in refused(capsys, flags(base, store, teacher, tmp_path / "out", **settings))


@pytest.mark.vllm
def test_vllm_says_what_the_local_teacher_says(store: Path, tmp_path: Path) -> None:
    """`VLLM_PYTHON` names the interpreter of an environment that has vLLM, whose attention on CPU
    wants larger heads than the tiny models have: the embedded teacher, and a student that is near
    it."""
    python = os.environ.get("VLLM_PYTHON")
    if not python:
        pytest.skip("VLLM_PYTHON names no interpreter with vLLM")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--max-logprobs",
        "-1",
        "--max-model-len",
        "512",
    ]
    words += ["--dtype", "float32", "--enforce-eager", "--gpu-memory-utilization", "0.1"]
    command = [
        python,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(WEIGHTS / "teacher"),
        *words,
    ]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={"VLLM_CPU_KVCACHE_SPACE": "1", **os.environ}
        )
    try:
        wait(process, f"http://127.0.0.1:{port}/health")
        url = f"http://127.0.0.1:{port}"
        check_against_the_local_teacher(
            near(tmp_path / "student"), store, WEIGHTS / "teacher", tmp_path, url, 912
        )
    finally:
        process.terminate()
        process.wait(60)


def near(folder: Path) -> Path:
    """The embedded teacher with other weights."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(WEIGHTS / "teacher", dtype=torch.float32)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight *= 1 + 0.3 * torch.randn_like(weight)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(WEIGHTS / "teacher").save_pretrained(folder)
    return folder


def wait(process: subprocess.Popen[bytes], url: str) -> None:
    """Until the server answers; an error where it has ended."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:
            time.sleep(1)
    raise AssertionError("the server has ended before it answered")
