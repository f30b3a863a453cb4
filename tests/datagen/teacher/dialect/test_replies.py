"""One shape for the replies of all servers: text, thoughts, reasons to end, tokens, probabilities."""

import math
import random

import pytest

from datagen.errors import ContextExceeded, Refused, TeacherError
from datagen.teacher.base import Request, Sampling
from datagen.teacher.dialect.failure import Failure
from datagen.teacher.dialect.replies import completions

ASKED = Request((("user", "Name a red fruit, please"),), sampling=Sampling(max_tokens=50))
USAGE = {"prompt_tokens": 8, "completion_tokens": 4}


def reply(content="A cherry.", *, usage=USAGE, finish="stop", logprobs=None, **message):
    choice = {"index": 0, "finish_reason": finish, "message": {"content": content, **message}}
    return {"choices": [choice | {"logprobs": logprobs}], "usage": usage}


def one(found, request=ASKED):
    [answer] = completions(found, request, 1)
    return answer


THOUGHT = [{"type": "text", "text": "red, "}, {"type": "text", "text": "fruit"}]
CONTENTS = [
    ("A cherry.", "A cherry.", ""),
    ([{"type": "text", "text": "A "}, {"type": "text", "text": "cherry."}], "A cherry.", ""),
    ([{"type": "output_text", "text": "A cherry."}], "A cherry.", ""),
    (["A ", "cherry."], "A cherry.", ""),
    ({"type": "text", "text": {"value": "A cherry."}}, "A cherry.", ""),
    ({"parts": [{"text": "A cherry."}]}, "A cherry.", ""),
    ([{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": "A"}], "A", "red, fruit"),
    ([{"type": "thinking", "thinking": "red"}, {"type": "text", "text": "A"}], "A", "red"),
    ([{"text": "red", "thought": True}, {"text": "A"}], "A", "red"),
    ([{"type": "reasoning", "summary": [{"text": "red"}]}, "A"], "A", "red"),
    ([{"type": "refusal", "refusal": "I will not."}], "I will not.", ""),
    ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "A"}], "A", ""),
    ([], "", ""),
    ("", "", ""),
    ([None, 5, True, {"type": "text"}], "", ""),
    (5, "", ""),
]


@pytest.mark.parametrize(("content", "text", "reasoning"), CONTENTS)
def test_content_of_any_shape_is_a_text_and_a_thought(content, text, reasoning):
    answer = one(reply(content))
    assert (answer.text, answer.reasoning) == (text, reasoning)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_a_thought_in_a_field_of_its_own(field):
    assert one(reply(**{field: "red"})).reasoning == "red"
    details = [{"type": "reasoning.text", "text": "red"}]
    assert one(reply(reasoning_details=details)).reasoning == "red"


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("eos", "stop"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ({"type": "stop"}, "stop"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("MAX_TOKENS", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        (None, "unknown"),
        (7, "unknown"),
    ],
)
def test_the_reason_to_end_is_said_in_our_words(word, ours):
    assert one(reply(finish=word)).finish_reason == ours


def test_an_answer_of_full_length_without_a_reason_counts_as_cut_off():
    usage = USAGE | {"completion_tokens": 50}
    assert one(reply(finish=None, usage=usage)).finish_reason == "length"
    assert one(reply(finish="stop", usage=usage)).finish_reason == "stop"


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "many",
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": -8, "completion_tokens": -4},
        {"prompt_tokens": 10**30, "completion_tokens": 10**30},
        {"prompt_tokens": 1e30, "completion_tokens": math.inf},
        {"prompt_tokens": math.nan, "completion_tokens": math.nan},
        {"prompt_tokens": True, "completion_tokens": False},
        {"prompt_tokens": "eight", "completion_tokens": "9" * 400},
        {"prompt_tokens": [8], "completion_tokens": {"n": 4}},
    ],
)
def test_a_count_that_is_missing_or_impossible_is_estimated(usage):
    answer = one(reply("twelve bytes", usage=usage))
    # 12 bytes of answer and 24 of prompt, four to a token
    assert (answer.tokens, answer.prompt_tokens, answer.estimated) == (3, 6, True)


