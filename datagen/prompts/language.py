"""What differs between languages besides the words: how texts are measured."""

from __future__ import annotations

from dataclasses import dataclass

from datagen.errors import UserError


@dataclass(frozen=True)
class Language:
    """How the texts of a language are measured."""

    name: str
    by_characters: bool
    """Lengths and novelty count characters instead of words."""
    shortest: int
    """Least length of an instruction, in words or characters."""
    longest: int
    """Greatest length of an instruction, in words or characters."""
    ascii_start: bool
    """Reject an instruction that starts with a character outside ASCII (Self-Instruct, released
    code)."""

    def length(self, text: str) -> int:
        """Return the length of a text, in words or in characters without white space."""
        if self.by_characters:
            return sum(not character.isspace() for character in text)
        return len(text.split())


LANGUAGES = {
    # 4 to 150 words: Self-Instruct, released code
    "en": Language("en", by_characters=False, shortest=4, longest=150, ascii_start=True),
    # a Chinese word has about one and a half to two characters
    "zh": Language("zh", by_characters=True, shortest=6, longest=300, ascii_start=False),
    # instructions of the micro-world are as short as "reverse: red blue"
    "micro": Language("micro", by_characters=False, shortest=2, longest=150, ascii_start=True),
}


def language(name: str) -> Language:
    """Return a language by its name. Raises UserError for an unknown one."""
    if name not in LANGUAGES:
        raise UserError(f"--language {name}: there are {', '.join(LANGUAGES)}")
    return LANGUAGES[name]
