"""The queue before an endpoint that refuses: simulated, on a clock of its own that no machine can
slow."""

import asyncio
import collections
import random
import selectors
from types import SimpleNamespace

import pytest

from datagen.teacher.dialect.failure import Failure
from datagen.teacher.endpoint import throttle
from datagen.teacher.endpoint.throttle import Patience, Throttle


class Still(selectors.SelectSelector):
    """Nothing is waited for: the time passes at once."""

    now = 1000.0

    def select(self, timeout=None):
        self.now += timeout or 0.0
        return []


class Simulated(asyncio.SelectorEventLoop):
    def __init__(self):
        self.clock = Still()
        super().__init__(self.clock)

    def time(self):
        return self.clock.now


class Refusing:
    """Answers after 20 ms. Refuses more than `a_second` requests in any second, or more than
    `at_once` in flight."""

    def __init__(
        self, *, a_second=10**9, at_once=10**9, hangs=0.0, errors=0.0, retry_after=1.0, latency=0.02
    ):
        self.a_second, self.at_once, self.hangs, self.errors = a_second, at_once, hangs, errors
        self.retry_after, self.latency = retry_after, latency
        self.rng, self.recent = random.Random(0), collections.deque()
        self.in_flight = self.sent = 0

    async def ask(self, now):
        self.in_flight, self.sent = self.in_flight + 1, self.sent + 1
        try:
            await asyncio.sleep(self.latency * self.rng.uniform(0.8, 1.2))
            while self.recent and self.recent[0] < now() - 1:
                self.recent.popleft()
            if len(self.recent) >= self.a_second or self.in_flight > self.at_once:
                raise Failure("429", status=429, retry_after=self.retry_after)
            self.recent.append(now())
            fate = self.rng.random()
            if fate < self.hangs:
                await asyncio.sleep(5.0)
                raise Failure("no answer within 5 s", status=408)
            if fate < self.hangs + self.errors:
                raise Failure("500", status=500)
        finally:
            self.in_flight -= 1


def answered_a_second(
    endpoint: Refusing, monkeypatch, *, requests: int, concurrency: int = 128
) -> float:
    loop = Simulated()
    monkeypatch.setattr(throttle, "time", SimpleNamespace(monotonic=loop.time))
    queue, rng = Throttle("it", concurrency, Patience(), log=lambda line: None), random.Random(1)

    async def one(number: int) -> None:
        again = False
        while True:
            await queue.enter(again=again)
            started = loop.time()
            try:
                await endpoint.ask(loop.time)
            except Failure as failure:
                queue.failed(number, started, failure)
                await asyncio.sleep(rng.uniform(0.0, 0.25))
                again = True
            else:
                return queue.answered(started)

    async def work(numbers) -> None:
        for number in numbers:
            await one(number)

    async def all_of_them() -> None:
        numbers = iter(range(requests))
        await asyncio.gather(*(work(numbers) for _ in range(concurrency)))

    began = loop.time()
    loop.run_until_complete(all_of_them())
    seconds = loop.time() - began
    loop.close()
    return requests / seconds


@pytest.mark.parametrize("retry_after", [1.0, None])
def test_a_limit_by_the_second_is_used_up(monkeypatch, retry_after):
    endpoint = Refusing(a_second=200, retry_after=retry_after)
    assert answered_a_second(endpoint, monkeypatch, requests=6000) > 0.75 * 200
    assert endpoint.sent < 1.15 * 6000


def test_requests_that_hang_do_not_use_up_what_a_limit_allows(monkeypatch):
    endpoint = Refusing(a_second=200, hangs=0.05, errors=0.2)
    assert answered_a_second(endpoint, monkeypatch, requests=6000) > 0.75 * 200 * 0.5


def test_a_limit_of_requests_in_flight_is_used_up(monkeypatch):
    endpoint = Refusing(at_once=20, latency=0.2)
    assert answered_a_second(endpoint, monkeypatch, requests=4000) > 0.65 * 20 / 0.2
    assert endpoint.sent < 1.05 * 4000


def test_without_a_limit_there_is_no_pace(monkeypatch):
    assert answered_a_second(Refusing(latency=0.2), monkeypatch, requests=20_000) > 0.8 * 128 / 0.2
