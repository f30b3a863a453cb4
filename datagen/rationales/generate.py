"""One question to its chains: sample, vote, filter; where nothing was right, ask again with the
answer as a hint.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

from datagen.answers import Vote, equal, extract, settled, vote
from datagen.rationales.prompts import Prompts
from datagen.rationales.select import choose
from datagen.rationales.settings import RationaleSettings
from datagen.schema import Accepted, Outcome, Rejected, Row, assistant, content_id, user
from datagen.suites import Question
from datagen.teacher import Completion, Request, Sampling, Teacher

METHOD = "rationales"


@dataclass(frozen=True)
class Chain:
    """One sampled chain and what it answers; `answer` is None where nothing can be extracted."""

    index: int
    completion: Completion
    answer: str | None
    correct: bool | None
    """None where there is no answer, or no gold."""
    hinted: bool = False


async def distil(
    question: Question, teacher: Teacher, *, prompts: Prompts, settings: RationaleSettings
) -> list[Outcome]:
    """The rows of a question, accepted and rejected, in the order the chains were drawn
    (Fine-tune-CoT, section 3).
    """
    chains = await sample(question, teacher, prompts=prompts, settings=settings)
    ballot = count(chains, settings)
    verdicts = [judge(chain, question, ballot, settings) for chain in chains]
    if settings.hints and question.gold is not None and "right" not in verdicts:
        hinted = await rationalise(
            question, teacher, prompts=prompts, settings=settings, first=len(chains)
        )
        verdicts += [
            judge(chain, question, ballot, replace(settings, keep_by="gold")) for chain in hinted
        ]
        chains = chains + hinted
    right = [chain for chain, verdict in zip(chains, verdicts, strict=True) if verdict == "right"]
    kept = choose(
        [(c.completion.text, c.completion.mean_logprob) for c in right],
        settings.keep,
        settings.diverse,
    )
    keep = {right[place].index for place in kept}
    return rows(question, chains, verdicts, keep, ballot, prompts)


async def sample(
    question: Question, teacher: Teacher, *, prompts: Prompts, settings: RationaleSettings
) -> list[Chain]:
    """All samples at once; adaptively, just as many at a time as could settle the vote."""
    prompt, chains = prompts.ask(question), list[Chain]()
    while (missing := settings.samples - len(chains)) > 0:
        if settings.adaptive:
            missing = min(missing, draws_to_settle(chains, settings.adaptive))
        if missing == 0:
            break
        request = Request(
            prompt, n=missing, first=len(chains), sampling=sampling(settings, prompts)
        )
        answers = await teacher.complete(request)
        chains += [
            read(question, prompts, completion, len(chains) + i)
            for i, completion in enumerate(answers)
        ]
    return chains


async def rationalise(
    question: Question,
    teacher: Teacher,
    *,
    prompts: Prompts,
    settings: RationaleSettings,
    first: int,
) -> list[Chain]:
    """Chains written with the gold answer in view (STaR, section 3.2); `first` is the index of the
    first of them.
    """
    request = Request(
        prompts.hint(question), n=settings.hints, sampling=sampling(settings, prompts)
    )
    answers = await teacher.complete(request)
    return [
        replace(read(question, prompts, answer, first + i), hinted=True)
        for i, answer in enumerate(answers)
    ]


def draws_to_settle(chains: list[Chain], threshold: float) -> int:
    """The fewest further draws after which the vote could be settled; 0 when it is."""
    counts = sorted(
        Counter(c.answer for c in chains if c.answer is not None).values(), reverse=True
    ) or [0]
    draws = 0
    while not settled([counts[0] + draws, *counts[1:]], threshold=threshold):
        draws += 1
    return draws


def sampling(settings: RationaleSettings, prompts: Prompts) -> Sampling:
    return Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_tokens=settings.max_tokens,
        stop=prompts.stop,
        seed=settings.seed,
        logprobs=settings.weighted or settings.keep == "best",
    )


def read(question: Question, prompts: Prompts, completion: Completion, index: int) -> Chain:
    """A chain that was cut off has not answered, whatever numbers it holds."""
    whole = completion.finish_reason != "length"
    answer = (
        extract(completion.text, question.answer_type, options=question.options) if whole else None
    )
    correct = None
    if answer is not None and question.gold is not None:
        correct = equal(
            answer, question.gold, question.answer_type, tolerance=prompts.suite.tolerance
        )
    return Chain(index, completion, answer, correct)


def count(chains: list[Chain], settings: RationaleSettings) -> Vote:
    """The chains' vote; weighted, each counts exp(mean token log-probability), and chains without
    one count nothing.
    """
    answers = [chain.answer for chain in chains]
    if not settings.weighted:
        return vote(answers)
    values = [chain.completion.mean_logprob for chain in chains]
    return vote(answers, weights=[0.0 if value is None else math.exp(value) for value in values])


def judge(chain: Chain, question: Question, ballot: Vote, settings: RationaleSettings) -> str:
    """The verdict "right", or the reason why the chain is left out."""
    if chain.completion.finish_reason == "length":
        return "truncated"
    if not chain.completion.text.strip():
        return "empty"
    if chain.answer is None:
        return "unextractable"
    by = settings.keep_by
    if by == "none":
        return "right"
    if by == "gold" or (by == "auto" and question.gold is not None):
        return "right" if chain.correct else "wrong"
    if ballot.tied:
        return "tied"
    if ballot.agreement < settings.min_agreement:
        return "low_agreement"
    return "right" if chain.answer == ballot.answer else "minority"


def rows(
    question: Question,
    chains: list[Chain],
    verdicts: list[str],
    keep: set[int],
    ballot: Vote,
    prompts: Prompts,
) -> list[Outcome]:
    """Every chain as a row, and for a question that kept one the answers-only row."""
    drawn = [chain.answer for chain in chains if not chain.hinted]
    ours = {"samples": len(drawn), "agreement": round(ballot.agreement, 6), "tied": ballot.tied}
    common = describe(question, prompts) | ours
    outcomes: list[Outcome] = []
    for chain, verdict in zip(chains, verdicts, strict=True):
        row = chain_row(question, chain, common)
        row["votes"] = 0 if chain.answer is None else drawn.count(chain.answer)
        if chain.index in keep:
            outcomes.append(Accepted(row, "rationales"))
        else:
            outcomes.append(Rejected(row, "redundant" if verdict == "right" else verdict))
    answers = [chain.answer for chain in chains if chain.index in keep and chain.answer is not None]
    winner = vote(answers).answer
    return outcomes + (
        [Accepted(common | answer_row(question, winner, prompts), "answers")] if winner else []
    )


def chain_row(question: Question, chain: Chain, common: Row) -> Row:
    """The columns that all rows of the question have in common, and the chain's own."""
    completion = chain.completion
    text = completion.text.strip()
    return {
        **common,
        "id": content_id(METHOD, question.id, chain.index, text),
        "completion": assistant(text),
        "answer": chain.answer,
        "rationale": text,
        "chain": chain.index,
        "correct": chain.correct,
        "hinted": chain.hinted,
        "mean_logprob": None
        if completion.mean_logprob is None
        else round(completion.mean_logprob, 3),
        "finish_reason": completion.finish_reason,
    }


def answer_row(question: Question, answer: str, prompts: Prompts) -> Row:
    return {
        "id": content_id("answers", question.id, answer),
        "prompt": user(prompts.direct(question)),
        "completion": assistant(f"The answer is {answer}."),
        "answer": answer,
    }


def describe(question: Question, prompts: Prompts) -> Row:
    """The columns that a question gives to all its rows.

    The prompt is the student's: no examples, no hint.
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
