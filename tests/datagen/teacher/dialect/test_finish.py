"""Why a sample ended: known words alone, and a cut text is known as cut, whatever its word."""

import pytest

from datagen.teacher.dialect.finish import finish_reason


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("max-tokens", "length"),
        ("model_length", "length"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ("content_filter", "content_filter"),
        ("SAFETY", "safety"),
        (None, "unknown"),
        ("", "unknown"),
        ("Bearer sk-1234567890", "other"),
        ("\x1b[31mstop", "other"),
        ("stop" * 100_000, "other"),
        ({"type": "stop"}, "unknown"),
        (7, "unknown"),
    ],
)
def test_only_known_words_pass(told, word):
    assert finish_reason(told) == word