@pytest.mark.parametrize(
    "usage",
    [
        USAGE,
        {"prompt_tokens": "8", "completion_tokens": "4"},
        {"prompt_tokens": 8.0, "completion_tokens": 4.0},
        {"input_tokens": 8, "output_tokens": 4},
    ],
)
def test_a_count_is_read_in_every_way_that_it_is_written(usage):
    answer = one(reply(usage=usage))
    assert (answer.tokens, answer.prompt_tokens, answer.estimated) == (4, 8, False)


def test_only_the_count_that_is_missing_is_estimated():
    answer = one(reply("twelve bytes", usage={"prompt_tokens": 8}))
    assert (answer.tokens, answer.prompt_tokens, answer.estimated) == (3, 8, True)


def test_an_empty_answer_has_no_tokens():
    assert not one(reply("", usage={"prompt_tokens": 8, "completion_tokens": 0})).estimated


def test_cached_tokens_are_a_part_of_the_prompt():
    for cached, ours in [(5, 5), (99, 8), (-1, 0), (None, 0), ("x", 0), (10**30, 0)]:
        usage = USAGE | {"prompt_tokens_details": {"cached_tokens": cached}}
        assert one(reply(usage=usage)).cached_tokens == ours
    assert one(reply(usage=USAGE | {"prompt_tokens_details": [1]})).cached_tokens == 0


def test_surplus_choices_are_left_out_but_paid_for():
    found = reply(usage={"prompt_tokens": 8, "completion_tokens": 13})
    found["choices"] = [found["choices"][0] | {"index": i} for i in (2, 0, 1)]
    answers = completions(found, ASKED, 2)
    assert [answer.tokens for answer in answers] == [7, 6]
    assert [answer.prompt_tokens for answer in answers] == [8, 0]


def test_choices_stand_in_the_order_of_their_index():
    choices = [reply(str(i))["choices"][0] | {"index": i} for i in (1, 0)]
    assert [a.text for a in completions({"choices": choices}, ASKED, 2)] == ["0", "1"]
    for choice in choices:
        choice["index"] = None
    assert [a.text for a in completions({"choices": choices}, ASKED, 2)] == ["1", "0"]


STOPPING = Request("Q: 1 + 1?\nA:", sampling=Sampling(stop=("\nQ:", "###")))


def test_a_stop_string_that_the_server_did_not_apply_is_applied():
    assert one(reply(" 2.\nQ: 2 + 2?\nA: 4.", finish="length"), STOPPING).text == " 2."
    assert one(reply(" 2.\nQ: 2 + 2?", finish="length"), STOPPING).finish_reason == "stop"
    assert one(reply(" 2 ### 3\nQ:"), STOPPING).text == " 2 "
    untouched = one(reply(" 2. Q: none", finish="length"), STOPPING)
    assert (untouched.text, untouched.finish_reason) == (" 2. Q: none", "length")


def tokens(*pairs):
    return {"content": [{"token": token, "logprob": value} for token, value in pairs]}


