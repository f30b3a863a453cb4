"""Which field a refusal blames, in the words of many servers, and what a request becomes then."""

import json

import pytest

from datagen.errors import Refused, UserError
from datagen.teacher.dialect.errors import error_message
from datagen.teacher.dialect.fields import Terms

SYSTEM = {"role": "system", "content": "Reply in verse."}
USER = {"role": "user", "content": "Why is the sea salty?"}
BODY = {
    "model": "m",
    "n": 3,
    "temperature": 0.4,
    "top_p": 0.8,
    "max_tokens": 9,
    "seed": 11,
    "stop": ["\n\n"],
    "messages": [SYSTEM, USER],
}


def openai(message, **more):
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


def pydantic(*place, message="Extra inputs are not permitted"):
    return {"detail": [{"type": "extra_forbidden", "loc": ["body", *place], "msg": message}]}


BLAMED = [
    (openai("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'."), "max_tokens"),
    (openai("max_tokens is deprecated, use max_completion_tokens"), "max_tokens"),
    (openai("This is not supported.", param="max_tokens"), "max_tokens"),
    (openai("'temperature' does not support 0.4. Only the default (1) is."), "temperature"),
    (openai("invalid temperature: only 1 is allowed for this model"), "temperature"),
    (openai("`temperature` may only be set to 1 when thinking is enabled"), "temperature"),
    (openai("temperature and top_p cannot both be given"), "top_p"),
    (pydantic("seed"), "seed"),
    ({"object": "error", "message": pydantic("seed"), "type": "x"}, "seed"),
    ({"object": "error", "message": str(pydantic("seed")["detail"]), "code": 400}, "seed"),
    ({"message": "1 validation error for Ask\nseed\n  Extra inputs are not permitted"}, "seed"),
    ({"message": "1 validation error\nbody -> seed\n  extra fields not permitted"}, "seed"),
    ([{"error": {"code": 400, "message": 'Unknown name "seed": Cannot find field.'}}], "seed"),
    (openai("Unrecognized request argument supplied: seed"), "seed"),
    ({"message": 'Bad request: json: unknown field "seed"'}, "seed"),
    ({"error": "extraneous key [seed] is not permitted"}, "seed"),
    ({"error": "make() got an unexpected keyword argument 'seed'"}, "seed"),
    (openai("Unknown parameter 'seed'. Allowed parameters: 'n', 'stop', 'top_p'"), "seed"),
    ({"error": "unknown field `seed`, expected one of `n`, `stop`, `temperature`"}, "seed"),
    (openai("Provider failed", metadata={"raw": json.dumps(pydantic("seed"))}), "seed"),
    (openai("'n' : number must be at most 1", param="n"), "n"),
    ({"message": "This model doesn't support the n field."}, "n"),
    (openai("Multiple candidates is not enabled for this model"), "n"),
    (openai("Invalid 'stop': array too long. Expected at most 4."), "stop"),
    ({"error": "Argument not supported on this model: stop"}, "stop"),
    (openai("Conversation roles must alternate user/assistant/user/..."), "system"),
    (openai("System role not supported"), "system"),
    (openai("Developer instruction is not enabled for models/x"), "system"),
    (pydantic("messages", 0, "role", message="Input should be 'user' or 'assistant'"), "system"),
]
NOT_BLAMED = [
    openai("max_tokens is too large: 99. This model supports at most 8.", param="max_tokens"),
    openai("temperature must be between 0 and 0.3", param="temperature"),
    openai("max_tokens of 99 is not supported: at most 8", param="max_tokens"),
    openai("temperature 0.4 is not supported, it must be less than 0.3", param="temperature"),
    openai("Your wish to stop the seed from growing is not allowed"),
    openai("The model `m` does not exist", code="model_not_found"),
    openai("The prompt was filtered", code="content_filter", param="prompt"),
    openai("n"),
    {"detail": "Bad Request"},
]


def refused(body, status=400):
    return Refused(f"{status} {error_message(json.dumps(body).encode())}", status=status)


@pytest.mark.parametrize(("body", "field"), BLAMED)
def test_a_refusal_blames_one_field(body, field):
    assert Terms().after(refused(body), BODY, "m").left_out == {field}


@pytest.mark.parametrize("body", NOT_BLAMED)
def test_another_refusal_blames_none(body):
    assert Terms().after(refused(body), BODY, "m") == Terms()


def test_a_field_that_was_not_sent_is_not_to_blame():
    body = {name: value for name, value in BODY.items() if name != "seed"}
    assert Terms().after(refused(pydantic("seed")), body, "m") == Terms()


def test_a_status_that_has_nothing_to_do_with_fields_is_not_searched():
    assert Terms().after(refused(pydantic("seed"), 401), BODY, "m") == Terms()


def test_two_fields_can_be_blamed_at_once():
    body = openai("UnsupportedParamsError: no support for parameters: ['temperature', 'top_p']")
    assert Terms().after(refused(body), BODY, "m").left_out == {"temperature", "top_p"}


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("logprobs", "gives no log-probabilities, which --weighted and --keep best need"),
        ("response_format", "takes no JSON schema, which --structured needs"),
    ],
)
def test_a_field_that_the_rows_need_is_not_left_out(field, said):
    error = refused(openai(f"'{field}' is not supported by this model"))
    with pytest.raises(UserError, match=f"m {said}: 400 '{field}' is not"):
        Terms().after(error, BODY | {field: True}, "m")


def test_a_request_in_all_terms_keeps_what_decides_the_answer():
    terms = Terms(frozenset({"n", "temperature", "top_p", "seed", "stop", "max_tokens", "system"}))
    assert terms.apply(BODY) == {
        "model": "m",
        "max_completion_tokens": 9,
        "messages": [{"role": "user", "content": "Reply in verse.\n\nWhy is the sea salty?"}],
    }
    assert BODY["messages"] == [SYSTEM, USER]


def test_a_system_turn_without_a_user_turn_becomes_one():
    terms = Terms(frozenset({"system"}))
    assert terms.apply({"messages": [SYSTEM]})["messages"] == [
        {"role": "user", "content": "Reply in verse."}
    ]
