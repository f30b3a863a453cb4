"""The journal over a real endpoint: asked once, kept across restarts, a changed request is a new
one."""

import asyncio
from dataclasses import replace

import pytest

from datagen.teacher import Capabilities, Request, Sampling, connect
from datagen.teacher.base import Completion, TeacherError
from datagen.teacher.journal import JournaledTeacher
from tests.datagen.endpoint import Endpoint, Served

ASK = Request((("user", "What is 3 plus 4?"),), n=4, sampling=Sampling(seed=1))


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = Endpoint()
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield endpoint


def ask(path, *requests):
    async def go():
        journal = JournaledTeacher(connect("openai:arith"), path)
        try:
            return await asyncio.gather(*(journal.complete(r) for r in requests)), journal.usage
        finally:
            await journal.close()

    return asyncio.run(go())


def test_a_restarted_journal_asks_nothing_again(endpoint, tmp_path):
    first, usage = ask(tmp_path / "j", ASK)
    again, usage_again = ask(tmp_path / "j", ASK)
    assert again == first
    assert usage_again == usage
    assert (usage.answers, usage.completion_tokens, usage.prompt_tokens) == (4, 28, 5)
    assert len(endpoint.bodies) == 1


def test_equal_requests_at_the_same_time_are_asked_once(endpoint, tmp_path):
    [a, b], _ = ask(tmp_path / "j", ASK, ASK)
    assert a == b
    assert len(endpoint.bodies) == 1


def test_further_samples_are_asked_for_alone(endpoint, tmp_path):
    [first], _ = ask(tmp_path / "j", ASK)
    [more], _ = ask(tmp_path / "j", replace(ASK, n=2, first=4))
    [part], _ = ask(tmp_path / "j", replace(ASK, n=3, first=2))
    assert [body["n"] for body in endpoint.bodies] == [4, 2]
    assert part == [*first[2:], more[0]]


@pytest.mark.parametrize(
    "other",
    [
        replace(ASK, prompt=(("system", "Be brief."), *ASK.prompt)),
        replace(ASK, prompt="What is 3 plus 4?"),
        replace(ASK, sampling=replace(ASK.sampling, temperature=0.9)),
        replace(ASK, sampling=replace(ASK.sampling, max_tokens=9)),
        replace(ASK, sampling=replace(ASK.sampling, stop=("\n",))),
        replace(ASK, sampling=replace(ASK.sampling, seed=2)),
    ],
)
def test_a_changed_request_is_a_new_one(endpoint, tmp_path, other):
    ask(tmp_path / "j", ASK)
    ask(tmp_path / "j", other)
    assert len(endpoint.bodies) == 2


class Slow:
    """Answers after a moment, unless it is told to fail."""

    name = "slow"
    capabilities = Capabilities()

    def __init__(self, *, fails: bool = False):
        self.asked, self.fails = 0, fails

    async def identify(self) -> str:
        return self.name

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def complete(self, request):
        self.asked += 1
        await asyncio.sleep(0.02)
        if self.fails:
            raise TeacherError("no")
        return [Completion(str(i), tokens=1) for i in range(request.n)]


def test_of_equal_requests_one_that_is_cancelled_leaves_the_other_its_answer(tmp_path):
    async def go():
        teacher = Slow()
        journal = JournaledTeacher(teacher, tmp_path / "j")
        first, second = (asyncio.create_task(journal.complete(ASK)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        answers = await second
        assert first.cancelled() or first.cancelling()
        await journal.close()
        return teacher.asked, [a.text for a in answers]

    assert asyncio.run(go()) == (2, ["0", "1", "2", "3"])


def test_equal_requests_fail_together(tmp_path):
    async def go():
        teacher = Slow(fails=True)
        journal = JournaledTeacher(teacher, tmp_path / "j")
        errors = await asyncio.gather(
            *(journal.complete(ASK) for _ in range(3)), return_exceptions=True
        )
        await journal.close()
        return teacher.asked, [str(e) for e in errors]

    assert asyncio.run(go()) == (1, ["no"] * 3)


def test_overlapping_requests_agree_on_the_samples_they_share(endpoint, tmp_path):
    """The one that was answered first says what a sample is, in this run and later ones."""
    [first], _ = ask(tmp_path / "j", replace(ASK, n=2, first=1))
    [whole], usage = ask(tmp_path / "j", ASK)
    [again], _ = ask(tmp_path / "j", ASK)
    assert whole[1:3] == first
    assert again == whole
    assert usage.answers == 6
    assert len(endpoint.bodies) == 2
