"""A teacher on Ray workers of this machine (`make test-ray`); the run without Ray is the
reference."""

import asyncio
import json
import os
import random
import shutil
import signal

import pyarrow.parquet as pq
import pytest
from aiohttp import web

from datagen.cli import main
from datagen.errors import ContextExceeded, UserError
from datagen.rationales.settings import RationaleSettings
from datagen.teacher import Request, Sampling, TeacherSpec, connect
from datagen.teacher.ray.cluster import gpus_of
from datagen.teacher.ray.teacher import BLOCK, BLOCKS_PER_WORKER, RETRY_SIZES, RayTeacher
from tests.datagen.endpoint import Endpoint, Served
from tests.datagen.teacher.ray.ray_processes import holder, workers


def gpus(spec: str) -> int:
    return gpus_of(TeacherSpec.parse(spec))


def test_a_worker_takes_the_gpus_that_its_teacher_is_spread_over():
    assert gpus("vllm:org/model?tensor_parallel_size=4&data_parallel_size=2&max_model_len=512") == 8
    assert gpus("vllm:org/model") == gpus("hf:org/model") == gpus("micro") == 1
    assert gpus("openai:model") == 0


def test_batches_need_no_workers():
    with pytest.raises(UserError, match="--engine ray: must be local with --batch"):
        RationaleSettings("gsm8k", teacher="openai:model", engine="ray", batch=True)


def test_without_ray_the_error_says_what_to_install(tmp_path):
    try:
        import ray  # noqa: F401
    except ImportError:
        with pytest.raises(UserError, match=r"pip install 'emergent-distill\[ray\]'"):
            RationaleSettings("gsm8k", engine="ray").connect(tmp_path)
    else:
        pytest.skip("Ray is installed")


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    yield ray
    ray.shutdown()


@pytest.fixture
def endpoint(monkeypatch):
    endpoint = Endpoint(latency=0.3)
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "test-key")
        yield endpoint


@pytest.fixture
def questions(tmp_path):
    rng = random.Random(0)
    rows = [(rng.randrange(100), rng.randrange(100)) for _ in range(1000)]
    lines = [
        json.dumps({"question": f"Case {i}: what is {a} plus {b}?", "answer": a + b})
        for i, (a, b) in enumerate(rows)
    ]
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(lines))
    return file


