"""A chain of thought, and the rows that are made of it."""

from __future__ import annotations

from dataclasses import dataclass

from datagen.rationales.prompts import Prompts
from datagen.schema import Row, assistant, content_id, user
from datagen.suites import Question
from datagen.teacher import Completion
from datagen.teacher.chat.kept import Kept, kept_columns, kept_text

METHOD = "rationales"


@dataclass(frozen=True)
class Chain:
    """One sampled chain of thought, and the answer that it states."""

    index: int
    """Its place among the chains of the question."""
    completion: Completion
    answer: str | None
    """None if the chain states no clear answer."""
    correct: bool | None
    """Whether the answer equals the gold answer. None if one of them is missing."""
    hinted: bool = False
    """Whether the teacher saw the gold answer."""


def describe(question: Question, prompts: Prompts) -> Row:
    """Return the columns that a question gives to all its rows.

    The prompt is the student's: it shows neither example chains nor a hint.
    """
    return {
        "id": content_id(METHOD, question.id),
        "method": METHOD,
        "parents": [question.id],
        "prompt": user(prompts.rationale(question)),
        "completion": [],
        "question": question.question,
        "gold": question.gold,
    }


def chain_row(question: Question, chain: Chain, common: Row, *, kept: Kept) -> Row:
    """Return the row of a chain: the columns that all rows of the question share, and its own.

    `kept` says what the row holds of the teacher's reasoning.
    """
    text = kept_text(chain.completion, kept)
    logprob = chain.completion.mean_logprob
    return {
        **common,
        # the index is part of the id: two chains of a question may have the same text
        "id": content_id(METHOD, question.id, chain.index, text),
        "completion": assistant(text),
        "answer": chain.answer,
        "rationale": text,
        "chain": chain.index,
        "correct": chain.correct,
        "hinted": chain.hinted,
        # engines differ in the last digits, so they are not part of the dataset
        "mean_logprob": None if logprob is None else round(logprob, 3),
        "finish_reason": chain.completion.finish_reason,
        **kept_columns(chain.completion, kept),
    }


def answers_row(question: Question, answer: str, prompts: Prompts) -> Row:
    """Return the row that asks for the answer alone, to train a student without rationales."""
    return {
        "id": content_id("answers", question.id, answer),
        "prompt": user(prompts.direct(question)),
        "completion": assistant(f"The answer is {answer}."),
        "answer": answer,
    }
