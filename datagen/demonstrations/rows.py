"""The rows of episodes."""

from __future__ import annotations

from datagen.answers.matching import matches
from datagen.demonstrations.episode import Answer, Plan, student_text, teacher_text
from datagen.demonstrations.pools import Query
from datagen.schema import Row, assistant, content_id, user
from datagen.teacher.chat.kept import kept_columns, kept_text

METHOD = "demonstrations"


def describe(query: Query, *, plan: Plan) -> Row:
    """Return the columns that a query gives to all its rows."""
    return {
        "id": content_id(METHOD, plan.settings.kind, query.example.id),
        "method": METHOD,
        "parents": [query.example.id],
        "prompt": user(student_text(query, (), plan)),
        "completion": [],
        "task": query.pool.task,
        "family": query.pool.family,
        "kind": plan.settings.kind,
        "strategy": plan.settings.strategy,
        "format": plan.format.name,
        "query": query.example.input,
        "target": query.example.output,
    }


def row_of(query: Query, answer: Answer, scored: dict[int, float], number: int, plan: Plan) -> Row:
    """Return the row of an episode.

    Args:
        query: what was asked.
        answer: the prediction, and the demonstrations that the teacher saw.
        scored: the strategy's scores of candidates, by their place in the pool.
        number: of the episode among those of the query.
        plan: of the run.
    """
    settings = plan.settings
    shown = answer.episode.demonstrations
    target = answer.episode.target
    # meta-ict learns from the gold answer, the other kinds learn from the teacher
    learned = target if settings.kind == "meta-ict" else answer.prediction
    completion = None if learned is None else plan.format.target(learned)
    if completion is not None and answer.completion:
        completion = kept_text(answer.completion, settings.reasoning, completion)
    ids = [e.id for e in shown]
    candidates = query.pool.candidates
    # engines differ in the last digits, so they are not part of the dataset
    scores = {candidates[place].id: round(score, 6) for place, score in scored.items()}
    prompt = student_text(query, shown, plan)

    identity = (settings.kind, settings.strategy, query.example.id, number, ids, prompt, completion)
    return describe(query, plan=plan) | {
        "id": content_id(METHOD, *identity),
        "parents": [query.example.id, *ids],
        "prompt": user(prompt),
        "teacher_prompt": user(teacher_text(query, shown, plan)),
        "completion": [] if completion is None else assistant(completion),
        "k": len(ids),
        "demonstrations": [
            {"id": e.id, "input": e.input, "output": e.output, "score": scores.get(e.id)}
            for e in shown
        ],
        "target": target,
        "prediction": answer.prediction,
        "correct": matches(answer.prediction, target),
        "candidates": [{"id": id, "score": score} for id, score in scores.items()],
        "generated": any(e.generated for e in shown),
        "finish_reason": answer.finish_reason,
        **(kept_columns(answer.completion, settings.reasoning) if answer.completion else {}),
    }
