"""A scripted teacher that rewrites, answers, compares and scores, behind a real socket; and
templates it can read."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path
from typing import Any

from tests.datagen.endpoint import Endpoint

OPERATIONS = ("breadth", "complicate_input", "concretise", "constraints", "deepen", "reasoning")
REFUSAL = "I am sorry, but I cannot help with that."


def save_templates(folder: Path) -> Path:
    """Templates in words that `Scripted` takes apart."""
    (folder / "evolve").mkdir(parents=True)
    for name in OPERATIONS:
        (folder / "evolve" / f"{name}.txt").write_text(f"EVOLVE {name}\n{{instruction}}")
    (folder / "same.txt").write_text("SAME\n{first}\n{second}")
    (folder / "quality.txt").write_text("SCORE\n{instruction}\n{response}")
    (folder / "with_input.txt").write_text("{instruction} | {input}")
    return folder


class Scripted(Endpoint):
    """Decides by prompt and seed alone what to say; `delay` is the longest random wait before an
    answer, in seconds."""

    def __init__(self, *, delay: float = 0.0):
        super().__init__()
        self.delay = delay

    async def complete(self, request: Any) -> Any:
        await asyncio.sleep(random.uniform(0, self.delay))
        return await super().complete(request)

    def reply(self, body: dict[str, Any], fault: str) -> dict[str, Any]:
        choices = []
        for i in range(body["n"]):
            prompt = body["messages"][-1]["content"]
            text, finish = self.say(prompt, random.Random(f"{body['seed'] + i}:{prompt}"))
            choices.append(
                {
                    "index": i,
                    "finish_reason": finish,
                    "message": {"role": "assistant", "content": text},
                }
            )
        return {
            "choices": choices,
            "usage": {"prompt_tokens": 1, "completion_tokens": len(choices)},
        }

    def say(self, prompt: str, rng: random.Random) -> tuple[str, str]:
        way = rng.random()
        if evolving := re.fullmatch(r"EVOLVE (\w+)\n(.*)", prompt, re.DOTALL):
            return self.rewritten(evolving[1], evolving[2], rng), "length" if way < 0.05 else "stop"
        if prompt.startswith("SAME\n"):
            return (
                "Yes." if way < 0.2 else "Perhaps." if way < 0.25 else "No, they differ."
            ), "stop"
        if prompt.startswith("SCORE\n"):
            return (
                f"It is fine.\nScore: {rng.randint(1, 10)}" if way < 0.9 else "Score: high",
                "stop",
            )
        return self.answer(prompt, way)

    def rewritten(self, operation: str, text: str, rng: random.Random) -> str:
        way = rng.random()
        if way < 0.1:
            return text
        return f"{'Evolved prompt: ' if way < 0.2 else ''}{text} {operation}{rng.randint(0, 999)}"

    def answer(self, prompt: str, way: float) -> tuple[str, str]:
        if way < 0.25:
            return (REFUSAL, "What is that?", "", prompt)[
                int(way * 16)
            ], "length" if way >= 0.1875 else "stop"
        return f"The answer to it is number {len(prompt)} {way:.4f}.", "stop"
