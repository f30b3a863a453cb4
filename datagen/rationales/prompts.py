"""How a question is put to the teacher: chat or plain, zero-shot or after example chains, with or
without a hint.
"""

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
    """The prompts of a run; `shots` are (question as asked, chain) pairs shown before it."""

    suite: Suite
    style: Style = "chat"
    shots: tuple[tuple[str, str], ...] = ()

    @property
    def stop(self) -> tuple[str, ...]:
        """A base model goes on with a question of its own: cut it there."""
        return stop_strings(self.style)

    def ask(self, question: Question) -> str | Messages:
        return self._render(self.rationale(question))

    def hint(self, question: Question) -> str | Messages:
        assert question.gold is not None
        return self._render(hint_prompt(question, self.suite, question.gold))

    def rationale(self, question: Question) -> str:
        return rationale_prompt(question, self.suite)

    def direct(self, question: Question) -> str:
        return direct_prompt(question, self.suite)

    def _render(self, asked: str) -> str | Messages:
        return render(asked, style=self.style, shots=self.shots)


def recorded_prompts(prompts: Prompts, *, hints: bool) -> dict[str, str]:
    """The prompts of a run by name, with fields in the place of question and answer."""
    suite = prompts.suite
    question = Question("", "{question}", "{answer}", suite.answer_type, suite.words)
    found = {"question": transcript(prompts.ask(question))}
    if hints:
        found["with the answer as a hint"] = transcript(prompts.hint(question))
    return found


def read_shots(path: Path, suite: Suite) -> tuple[tuple[str, str], ...]:
    """Example chains from a file with the columns `question` and `rationale`, asked as the run's
    questions are.
    """
    shots = []
    for where, record in read_records(path):
        for column in ("question", "rationale"):
            if not isinstance(record.get(column), str) or not record[column].strip():
                raise UserError(
                    f"{where}: an example chain needs {column!r}; the columns are: "
                    f"{', '.join(record)}"
                )
        question = Question("", record["question"].strip(), None, suite.answer_type)
        shots.append((rationale_prompt(question, suite), record["rationale"].strip()))
    if not shots:
        raise UserError(f"{path}: no example chains")
    return tuple(shots)
