"""Load benchmarks by name, or questions from a user's own file, and write their prompts."""

from datagen.suites.load import load
from datagen.suites.prompts import direct_prompt, hint_prompt, rationale_prompt
from datagen.suites.question import Question
from datagen.suites.questions import questions_from_file
from datagen.suites.table import BBH_TASKS, SUITES, Suite

__all__ = [
    "BBH_TASKS",
    "SUITES",
    "Question",
    "Suite",
    "direct_prompt",
    "hint_prompt",
    "load",
    "questions_from_file",
    "rationale_prompt",
]
