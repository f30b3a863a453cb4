"""Rationales: sample chains of thought for a question, vote, and keep the correct ones.

If no chain is correct, ask again with the gold answer as a hint (rationalisation).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from datagen.answers import Vote, equal, extract, settled, vote
from datagen.rationales.chains import Chain, answers_row, chain_row, describe
from datagen.rationales.prompts import Prompts
from datagen.rationales.select import choose
from datagen.rationales.settings import RationaleSettings
from datagen.schema import Accepted, Outcome, Rejected
from datagen.suites import Question
from datagen.teacher import Completion, Request, Sampling, Teacher
from datagen.teacher.chat.kept import Kept, kept_text

CORRECT = "correct"
"""The verdict on a chain that may be kept. Every other verdict is the reason to reject it."""


async def distil(
    question: Question, teacher: Teacher, *, prompts: Prompts, settings: RationaleSettings
) -> list[Outcome]:
    """Return the rows of a question, accepted and rejected, in the order the chains were sampled.

    Source:
        Fine-tune-CoT, arXiv 2212.10071, section 3; rationalisation: STaR, arXiv 2203.14465,
        section 3.2.
    """
    chains = await sample(question, teacher, prompts=prompts, settings=settings)
    ballot = count_votes(chains, weighted=settings.weighted)
    verdicts = [verdict(chain, question, ballot, settings) for chain in chains]

    if settings.hints and question.gold is not None and CORRECT not in verdicts:
        hinted = await rationalise(question, teacher, len(chains), prompts, settings)
        # the majority decides nothing here: the hint shows every chain the same answer
        by_gold = replace(settings, keep_by="gold")
        verdicts += [verdict(chain, question, ballot, by_gold) for chain in hinted]
        chains = chains + hinted

    kept = keep(chains, verdicts, settings)
    return rows_of(question, chains, verdicts, kept, ballot, prompts, settings)


async def sample(
    question: Question, teacher: Teacher, *, prompts: Prompts, settings: RationaleSettings
) -> list[Chain]:
    """Return the chains of a question.

    All are sampled at once. Adaptive sampling asks for the fewest that could settle the vote, again
    and again until it is settled (Adaptive-Consistency, arXiv 2305.11860).
    """
    chains: list[Chain] = []
    while len(chains) < settings.samples:
        missing = settings.samples - len(chains)
        if settings.adaptive:
            missing = min(missing, samples_to_settle(chains, settings.adaptive))
        if missing == 0:
            break

        # a resumed or a further request goes on with the next sample, so that no chain comes twice
        request = Request(
            prompts.ask(question),
            n=missing,
            first=len(chains),
            sampling=sampling_of(settings, prompts),
        )
        answers = await teacher.complete(request)
        first = len(chains)
        chains += [read(answer, first + i, question, prompts) for i, answer in enumerate(answers)]
    return chains


async def rationalise(
    question: Question,
    teacher: Teacher,
    first: int,
    prompts: Prompts,
    settings: RationaleSettings,
) -> list[Chain]:
    """Return chains that the teacher writes with the gold answer shown.

    Args:
        question: it has a gold answer.
        teacher: who writes.
        first: index of the first of these chains.
        prompts: of the run.
        settings: of the run; `hints` is the number of chains.

    Source:
        STaR, arXiv 2203.14465, section 3.2.
    """
    sampling = sampling_of(settings, prompts)
    request = Request(prompts.hint(question), n=settings.hints, sampling=sampling)
    answers = await teacher.complete(request)
    chains = [read(answer, first + i, question, prompts) for i, answer in enumerate(answers)]
    return [replace(chain, hinted=True) for chain in chains]


def samples_to_settle(chains: Sequence[Chain], threshold: float) -> int:
    """Return the fewest further samples after which the vote could be settled; 0 if it is."""
    answers = Counter(chain.answer for chain in chains if chain.answer is not None)
    counts = sorted(answers.values(), reverse=True) or [0]

    # the quickest way to settle it: every further sample votes for the leader
    more = 0
    while not settled([counts[0] + more, *counts[1:]], threshold=threshold):
        more += 1
    return more


def sampling_of(settings: RationaleSettings, prompts: Prompts) -> Sampling:
    """Return how the teacher samples chains."""
    return Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_tokens=settings.max_tokens,
        stop=prompts.stop,
        seed=settings.seed,
        # log-probabilities cost time and disk, so they are asked for only if they are used
        logprobs=settings.weighted or settings.keep == "best",
    )


def read(completion: Completion, index: int, question: Question, prompts: Prompts) -> Chain:
    """Return the chain of a completion, with the answer that it states."""
    # a chain that was cut off has not answered, whatever numbers it holds
    if completion.finish_reason == "length":
        return Chain(index, completion, None, None)

    # the text is the answer alone: what the reasoning tries out is no answer
    answer = extract(completion.text, question.answer_type, options=question.options)
    if answer is None or question.gold is None:
        return Chain(index, completion, answer, None)
    tolerance = prompts.suite.tolerance
    correct = equal(answer, question.gold, question.answer_type, tolerance=tolerance)
    return Chain(index, completion, answer, correct)


def count_votes(chains: Sequence[Chain], *, weighted: bool) -> Vote:
    """Return the vote of the chains on the answer.

    Args:
        chains: without those that saw a hint.
        weighted: weight each vote by exp(mean token log-probability). A chain without
            log-probabilities then has weight 0.
    """
    answers = [chain.answer for chain in chains]
    if not weighted:
        return vote(answers)
    logprobs = [chain.completion.mean_logprob for chain in chains]
    return vote(answers, weights=[0.0 if p is None else math.exp(p) for p in logprobs])


def verdict(chain: Chain, question: Question, ballot: Vote, settings: RationaleSettings) -> str:
    """Return CORRECT, or the reason to reject a chain."""
    if chain.completion.finish_reason == "length":
        return "truncated"
    if not chain.completion.text.strip():
        return "empty"
    if chain.answer is None:
        return "unextractable"

    keep_by = settings.keep_by
    if keep_by == "auto":
        keep_by = "majority" if question.gold is None else "gold"
    if keep_by == "none":
        return CORRECT
    if keep_by == "gold":
        return CORRECT if chain.correct else "wrong"

    if ballot.tied:
        return "tied"
    if ballot.agreement < settings.min_agreement:
        return "low_agreement"
    return CORRECT if chain.answer == ballot.answer else "minority"


def keep(chains: Sequence[Chain], verdicts: Sequence[str], settings: RationaleSettings) -> set[int]:
    """Return the indices of the correct chains that are kept."""
    pairs = zip(chains, verdicts, strict=True)
    correct = [chain for chain, verdict in pairs if verdict == CORRECT]
    # the reasoning is a part of the chain, unless it is left out
    whole: Kept = "drop" if settings.reasoning == "drop" else "keep"
    scored = [(kept_text(c.completion, whole), c.completion.mean_logprob) for c in correct]
    return {correct[place].index for place in choose(scored, settings.keep, settings.diverse)}


def rows_of(
    question: Question,
    chains: Sequence[Chain],
    verdicts: Sequence[str],
    kept: set[int],
    ballot: Vote,
    prompts: Prompts,
    settings: RationaleSettings,
) -> list[Outcome]:
    """Return a row for every chain, and one answers-only row if any chain is kept."""
    # chains that saw the answer say nothing about the teacher's agreement
    sampled = [chain.answer for chain in chains if not chain.hinted]
    common = describe(question, prompts) | {
        "samples": len(sampled),
        "agreement": round(ballot.agreement, 6),
        "tied": ballot.tied,
    }

    outcomes: list[Outcome] = []
    for chain, verdict in zip(chains, verdicts, strict=True):
        votes = 0 if chain.answer is None else sampled.count(chain.answer)
        row = chain_row(question, chain, common, kept=settings.reasoning) | {"votes": votes}
        if chain.index in kept:
            outcomes.append(Accepted(row, "rationales"))
        else:
            outcomes.append(Rejected(row, "redundant" if verdict == CORRECT else verdict))

    winner = vote([chain.answer for chain in chains if chain.index in kept]).answer
    if winner:
        row = common | answers_row(question, winner, prompts)
        outcomes.append(Accepted(row, "answers"))
    return outcomes