def files(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


@pytest.mark.ray
def test_two_workers_make_the_rows_of_one_machine(cluster, tmp_path):
    command = ["rationales", "microworld", "--split", "test", "--limit", "40", "--samples", "4"]
    assert main([*command, "--out", str(tmp_path / "here")]) == 0
    assert (
        main([*command, "--out", str(tmp_path / "ray"), "--engine", "ray", "--workers", "2"]) == 0
    )
    assert len(files(tmp_path / "ray")) == 3
    assert files(tmp_path / "here") == files(tmp_path / "ray")
    assert (
        main([*command, "--out", str(tmp_path / "ray")]) == 0
    )  # the same run, wherever it goes on


@pytest.mark.ray
def test_a_killed_worker_costs_its_blocks_and_no_row(cluster, endpoint, questions, tmp_path):
    command = [
        "rationales",
        str(questions),
        "--teacher",
        "openai:arith",
        "--samples",
        "4",
        "--concurrency",
        "256",
    ]
    assert main([*command, "--out", str(tmp_path / "here")]) == 0
    endpoint.answered.clear()

    async def run() -> None:
        running = asyncio.create_task(
            asyncio.to_thread(main, [*command, "--out", str(tmp_path / "ray"), *engine])
        )
        while endpoint.answered.total() < 100:
            await asyncio.sleep(0.05)
        os.kill(workers()[0], signal.SIGKILL)
        assert await running == 0

    engine = ["--engine", "ray", "--workers", "2"]
    asyncio.run(run())
    assert files(tmp_path / "here") == files(tmp_path / "ray")
    repeated = sum(count - 1 for count in endpoint.answered.values())
    assert repeated <= BLOCKS_PER_WORKER * BLOCK
    assert endpoint.answered.total() - repeated == 1000


@pytest.mark.ray
def test_workers_killed_again_and_again_from_their_start_on_cost_no_row(
    cluster, endpoint, questions, tmp_path
):
    command = [
        "rationales",
        str(questions),
        "--teacher",
        "openai:arith",
        "--samples",
        "4",
        "--concurrency",
        "256",
    ]
    assert main([*command, "--out", str(tmp_path / "here")]) == 0
    endpoint.answered.clear()

    async def kill(number: int) -> None:
        """The first before it said who it is, the others whenever more answers are on their way to
        it."""
        rng, killed = random.Random(0), 0
        while killed < number:
            pids = workers()
            if pids and len(endpoint.answered) >= 60 * killed:
                os.kill(rng.choice(pids), signal.SIGKILL)
                killed += 1
            await asyncio.sleep(0.05)

    async def run() -> None:
        killing = asyncio.create_task(kill(10))
        engine = ["--out", str(tmp_path / "ray"), "--engine", "ray", "--workers", "2"]
        assert await asyncio.to_thread(main, [*command, *engine]) == 0
        assert killing.done()

    asyncio.run(run())
    assert files(tmp_path / "here") == files(tmp_path / "ray")


class Deadly(Endpoint):
    """One question kills the worker that asks it."""

    def __init__(self, word: str):
        super().__init__(latency=0.1)
        self.word, self.deaths = word, 0

    async def complete(self, request: web.Request) -> web.StreamResponse:
        if self.word in await request.text():
            self.deaths += 1
            os.kill(holder(request.transport.get_extra_info("peername")[1]), signal.SIGKILL)
        return await super().complete(request)


@pytest.mark.ray
def test_a_request_that_kills_workers_fails_alone(cluster, questions, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint, out = Deadly("Case 77:"), tmp_path / "run"
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        command = [
            "rationales",
            str(questions),
            "--limit",
            "200",
            "--samples",
            "4",
            "--out",
            str(out),
        ]
        assert (
            main([*command, "--teacher", "openai:arith", "--engine", "ray", "--workers", "2"]) == 0
        )
    stats = json.loads((out / "stats.json").read_text())
    rejected = pq.read_table(out / "rejected.parquet").to_pylist()
    [failed] = [row for row in rejected if row["reason"] == "failed"]
    assert "Case 77:" in failed["prompt"][0]["content"]
    assert "workers were lost over this request" in failed["finish_reason"]
    assert endpoint.deaths == len(RETRY_SIZES) + 1
    assert stats["answers"] == 199 * 4


@pytest.mark.ray
def test_requests_end_when_no_worker_can_be_started_again(cluster, tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    teacher, request = (
        RayTeacher(TeacherSpec.parse(f"hf:{folder}"), workers=1),
        Request("a", sampling=Sampling(max_tokens=4)),
    )

    async def ask():
        try:
            await teacher.open()
            await teacher.complete(request)
            shutil.rmtree(folder)
            os.kill(workers()[0], signal.SIGKILL)
            for _ in range(2):
                with pytest.raises(UserError, match=r"^no model at"):
                    await teacher.complete(request)
        finally:
            await teacher.close()

    asyncio.run(ask())


@pytest.mark.ray
def test_errors_come_back_to_the_request_that_made_them(cluster, endpoint):
    teacher = RayTeacher(TeacherSpec.parse("openai:arith"), workers=2)

    async def ask():
        good = Request("What is 3 plus 4?", sampling=Sampling(max_tokens=50))
        try:
            answers = await asyncio.gather(
                teacher.complete(good), teacher.score("What is", " 7"), return_exceptions=True
            )
            return answers, await connect("openai:arith").complete(good)
        finally:
            await teacher.close()

    (answer, error), alone = asyncio.run(ask())
    assert answer == alone
    assert isinstance(error, UserError)
    assert "cannot score a given continuation" in str(error)


@pytest.mark.ray
def test_a_wrong_model_is_said_before_anything_is_asked(
    cluster, endpoint, questions, tmp_path, capsys
):
    command = [
        "rationales",
        str(questions),
        "--teacher",
        "openai:none",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main([*command, "--engine", "ray", "--workers", "1"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "has no model 'none'" in line


@pytest.mark.ray
def test_a_text_beyond_the_context_is_told_by_its_type(cluster, tiny_model):
    spec = TeacherSpec.parse(f"hf:{tiny_model}")

    async def ask():
        teacher = connect(spec, engine="ray", workers=1)
        try:
            with pytest.raises(ContextExceeded, match="the context of"):
                await teacher.complete(Request("x" * 200))
            with pytest.raises(ContextExceeded, match="the context is 128"):
                await teacher.score_many([("a", "b"), ("x" * 200, "b")])
            assert await teacher.identify() == await connect(spec).identify()
        finally:
            await teacher.close()

    asyncio.run(ask())


@pytest.mark.ray
def test_topk_on_workers_is_that_of_this_process(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("datagen.topk.storing.PIECE", 8)
    run = tmp_path / "run"
    command = ["rationales", "microworld", "--split", "test", "--limit", "20", "--samples", "2"]
    assert main([*command, "--out", str(run)]) == 0
    topk = ["topk", str(run), "--teacher_topk", "4"]
    assert main([*topk, "--out", str(tmp_path / "here")]) == 0
    ray = ["--engine", "ray", "--workers", "2"]
    assert main([*topk, "--out", str(tmp_path / "there"), *ray]) == 0
    assert files(tmp_path / "here") == files(tmp_path / "there")


@pytest.mark.ray
def test_an_evaluation_on_workers_is_that_of_this_process(cluster, tmp_path):
    from train.cli import main as train

    command = ["evaluate", "--base", "micro", "--suite", "microworld", "--limit", "6"]
    command += ["--samples", "2", "--resamples", "1000"]
    ray = ["--engine", "ray", "--workers", "2"]
    assert train([*command, "--out", str(tmp_path / "here")]) == 0
    assert train([*command, "--out", str(tmp_path / "there"), *ray]) == 0
    reports = [(tmp_path / name / "report.json").read_text() for name in ("here", "there")]
    assert reports[0] == reports[1]


@pytest.mark.ray
def test_a_probe_on_workers_is_that_of_this_process(cluster, tmp_path):
    from train.cli import main as train

    run = tmp_path / "run"
    command = ["rationales", "microworld", "--split", "test", "--limit", "6", "--samples", "2"]
    assert main([*command, "--out", str(run)]) == 0
    probe = ["probe", "micro", str(run), "--max_tokens", "40"]
    assert train([*probe, "--out", str(tmp_path / "here")]) == 0
    ray = ["--engine", "ray", "--workers", "2"]
    assert train([*probe, "--out", str(tmp_path / "there"), *ray]) == 0
    assert files(tmp_path / "here") == files(tmp_path / "there")
