"""vLLM for real, on CPU where there is no GPU: `make test-vllm`. The transformers engine is the reference."""

import asyncio

import pytest

from datagen.errors import UserError
from datagen.microworld import WEIGHTS
from datagen.microworld.problems import problems
from datagen.microworld.prompts import RATIONALE_SUFFIX
from datagen.teacher import Request, Sampling, TeacherError, connect
from datagen.teacher.vllm import read_arguments

TEACHER = WEIGHTS / "teacher"
PROMPTS = [(("user", problem.question + RATIONALE_SUFFIX),) for problem in problems("test", 16)]


def test_arguments_are_read_like_json_and_else_as_text():
    assert read_arguments("max_model_len=512&dtype=bfloat16&enforce_eager=true&lora=a/b") == {
        "max_model_len": 512,
        "dtype": "bfloat16",
        "enforce_eager": True,
        "lora": "a/b",
    }
    with pytest.raises(UserError, match="write NAME=VALUE"):
        read_arguments("max_model_len")


def test_without_vllm_the_error_says_what_to_install():
    try:
        import vllm  # noqa: F401
    except ImportError:
        with pytest.raises(UserError, match=r"pip install 'emergent-distill\[vllm\]'"):
            asyncio.run(connect(f"vllm:{TEACHER}").check())
    else:
        pytest.skip("vLLM is installed")


@pytest.fixture(scope="module")
def engines():
    """One event loop for the module: the engine lives in it."""
    pytest.importorskip("vllm")
    loop = asyncio.new_event_loop()
    ours = connect(f"vllm:{TEACHER}?dtype=float32&max_model_len=512&enforce_eager=true")
    reference = connect(f"hf:{TEACHER}")
    yield loop, ours, reference
    loop.run_until_complete(ours.close())
    loop.run_until_complete(reference.close())
    loop.close()


def complete(engines, which: int, prompts, sampling: Sampling, n: int = 1, first: int = 0):
    async def ask():
        requests = [Request(prompt, n=n, first=first, sampling=sampling) for prompt in prompts]
        return await asyncio.gather(*(engines[which].complete(request) for request in requests))

    return engines[0].run_until_complete(ask())


@pytest.mark.vllm
def test_greedy_texts_are_those_of_transformers(engines):
    sampling = Sampling(temperature=0, max_tokens=200, logprobs=True)
    ours, reference = (complete(engines, which, PROMPTS, sampling) for which in (1, 2))
    same = [a[0].text == b[0].text for a, b in zip(ours, reference, strict=True)]
    assert sum(same) >= 14  # a tie between two tokens may fall either way
    for (a,), (b,), equal in zip(ours, reference, same, strict=True):
        if equal:
            assert (a.tokens, a.prompt_tokens, a.finish_reason) == (b.tokens, b.prompt_tokens, b.finish_reason)
            assert a.mean_logprob == pytest.approx(b.mean_logprob, abs=2e-3)


@pytest.mark.vllm
def test_samples_differ_repeat_and_do_not_depend_on_the_cut(engines):
    sampling = Sampling(temperature=1.0, max_tokens=60, seed=3)
    whole = [[c.text for c in answers] for answers in complete(engines, 1, PROMPTS[:4], sampling, n=6)]
    again = [[c.text for c in answers] for answers in complete(engines, 1, PROMPTS[:4], sampling, n=6)]
    rest = [[c.text for c in answers] for answers in complete(engines, 1, PROMPTS[:4], sampling, n=2, first=4)]
    assert whole == again
    assert [texts[4:] for texts in whole] == rest
    assert all(len(set(texts)) > 1 for texts in whole)


@pytest.mark.vllm
def test_stop_strings_and_lengths(engines):
    (stopped,) = complete(engines, 1, PROMPTS[:1], Sampling(temperature=0, max_tokens=200, stop=(".",)))[0]
    (reference,) = complete(engines, 2, PROMPTS[:1], Sampling(temperature=0, max_tokens=200, stop=(".",)))[0]
    assert (stopped.text, stopped.finish_reason) == (reference.text, "stop")
    (cut,) = complete(engines, 1, PROMPTS[:1], Sampling(temperature=0, max_tokens=3))[0]
    assert (cut.tokens, cut.finish_reason) == (3, "length")
    with pytest.raises(TeacherError, match="the context of vllm"):
        complete(engines, 1, ["word " * 2000], Sampling())


@pytest.mark.vllm
def test_scores_are_those_of_transformers(engines):
    async def scores(which):
        return await asyncio.gather(*(engines[which].score(p, "Tom has 12 apples.") for p in PROMPTS[:5]))

    for ours, reference in zip(*(engines[0].run_until_complete(scores(i)) for i in (1, 2)), strict=True):
        assert ours == pytest.approx(reference, abs=5e-3)


@pytest.mark.vllm
def test_a_cancelled_request_leaves_the_engine_free(engines):
    async def cancel():
        request = Request(PROMPTS[0], n=8, sampling=Sampling(temperature=1.0, max_tokens=400))
        task = asyncio.create_task(engines[1].complete(request))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return engines[1]._engine.output_processor.has_unfinished_requests()

    assert engines[0].run_until_complete(cancel()) is False
