"""The level of concurrency against simulated endpoints whose best level is known; no clock, no
socket."""

import heapq

import pytest

from datagen.teacher.endpoint.level import Level


def simulate(level, *, seconds, parallel, service=0.5, refuse_above=None):
    """A closed queue: the level is always used up; `parallel` requests are served at once,
    `service` seconds each.

    Gives the answers a second over the last half. Above `refuse_above` in flight the endpoint says
    429 at once."""
    now, served, in_flight, number = 0.0, [], 0, 0
    busy: list[float] = []  # when each of the places is free again
    events: list[tuple[float, int, float, bool]] = []
    while now < seconds:
        while in_flight < level.limit:
            in_flight, number = in_flight + 1, number + 1
            if refuse_above and in_flight > refuse_above:
                heapq.heappush(events, (now + 0.01, number, now, False))
                continue
            end = service + (now if len(busy) < parallel else max(now, heapq.heappop(busy)))
            heapq.heappush(busy, end)
            heapq.heappush(events, (end, number, now, True))
        now, _, started, good = heapq.heappop(events)
        in_flight -= 1
        if good:
            level.answered(started, now, full=True)
            served.append(now)
        else:
            level.overloaded(started, now, certain=True)
    return sum(t > seconds / 2 for t in served) / (seconds / 2)


@pytest.mark.parametrize(
    ("parallel", "ceiling"), [(8, 128), (48, 128), (100, 128), (500, 128), (500, 1), (4, 4)]
)
def test_it_reaches_the_throughput_that_there_is(parallel, ceiling):
    level = Level(ceiling)
    rate = simulate(level, seconds=120, parallel=parallel)
    assert rate >= 0.85 * min(parallel, ceiling) / 0.5
    assert level.limit <= ceiling


def test_it_grows_no_further_than_brings_throughput():
    level = Level(1024)
    simulate(level, seconds=120, parallel=40)
    assert 40 <= level.limit <= 128


def test_it_follows_an_endpoint_that_refuses_above_a_level():
    level = Level(256)
    rate = simulate(level, seconds=120, parallel=1000, refuse_above=20)
    assert rate >= 0.6 * 20 / 0.5
    assert level.limit <= 25


def test_it_goes_down_when_the_endpoint_slows_and_up_again():
    level = Level(64)
    simulate(level, seconds=60, parallel=64)
    assert level.limit == 64
    now, limits = 60.0, []
    for _ in range(3 * 64):  # three times slower at the same level
        level.answered(now, now + 1.5, full=True)
        now += 1.5 / 64
        limits.append(level.limit)
    assert min(limits) == int(64 * 0.7)
    simulate(level, seconds=200, parallel=64)
    assert level.limit == 64


def test_deadlines_that_pass_are_overload_only_in_numbers():
    level = Level(32)
    for i in range(1, 200):
        now = float(i)
        level.answered(now, now + 0.5, full=False)
        if i % 20 == 0:
            level.overloaded(now, now + 0.5, certain=False)
    assert level.limit == 32
    for i in range(200, 208):
        level.overloaded(float(i), i + 0.5, certain=False)
    assert level.limit < 32
