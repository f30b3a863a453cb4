"""The transformers engine: against plain unbatched loops over the same model."""

import asyncio
import json
import random
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from datagen.errors import UserError
from datagen.teacher import Request, Sampling, TeacherError
from datagen.teacher.local.decode import nucleus
from datagen.teacher.local.hf import HfTeacher

PROMPTS = ["a", "Tom has 3 apples.", "What is the sum of 12 and 30, and of 4?", "b c d"]


@pytest.fixture(scope="module")
def reference(tiny_model):
    return AutoModelForCausalLM.from_pretrained(tiny_model).eval(), AutoTokenizer.from_pretrained(
        tiny_model
    )


def ask(folder, requests, **kwargs):
    async def go():
        teacher = HfTeacher(str(folder), name="tiny", **kwargs)
        try:
            return await asyncio.gather(*(teacher.complete(r) for r in requests))
        finally:
            await teacher.close()

    return asyncio.run(go())


def greedy_loop(model, tokenizer, prompt, steps):
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    start = ids.shape[1]
    for _ in range(steps):
        token = model(ids).logits[0, -1].argmax()
        if token == tokenizer.eos_token_id:
            break
        ids = torch.cat([ids, token[None, None]], dim=1)
    return tokenizer.decode(ids[0, start:], skip_special_tokens=True)


def test_greedy_batches_equal_a_plain_loop(tiny_model, reference):
    requests = [Request(p, n=2, sampling=Sampling(temperature=0, max_tokens=20)) for p in PROMPTS]
    for prompt, answers in zip(PROMPTS, ask(tiny_model, requests), strict=True):
        assert [a.text for a in answers] == [greedy_loop(*reference, prompt, 20)] * 2


def test_samples_depend_neither_on_order_nor_on_batch_nor_on_how_many_are_drawn(tiny_model):
    def request(prompt, n=4, first=0):
        return Request(
            prompt, n=n, first=first, sampling=Sampling(temperature=1, max_tokens=12, seed=3)
        )

    together = ask(tiny_model, [request(p) for p in PROMPTS])
    texts = {p: [a.text for a in answers] for p, answers in zip(PROMPTS, together, strict=True)}
    assert len({text for found in texts.values() for text in found}) > 8
    order = PROMPTS[::-1]
    backwards = ask(tiny_model, [request(p) for p in order], batch_rows=5)
    assert {
        p: [a.text for a in answers] for p, answers in zip(order, backwards, strict=True)
    } == texts
    [[third]] = ask(tiny_model, [request(PROMPTS[1], n=1, first=2)])
    assert third.text == texts[PROMPTS[1]][2]


def test_first_token_frequencies_follow_the_model(tiny_model, reference):
    model, tokenizer = reference
    temperature, draws = 1.5, 4000
    probs = (
        model(tokenizer("Tom", return_tensors="pt").input_ids).logits[0, -1] / temperature
    ).softmax(-1)
    request = Request(
        "Tom", n=draws, sampling=Sampling(temperature=temperature, max_tokens=1, seed=1)
    )
    [answers] = ask(tiny_model, [request], batch_rows=draws)
    for token in probs.topk(5).indices.tolist():
        text = tokenizer.decode([token], skip_special_tokens=True)
        same = sum(
            p
            for t, p in enumerate(probs.tolist())
            if tokenizer.decode([t], skip_special_tokens=True) == text
        )
        share = sum(a.text == text for a in answers) / draws
        assert abs(share - same) < 4 * (same * (1 - same) / draws) ** 0.5 + 1e-9


def test_score_equals_one_forward_at_a_time(tiny_model, reference):
    model, tokenizer = reference
    pairs = [(p, " and more" * k) for k, p in enumerate(PROMPTS, 1)]

    async def go():
        teacher = HfTeacher(str(tiny_model), name="tiny")
        return await asyncio.gather(*(teacher.score(p, c) for p, c in pairs))

    for (prompt, continuation), scores in zip(pairs, asyncio.run(go()), strict=True):
        ids, more = tokenizer(prompt).input_ids, tokenizer(continuation).input_ids
        expected = []
        for token in more:
            expected.append(model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[token].item())
            ids = [*ids, token]
        assert scores == pytest.approx(expected, abs=1e-4)


