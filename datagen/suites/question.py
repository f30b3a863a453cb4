"""One question of a benchmark or of a user's file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from datagen.answers import extract
from datagen.answers.extract import normalise
from datagen.schema import content_id


@dataclass(frozen=True)
class Question:
    """What is asked, and what is known about the answer."""

    id: str
    """Hash of suite, question and options: the same everywhere. A repeated question gets one of its
    own."""
    question: str
    """The full text, options included, one a line."""
    gold: str | None
    """Canonical answer, as `datagen.answers.extract` gives it; None where the source has none."""
    answer_type: str
    options: tuple[str, ...] = ()
    """Texts of the choices, A first; for yes/no questions of other words those two, the affirmative
    first."""
    gold_rationale: str | None = None


def make(
    suite: str,
    question: str,
    gold: str | None,
    *,
    answer_type: str,
    options: Sequence[str] = (),
    rationale: str | None = None,
) -> Question:
    """A question with its id, options rendered into the text, canonical gold.

    `gold` may be a worked solution.
    """
    text = question.strip()
    if answer_type == "choice" and options:
        text = f"{text}\nOptions:\n{render(options)}"
    canonical = None if gold is None else canonical_gold(gold, answer_type, options)
    identity = content_id(suite, question.strip(), list(options))
    return Question(identity, text, canonical, answer_type, tuple(options), rationale)


def distinct(questions: Iterable[Question]) -> list[Question]:
    """The questions with ids told apart: benchmarks hold a few questions twice, and both count in a
    published score.
    """
    seen: Counter[str] = Counter()
    found = []
    for question in questions:
        repeat = seen[question.id]
        seen[question.id] += 1
        found.append(replace(question, id=content_id(question.id, repeat)) if repeat else question)
    return found


def render(options: Sequence[str]) -> str:
    """One option a line: "(A) bank"."""
    return "\n".join(f"({chr(ord('A') + place)}) {option}" for place, option in enumerate(options))


def canonical_gold(gold: str, answer_type: str, options: Sequence[str]) -> str | None:
    """A gold answer in canonical form.

    A free text that stands alone is taken whole, triggers or not.
    """
    if answer_type == "text" and "\n" not in gold.strip():
        return normalise(gold, "text") or None
    return extract(gold, answer_type, options=options)
