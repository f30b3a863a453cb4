"""What a teacher's terms say about training other models on its outputs.

This is a reminder, not legal advice. Terms change, so each entry names its source. A teacher that
is not listed may still have terms that forbid training.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Terms:
    """A rule, and the teachers that it applies to."""

    pattern: str
    """Regular expression that the teacher's licence, name or identity matches, in lower case."""
    says: str
    """What the terms do: the end of a sentence that begins with "the terms of NAME"."""
    source: str
    """The document and its section."""


FORBIDS = "forbid to improve other language models with its outputs"
COMPETES = "forbid to develop competing models with its outputs"
# the first pattern must not match Llama 3.1 and later: these have other terms
KNOWN = (
    Terms(r"llama-?[23](?![.\d])", FORBIDS, "Llama 2 and Llama 3 Community License, section 1.b.v"),
    Terms(
        r"llama-?3\.[123]",
        "ask that a model trained on its outputs has a name that begins with Llama, and shows "
        "'Built with Llama'",
        "Llama 3.1, 3.2 and 3.3 Community License, section 1.b.i",
    ),
    Terms(r"hunyuan", FORBIDS, "Tencent Hunyuan Community License Agreement, section 5.b"),
    Terms(
        r"\bgemma\b(?!-?[4-9])",
        "count a model trained on its outputs to perform like it as a derivative of Gemma, "
        "under the same terms",
        "Gemma Terms of Use (of Gemma 1 to 3), section 1.1(e)",
    ),
    Terms(
        r"api\.openai\.com|\bgpt-(3\.5|4|5)",
        COMPETES,
        "OpenAI Terms of Use, section What you cannot do",
    ),
    Terms(
        r"api\.anthropic\.com|\bclaude\b",
        COMPETES,
        "Anthropic Commercial Terms of Service, use restrictions",
    ),
    Terms(
        r"generativelanguage\.googleapis\.com|\bgemini\b",
        COMPETES,
        "Gemini API Additional Terms of Service",
    ),
    Terms(r"cc-by-nc", "allow no commercial use", "Creative Commons NonCommercial licences"),
)


def license_warnings(teacher: dict[str, Any]) -> list[str]:
    """Return one sentence for every rule that may apply to models trained on a teacher's outputs.

    Args:
        teacher: its `name`, and if known its `license` and `identity`.
    """
    about = " ".join(str(teacher.get(key) or "").lower() for key in ("license", "name", "identity"))
    return [
        f"the terms of {teacher['name']} {terms.says} ({terms.source})"
        for terms in KNOWN
        if re.search(terms.pattern, about)
    ]
