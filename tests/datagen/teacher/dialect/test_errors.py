"""The message in an error body of any shape, and what its code stands for."""

import json

import pytest

from datagen.errors import ContextExceeded, Refused
from datagen.teacher.dialect.errors import error_message, is_retryable, refusal, status_of

SHAPES = {
    '{"error": {"message": "no room"}}': "no room",
    '{"error": "no room"}': "no room",
    '{"message": "no room"}': "no room",
    '{"detail": "no room"}': "no room",
    '{"detail": {"error": {"message": "no room"}}}': "no room",
    '{"errors": [{"message": "no room"}, {"message": "no time"}]}': "no room; no time",
    '[{"error": {"code": 400, "message": "no room"}}]': "no room",
    '{"error": {"message": ""}, "detail": "no room"}': "no room",
    '{"error": true, "msg": "no room"}': "no room",
    '{"fault": {"faultstring": "no room"}}': "no room",
    '{"type": "about:blank", "title": "no room", "status": 400}': "no room",
    '{"error": {"code": "no_room"}}': "no_room",
    '{"error": {"message": "{\\"error\\": {\\"message\\": \\"no room\\"}}"}}': "no room",
    '{"error": {"message": "failed", "metadata": {"raw": "no room"}}}': "failed: no room",
    '{"error": {"message": "no room", "param": "seats"}}': "no room (param: seats)",
    '{"detail": [{"loc": ["body", "a", 0], "msg": "no room"}]}': "a.0: no room",
    '{"error": {"message": "no\\n  room"}}': "no room",
    '{"error": {"message": "no\\u001b[31mroom"}}': "no\\x1b[31mroom",
    "no room": "no room",
    "": "without a reason",
    "{}": "without a reason",
    "[[[[": "[[[[",
    "<html><head><title>No &amp; room</title></head></html>": 'a web page ("No & room")',
    "<!DOCTYPE html>\n<body><h1>No room</h1>": 'a web page ("No room")',
    "<html></html>": "a web page",
}


@pytest.mark.parametrize(("body", "message"), SHAPES.items())
def test_the_message_of_a_body(body, message):
    assert error_message(body.encode()) == message


def test_a_body_of_any_depth_and_size_has_a_message():
    assert error_message(b'{"error":' * 50_000)
    assert error_message(json.dumps({"error": [[[["x"] * 9] * 9] * 9] * 9}).encode())
    assert len(error_message(b"\xff" * 10**6)) <= 100_000


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 403}, 403),
        ({"code": "429"}, 429),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"status": "RESOURCE_EXHAUSTED"}, 429),
        ({"code": None, "type": "overloaded_error"}, 500),
        ({"type": "BadRequestError"}, 400),
        ({"code": "content_filter"}, 400),
        ({"code": "insufficient_quota"}, 402),
        ({"code": 7, "message": "?"}, 500),
        ({"code": "9" * 400}, 500),
        ("text", 500),
    ],
)
def test_an_error_object_stands_for_a_status(error, status):
    assert status_of(error) == status


def test_what_may_pass_and_what_will_not():
    assert is_retryable(503, b"busy")
    assert is_retryable(500, b"oops")
    assert not is_retryable(501, b"not implemented")
    assert not is_retryable(500, b"chat() got an unexpected keyword argument 'seed'")
    assert not is_retryable(429, b'{"error": {"code": "insufficient_quota"}}')
    assert not is_retryable(400, b"")


@pytest.mark.parametrize(
    "words",
    ["prompt is too long: 9 tokens", "The input token count exceeds 8", "reduce the length of it"],
)
def test_a_text_that_is_too_long_is_an_error_of_its_own(words):
    assert type(refusal(400, words, words.encode())) is ContextExceeded
    assert type(refusal(400, "bad", b"bad")) is Refused
