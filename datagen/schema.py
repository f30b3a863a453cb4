"""What a row is: the one place that names the columns of every dataset config.

Every row is ready for TRL as it stands: `prompt` and `completion` are conversational (lists of
`{"role", "content"}`). Schemas are Arrow's, because Parquet is what is published; `datasets` reads
its features from them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
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
"""The configs of accepted rows, by the family of methods that make them; each family has its own
`rejected` as well."""

CONFIGS = (*(config for configs in FAMILIES.values() for config in configs), "rejected")


@dataclass(frozen=True)
class Accepted:
    """A row that belongs to the dataset config `config`.

    Example:
        >>> Accepted({"id": "1"}, "rationales").config
        'rationales'
    """

    row: Row
    config: str


@dataclass(frozen=True)
class Rejected:
    """A row that was left out, and the reason: a short, stable word.

    Example:
        >>> Rejected({"id": "1"}, "truncated").reason
        'truncated'
    """

    row: Row
    reason: str


Outcome: TypeAlias = Accepted | Rejected


def content_id(*parts: Any) -> str:
    """16 hex digits of the SHA-256 of the parts' canonical JSON: equal content, equal id, on every
    machine.

    Parts are texts, whole numbers, None, and lists of these; floats have no one form in JSON.
    """
    try:
        canonical = orjson.dumps(parts)
    except TypeError:  # half a surrogate pair
        canonical = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "surrogatepass"
        )
    return hashlib.sha256(canonical).hexdigest()[:16]


def user(content: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": content}]


def assistant(content: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": content}]


def arrow_schema(config: str, *, family: str = "rationales") -> pa.Schema:
    """The columns of a config, in order.

    `rejected` holds the columns of the family's first config, and `reason`.
    """
    import pyarrow as pa

    if config == "rejected":
        detail = (
            [] if family == "rationales" else [("detail", pa.string())]
        )  # what it met: a benchmark's row, a score
        return pa.schema([*_columns(family), ("reason", pa.string()), *detail])
    return pa.schema(_columns(config))


def _columns(config: str) -> list[Any]:
    columns = {
        "answers": _answer,
        "rationales": lambda: _answer() + _rationale(),
        "instructions": _instruction,
        "demonstrations": _demonstration,
    }
    return _common() + columns[config]()


def _common() -> list[Any]:
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    return [
        ("id", pa.string()),  # content hash
        ("method", pa.string()),  # what made the row: "rationales", "self-instruct", ...
        ("parents", pa.list_(pa.string())),  # ids of the rows, questions or seeds it was made from
        ("prompt", pa.list_(message)),
        ("completion", pa.list_(message)),
    ]


def _answer() -> list[Any]:
    import pyarrow as pa

    return [
        ("question", pa.string()),
        ("answer", pa.string()),  # as extracted from the chain, canonical
        ("gold", pa.string()),  # null where the source has no answers
        (
            "agreement",
            pa.float64(),
        ),  # the voted answer's share of all chains of the question, 0 to 1
    ]


def _rationale() -> list[Any]:
    import pyarrow as pa

    return [
        ("rationale", pa.string()),  # the chain as the teacher wrote it
        ("votes", pa.int32()),  # chains of the question that gave this row's answer
        ("samples", pa.int32()),  # chains drawn for the question
        ("chain", pa.int32()),  # which of them this is, from 0
        ("correct", pa.bool_()),  # answer equals gold; null without gold
        ("tied", pa.bool_()),  # the vote had no single winner
        (
            "hinted",
            pa.bool_(),
        ),  # written with the gold answer as a hint (STaR); the prompt here has no hint
        (
            "mean_logprob",
            pa.float64(),
        ),  # nats per token under the teacher; null where it does not say
        ("finish_reason", pa.string()),
    ]


def _instruction() -> list[Any]:
    import pyarrow as pa

    return [
        ("instruction", pa.string()),
        ("input", pa.string()),  # empty where the instruction says it all
        ("output", pa.string()),
        ("is_classification", pa.bool_()),  # null where nobody asked
        ("operation", pa.string()),  # of Evol-Instruct, or "paraphrase"; null for none
        ("round", pa.int32()),  # of Evol-Instruct, 0 for a seed
        ("root", pa.string()),  # id of the instruction an evolution began with
        ("nearest_id", pa.string()),  # the most similar instruction that was there before
        ("nearest_similarity", pa.float64()),  # ROUGE-L F1 with it, 0 to 1
        ("score", pa.float64()),  # a judge's
        ("system", pa.string()),  # system prompt of the response, first turn of `prompt`
        ("finish_reason", pa.string()),
    ]


def _demonstration() -> list[Any]:
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    scored = pa.struct([("id", pa.string()), ("score", pa.float64())])
    shown = pa.struct(
        [
            ("id", pa.string()),
            ("input", pa.string()),
            ("output", pa.string()),
            ("score", pa.float64()),
        ]
    )
    return [
        ("task", pa.string()),
        ("family", pa.string()),  # tasks of one family differ in their parameters only
        ("kind", pa.string()),  # "meta-ict", "multitask-ict" or "context-distillation"
        ("strategy", pa.string()),  # how the demonstrations were chosen
        ("format", pa.string()),  # how they were written
        ("k", pa.int32()),  # number of demonstrations
        (
            "demonstrations",
            pa.list_(shown),
        ),  # in the order shown, the last one nearest to the query
        ("query", pa.string()),
        (
            "teacher_prompt",
            pa.list_(message),
        ),  # what the teacher was asked, demonstrations in view; null if it was not
        ("target", pa.string()),
        ("prediction", pa.string()),  # the teacher's, with the demonstrations in view
        ("correct", pa.bool_()),  # prediction equals target
        (
            "candidates",
            pa.list_(scored),
        ),  # every candidate that was considered, and its score under the strategy
        ("generated", pa.bool_()),  # a demonstration was written by the teacher
        ("finish_reason", pa.string()),
    ]


TOPK = "teacher_topk"
"""A column that rows have only where it was asked for: what the teacher thinks of each token of the
completion."""
PROMPT_TOPK = "teacher_topk_prompt"
"""The same of the prompt's tokens, but the first, which nothing foretells; null where teacher and
student were asked otherwise (context distillation)."""


def with_topk(schema: pa.Schema, column: str = TOPK) -> pa.Schema:
    """The schema with a column of stored probabilities behind its others."""
    import pyarrow as pa

    return schema.append(
        pa.field(
            column,
            pa.struct(
                [
                    (
                        "tokens",
                        pa.list_(pa.int32()),
                    ),  # the completion's, the end of turn among them
                    (
                        "ids",
                        pa.list_(pa.list_(pa.int32())),
                    ),  # in the place of each the K most probable tokens,
                    (
                        "logprobs",
                        pa.list_(pa.list_(pa.float16())),
                    ),  # nats, under the whole vocabulary
                    ("tail", pa.list_(pa.float32())),  # the probability of all others
                    ("tokenizer", pa.string()),  # its fingerprint
                ]
            ),
        )
    )
