"""Runs to look at, written as commands write them: by `Run`, with rows that are known
beforehand."""

import asyncio
from dataclasses import replace
from pathlib import Path
from random import Random

from datagen.records import TeacherRecord
from datagen.run import OpenRun
from datagen.schema import Accepted, Outcome, Rejected, assistant, user
from datagen.teacher import Capabilities
from tests.datagen.configs import config_of

HOSTILE = (
    '</script><script>document.title="owned"</script><img src=x onerror=\'document.title="owned"\'>'
)
TRICKY = "<!--<script>\u2028\u2029 ]]> {{ 7 * 7 }} &lt; \u202eabc"
VERBS = (
    "Write a short story about",
    "Classify the following tweets by",
    "Explain how to clean",
    "List three facts about",
)


class Died(Exception):
    """What ends a run before its end."""


class Silent:
    """A teacher that nobody asks."""

    name = "silent"
    capabilities = Capabilities()

    async def identify(self) -> str:
        return self.name

    async def open(self) -> None: ...

    async def close(self) -> None: ...


def row(name: str, instruction: str, output: str = "", **more: object) -> dict[str, object]:
    """A row of an instructions run; the rest of its columns is null."""
    texts = {"instruction": instruction, "input": "", "output": output}
    turns = {"prompt": user(instruction), "completion": assistant(output) if output else []}
    return {"id": name, "method": "evol-instruct", "parents": []} | turns | texts | more


def self_instruct(number: int, seed: int = 0) -> list[list[Outcome]]:
    """`number` items: every fourth is rejected as similar, every tenth of these as refusal; one is
    hostile."""
    rng, found = Random(seed), list[list[Outcome]]()
    for place in range(number):
        text = (
            f"{VERBS[place % 4 if rng.random() < 0.8 else 0]} "
            f"{'word ' * rng.randrange(1, 30)}{place}."
        )
        near = {"nearest_id": f"n{place - 1}", "nearest_similarity": rng.random() * 0.7}
        made = row(f"n{place}", text, "An answer of some words. " * rng.randrange(1, 9), **near)
        if place % 4 == 3:
            reason = "refusal" if place % 40 == 39 else "similar"
            found.append(
                [
                    Rejected(
                        made | {"nearest_similarity": 0.7 + rng.random() * 0.3, "detail": "n0"},
                        reason,
                    )
                ]
            )
        else:
            found.append([Accepted(made, "instructions")])
    found[0] = [Accepted(row("hostile", HOSTILE, TRICKY), "instructions")]
    return found


def evolution(seeds: int, rounds: int = 4) -> list[list[Outcome]]:
    """Seeds with `rounds` evolutions each; the third round of every odd seed is rejected. Scores
    are 3 + round."""
    return [one_evolution(seed, rounds) for seed in range(seeds)]


def one_evolution(seed: int, rounds: int) -> list[Outcome]:
    root, text, parent = f"seed{seed}", f"Describe the city number {seed}.", f"seed{seed}-0"
    first = row(parent, text, "It is a city.", round=0, root=root, score=3.0, parents=[root])
    outcomes: list[Outcome] = [Accepted(first, "instructions")]
    for number in range(1, rounds + 1):
        new = f"{text} Mention detail {number}."
        more = {
            "round": number,
            "root": root,
            "parents": [parent],
            "score": 3.0 + number,
            "operation": "deepen",
        }
        made = row(f"{root}-{number}", new, f"It is a city with detail {number}.", **more)
        if seed % 2 and number == 3:
            outcomes.append(Rejected(made | {"detail": "instruction"}, "equal"))
        else:
            outcomes.append(Accepted(made, "instructions"))
            text, parent = new, f"{root}-{number}"
    return outcomes


def rationales(number: int) -> list[list[Outcome]]:
    """Questions with one right and one wrong chain each."""
    found = []
    for place in range(number):
        asked = {
            "question": f"What is {place} plus 1?",
            "gold": str(place + 1),
            "agreement": 0.5,
            "samples": 2,
        }
        right = (
            row(f"r{place}", "")
            | asked
            | {"rationale": f"{place} + 1 = {place + 1}", "answer": str(place + 1)}
        )
        wrong = row(f"w{place}", "") | asked | {"rationale": "I think 0.", "answer": "0"}
        found.append(
            [
                Accepted(right, "rationales"),
                Accepted(right, "answers"),
                Rejected(wrong, "wrong_answer"),
            ]
        )
    return found


def write(
    path: Path,
    items: list[list[Outcome]],
    *,
    method: str = "self-instruct",
    family: str = "instructions",
    stop_after: int | None = None,
    **settings: object,
) -> Path:
    """The run folder of the items. With `stop_after` it dies at that item and has no Parquet
    files."""

    async def distil(item: tuple[int, list[Outcome]], teacher: object) -> list[Outcome]:
        if item[0] == stop_after:
            raise Died
        return item[1]

    teacher = TeacherRecord(name="hf:/home/me/secret/model", identity="x")
    config = replace(config_of(method, **settings), teacher=teacher)
    try:
        with OpenRun(path, config, family=family) as run:
            work = run.each(
                list(enumerate(items)),
                distil,
                teacher=Silent(),
                describe=lambda _: {},
                statistics=lambda _: {},
                concurrency=1,
            )
            asyncio.run(work)
    except Died:
        assert stop_after is not None
    return path
