"""Rows a second and client CPU of `datagen rationales`, its engine alone, the OpenAI SDK as it
comes, and bare aiohttp.

    OPENAI_API_KEY=test-key OPENAI_BASE_URL=http://127.0.0.1:8123/v1 \
        python tests/bench/endpoint.py --model NAME --questions FILE.jsonl

Without OPENAI_BASE_URL it starts `tests.datagen.endpoint` with 20 ms of latency. A row is one
request of n samples. The arms take turns, every one in a process of its own. Its CPU is counted
without the imports: for datagen, what a run of 8 questions takes is subtracted (the whole is shown
beside it). Seconds are those from the first request to the last row, journal and rows included; the
imports and the check before are not in them, as for the other arms. Writing Parquet at the end is
not in the rate, but in the CPU. """

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path

IN_FLIGHT, PORT = 128, 8921
ARMS = ("datagen", "engine", "sdk", "aiohttp")
Ask = Callable[[str], Awaitable[object]]


def questions(file: Path | None, number: int) -> list[dict[str, str]]:
    """Rows of the file, from the top again with a mark until there are enough; sums without a
    file."""
    if file is None:
        return [
            {"question": f"What is {i} plus {i % 7}?", "answer": str(i + i % 7)}
            for i in range(number)
        ]
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [
        {
            "question": rows[i % len(rows)]["question"]
            + " " * (i // len(rows))
            + "?" * (i // len(rows)),
            "answer": "0",
        }
        for i in range(number)
    ]


def body(args: argparse.Namespace, prompt: str) -> dict[str, object]:
    messages = [
        {
            "role": "user",
            "content": f"{prompt}\nThink step by step and give the answer in the last line.",
        }
    ]
    return {
        "model": args.model,
        "messages": messages,
        "n": args.samples,
        "temperature": 0.7,
        "max_tokens": 512,
    }


async def engine(args: argparse.Namespace, prompts: list[str]) -> tuple[float, float]:
    from datagen.teacher import Request, Sampling, connect

    teacher, sampling = connect(f"openai:{args.model}", concurrency=IN_FLIGHT), Sampling(seed=1)

    def ask(prompt: str) -> Awaitable[object]:
        return teacher.complete(Request((("user", prompt),), n=args.samples, sampling=sampling))

    try:
        await ask(prompts[0])  # the imports, uncounted
        return await measured(ask, prompts[1:])
    finally:
        await teacher.close()


async def sdk(args: argparse.Namespace, prompts: list[str]) -> tuple[float, float]:
    from openai import AsyncOpenAI

    async with AsyncOpenAI() as client:
        return await measured(lambda p: client.chat.completions.create(**body(args, p)), prompts)  # type: ignore[call-overload]


async def bare(args: argparse.Namespace, prompts: list[str]) -> tuple[float, float]:
    import aiohttp

    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def ask(prompt: str) -> object:
            async with session.post(url, json=body(args, prompt)) as response:
                return json.loads(await response.read())["choices"][0]["message"]["content"]

        return await measured(ask, prompts)


async def measured(ask: Ask, prompts: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds for all prompts, IN_FLIGHT at a time."""
    waiting = iter(prompts)

    async def work() -> None:
        for prompt in waiting:
            await ask(prompt)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return time.perf_counter() - wall, time.process_time() - cpu


def child(command: list[str]) -> tuple[str, float, float]:
    """Output, wall and CPU seconds of a process."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return output, time.perf_counter() - wall, cpu


def datagen(
    args: argparse.Namespace, rows: list[dict[str, str]]
) -> tuple[float, float, float, int]:
    """Wall seconds of the run itself and of the process, CPU seconds of the process, bytes of the
    journal."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "questions.jsonl", Path(folder) / "run"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        words = ["rationales", str(file), "--teacher", f"openai:{args.model}", "--out", str(out)]
        words += [
            "--samples",
            str(args.samples),
            "--concurrency",
            str(IN_FLIGHT),
            "--keep_by",
            "none",
        ]
        _, wall, cpu = child([sys.executable, "-m", "datagen.cli", *words])
        stats = json.loads((out / "stats.json").read_text())
        assert stats["answers"] == len(rows) * args.samples
        return stats["seconds"], wall, cpu, (out / "journal.sqlite").stat().st_size


@contextmanager
def endpoint():
    """The endpoint of the tests, where none is given."""
    if "OPENAI_BASE_URL" in os.environ:
        yield
        return
    command = [
        sys.executable,
        "-m",
        "tests.datagen.endpoint",
        "--port",
        str(PORT),
        "--latency",
        "0.02",
    ]
    server = subprocess.Popen(command)
    os.environ |= {"OPENAI_BASE_URL": f"http://127.0.0.1:{PORT}/v1", "OPENAI_API_KEY": "test-key"}
    try:
        time.sleep(3)
        yield
    finally:
        server.kill()
        server.wait()


def compare(args: argparse.Namespace) -> None:
    rows = questions(args.questions, args.requests)
    figures: dict[str, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
    for _ in range(args.repeats):
        _, fixed_wall, fixed, _ = datagen(args, rows[:8])
        for arm in ARMS:
            if arm == "datagen":
                seconds, wall, whole, size = datagen(args, rows)
                cpu = whole - fixed
                more = f", whole process {wall:.1f} s and {1e3 * whole / len(rows):.2f} ms a row, "
                more += (
                    f"of 8 questions {fixed_wall:.1f} s; journal {size / len(rows):,.0f} bytes a "
                    "row"
                )
            else:
                words = [sys.executable, *sys.argv, "--arm", arm]
                (seconds, cpu), more = json.loads(child(words)[0]), ""
            figures[arm].append((len(rows) / seconds, 1e3 * cpu / len(rows)))
            print(
                f"{arm:8} {len(rows) / seconds:7,.0f} rows/s, CPU {1e3 * cpu / len(rows):.2f} "
                f"ms a row{more}",
                flush=True,
            )
    speed = {arm: [rate for rate, _ in found] for arm, found in figures.items()}
    for arm in ARMS:
        print(f"{arm:8} median {statistics.median(speed[arm]):,.0f} rows/s, ", end="")
        print(f"CPU {statistics.median(cpu for _, cpu in figures[arm]):.2f} ms a row")
    for arm in ARMS[1:]:
        ratio = statistics.median(a / b for a, b in zip(speed["datagen"], speed[arm], strict=True))
        print(f"datagen / {arm}: {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="arith")
    parser.add_argument(
        "--questions", type=Path, help="JSONL with a column question; without it, sums"
    )
    parser.add_argument("--requests", type=int, default=2638)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--arm", choices=ARMS[1:], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.arm:
        prompts = [row["question"] for row in questions(args.questions, args.requests)]
        print(
            json.dumps(
                asyncio.run(
                    {"engine": engine, "sdk": sdk, "aiohttp": bare}[args.arm](args, prompts)
                )
            )
        )
        return
    with endpoint():
        compare(args)


if __name__ == "__main__":
    main()
