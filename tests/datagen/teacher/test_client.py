"""A teacher asked from plain Python: in a script, in a running event loop, from many threads."""

import asyncio
import gc
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from datagen.errors import ContextExceeded, Unavailable, UserError
from datagen.teacher import Request, Sampling, connect
from datagen.teacher.client import TeacherClient
from datagen.teacher.endpoint.throttle import Patience
from tests.datagen.endpoint import Endpoint, Served

QUESTION = "What is 3 plus 4?"


@pytest.fixture
def endpoint(monkeypatch):
    endpoint = Endpoint()
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "test-key")
        yield endpoint


def asked_directly(spec, request):
    async def go():
        teacher = connect(spec)
        try:
            return await teacher.complete(request)
        finally:
            await teacher.close()

    return asyncio.run(go())


def test_the_answers_are_those_of_the_seam(endpoint):
    sampling = Sampling(temperature=0.5, top_p=0.9, max_tokens=50, stop=("\n\n",), seed=7)
    request = Request((("user", QUESTION),), n=3, sampling=sampling)
    expected = asked_directly("openai:arith", request)
    settings = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 50, "stop": ["\n\n"], "seed": 7}
    with TeacherClient.connect("openai:arith") as teacher:
        assert teacher.ask(QUESTION, samples=3, **settings) == expected
        turns = [{"role": "user", "content": QUESTION}]
        assert teacher.ask(turns, samples=3, **settings) == expected
        assert endpoint.bodies[0] == endpoint.bodies[1] == endpoint.bodies[2]
        teacher.ask(QUESTION, prompt_style="plain")
        assert endpoint.bodies[3]["prompt"] == QUESTION


def test_the_embedded_teacher_answers_and_scores():
    request = Request((("user", QUESTION),), n=2, sampling=Sampling(max_tokens=12, seed=1))
    expected = asked_directly("micro", request)
    with TeacherClient.connect("micro") as teacher:
        assert teacher.identity().startswith("micro@")
        assert teacher.ask(QUESTION, samples=2, max_tokens=12, seed=1) == expected
        scores = teacher.score(QUESTION, "The answer is 7.")
        assert len(scores) > 1
        assert all(score <= 0 for score in scores)
        assert teacher.capabilities.topk


def test_it_works_where_a_loop_is_running(endpoint):
    """As in a notebook: the plain methods and the awaited ones, beside one another."""

    async def cell():
        with TeacherClient.connect("openai:arith") as teacher:
            plain = teacher.ask(QUESTION, samples=2)
            awaited = await asyncio.gather(*(teacher.aask(QUESTION, samples=2) for _ in range(3)))
            assert awaited == [plain] * 3
        async with TeacherClient.connect("micro") as teacher:
            assert teacher.score(QUESTION, " 7") == await teacher.ascore(QUESTION, " 7")
        return plain

    assert len(asyncio.run(cell())) == 2


def test_it_works_in_a_script(endpoint):
    """Also one that forgets to close it: the process ends all the same."""
    script = (
        "from datagen.teacher.client import TeacherClient\n"
        f"print(TeacherClient.connect('openai:arith').ask({QUESTION!r})[0].text)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "The answer is" in done.stdout


def test_many_threads_share_a_client(endpoint):
    endpoint.latency = 0.05
    questions = [f"What is {n} plus 4?" for n in range(20)]
    with TeacherClient.connect("openai:arith") as teacher:
        with ThreadPoolExecutor(10) as pool:
            together = list(pool.map(teacher.ask, questions))
        assert endpoint.most_in_flight > 5
        assert together == [teacher.ask(question) for question in questions]


def test_errors_come_as_they_are(endpoint, tiny_model):
    with TeacherClient.connect("openai:none") as teacher:
        with pytest.raises(UserError, match="has no model 'none'"):
            teacher.ask(QUESTION)
        with pytest.raises(UserError, match="a prompt is a text, or a list of turns"):
            teacher.ask([{"text": QUESTION}])
    with (
        TeacherClient.connect(f"hf:{tiny_model}") as teacher,
        pytest.raises(ContextExceeded, match="the context of"),
    ):
        teacher.ask("x" * 200, prompt_style="plain")
    endpoint.faults = ["500"] * 9
    patience = Patience(request_s=0.01)
    with (
        TeacherClient.connect("openai:arith", patience=patience) as teacher,
        pytest.raises(Unavailable, match="no answer after"),
    ):
        teacher.ask(QUESTION)
    with pytest.raises(UserError, match="unknown teacher 'gpt'"):
        TeacherClient.connect("gpt")


def test_a_teacher_that_was_not_there_is_opened_by_the_next_call(endpoint, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with TeacherClient.connect("openai:arith") as teacher:
        with pytest.raises(UserError, match="OPENAI_API_KEY is not set"):
            teacher.ask(QUESTION)
        monkeypatch.setenv("OPENAI_API_KEY", "test-key")
        assert teacher.ask(QUESTION)


def test_a_closed_client_says_so(endpoint):
    teacher = TeacherClient.connect("openai:arith")
    assert repr(teacher) == "TeacherClient('openai:arith')"
    teacher.close()
    teacher.close()
    with pytest.raises(UserError, match="is closed: connect again"):
        teacher.ask(QUESTION)


def test_a_client_that_nobody_holds_ends_its_thread(endpoint):
    before = threading.active_count()
    teacher = TeacherClient.connect("openai:arith")
    teacher.ask(QUESTION)
    assert threading.active_count() > before
    del teacher
    gc.collect()
    assert threading.active_count() == before
