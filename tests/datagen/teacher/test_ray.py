"""A teacher on Ray workers of this machine (`make test-ray`); the run without Ray is the reference."""

import asyncio
import json
import os
import random
import signal

import pytest

from datagen.cli import main
from datagen.errors import UserError
from datagen.rationales.settings import RationaleSettings
from datagen.teacher import Request, Sampling, connect
from datagen.teacher.ray import BLOCK, DEPTH, RayTeacher, gpus_of
from tests.datagen.endpoint import Endpoint, Served


def test_a_worker_takes_the_gpus_that_its_teacher_is_spread_over():
    assert gpus_of("vllm:org/model?tensor_parallel_size=4&data_parallel_size=2&max_model_len=512") == 8
    assert gpus_of("vllm:org/model") == gpus_of("hf:org/model") == 1
    assert gpus_of("openai:model") == 0


def test_the_settings_choose_the_engine(tmp_path):
    settings = RationaleSettings("gsm8k", teacher="openai:model", engine="ray", workers=3)
    assert isinstance(settings.connect(tmp_path), RayTeacher)
    with pytest.raises(UserError, match="--engine ray: must be local with --batch"):
        RationaleSettings("gsm8k", teacher="openai:model", engine="ray", batch=True)


def test_without_ray_the_error_says_what_to_install():
    try:
        import ray  # noqa: F401
    except ImportError:
        with pytest.raises(UserError, match=r"pip install 'emergent-distill\[ray\]'"):
            asyncio.run(RayTeacher("micro").check())
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
        json.dumps({"question": f"Case {i}: what is {a} plus {b}?", "answer": a + b}) for i, (a, b) in enumerate(rows)
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
    assert main([*command, "--out", str(tmp_path / "ray"), "--engine", "ray", "--workers", "2"]) == 0
    assert len(files(tmp_path / "ray")) == 3
    assert files(tmp_path / "here") == files(tmp_path / "ray")
    assert main([*command, "--out", str(tmp_path / "ray")]) == 0  # the same run, wherever it goes on


@pytest.mark.ray
def test_a_killed_worker_costs_its_blocks_and_no_row(cluster, endpoint, questions, tmp_path):
    command = ["rationales", str(questions), "--teacher", "openai:arith", "--samples", "4", "--concurrency", "256"]
    assert main([*command, "--out", str(tmp_path / "here")]) == 0
    endpoint.answered.clear()

    async def run() -> None:
        running = asyncio.create_task(asyncio.to_thread(main, [*command, "--out", str(tmp_path / "ray"), *engine]))
        while endpoint.answered.total() < 100:
            await asyncio.sleep(0.05)
        os.kill(worker_pids()[0], signal.SIGKILL)
        assert await running == 0

    engine = ["--engine", "ray", "--workers", "2"]
    asyncio.run(run())
    assert files(tmp_path / "here") == files(tmp_path / "ray")
    repeated = sum(count - 1 for count in endpoint.answered.values())
    assert repeated <= DEPTH * BLOCK
    assert endpoint.answered.total() - repeated == 1000


def worker_pids() -> list[int]:
    """Processes of this machine that Ray has named after our actor."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with open(f"/proc/{entry.name}/cmdline", "rb") as handle:
                if handle.read().startswith(b"ray::Worker"):
                    found.append(int(entry.name))
    return found


@pytest.mark.ray
def test_errors_come_back_to_the_request_that_made_them(cluster, endpoint):
    teacher = RayTeacher("openai:arith", workers=2)

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
def test_a_wrong_model_is_said_before_anything_is_asked(cluster, endpoint, questions, tmp_path, capsys):
    command = ["rationales", str(questions), "--teacher", "openai:none", "--out", str(tmp_path / "run")]
    assert main([*command, "--engine", "ray", "--workers", "1"]) == 2
    assert "has no model 'none'" in capsys.readouterr().err
