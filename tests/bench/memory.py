"""Peak memory of a whole `datagen rationales` as its source grows, against a server that answers at
once.

    python tests/bench/memory.py --rows 10000 100000 1000000 --samples 4

A row is a chain: with 4 samples a million rows are 250,000 questions and as many requests. The peak
is that of the process, as the kernel counted it. It ends with status 1 where the largest peak is
over 1.2 times the smallest."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

FLAT = 1.2
MODELS = b'{"object": "list", "data": [{"id": "instant"}]}'


class Instant(asyncio.Protocol):
    """As much of HTTP as a client needs to be told the same again and again."""

    replies: ClassVar[dict[int, bytes]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            length = (
                int(head.split(b"content-length:")[1].split()[0])
                if b"content-length:" in head
                else 0
            )
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = (
                self.buffer[end + 4 : end + 4 + length],
                self.buffer[end + 4 + length :],
            )
            self.answer(reply(json.loads(body)["n"]) if body else MODELS)

    def answer(self, content: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % len(content) + content)  # type: ignore[attr-defined]


def reply(n: int) -> bytes:
    if n not in Instant.replies:
        text = (
            "We count the apples, then the pears, and add one number to the other: 40 + 2 = 42. "
            "The answer is {}."
        )
        choices = [
            {
                "index": i,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text.format(42 + i)},
            }
            for i in range(n)
        ]
        usage = {"prompt_tokens": 60, "completion_tokens": 30 * n}
        Instant.replies[n] = json.dumps({"choices": choices, "usage": usage}).encode()
    return Instant.replies[n]


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", port)
    await server.serve_forever()


def write_questions(file: Path, number: int) -> None:
    with file.open("w", encoding="utf-8") as out:
        for i in range(number):
            text = (
                f"In orchard {i} there are 40 apples and 2 pears in every basket, and the "
                "children carry the baskets "
                "home before it rains. How many pieces of fruit are in a basket when they "
                "arrive at the house?"
            )
            out.write(json.dumps({"question": text, "answer": "42"}) + "\n")


def measure(questions: int, samples: int, port: int, folder: Path) -> tuple[float, str]:
    """Peak MiB of the process, and a line of figures."""
    file, out = folder / "questions.jsonl", folder / "run"
    write_questions(file, questions)
    env = os.environ | {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "OPENAI_API_KEY": "test-key",
    }
    words = [
        "rationales",
        str(file),
        "--teacher",
        "openai:instant",
        "--samples",
        str(samples),
        "--keep_by",
        "none",
    ]
    words += ["--concurrency", "128", "--out", str(out)]
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "datagen.cli", *words], env=env, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"datagen ended with status {process.returncode}"
    stats = json.loads((out / "stats.json").read_text())
    assert stats["answers"] == questions * samples
    each = {
        name: (out / f"{name}.sqlite").stat().st_size / questions for name in ("journal", "rows")
    }
    peak, seconds = used.ru_maxrss / 1024, time.monotonic() - begun
    line = (
        f"{questions * samples:9,} rows of {questions:9,} requests: peak {peak:6.1f} MiB, "
        f"{seconds:6.1f} s, "
    )
    line += f"CPU {1e3 * (used.ru_utime + used.ru_stime) / questions:.2f} ms a request, "
    line += f"journal {each['journal']:,.0f} and rows {each['rows']:,.0f} bytes a request"
    return peak, line


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--port", type=int, default=8937)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        asyncio.run(serve(args.port))
    peaks = []
    server = subprocess.Popen([sys.executable, __file__, "--serve", "--port", str(args.port)])
    try:
        time.sleep(1)
        for rows in args.rows:
            with tempfile.TemporaryDirectory() as folder:
                peak, line = measure(rows // args.samples, args.samples, args.port, Path(folder))
            peaks.append(peak)
            print(line, flush=True)
    finally:
        server.kill()
        server.wait()
    print(f"largest peak / smallest: {max(peaks) / min(peaks):.2f}")
    return 0 if max(peaks) <= FLAT * min(peaks) else 1


if __name__ == "__main__":
    raise SystemExit(main())
