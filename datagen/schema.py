"""What a row is: the one place that names the columns of every dataset config.

Every row is ready for TRL as it stands: `prompt` and `completion` are conversational (lists of `{"role", "content"}`).
Schemas are Arrow's, because Parquet is what is published; `datasets` reads its features from them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

Row: TypeAlias = dict[str, Any]

CONFIGS = ("rationales", "answers", "rejected")


@dataclass(frozen=True)
class Accepted:
    """A row that belongs to the dataset config `config`."""

    row: Row
    config: str


@dataclass(frozen=True)
class Rejected:
    """A row that was left out, and a short stable word that says why."""

    row: Row
    reason: str


Outcome: TypeAlias = Accepted | Rejected


def content_id(*parts: Any) -> str:
    """16 hex digits of the SHA-256 of the parts' canonical JSON: equal content, equal id, on every machine."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def user(content: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": content}]


def assistant(content: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": content}]


def arrow_schema(config: str) -> pa.Schema:
    """The columns of a config, in order. `rejected` holds the columns of `rationales`, and `reason`."""
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    common: list[Any] = [
        ("id", pa.string()),  # content hash
        ("method", pa.string()),  # what made the row: "rationales"
        ("parents", pa.list_(pa.string())),  # ids of the rows or questions it was made from
        ("prompt", pa.list_(message)),
        ("completion", pa.list_(message)),
        ("question", pa.string()),
        ("answer", pa.string()),  # as extracted from the chain, canonical
        ("gold", pa.string()),  # null where the source has no answers
        ("agreement", pa.float64()),  # the voted answer's share of all chains of the question, 0 to 1
    ]
    rationale: list[Any] = [
        ("rationale", pa.string()),  # the chain as the teacher wrote it
        ("votes", pa.int32()),  # chains of the question that gave this row's answer
        ("samples", pa.int32()),  # chains drawn for the question
        ("chain", pa.int32()),  # which of them this is, from 0
        ("correct", pa.bool_()),  # answer equals gold; null without gold
        ("tied", pa.bool_()),  # the vote had no single winner
        ("hinted", pa.bool_()),  # written with the gold answer as a hint (STaR); the prompt here has no hint
        ("mean_logprob", pa.float64()),  # nats per token under the teacher; null where it does not say
        ("finish_reason", pa.string()),
    ]
    columns = {
        "answers": common,
        "rationales": common + rationale,
        "rejected": [*common, *rationale, ("reason", pa.string())],
    }
    return pa.schema(columns[config])
