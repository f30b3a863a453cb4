"""The majority comes from samples of the given temperature, and the greedy answer from none."""

from __future__ import annotations

import asyncio
from pathlib import Path

from datagen.suites import SUITES
from datagen.suites.question import make
from datagen.teacher import Completion, Request, TeacherError
from train.evaluate.ask import ask
from train.evaluate.contenders import Contender
from train.evaluate.settings import EvaluateSettings

QUESTION = make("gsm8k", "How many are 2 and 3?", "5", answer_type="number")


class Torn:
    """Greedily it says 4. Its samples say 5, more of them at a higher temperature."""

    name = "torn"

    async def complete(self, request: Request) -> list[Completion]:
        def says(sample: int) -> str:
            return "5" if sample < 10 * request.sampling.temperature else "4"

        samples = range(request.first, request.first + request.n)
        return [Completion(f"The answer is {says(sample)}.") for sample in samples]

    async def score_many(self, pairs: object) -> None:
        raise TeacherError("no scores here")


def test_the_samples_have_the_temperature_of_the_settings() -> None:
    for mode in ("rationale", "direct"):
        for temperature, right in ((0.3, 3), (0.7, 7), (1.0, 8)):
            settings = EvaluateSettings(out=Path("out"), samples=8, temperature=temperature)
            [found] = asyncio.run(
                ask(
                    Torn(),  # type: ignore[arg-type]
                    [QUESTION],
                    suite=SUITES["gsm8k"],
                    contender=Contender("s", "student", "torn", mode),
                    settings=settings,
                )
            )
            assert (found.answer, found.correct) == ("4", False)
            assert found.samples.count("5") == right
            assert (found.majority, found.majority_correct) == (
                ("5", True) if right > 4 else ("4", False)
            )
