"""What differs between languages besides the words: how text is measured, and what it may start
with.
"""

from __future__ import annotations

from dataclasses import dataclass

from datagen.errors import UserError


@dataclass(frozen=True)
class Language:
    """How a language is written and measured."""

    name: str
    by_characters: bool
    """Lengths and novelty count characters instead of words."""
    shortest: int
    """Least length of an instruction, in words or characters."""
    longest: int
    ascii_start: bool
    """Drop what starts with a character outside ASCII (Self-Instruct, released code)."""

    def length(self, text: str) -> int:
        return (
            sum(not character.isspace() for character in text)
            if self.by_characters
            else len(text.split())
        )


LANGUAGES = {
    "en": Language("en", by_characters=False, shortest=4, longest=150, ascii_start=True),
    "zh": Language("zh", by_characters=True, shortest=6, longest=300, ascii_start=False),
    "micro": Language("micro", by_characters=False, shortest=2, longest=150, ascii_start=True),
}


def language(name: str) -> Language:
    if name not in LANGUAGES:
        raise UserError(f"--language {name}: there are {', '.join(LANGUAGES)}")
    return LANGUAGES[name]
