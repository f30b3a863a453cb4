"""Define what a row is. This is the only place that names the columns of the dataset configs.

TRL can train on every row as it stands: `prompt` and `completion` are conversational (lists of
`{"role", "content"}`). The schemas are Arrow schemas, because versions are published as Parquet,
and `datasets` derives its features from them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

if TYPE_CHECKING:
    import pyarrow as pa

Row: TypeAlias = dict[str, Any]

FAMILIES = {
    "rationales": ("rationales", "answers"),
    "instructions": ("instructions",),
    "demonstrations": ("demonstrations",),
}
"""The configs of accepted rows, for each family of methods. Every family also has the config
`rejected`."""

CONFIGS = (*chain.from_iterable(FAMILIES.values()), "rejected")


@dataclass(frozen=True)
class Accepted:
    """A row that a method keeps.

    Args:
        row: The values by column.
        config: The dataset config that gets the row.

    Example:
        >>> Accepted({"id": "1"}, "rationales").config
        'rationales'
    """

    row: Row
    config: str


@dataclass(frozen=True)
class Rejected:
    """A row that a method leaves out.

    Args:
        row: The values by column.
        reason: A short word that stays the same between versions, such as "truncated". Statistics
            count rows by it.

    Example:
        >>> Rejected({"id": "1"}, "truncated").reason
        'truncated'
    """

    row: Row
    reason: str


Outcome: TypeAlias = Accepted | Rejected


def content_id(*parts: Any) -> str:
    """Return an id that depends on the content alone: equal parts have equal ids on every machine.

    Args:
        parts: Texts, whole numbers, None, and lists of these. No floats: JSON can write a float in
            several ways.

    Returns:
        The first 16 hex digits of the SHA-256 of the parts as JSON.

    Example:
        >>> content_id("gsm8k", "How many?") == content_id("gsm8k", "How many?")
        True
    """
    try:
        canonical = orjson.dumps(parts)
    except TypeError:
        # orjson refuses half a surrogate pair, which a model can write. Both ways give the same
        # bytes for all other texts.
        text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
        canonical = text.encode("utf-8", "surrogatepass")

    # 64 bits: among a million rows, two share an id with a probability of 3 in 100 million.
    return hashlib.sha256(canonical).hexdigest()[:16]


def user(content: str) -> list[dict[str, str]]:
    """Return a conversation that holds one message of the user."""
    return [{"role": "user", "content": content}]


def assistant(content: str) -> list[dict[str, str]]:
    """Return a conversation that holds one message of the assistant."""
    return [{"role": "assistant", "content": content}]


def arrow_schema(config: str, *, family: str = "rationales") -> pa.Schema:
    """Return the columns of a config in order.

    Args:
        config: One of CONFIGS.
        family: One of FAMILIES. It matters for `rejected` only, whose rows have the columns of
            the family's first config and a reason.

    Returns:
        The Arrow schema.
    """
    import pyarrow as pa

    if config == "rejected":
        # What a row was rejected for, such as the benchmark question that it repeats, or a score.
        detail = [] if family == "rationales" else [("detail", pa.string())]
        return pa.schema([*_columns(family), ("reason", pa.string()), *detail])
    return pa.schema(_columns(config))


def _columns(config: str) -> list[Any]:
    """Return the columns of a config of accepted rows."""
    columns = {
        "answers": _answer,
        "rationales": lambda: _answer() + _rationale(),
        "instructions": _instruction,
        "demonstrations": _demonstration,
    }
    return _common() + columns[config]()


# The columns stand in functions, because importing pyarrow takes longer than all of `datagen`.


def _message() -> pa.StructType:
    """Return the type of one turn of a conversation."""
    import pyarrow as pa

    return pa.struct([("role", pa.string()), ("content", pa.string())])


def _common() -> list[Any]:
    """Return the columns of all configs."""
    import pyarrow as pa

    return [
        # The content hash of the row.
        ("id", pa.string()),
        # The method that made the row: "rationales", "self-instruct", ...
        ("method", pa.string()),
        # Ids of the rows, questions or seed tasks from which the row was made.
        ("parents", pa.list_(pa.string())),
        ("prompt", pa.list_(_message())),
        ("completion", pa.list_(_message())),
    ]


def _answer() -> list[Any]:
    """Return the columns of a question with its answer."""
    import pyarrow as pa

    return [
        ("question", pa.string()),
        # The canonical answer that was extracted from the chain.
        ("answer", pa.string()),
        # The canonical gold answer. Null if the source has no answers.
        ("gold", pa.string()),
        # The voted answer's share of all chains of the question, between 0 and 1.
        ("agreement", pa.float64()),
    ]


def _rationale() -> list[Any]:
    """Return the columns of a chain of thought."""
    import pyarrow as pa

    return [
        # The chain as the teacher wrote it.
        ("rationale", pa.string()),
        # The number of chains of the question that have the answer of this row.
        ("votes", pa.int32()),
        # The number of chains that were sampled for the question.
        ("samples", pa.int32()),
        # The number of this chain among them, from 0.
        ("chain", pa.int32()),
        # Whether the answer equals the gold answer. Null without a gold answer.
        ("correct", pa.bool_()),
        # Whether the vote had no single winner.
        ("tied", pa.bool_()),
        # Whether the teacher saw the gold answer (STaR). The prompt of the row has no hint.
        ("hinted", pa.bool_()),
        # Mean log-probability of the chain's tokens under the teacher, in nats. Null if the
        # teacher does not report it.
        ("mean_logprob", pa.float64()),
        ("finish_reason", pa.string()),
    ]


def _instruction() -> list[Any]:
    """Return the columns of an instruction with its response."""
    import pyarrow as pa

    return [
        ("instruction", pa.string()),
        # Empty if the instruction needs no input.
        ("input", pa.string()),
        ("output", pa.string()),
        # Null if the method did not ask.
        ("is_classification", pa.bool_()),
        # The operation of Evol-Instruct, or "paraphrase". Null for other methods.
        ("operation", pa.string()),
        # The round of Evol-Instruct; 0 for a seed.
        ("round", pa.int32()),
        # The id of the instruction with which an evolution began.
        ("root", pa.string()),
        # The most similar instruction among those that were accepted earlier.
        ("nearest_id", pa.string()),
        # The ROUGE-L F1 with it, between 0 and 1.
        ("nearest_similarity", pa.float64()),
        # The score of a judge.
        ("score", pa.float64()),
        # The system prompt of the response. It is the first turn of `prompt`.
        ("system", pa.string()),
        ("finish_reason", pa.string()),
    ]


def _demonstration() -> list[Any]:
    """Return the columns of an episode: demonstrations, a query and the answer."""
    import pyarrow as pa

    candidate = [("id", pa.string()), ("score", pa.float64())]
    texts = [(name, pa.string()) for name in ("id", "input", "output")]
    demonstration = [*texts, ("score", pa.float64())]
    return [
        ("task", pa.string()),
        # Tasks of one family differ only in their parameters.
        ("family", pa.string()),
        # "meta-ict", "multitask-ict" or "context-distillation".
        ("kind", pa.string()),
        # The strategy that chose the demonstrations.
        ("strategy", pa.string()),
        # The format in which they were written.
        ("format", pa.string()),
        # The number of demonstrations.
        ("k", pa.int32()),
        # The demonstrations in the order of the prompt. The last one stands next to the query.
        ("demonstrations", pa.list_(pa.struct(demonstration))),
        ("query", pa.string()),
        # The prompt of the teacher, with the demonstrations. Null if the teacher was not asked.
        ("teacher_prompt", pa.list_(_message())),
        ("target", pa.string()),
        # The answer of the teacher, which saw the demonstrations.
        ("prediction", pa.string()),
        # Whether the prediction equals the target.
        ("correct", pa.bool_()),
        # All candidates that were considered, with their scores under the strategy.
        ("candidates", pa.list_(pa.struct(candidate))),
        # Whether the teacher wrote one of the demonstrations.
        ("generated", pa.bool_()),
        ("finish_reason", pa.string()),
    ]


REASONING = "reasoning"
"""A column with what the teacher wrote before its answer. Only runs have it in which a teacher
reasoned, and whose setting --reasoning is separate."""


def with_reasoning(schema: pa.Schema) -> pa.Schema:
    """Return the schema with the column of the teacher's reasoning at its end."""
    import pyarrow as pa

    return schema.append(pa.field(REASONING, pa.string()))


TOPK = "teacher_topk"
"""A column with the teacher's most probable tokens for each token of the completion. Only
`datagen topk` adds it."""
PROMPT_TOPK = "teacher_topk_prompt"
"""Teacher probabilities for the prompt tokens, from the second token on. Null if teacher and
student saw different prompts, as in context distillation."""
