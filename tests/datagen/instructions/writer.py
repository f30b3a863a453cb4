"""A teacher for Self-Instruct on loopback: it writes tasks from a small vocabulary, sound and
unsound ones."""

from __future__ import annotations

import asyncio
import itertools
import random
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.datagen.endpoint import Endpoint

TEMPLATES = {
    "instructions": "Varied tasks:\n",
    "item": "{number}. {instruction}",
    "instructions_chat": "Here are some:\n{tasks}\nWrite {count} more.",
    "classify": "Task: {instruction}\nClassification?",
    "input_first": "Task: {instruction}\nWrite inputs and outputs.\n",
    "output_first": "Task: {instruction}\nWrite labels and inputs.\n",
    "with_input": "{instruction}\n\n{input}",
    "alpaca": "Write {count} tasks like these:\n{tasks}\n",
    "unnatural": "Examples:\n{examples}\nOne more:\n",
    "unnatural_output": "Instruction: {instruction}\nInput: {input}\nConstraints: {constraints}\nOutput:",
    "paraphrase": "Reword: {instruction}\nInput: {input}\nNew wording:",
    "words/blocked": "image\nmap\n",
    "words/blocked_alpaca": "music\n",
    "words/starts": "Write a program\n",
    "words/yes": "Yes\n",
    "words/no": "No\n",
}
VERBS = [
    "name",
    "sort",
    "count",
    "list",
    "explain",
    "label",
    "compare",
    "shorten",
    "praise",
    "translate",
]
NOUNS = [
    "rivers",
    "birds",
    "towns",
    "letters",
    "songs",
    "verbs",
    "cakes",
    "stamps",
    "kings",
    "lamps",
    "image",
    "music",
]
ENDS = [
    "in Asia",
    "of the past",
    "by age",
    "for children",
    "at sea",
    "with care",
    "from A to Z",
    "in two lines",
]


def write_templates(folder: Path) -> Path:
    for name, text in TEMPLATES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.txt").write_text(text)
    return folder


def sentence(rng: random.Random) -> str:
    if rng.random() < 0.05:
        return "Go on."  # too short
    return (
        f"{rng.choice(VERBS).capitalize()} {rng.choice(NOUNS)} and {rng.choice(NOUNS)} "
        f"{rng.choice(ENDS)}."
    )


class Writer(Endpoint):
    """Says what its prompt, seed and sample decide, after a random time of at most `wait`
    seconds."""

    def __init__(self, *, wait: float = 0.0, faults: list[str] | None = None):
        super().__init__(faults=faults)
        self.wait = wait

    async def complete(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(random.random() * self.wait)
        return await super().complete(request)

    def reply(self, body: dict[str, Any], fault: str) -> dict[str, Any]:
        prompt = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        rng = random.Random(f"{body.get('seed')}:{prompt}")
        base = "prompt" in body
        texts = [self.write(prompt, rng, base) for _ in range(body.get("n", 1))]
        if prompt.endswith("Instruction:"):  # a base model goes on behind the label
            texts = [text.removeprefix("Instruction:") for text in texts]
        finish = "length" if rng.random() < 0.05 else "stop"
        said = [({"text": text} if base else {"message": {"content": text}}) for text in texts]
        choices = [{"index": i, "finish_reason": finish, **part} for i, part in enumerate(said)]
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": 7}
        return {"choices": [] if fault == "empty" else choices, "usage": usage}

    def write(self, prompt: str, rng: random.Random, base: bool) -> str:
        if "Classification?" in prompt:
            return " Yes" if "Label" in prompt or "Sort" in prompt else " No"
        if "Write labels" in prompt:
            return "Class label: old\nInput: a castle\nClass label: new\nInput: a tower block"
        if "Write inputs" in prompt:
            return self.instances(rng)
        if prompt.startswith("Write 20 tasks"):
            blocks = [
                f"Instruction: {sentence(rng)}\nInput: <noinput>\nOutput: {rng.randrange(99)}"
                for _ in range(20)
            ]
            return "\n###\n".join(blocks)
        if prompt.startswith("Examples:"):
            return f"Instruction: {sentence(rng)}\nInput: {rng.choice(NOUNS)}\nConstraints: None."
        if prompt.startswith("Instruction:"):
            return f"{rng.randrange(99)}"
        if prompt.startswith("Reword:"):
            return "Please " + prompt.split("Reword: ")[1].split("\n")[0].lower()
        return self.tasks(prompt, rng, base)

    def tasks(self, prompt: str, rng: random.Random, base: bool) -> str:
        """A base model goes on behind the number that ends its prompt; a chat model counts from
        1."""
        count = 7 if base else int(prompt.split("Write ")[1].split(" ")[0])
        first = 1 + int(prompt.rsplit("\n", 1)[1].rstrip(".")) if base else 2
        written = [sentence(rng) for _ in range(count)]
        rest = "".join(
            f"\n{number}. {text}"
            for number, text in zip(itertools.count(first), written[1:], strict=False)
        )
        return f"{'' if base else '1.'} {written[0]}{rest}"

    def instances(self, rng: random.Random) -> str:
        kinds = ["Output: 4", "Input: a\nOutput: b\nInput: c\nOutput: d", "Input: a\nOutput: a", "Output:", "Hm.",
                 "Input: a\nOutput: b\nInput: a\nOutput: c", "Output: as follows:", "Output: 4\nOutput: 4"]  # fmt: skip
        return rng.choice(kinds)
