"""What a run spends, and its budget. No request is sent that could cost more than is left."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from datagen.errors import UserError
from datagen.teacher.base import Completion, Messages, Pair, Request, Teacher
from datagen.teacher.cost.prices import Price

BYTES_A_TOKEN = 4
"""An estimate for the tokenizers of large models. Four bytes are four English letters, or a little
more than one Chinese character."""


class Usage(Protocol):
    """The tokens of all answers of a run."""

    @property
    def completion_tokens(self) -> int: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def cached_tokens(self) -> int: ...
    @property
    def estimated_answers(self) -> int: ...


class BudgetSpent(UserError):
    """The budget is too small for another request."""

    status = 3


@dataclass(frozen=True)
class Limit:
    """The most that may be spent, in "tokens" or in a currency."""

    amount: float
    unit: str

    def __str__(self) -> str:
        return format_amount(self.amount, self.unit)


@dataclass(frozen=True)
class Account:
    """What a run's tokens cost, and how much it may spend. Without a price the cost is unknown."""

    price: Price | None = None
    limit: Limit | None = None

    def statistics(self, usage: Usage) -> dict[str, Any]:
        """Return `cost`, which is None if the price is unknown, and its `currency`."""
        if self.price is None:
            return {"cost": None, "currency": None}
        cost = self.price.of(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
        )
        return {"cost": round(cost, 6), "currency": self.price.currency}

    def in_units(
        self, *, prompt_tokens: float, completion_tokens: float, cached_tokens: float = 0
    ) -> float:
        """Return what the tokens cost, in the unit of the limit."""
        assert self.limit
        if self.limit.unit == "tokens":
            return prompt_tokens + completion_tokens
        assert self.price, "a limit in money needs a price"
        return self.price.of(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cached_tokens=cached_tokens,
        )

    def watch(self, teacher: Teacher, usage: Usage) -> Teacher:
        """Return the teacher, limited to what is left after `usage`."""
        if self.limit is None:
            return teacher
        spent = self.in_units(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
        )
        estimated = usage.estimated_answers > 0
        return WatchedTeacher(teacher, self, self.limit, spent, estimated=estimated)


class WatchedTeacher:
    """A teacher that is asked only as long as the budget is large enough.

    Every request under way reserves the most that it can cost: its estimated prompt, and its
    answers at full length. A request that does not fit waits until others have ended and have cost
    less than they reserved. If none is under way, the budget is spent.
    """

    def __init__(
        self, teacher: Teacher, account: Account, limit: Limit, spent: float, *, estimated: bool
    ):
        self.teacher = teacher
        self.name = teacher.name
        self.capabilities = teacher.capabilities
        self._account = account
        self._limit = limit
        self._spent = spent
        self._estimated = estimated
        self._reserved = 0.0
        self._under_way = 0
        self._order = asyncio.Lock()
        self._ended = asyncio.Event()

    async def identify(self) -> str:
        return await self.teacher.identify()

    async def open(self) -> None:
        await self.teacher.open()

    async def complete(self, request: Request) -> list[Completion]:
        """Return the samples of a request.

        Raises:
            BudgetSpent: the budget is too small. This is raised only after everything under way is
                answered, so no answer that was paid for is lost.
        """
        most = self._account.in_units(
            prompt_tokens=estimated_tokens(request.prompt),
            completion_tokens=request.n * request.sampling.max_tokens,
        )
        await self._reserve(most)
        try:
            answers = await self.teacher.complete(request)
            self._spent += self._account.in_units(
                prompt_tokens=sum(a.prompt_tokens for a in answers),
                completion_tokens=sum(a.tokens for a in answers),
                cached_tokens=sum(a.cached_tokens for a in answers),
            )
            self._estimated |= any(a.estimated for a in answers)
            return answers
        finally:
            # also after a failure: what was reserved is free for the requests that wait
            self._reserved -= most
            self._under_way -= 1
            self._ended.set()

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        """Return the scores. They are not counted, because no endpoint charges for them."""
        return await self.teacher.score(prompt, continuation)

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        return await self.teacher.score_many(pairs)

    async def close(self) -> None:
        await self.teacher.close()

    async def _reserve(self, most: float) -> None:
        """Wait until the budget has room for a request, and reserve its cost.

        Raises:
            BudgetSpent: no request is under way, and the budget has no room.
        """
        # the lock makes requests wait in order, so that small ones cannot overtake a large one
        async with self._order:
            while self._spent + self._reserved + most > self._limit.amount:
                if not self._under_way:
                    raise self._budget_error(most)
                self._ended.clear()
                await self._ended.wait()
            self._reserved += most
            self._under_way += 1

    def _budget_error(self, most: float) -> BudgetSpent:
        spent = self._spent
        unit = self._limit.unit
        return BudgetSpent(
            f"the budget of {self._limit} is spent: {format_amount(spent, unit)}"
            f"{' (estimated)' if self._estimated else ''} so far, and the "
            f"next request can cost {format_amount(most, unit)}. What arrived is kept: run the "
            "same command with a higher --budget to continue"
        )


def format_spending(stats: Mapping[str, Any]) -> str:
    """Return the closing line of a run that states its tokens and its cost."""
    cost = stats.get("cost")
    tokens = stats["prompt_tokens"] + stats["completion_tokens"]
    known = (
        "cost unknown (see --prices)"
        if cost is None
        else f"cost {format_amount(cost, stats['currency'])}"
    )
    return (
        f"tokens:    {stats['prompt_tokens']:,} prompt, {stats['completion_tokens']:,} completion"
        + estimate_note(stats)
        + (f"; {known}" if tokens else "")
    )


def estimate_note(stats: Mapping[str, Any]) -> str:
    """Return what a line about tokens adds if the endpoint did not count all of them."""
    estimated = stats.get("estimated_answers")
    if not estimated:
        return ""
    return f" (estimated for {estimated:,} of {stats['answers']:,} answers)"


def read_limit(text: str) -> Limit | None:
    """Return the limit that a text states, or None for an empty text.

    The text has a form such as `5usd`, `0.5 eur` or `2000000tokens`.

    Raises:
        UserError: the text has no such form.
    """
    if not text.strip():
        return None
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([a-zA-Z]{3,6})", text.strip())
    if not found or float(found[1]) == 0:
        raise UserError(
            f"--budget {text}: give an amount and its unit, such as 5usd or 2000000tokens"
        )
    unit = found[2].lower()
    return Limit(float(found[1]), "tokens" if unit == "token" else unit)


def estimated_tokens(prompt: str | Messages) -> int:
    """Return the estimated number of tokens of a prompt, rounded up."""
    text = prompt if isinstance(prompt, str) else "".join(content for _, content in prompt)
    # minus twice: integer division that rounds up
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN)


def format_amount(number: float, unit: str) -> str:
    """Return an amount with its unit: `1,200 tokens`, `4.50 usd`, `0.00031 usd`."""
    if unit == "tokens":
        return f"{number:,.0f} tokens"
    return f"{number:,.2f} {unit}" if number >= 1 or number == 0 else f"{number:.2g} {unit}"
