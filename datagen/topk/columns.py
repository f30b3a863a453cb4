"""The columns `teacher_topk` and `teacher_topk_prompt` of a table of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datagen.schema import PROMPT_TOPK, TOPK
from datagen.teacher.tokens import row_tokens, tokenizer_fingerprint
from datagen.teacher.topk import Tokens, Topk, TopkTeacher, empty_topk

if TYPE_CHECKING:
    import pyarrow as pa

SEEN = "teacher_prompt"
"""The column of the teacher's prompt, if it is not the student's: in context distillation only the
teacher sees demonstrations."""
CUT = b"cut"
"""Key in the metadata of a table: how many of its rows are longer than the teacher's context."""


@dataclass(frozen=True)
class Storing:
    """What is stored for a row, and by which teacher."""

    teacher: TopkTeacher
    """A teacher that passed `check_topk`."""
    k: int
    """Tokens to store at each position."""
    prompts: bool = False
    """Whether to store the tokens of the student's prompt too."""
    pieces_at_once: int = 1
    """How many pieces the teacher is asked for at the same time."""


@dataclass(frozen=True)
class RowTokens:
    """The tokens of a row that the teacher reads, as far as its context reaches."""

    given: list[int]
    """Tokens for which nothing is stored: the prompt, or only its first token."""
    prompt: list[int] | None
    """The other tokens of the prompt, if they are stored."""
    answer: list[int]
    """Tokens of the completion."""
    cut: bool
    """Whether the completion is longer than the context allows."""

    @property
    def pair(self) -> Tokens:
        """(tokens to read, tokens whose probabilities are wanted)."""
        return self.given, (self.prompt or []) + self.answer


def tokens_of(row: Mapping[str, Any], storing: Storing) -> RowTokens:
    """Return the tokens of a row as the teacher reads them."""
    seen = row.get(SEEN) or row["prompt"]
    context = storing.teacher.context
    prompt, completion = row_tokens({**row, "prompt": seen}, storing.teacher.load_tokenizer())

    answer = completion[: max(context - len(prompt), 0)]
    cut = len(answer) < len(completion)
    # the student learns from its own prompt only, not from one that the teacher alone saw
    if storing.prompts and seen == row["prompt"]:
        return RowTokens(prompt[:1], prompt[1:context], answer, cut)
    return RowTokens(prompt, None, answer, cut)


async def with_columns(table: pa.Table, storing: Storing) -> pa.Table:
    """Return the table with the teacher's probabilities. Raises TeacherError."""
    # only what the tokens depend on is converted to Python objects
    names = [name for name in ("id", "prompt", "completion", SEEN) if name in table.column_names]
    rows = [tokens_of(row, storing) for row in table.select(names).to_pylist()]

    # a row without room for any token is not asked
    wanted = [row.pair for row in rows if row.pair[1]]
    answers = iter(await storing.teacher.topk(wanted, storing.k))
    found = [next(answers) if row.pair[1] else empty_topk(storing.k) for row in rows]

    # each result holds the stored tokens of the prompt, then those of the completion
    starts = [len(row.prompt or []) for row in rows]
    pairs = list(zip(found, starts, strict=True))
    columns: dict[str, tuple[Sequence[list[int] | None], list[Topk]]] = {
        TOPK: ([row.answer for row in rows], [one[start:] for one, start in pairs])
    }
    if storing.prompts:
        of_prompts = [one[:start] for one, start in pairs]
        columns[PROMPT_TOPK] = ([row.prompt for row in rows], of_prompts)

    fingerprint = tokenizer_fingerprint(storing.teacher.load_tokenizer())
    for name, (texts, topks) in columns.items():
        field = with_topk(table.schema, name).field(name)
        column = to_arrow(texts, topks, storing.k, fingerprint, field.type)
        table = table.append_column(field, column)
    return table.replace_schema_metadata({CUT: str(sum(row.cut for row in rows)).encode()})


def to_arrow(
    texts: Sequence[list[int] | None],
    found: Sequence[Topk],
    k: int,
    tokenizer: str,
    kind: pa.DataType,
) -> pa.Array:
    """Return a column of probabilities.

    It is made of whole arrays. One Python object for each number would take longer than the
    teacher.

    Args:
        texts: the tokens of each row; None for a null.
        found: the teacher's probabilities of these tokens.
        k: tokens at each position.
        tokenizer: fingerprint of the tokenizer.
        kind: type of the column, see `with_topk`.
    """
    import numpy as np
    import pyarrow as pa

    lengths = [len(text or []) for text in texts]
    row_ends = pa.array(np.cumsum([0, *lengths]), pa.int32())
    position_ends = pa.array(np.arange(sum(lengths) + 1) * k, pa.int32())

    def flat(parts: Sequence[Any], dtype: Any) -> pa.Array:
        # an empty array first: there may be no parts
        return pa.array(np.concatenate([np.empty(0, dtype), *parts]).astype(dtype))

    def by_position(values: pa.Array) -> pa.Array:
        return pa.ListArray.from_arrays(position_ends, values)

    values = [
        flat([text or [] for text in texts], np.int32),
        by_position(flat([one.ids.ravel() for one in found], np.int32)),
        by_position(flat([one.logprobs.ravel() for one in found], np.float16)),
        flat([one.tail.ravel() for one in found], np.float32),
    ]
    lists = [pa.ListArray.from_arrays(row_ends, value) for value in values]
    fingerprints = pa.array([None if text is None else tokenizer for text in texts], pa.string())
    return pa.StructArray.from_arrays(
        [*lists, fingerprints], fields=kind, mask=fingerprints.is_null()
    )


def with_topk(schema: pa.Schema, column: str = TOPK) -> pa.Schema:
    """Return the schema with stored probabilities at its end: T tokens, K candidates for each."""
    import pyarrow as pa

    fields = [
        # [T] The tokens themselves, with the token that ends the turn.
        ("tokens", pa.list_(pa.int32())),
        # [T, K] The most probable tokens in the place of each token.
        ("ids", pa.list_(pa.list_(pa.int32()))),
        # [T, K] Their log-probabilities in nats, normalised over the whole vocabulary. 16 bits
        # keep three digits, and halve the files.
        ("logprobs", pa.list_(pa.list_(pa.float16()))),
        # [T] The probability of all other tokens together.
        ("tail", pa.list_(pa.float32())),
        # The fingerprint of the teacher's tokenizer.
        ("tokenizer", pa.string()),
    ]
    return schema.append(pa.field(column, pa.struct(fields)))
