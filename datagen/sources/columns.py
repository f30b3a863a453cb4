"""Know the format of a record by its columns, and say in one form what it asks and answers.

This is the only place that knows the columns of other projects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from datagen.errors import UserError
from datagen.schema import arrow_schema
from datagen.sources.formats import Record
from datagen.sources.tally import SourceTally
from datagen.sources.turns import Unusable, read_conversation
from datagen.sources.values import holds_something, kind_of, text_in
from datagen.teacher.base import Messages


@dataclass(frozen=True)
class Form:
    """The columns of a format: what is asked, the text it is about, and what was answered."""

    ask: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


FORMS = (
    # Alpaca, Dolly
    Form("instruction", ("input", "context"), ("output", "response")),
    # OpenAI, ShareGPT, LMSYS
    Form("messages"),
    Form("conversations"),
    Form("conversation"),
    # TRL
    Form("prompt", outputs=("completion", "response")),
    # OpenOrca, SQuAD
    Form("question", ("context",), ("answer", "response")),
    # MetaMath
    Form("query", outputs=("response", "answer")),
    # MATH
    Form("problem", outputs=("solution",)),
    Form("input", outputs=("output",)),
)
"""The known formats. The first one whose column holds something is the format of a record."""
CONVERSATIONS = ("messages", "conversations", "conversation")
"""Columns that always hold turns."""
TEXT_OR_TURNS = ("prompt", "completion")
"""Columns that hold a text, or a list of turns."""
SYSTEM = ("system", "system_prompt")
"""Columns with a system prompt."""
HISTORY = "history"
"""Column with the earlier turns, as pairs of question and answer."""
READ_ELSEWHERE = ("id", "is_classification")


@dataclass(frozen=True)
class Entry:
    """What a record asks, and what was answered."""

    instruction: str
    """The instruction, or the last turn of the user."""
    input: str = ""
    output: str = ""
    context: Messages = ()
    """The turns before the instruction: the system prompt, and the conversation so far."""
    replies: Messages = ()
    """The turns after the instruction. Empty if the record is no conversation."""


def read_entry(record: Record, where: str, tally: SourceTally) -> Entry:
    """Return what a record asks and answers, and record the columns that are not read.

    Args:
        record: A record in one of the known formats.
        where: The place of the record, for messages.
        tally: Records the columns.

    Raises:
        Unusable: The record holds no instruction, or something that our columns cannot hold.
        UserError: The format is unknown, or a column holds something else than text.
    """
    if is_own(record):
        unread = record.keys() - own_columns()
        tally.unread(sorted(name for name in unread if holds_something(record[name])))
        return own_entry(record, where)
    reading = Reading(record, where)
    entry = reading.entry()
    tally.unread(name for name in record if name not in reading.used and reading.holds(name))
    tally.unread(sorted(reading.inner_unread))
    return entry


def is_own(record: Record) -> bool:
    """Return whether a record is a row of this project."""
    turns = [record.get("prompt"), record.get("completion")]
    is_made = isinstance(record.get("method"), str)
    return is_made and all(isinstance(part, list) and all(map(is_plain, part)) for part in turns)


def is_plain(turn: Any) -> bool:
    """Return whether a turn has the form of the rows of this project."""
    if not isinstance(turn, dict) or turn.keys() != {"role", "content"}:
        return False
    return isinstance(turn["role"], str) and isinstance(turn["content"], str)


@cache
def own_columns() -> frozenset[str]:
    """Return the columns of instruction rows of this project."""
    return frozenset(arrow_schema("rejected", family="instructions").names)


def own_entry(record: Record, where: str) -> Entry:
    """Return what a row of this project asks. Rows of other families have no instruction."""
    turns = tuple((turn["role"], turn["content"]) for turn in record["prompt"])
    last = last_user(turns)
    context = turns if last is None else turns[:last]
    texts = [text_in(record.get(name), name, where) for name in ("instruction", "input", "output")]
    instruction, given, output = ((text or "").strip() for text in texts)
    if "instruction" not in record:
        instruction = "" if last is None else turns[last][1].strip()
        output = "\n".join(turn["content"] for turn in record["completion"]).strip()
    if not instruction:
        raise Unusable("empty")
    return Entry(instruction, given, output, context)


def last_user(turns: Messages) -> int | None:
    """Return the place of the last turn of the user, or None if there is none."""
    places = [place for place, (role, _) in enumerate(turns) if role == "user"]
    return places[-1] if places else None


def last_answer(turns: Messages) -> str:
    """Return the last turn of the assistant, or no text if it says nothing."""
    return next((text for role, text in reversed(turns) if role == "assistant"), "")


class Reading:
    """The reading of one record: which columns were used, and what they hold."""

    def __init__(self, record: Record, where: str):
        self.record = record
        self.where = where
        # "Instruction" and " output" are columns of spreadsheets.
        self.names = {str(name).strip().lower(): name for name in record} | {n: n for n in record}
        self.used: set[str] = {self.names[name] for name in READ_ELSEWHERE if name in self.names}
        self.inner_unread: set[str] = set()

    def entry(self) -> Entry:
        """Return what the record asks and answers. Raises Unusable or UserError."""
        form = self.form()
        value = self.value(form.ask)
        found = self.conversation(form, value) if self.is_turns(form.ask) else self.texts(form)
        if not found.instruction:
            raise Unusable("empty")
        return found

    def form(self) -> Form:
        """Return the format of the record. Raises UserError if it is unknown."""
        known = [form for form in FORMS if form.ask in self.names]
        if not known:
            raise UserError(
                f"{self.where}: no column {', '.join(form.ask for form in FORMS[:-1])} or "
                f"{FORMS[-1].ask}; the columns are {', '.join(map(str, self.record)) or 'none'}"
            )
        filled = [form for form in known if self.holds(form.ask)]
        if not filled:
            raise Unusable("empty")
        return filled[0]

    def is_turns(self, name: str) -> bool:
        """Return whether a column holds a conversation."""
        is_list = name in TEXT_OR_TURNS and isinstance(self.raw(name), list)
        return is_list or name in CONVERSATIONS

    def conversation(self, form: Form, value: Any) -> Entry:
        """Return what a conversation asks: its last turn of the user."""
        turns = self.turns(form.ask, value)
        for name in form.outputs:
            if self.holds(name):
                turns += self.answer_turns(name)
                break
        turns = self.system(turns) + turns

        last = last_user(turns)
        if last is None:
            raise Unusable("no_user_turn")
        context = tuple(
            (role, text) for role, text in turns[:last] if (role, text) != ("system", "")
        )
        if any(not text for _, text in context):
            raise Unusable("empty_turn")
        replies = turns[last + 1 :]
        return Entry(turns[last][1], "", last_answer(replies), context, replies)

    def turns(self, name: str, value: Any) -> Messages:
        """Return the turns in a column."""
        found = read_conversation(value, name, self.where)
        self.inner_unread |= found.unread
        return found.turns

    def answer_turns(self, name: str) -> Messages:
        """Return a completion as turns: a list of turns, or the text of the assistant."""
        if self.is_turns(name):
            return self.turns(name, self.value(name))
        return (("assistant", self.text(name)),)

    def texts(self, form: Form) -> Entry:
        """Return what a record of texts asks and answers."""
        instruction = self.text(form.ask)
        given = self.first_text(form.inputs)
        context = self.history()
        context = self.system(context) + context
        for name in filter(self.is_turns, form.outputs):
            replies = self.turns(name, self.value(name))
            return Entry(instruction, given, last_answer(replies), context, replies)
        return Entry(instruction, given, self.first_text(form.outputs), context)

    def system(self, turns: Messages) -> Messages:
        """Return the system prompt of the record as a turn, unless a turn says the same."""
        text = self.first_text(SYSTEM)
        return (("system", text),) if text and ("system", text) not in turns else ()

    def history(self) -> Messages:
        """Return the earlier turns of the record. Raises UserError if they are no pairs."""
        pairs = self.value(HISTORY) if self.holds(HISTORY) else []
        turns: list[tuple[str, str]] = []
        for pair in [pairs] if isinstance(pairs, str) else pairs:
            if not isinstance(pair, list) or len(pair) != 2:
                raise UserError(
                    f"{self.where}: the column {HISTORY!r} holds {kind_of(pair)}, and pairs of "
                    "question and answer are expected"
                )
            texts = [(text_in(part, HISTORY, self.where) or "").strip() for part in pair]
            turns += zip(("user", "assistant"), texts, strict=True)
        if any(not text for _, text in turns):
            raise Unusable("empty_turn")
        return tuple(turns)

    def first_text(self, names: Sequence[str]) -> str:
        """Return the text of the first of these columns that holds something."""
        return next((self.text(name) for name in names if self.holds(name)), "")

    def text(self, name: str) -> str:
        """Return the text in a column, without the space around it."""
        return (text_in(self.value(name), name, self.where) or "").strip()

    def value(self, name: str) -> Any:
        """Return the value of a column that is used."""
        self.used.add(self.names[name])
        return self.raw(name)

    def raw(self, name: str) -> Any:
        """Return the value of a column, or None if there is no such column."""
        return self.record.get(self.names[name]) if name in self.names else None

    def holds(self, name: str) -> bool:
        """Return whether a column holds something."""
        return holds_something(self.raw(name))
