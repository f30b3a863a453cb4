"""A teacher on loopback that reads demonstrations: a number gets the label shown with those of its
own parity."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tests.datagen.endpoint import Endpoint

MAPPING = """
- each: [red, blue, green]
  task: parity/{each}
  file: numbers.jsonl
  input: "{number}"
  output: label
  options: [even, odd]
  description: Say even or odd, {about} way.
"""


def parse(prompt: str) -> tuple[list[tuple[str, str]], str]:
    """Demonstrations and query of an arrow prompt; a description has no arrow."""
    lines = [line for line in prompt.split("\n") if "->" in line]
    return [(x, y) for x, y in (line.split(" -> ") for line in lines[:-1])], lines[-1].removesuffix(
        " ->"
    )


def label_by_reading(prompt: str) -> str:
    """The majority label of the demonstrations of the query's parity; "unknown" where there is
    none."""
    pairs, query = parse(prompt)
    labels = Counter(y for x, y in pairs if int(x) % 2 == int(query) % 2)
    return labels.most_common(1)[0][0] if labels else "unknown"


class Reading(Endpoint):
    def reply(self, body, fault):
        prompt = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        text = label_by_reading(prompt)
        message = (
            {"message": {"role": "assistant", "content": text}}
            if "messages" in body
            else {"text": f" {text}\n1 ->"}
        )
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": 2}
        return {"choices": [{"index": 0, "finish_reason": "stop", **message}], "usage": usage}


def write_tasks(folder: Path, *, numbers: int = 40, mapping: str = MAPPING) -> Path:
    """Three tasks of the same numbers; the mapping's path."""
    rows = [json.dumps({"number": n, "label": n % 2}) for n in range(numbers)]
    (folder / "numbers.jsonl").write_text("\n".join(rows))
    (folder / "parity.yaml").write_text(mapping)
    return folder / "parity.yaml"
