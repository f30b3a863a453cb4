"""Names without machine paths and credentials."""

import pytest

from datagen.records.names import public_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("hf:/home/me/models/student", "hf:student"),
        ("hf:/home/me/models/student@0a1b", "hf:student@0a1b"),
        ("~/student/", "student"),
        ("C:\\models\\student", "student"),
        ("../out/student", "student"),
        ("hf:ORG/student", "hf:ORG/student"),
        ("ORG/student", "ORG/student"),
        ("micro", "micro"),
        ("openai:a/b/c/d", "openai:a/b/c/d"),
        ("openai:m@http://me:key@host:1/v1?token=x", "openai:m@http://host:1/v1"),
    ],
)
def test_names_are_shown_without_places_and_keys(name, shown):
    assert public_name(name) == shown
