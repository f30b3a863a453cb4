"""What the filters count as a word."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from datagen.errors import UserError

ALPHABETS = ("ascii", "unicode")
ASCII_WORD = re.compile(r"[a-z0-9]+")
WITHOUT_SPACES = ("Han", "Hiragana", "Katakana", "Bopomofo", "Thai", "Lao", "Khmer", "Myanmar")
"""Scripts that put no spaces between words. Every letter is a token, because finding the words
would need a dictionary of each language."""
BY_SYLLABLE = ("Hangul",)
"""Scripts with spaces in which a letter is a whole syllable, so that it is a token of its own."""
LETTER_IS_TOKEN = "".join(rf"\p{{{script}}}" for script in (*WITHOUT_SPACES, *BY_SYLLABLE))


def tokens(text: str, alphabet: str = "ascii") -> list[str]:
    """Return the tokens of a text.

    Args:
        text: what is split.
        alphabet: "ascii" takes runs of a-z and 0-9 in lower case, as `rouge_score` does without
            its stemmer. A text in another script has no tokens then. "unicode" takes runs of
            letters, marks and digits of any script, in lower case after NFKC. In scripts without
            spaces every letter is a token.

    Raises:
        UserError: the alphabet is unknown.

    Example:
        >>> tokens("C'est l'été, 2x!")
        ['c', 'est', 'l', 't', '2x']
        >>> tokens("L'été 你好", "unicode")
        ['l', 'été', '你', '好']
    """
    if alphabet == "ascii":
        return ASCII_WORD.findall(text.lower())
    if alphabet == "unicode":
        found: list[str] = unicode_word().findall(unicodedata.normalize("NFKC", text).lower())
        return found
    raise UserError(f"alphabet {alphabet!r}: there are {', '.join(ALPHABETS)}")


@cache
def unicode_word() -> Any:
    """Return a pattern for one token of any script."""
    import regex  # knows scripts, which `re` does not; transformers needs it as well

    # one letter, mark or digit
    word = r"[\p{L}\p{M}\p{N}]"
    one_letter = rf"[{LETTER_IS_TOKEN}&&{word}]\p{{M}}*+"
    run_of_letters = rf"[{word}--[{LETTER_IS_TOKEN}]]++"
    return regex.compile(rf"(?V1){one_letter}|{run_of_letters}")
