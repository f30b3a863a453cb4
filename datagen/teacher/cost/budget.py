"""What a run spends, and where it stops: no request is sent that could cost more than is left."""

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
"""An estimate for the tokenizers of large models: about four English letters, or a little more than
one Chinese character."""


class Usage(Protocol):
    """Tokens of all answers of a run."""

    @property
    def completion_tokens(self) -> int: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def cached_tokens(self) -> int: ...


class BudgetSpent(UserError):
    """The budget does not pay for another request."""

    status = 3


@dataclass(frozen=True)
class Limit:
    """The most that may be spent, in "tokens" or in a currency."""

    amount: float
    unit: str

    def __str__(self) -> str:
        return amount(self.amount, self.unit)


@dataclass(frozen=True)
class Account:
    """What a run's tokens cost, and how much it may spend. Without a price the cost is unknown."""

    price: Price | None = None
    limit: Limit | None = None

    def statistics(self, usage: Usage) -> dict[str, Any]:
        """`cost`, null where the price is unknown, and its `currency`."""
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
        """What the tokens take of the limit."""
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
        """The teacher, limited to what is left after `usage`."""
        if self.limit is None:
            return teacher
        spent = self.in_units(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
        )
        return WatchedTeacher(teacher, self, self.limit, spent)


class WatchedTeacher:
    """A teacher that is asked as long as the budget pays for it.

    Every request under way reserves the most that it can cost: its estimated prompt, and its
    answers at their longest. A request that does not fit waits until others have ended and have
    cost less. If none is under way, the budget is spent.
    """

    def __init__(self, teacher: Teacher, account: Account, limit: Limit, spent: float):
        self.teacher = teacher
        self.name = teacher.name
        self.capabilities = teacher.capabilities
        self._account = account
        self._limit = limit
        self._spent = spent
        self._held = 0.0
        self._under_way = 0
        self._turn = asyncio.Lock()
        self._ended = asyncio.Event()

    async def identify(self) -> str:
        return await self.teacher.identify()

    async def open(self) -> None:
        await self.teacher.open()

    async def complete(self, request: Request) -> list[Completion]:
        """Raises BudgetSpent, but only once everything under way is answered, so that nothing that
        was paid for is lost.
        """
        most = self._account.in_units(
            prompt_tokens=estimated_tokens(request.prompt),
            completion_tokens=request.n * request.sampling.max_tokens,
        )
        await self._hold(most)
        try:
            answers = await self.teacher.complete(request)
            self._spent += self._account.in_units(
                prompt_tokens=sum(a.prompt_tokens for a in answers),
                completion_tokens=sum(a.tokens for a in answers),
                cached_tokens=sum(a.cached_tokens for a in answers),
            )
            return answers
        finally:
            self._held -= most
            self._under_way -= 1
            self._ended.set()

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        """Not counted: nobody bills for scores."""
        return await self.teacher.score(prompt, continuation)

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        return await self.teacher.score_many(pairs)

    async def close(self) -> None:
        await self.teacher.close()

    async def _hold(self, most: float) -> None:
        async with self._turn:
            while self._spent + self._held + most > self._limit.amount:
                if not self._under_way:
                    raise self._over(most)
                self._ended.clear()
                await self._ended.wait()
            self._held += most
            self._under_way += 1

    def _over(self, most: float) -> BudgetSpent:
        spent = self._spent
        unit = self._limit.unit
        return BudgetSpent(
            f"the budget of {self._limit} is spent: {amount(spent, unit)} so far, and the next "
            f"request can cost {amount(most, unit)}. What arrived is kept; the same command with a "
            "higher --budget goes on"
        )


def spending(stats: Mapping[str, Any]) -> str:
    """The line of a run's closing words that says what it took."""
    cost = stats.get("cost")
    tokens = stats["prompt_tokens"] + stats["completion_tokens"]
    known = (
        "cost unknown (see --prices)" if cost is None else f"cost {amount(cost, stats['currency'])}"
    )
    return (
        f"tokens:    {stats['prompt_tokens']:,} prompt, {stats['completion_tokens']:,} completion"
        + (f"; {known}" if tokens else "")
    )


def read_limit(text: str) -> Limit | None:
    """`5usd`, `0.5 eur` or `2000000tokens`; None of nothing. Raises UserError."""
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
    text = prompt if isinstance(prompt, str) else "".join(content for _, content in prompt)
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN)


def amount(number: float, unit: str) -> str:
    """`1,200 tokens`, `4.50 usd`, `0.00031 usd`."""
    if unit == "tokens":
        return f"{number:,.0f} tokens"
    return f"{number:,.2f} {unit}" if number >= 1 or number == 0 else f"{number:.2g} {unit}"
