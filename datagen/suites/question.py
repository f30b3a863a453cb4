"""Define a question of a benchmark or of a user's file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from datagen.answers import extract
from datagen.answers.extract import normalise
from datagen.schema import content_id


@dataclass(frozen=True)
class Question:
    """A question, and what is known about its answer."""

    id: str
    """Hash of suite, question and options: the same on every machine. A question that the suite
    repeats gets an id of its own."""
    question: str
    """The full text. The options of a choice follow it, one on each line."""
    gold: str | None
    """The gold answer in the form of `datagen.answers.extract`. None if the source has none."""
    answer_type: str
    """"number", "choice", "yesno" or "text"."""
    options: tuple[str, ...] = ()
    """For a choice, the texts of the options, A first. For a yes/no question with other words, the
    two words, the affirmative first."""
    gold_rationale: str | None = None
    """The worked solution of the source, if it has one."""


def make(
    suite: str,
    question: str,
    gold: str | None,
    *,
    answer_type: str,
    options: Sequence[str] = (),
    rationale: str | None = None,
) -> Question:
    """Make a question from the parts of a record.

    Args:
        suite: The name of the suite. It is part of the id.
        question: The text of the question, without options.
        gold: The gold answer, or a worked solution that ends in it.
        answer_type: "number", "choice", "yesno" or "text".
        options: The options of a choice, or the two words of a yes/no question.
        rationale: The worked solution of the source.

    Returns:
        The question with its id, its options in the text, and its gold answer in canonical form.
    """
    text = question.strip()
    if answer_type == "choice" and options:
        text = f"{text}\nOptions:\n{render(options)}"
    canonical = None if gold is None else canonical_gold(gold, answer_type, options)
    # The id leaves out the gold answer: a corrected answer keeps the question's id.
    identity = content_id(suite, question.strip(), list(options))
    return Question(identity, text, canonical, answer_type, tuple(options), rationale)


def distinct(questions: Iterable[Question]) -> list[Question]:
    """Return the questions with different ids.

    Benchmarks hold a few questions twice. Both are kept, because both count in published scores.
    """
    seen: Counter[str] = Counter()
    found = []
    for question in questions:
        repeat = seen[question.id]
        seen[question.id] += 1
        found.append(replace(question, id=content_id(question.id, repeat)) if repeat else question)
    return found


def render(options: Sequence[str]) -> str:
    """Return the options as text, one on each line: "(A) bank"."""
    return "\n".join(f"({chr(ord('A') + place)}) {option}" for place, option in enumerate(options))


def canonical_gold(gold: str, answer_type: str, options: Sequence[str]) -> str | None:
    """Return a gold answer in canonical form, or None if none can be read from it."""
    # A text of a single line is the answer itself, even if it contains words such as "answer:".
    if answer_type == "text" and "\n" not in gold.strip():
        return normalise(gold, "text") or None
    return extract(gold, answer_type, options=options)
