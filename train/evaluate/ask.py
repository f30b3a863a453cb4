"""Asking one model the questions of a suite."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from datagen.answers import equal, extract, vote
from datagen.errors import UserError
from datagen.prompts.render import render, stop_strings
from datagen.suites import Question, Suite, direct_prompt, rationale_prompt
from datagen.teacher import Completion, Messages, Request, Sampling, Teacher, TeacherError
from datagen.teacher.chat.reasoning import join_reasoning
from train.evaluate.contenders import Contender
from train.evaluate.metrics import edit_distance, gold_logprob
from train.evaluate.settings import EvaluateSettings

DIRECT_TOKENS = 64
"""Longest direct answer, in tokens. It has room for a long name or number. A model that reasons
anyway is cut off."""

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Answered:
    """One question, as one model answered it."""

    id: str
    gold: str
    text: str
    """The greedy completion, without the reasoning before its answer."""
    answer: str | None
    """The answer in that text; None if there is none."""
    correct: bool
    samples: tuple[str | None, ...]
    """The answers of the sampled chains."""
    majority: str | None
    agreement: float
    majority_correct: bool | None
    """None without samples."""
    edit_distance: float
    gold_logprob: float | None
    """Nats per token; None where it cannot be scored."""
    error: str | None = None
    """Why the question could not be asked. It then counts as not answered."""
    unscored: str | None = None
    """Why there is no `gold_logprob`."""
    reasoning: str = ""
    """What the model wrote before its greedy answer. No answer is read from it."""


async def ask(
    teacher: Teacher,
    questions: Sequence[Question],
    *,
    suite: Suite,
    contender: Contender,
    settings: EvaluateSettings,
    advance: Advance = lambda answers: None,
) -> list[Answered]:
    """Ask every question: a greedy answer, samples for a majority, and the gold's log-probability.

    Args:
        teacher: the model.
        questions: with gold answers.
        suite: says how answers are read.
        contender: says in which mode and prompt style the model is asked.
        settings: samples and lengths.
        advance: is called with the number of answers that arrived.

    Returns:
        The answers, in the order of the questions.

    Raises:
        UserError: not one question could be asked.
    """
    tasks = [
        ask_one(
            teacher, question, suite=suite, contender=contender, settings=settings, advance=advance
        )
        for question in questions
    ]
    answered = await asyncio.gather(*tasks)
    # a report with an accuracy of 0 would hide that the model could not be asked
    if all(a.error for a in answered):
        raise UserError(
            f"{teacher.name} answered none of the {len(answered)} questions: {answered[0].error}"
        )
    return answered


async def ask_one(
    teacher: Teacher,
    question: Question,
    *,
    suite: Suite,
    contender: Contender,
    settings: EvaluateSettings,
    advance: Advance,
) -> Answered:
    """Ask one question."""
    prompt = prompt_of(question, suite, contender)
    greedy, sampled = samplings(contender, settings)
    greedy_answer = Completion("")
    texts: list[str] = []
    error = None
    try:
        [greedy_answer] = await teacher.complete(Request(prompt, sampling=greedy))
        advance(1)
        if settings.samples:
            request = Request(prompt, n=settings.samples, sampling=sampled)
            # a second request, because the greedy answer has another temperature
            texts = [completion.text for completion in await teacher.complete(request)]
            advance(settings.samples)
    except TeacherError as failure:
        error = str(failure)

    # scored after the text is known: the gold replaces the answer in the model's own text
    logprob = None
    unscored = error
    if not error:
        gold = question.gold_rationale if suite.bare else question.gold
        ends = "bare" if suite.bare else contender.mode
        # the gold answer follows what the model itself wrote, its reasoning included
        whole = join_reasoning(greedy_answer.reasoning, greedy_answer.text)
        logprob, unscored = await try_score(teacher, prompt, text=whole, gold=gold or "", mode=ends)
    found = judge(
        question,
        suite,
        text=greedy_answer.text,
        texts=texts,
        error=error,
        logprob=logprob,
        unscored=unscored,
    )
    return replace(found, reasoning=greedy_answer.reasoning)


def samplings(contender: Contender, settings: EvaluateSettings) -> tuple[Sampling, Sampling]:
    """Return the sampling of the greedy answer and that of the samples for the majority."""
    tokens = settings.max_tokens
    if contender.mode == "direct":
        tokens = min(DIRECT_TOKENS, tokens)
    stop = stop_strings(contender.prompt_style)
    greedy = Sampling(temperature=0, max_tokens=tokens, seed=settings.seed, stop=stop)
    return greedy, replace(greedy, temperature=settings.temperature)


def prompt_of(question: Question, suite: Suite, contender: Contender) -> str | Messages:
    """Return the prompt of a question, as it stands in the rows that a student learns."""
    asked = rationale_prompt if contender.mode == "rationale" else direct_prompt
    return render(asked(question, suite), style=contender.prompt_style)


async def try_score(
    teacher: Teacher, prompt: str | Messages, *, text: str, gold: str, mode: str
) -> tuple[float | None, str | None]:
    """Return the gold's log-probability, or None and the reason."""
    try:
        found = await gold_logprob(teacher, prompt, text=text, gold=gold, mode=mode)
    except (UserError, TeacherError) as error:
        return None, str(error)
    return found, None if found is not None else "the gold answer has no tokens of its own here"


def judge(
    question: Question,
    suite: Suite,
    *,
    text: str,
    texts: Sequence[str],
    error: str | None,
    logprob: float | None,
    unscored: str | None,
) -> Answered:
    """Read the answers from the texts, vote, and compare with the gold."""

    def answer_of(completion: str) -> str | None:
        return extract(completion, question.answer_type, options=question.options)

    def right(answer: str | None) -> bool:
        return answer is not None and equal(
            answer, gold, question.answer_type, tolerance=suite.tolerance
        )

    gold = question.gold or ""
    answer = answer_of(text)
    samples = tuple(map(answer_of, texts))
    majority = vote(samples)
    return Answered(
        id=question.id,
        gold=gold,
        text=text,
        answer=answer,
        correct=right(answer),
        samples=samples,
        majority=majority.answer,
        agreement=majority.agreement,
        majority_correct=right(majority.answer) if samples else None,
        edit_distance=edit_distance(answer, gold),
        gold_logprob=logprob,
        error=error,
        unscored=unscored,
    )