def test_mean_logprob_is_that_of_the_sampled_tokens(tiny_model):
    async def go():
        teacher = HfTeacher(str(tiny_model), name="tiny")
        request = Request("Tom has", sampling=Sampling(temperature=0, max_tokens=8))
        [answer] = await teacher.complete(request)
        return answer, await teacher.score("Tom has", answer.text)

    answer, scores = asyncio.run(go())
    if answer.finish_reason == "length" and answer.tokens == len(
        scores
    ):  # the text maps back to the same tokens
        assert answer.mean_logprob == pytest.approx(sum(scores) / len(scores), abs=1e-4)
    assert answer.tokens <= 8


def test_stop_strings_cut_the_text(tiny_model, reference):
    whole = greedy_loop(*reference, "a", 20)
    stop = whole[3:5]
    request = Request("a", sampling=Sampling(temperature=0, max_tokens=20, stop=(stop,)))
    [[answer]] = ask(tiny_model, [request])
    assert answer.text == whole[: whole.index(stop)]
    assert answer.finish_reason == "stop"


def test_a_text_that_reaches_the_limit_says_so(tiny_model):
    [[answer]] = ask(
        tiny_model, [Request("Tom has 3", sampling=Sampling(temperature=0, max_tokens=2))]
    )
    assert (answer.finish_reason, answer.tokens) == ("length", 2)


def test_nucleus_keeps_the_fewest_tokens_that_reach_top_p():
    rng = random.Random(0)
    for _ in range(50):
        weights = [rng.random() ** 4 for _ in range(9)]
        probs = [w / sum(weights) for w in weights]
        top_p, mass, expected = rng.random(), 0.0, [0.0] * 9
        for i in sorted(range(9), key=lambda i: -probs[i]):
            if mass >= top_p:
                break
            expected[i] = probs[i]
            mass += probs[i]
        assert nucleus(torch.tensor([probs]), top_p)[0].tolist() == pytest.approx(expected)


def test_a_prompt_longer_than_the_context_fails_alone(tiny_model):
    with pytest.raises(TeacherError, match="the context of tiny is 128"):
        ask(tiny_model, [Request("x" * 200)])


def test_a_model_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no model at"):
        ask(tmp_path / "nowhere", [Request("a")])
    with pytest.raises(UserError, match="cannot open the model"):
        ask(tmp_path, [Request("a")])


def test_many_tasks_at_once_open_the_model_once(tiny_model, monkeypatch):
    teacher, opened = HfTeacher(str(tiny_model), name="tiny"), []
    original = teacher._open
    monkeypatch.setattr(teacher, "_open", lambda: (opened.append(1), original()))

    async def go():
        await asyncio.gather(*(teacher.open() for _ in range(8)))

    asyncio.run(go())
    assert opened == [1]


@pytest.mark.parametrize("as_list", [True, False])
def test_every_end_token_of_the_generation_config_ends_a_text(
    tiny_model, reference, tmp_path, as_list
):
    """Llama 3, Gemma and Qwen have an end of turn there that the tokenizer does not call its end
    token."""
    model, tokenizer = reference
    prompt = PROMPTS[1]
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    tokens = model.generate(ids, do_sample=False, max_new_tokens=12)[0, ids.shape[1] :].tolist()
    # a token that the model writes soon, and not at once
    place = next(i for i in range(2, len(tokens)) if tokens[i] not in tokens[:i])
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((folder / "generation_config.json").read_text())
    ends = [tokenizer.eos_token_id, tokens[place]] if as_list else tokens[place]
    (folder / "generation_config.json").write_text(json.dumps(config | {"eos_token_id": ends}))
    request = Request(prompt, sampling=Sampling(temperature=0, max_tokens=12))
    [[answer]] = ask(folder, [request])
    assert answer.finish_reason == "stop"
    assert answer.tokens == place + 1