def test_the_mean_is_over_the_tokens_before_the_stop_string():
    logprobs = tokens((" 2", -0.5), (".", -1.5), ("\nQ:", -8.0), (" 3", -9.0))
    assert one(reply(" 2.\nQ: 3", logprobs=logprobs), STOPPING).mean_logprob == -1.0
    assert one(reply(" 2.\nQ: 3", logprobs=logprobs)).mean_logprob == -4.75
    text = {"tokens": [" 2", ".", "###"], "token_logprobs": [None, -1.5, -7.0]}
    assert one(reply(" 2.###", logprobs=text), STOPPING).mean_logprob == -1.5


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {},
        [],
        "x",
        {"content": []},
        {"content": "abc"},
        {"content": [{"token": "a"}]},
        tokens(("a", -1.0), ("b", math.nan)),
        tokens(("a", -math.inf)),
        tokens(("a", 3.0)),
        tokens(("a", "-1")),
        {"token_logprobs": [None, None]},
    ],
)
def test_a_probability_that_is_none_is_not_known(logprobs):
    assert one(reply(logprobs=logprobs)).mean_logprob is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"choices": []}, "a reply without choices"),
        ({"choices": None}, "a reply without choices"),
        ({"choices": "x"}, "a reply without choices"),
        ({}, "a reply without choices"),
        ({"message": {"role": "assistant", "content": "7"}}, "a reply without choices"),
        ({"detail": "Not signed in"}, "a reply without choices: Not signed in"),
        ({"choices": [{"message": {"content": None}}]}, "a reply with null content"),
        ({"choices": [{"message": None}]}, "a reply with null content"),
        (reply("half of", finish="error"), "a reply with null content"),
        ([], "the reply is no JSON object"),
        ("x", "the reply is no JSON object"),
        ({"error": {"message": "Slow down", "code": 429}}, "429 Slow down"),
        ({"error": {"message": "Try later", "code": 503}}, "503 Try later"),
        ({"error": "Try later"}, "500 Try later"),
        ({"choices": [{"error": {"code": 502, "message": "Gone"}}]}, "502 Gone"),
    ],
)
def test_a_reply_without_an_answer_says_why_and_is_asked_for_again(body, said):
    with pytest.raises(Failure) as failure:
        completions(body, ASKED, 1)
    assert str(failure.value) == said


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ({"error": {"message": "Flagged", "code": 403}}, Refused, "403 Flagged"),
        ({"object": "error", "message": "Bad", "code": 400}, Refused, "400 Bad"),
        ({"error": {"message": "Bad", "type": "invalid_request_error"}}, Refused, "400 Bad"),
        (
            {"error": {"message": "maximum context length is 8", "code": 400}},
            ContextExceeded,
            "400 maximum context length is 8",
        ),
    ],
)
def test_an_error_with_status_200_that_will_not_pass_is_a_refusal(body, kind, said):
    with pytest.raises(kind) as error:
        completions(body, ASKED, 1)
    assert str(error.value) == said


def test_an_answer_beside_an_empty_error_counts():
    assert one(reply() | {"error": None}).text == "A cherry."
    assert one(reply() | {"error": {}}).text == "A cherry."


def test_half_of_a_surrogate_pair_is_replaced():
    assert one(reply("a \ud83d b")).text == "a \ufffd b"
    assert one(reply(reasoning="a \ud83d b")).reasoning == "a \ufffd b"


NAMES = ["choices", "message", "content", "text", "usage", "completion_tokens", "logprobs", "token"]
NAMES += ["logprob", "tokens", "finish_reason", "error", "code", "type", "index", "reasoning"]
ODD = [None, True, 0, -1, 10**30, 1.5, math.nan, -math.inf, "", "x", "\ud800", "Q:", [], {}, 403]


def distorted(value, rng, depth=0):
    """A JSON value with random other values in some places."""
    if rng.random() < 0.12:
        inner = [[rng.choice(ODD)], {rng.choice(NAMES): rng.choice(ODD)}]
        return rng.choice([*ODD, *inner])
    if isinstance(value, list):
        return [distorted(part, rng) for part in value]
    if isinstance(value, dict):
        extra = {rng.choice(NAMES): rng.choice(ODD)} if rng.random() < 0.1 else {}
        return {key: distorted(part, rng) for key, part in value.items()} | extra
    return value


def test_a_reply_of_any_shape_is_an_answer_or_an_error_of_ours():
    rng = random.Random(7)
    request = Request("Q: 1 + 1?", n=2, sampling=Sampling(stop=("Q:",)))
    logprobs = {"content": [{"token": "2", "logprob": -1.0}, {"token": " Q:", "logprob": -2.0}]}
    answers = 0
    for _ in range(4000):
        body = distorted(reply([{"type": "text", "text": "2 Q: 3"}], logprobs=logprobs), rng)
        try:
            found = completions(body, request, 2)
        except (Failure, TeacherError):
            continue
        answers += len(found)
        for answer in found:
            assert "Q:" not in answer.text
            assert answer.text.encode() is not None
            assert 0 <= answer.cached_tokens <= answer.prompt_tokens <= 10**7
            assert 0 <= answer.tokens <= 10**7
            assert answer.mean_logprob is None or answer.mean_logprob <= 0.01
    assert 1000 < answers < 4000
