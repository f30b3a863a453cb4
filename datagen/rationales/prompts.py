"""How a question is put to the teacher: chat or plain text, with example chains, with a hint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datagen.errors import UserError
from datagen.prompts.render import Style, render, stop_strings
from datagen.sources.files import read_records
from datagen.suites import Question, Suite, direct_prompt, hint_prompt, rationale_prompt
from datagen.teacher.base import Messages, transcript


@dataclass(frozen=True)
class Prompts:
    """The prompts of a run."""

    suite: Suite
    style: Style = "chat"
    shots: tuple[tuple[str, str], ...] = ()
    """Example chains that stand before every question, as (question, chain)."""

    @property
    def stop(self) -> tuple[str, ...]:
        """The strings at which a completion ends."""
        return stop_strings(self.style)

    def ask(self, question: Question) -> str | Messages:
        """Return the teacher's prompt for a chain."""
        return self._render(self.rationale(question))

    def hint(self, question: Question) -> str | Messages:
        """Return the teacher's prompt for a chain, with the gold answer shown."""
        assert question.gold is not None
        return self._render(hint_prompt(question, self.suite, question.gold))

    def rationale(self, question: Question) -> str:
        """Return the student's prompt for a chain."""
        return rationale_prompt(question, self.suite)

    def direct(self, question: Question) -> str:
        """Return the student's prompt for the answer alone."""
        return direct_prompt(question, self.suite)

    def _render(self, asked: str) -> str | Messages:
        return render(asked, style=self.style, shots=self.shots)


def recorded_prompts(prompts: Prompts, *, hints: bool) -> dict[str, str]:
    """Return the prompts of a run by name, with fields in the place of question and answer."""
    suite = prompts.suite
    # the fields stand where the texts of the items will
    question = Question("", "{question}", "{answer}", suite.answer_type, suite.words)
    found = {"question": transcript(prompts.ask(question))}
    if hints:
        found["with the answer as a hint"] = transcript(prompts.hint(question))
    return found


def read_shots(path: Path, suite: Suite) -> tuple[tuple[str, str], ...]:
    """Read example chains from a file.

    Args:
        path: a file with the columns `question` and `rationale`.
        suite: decides how the questions are asked, as for the questions of the run.

    Returns:
        (question, chain) of every example.

    Raises:
        UserError: the file cannot be read, has no rows, or a column is missing or empty.
    """
    shots: list[tuple[str, str]] = []
    for where, record in read_records(path):
        for column in ("question", "rationale"):
            if not isinstance(record.get(column), str) or not record[column].strip():
                raise UserError(
                    f"{where}: an example chain needs {column!r}; the columns are: "
                    f"{', '.join(record)}"
                )
        # the gold answer is not shown: the chain states it
        question = Question("", record["question"].strip(), None, suite.answer_type)
        shots.append((rationale_prompt(question, suite), record["rationale"].strip()))
    if not shots:
        raise UserError(f"{path}: no example chains")
    return tuple(shots)
