"""Respond: the teacher answers any instruction set, so that it can be distilled.

With `--systems` every instruction is asked under a system prompt that wants an explanation (Orca,
arXiv 2306.02707).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from datagen.filters.responses import Responses
from datagen.filters.text import plain, unfinished
from datagen.instructions.respond.settings import RespondSettings
from datagen.schema import Accepted, Outcome, Rejected, Row, content_id
from datagen.sources.instructions import Prompt, conversation, describe
from datagen.teacher import Completion, Messages, Request, Sampling, Teacher
from datagen.teacher.chat.kept import Kept, kept_completion, kept_text

METHOD = "respond"


async def respond(
    prompt: Prompt,
    teacher: Teacher,
    *,
    checks: Responses,
    systems: Sequence[str],
    settings: RespondSettings,
) -> list[Outcome]:
    """Return a row for each response, in the order they were sampled."""
    system = draw_system(prompt, systems, settings.seed)
    answers = await teacher.complete(request_of(prompt, systems, settings))

    outcomes: list[Outcome] = []
    seen: set[str] = set()
    for sample, answer in enumerate(answers):
        text = plain(kept_text(answer, settings.reasoning))
        reason = unfinished(answer) or checks.reason(answer.text)
        if reason is None and text in seen:
            reason = "duplicate"
        seen.add(text)
        row = row_of(prompt, system, sample, answer, settings.reasoning)
        outcomes.append(Rejected(row, reason) if reason else Accepted(row, "instructions"))
    return outcomes


def request_of(prompt: Prompt, systems: Sequence[str], settings: RespondSettings) -> Request:
    """Return the request for the responses to an instruction."""
    sampling = Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
    )
    asked = messages_of(prompt, draw_system(prompt, systems, settings.seed))
    return Request(asked, n=settings.samples, sampling=sampling)


def draw_system(prompt: Prompt, systems: Sequence[str], seed: int) -> str | None:
    """Return the system prompt of an instruction, or None if there are none.

    Every instruction has a random stream of its own. All its samples share the system prompt. An
    instruction that comes with a system prompt keeps it.
    """
    if prompt.system:
        return prompt.system
    return Random(f"{seed}:system:{prompt.id}").choice(systems) if systems else None


def messages_of(prompt: Prompt, system: str | None) -> Messages:
    """Return the chat turns that the teacher is asked."""
    asked = (*prompt.context, ("user", prompt.text))
    return (("system", system), *asked) if system and not prompt.system else asked


def row_of(prompt: Prompt, system: str | None, sample: int, answer: Completion, kept: Kept) -> Row:
    """Return the row of a response. The student is asked under the same system prompt."""
    text = kept_text(answer, kept)
    return describe(prompt, METHOD) | {
        "id": content_id(METHOD, prompt.id, system, sample, text),
        "prompt": conversation(messages_of(prompt, system)),
        **kept_completion(answer, kept),
        "system": system,
        "finish_reason": answer.finish_reason,
    }


def failed_row(prompt: Prompt) -> Row:
    """Return the row of an instruction whose request failed for good."""
    return describe(prompt, METHOD) | {"id": content_id(METHOD, prompt.id)}
