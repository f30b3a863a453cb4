"""Parsing specs of teachers, such as `vllm:MODEL?lora=FOLDER`. No other module parses them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from datagen.errors import UserError
from datagen.teacher.capabilities import Capabilities

ENGINES: dict[str, Capabilities] = {
    "micro": Capabilities(score=True, topk=True, tokenizer=True, local=True, gpu=True),
    "hf": Capabilities(score=True, topk=True, tokenizer=True, local=True, gpu=True),
    "vllm": Capabilities(score=True, topk=True, tokenizer=True, local=True, gpu=True),
    "openai": Capabilities(score=True, schema=True, batch_api=True),
    "any-llm": Capabilities(schema=True),
}
"""The engines by name, each with what it can do."""
FORMS = "micro, hf:NAME_OR_PATH, vllm:NAME_OR_PATH, openai:MODEL or any-llm:PROVIDER/MODEL"
"""How the specs of the engines are written, for messages."""


@dataclass(frozen=True)
class TeacherSpec:
    """A teacher as the user names it: engine, model, and arguments for vLLM.

    Example:
        >>> spec = TeacherSpec.parse("vllm:org/model?max_model_len=4096")
        >>> spec.engine, spec.model, spec.arguments
        ('vllm', 'org/model', {'max_model_len': 4096})
        >>> spec.name
        'vllm:org/model?max_model_len=4096'
    """

    engine: str
    """A key of ENGINES."""
    model: str = ""
    """A folder or a name on the Hub, or the name that an endpoint knows; empty for `micro`."""
    query: str = ""
    """Engine arguments of vLLM, NAME=VALUE&NAME=VALUE."""

    @classmethod
    def parse(cls, text: str) -> TeacherSpec:
        """Return the teacher that a text names.

        The text is `micro` (embedded), `hf:NAME_OR_PATH` (transformers), `vllm:NAME_OR_PATH` (vLLM
        in this process, `?NAME=VALUE&...` for its arguments), `openai:MODEL` (any compatible
        endpoint) or `any-llm:PROVIDER/MODEL` (a provider that the library any-llm knows).

        Raises:
            UserError: the text names no engine, no model, or arguments that cannot be read.
        """
        engine, _, model = text.partition(":")
        if engine not in ENGINES or bool(model) == (engine == "micro"):
            raise UserError(f"unknown teacher {text!r}: use {FORMS}")
        if engine == "any-llm" and not all(model.partition("/")):
            raise UserError(f"{text}: name the provider too, as in any-llm:anthropic/MODEL")
        query = ""
        if engine == "vllm":
            model, _, query = model.partition("?")
            read_arguments(query)
        return cls(engine, model, query)

    @classmethod
    def of_model(cls, text: str) -> TeacherSpec:
        """Return the teacher that a text names.

        A text without an engine is a folder or a name on the Hub.

        Example:
            >>> TeacherSpec.of_model("students/a").name
            'hf:students/a'
        """
        engine, colon, _ = text.partition(":")
        named = text == "micro" or (colon and engine in ENGINES)
        return cls.parse(text) if named else cls("hf", text)

    @classmethod
    def of_folder(cls, text: str) -> TeacherSpec | None:
        """Return the model in a folder on this machine, or None if the text is no folder."""
        return cls("hf", text) if Path(text).is_dir() else None

    @property
    def name(self) -> str:
        """The spec as text, as it stands in lineage."""
        model = f":{self.model}" if self.model else ""
        return self.engine + model + (f"?{self.query}" if self.query else "")

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do."""
        return ENGINES[self.engine]

    @property
    def arguments(self) -> dict[str, Any]:
        """The engine arguments of vLLM, by name."""
        return read_arguments(self.query)

    @property
    def is_embedded(self) -> bool:
        """Whether this is the teacher that ships with the package."""
        return self.engine == "micro"

    @property
    def path(self) -> str:
        """The folder or the Hub name of the weights, as transformers takes it."""
        if not self.is_embedded:
            return self.model
        from datagen.microworld import WEIGHTS

        return str(WEIGHTS / "teacher")

    @property
    def folder(self) -> Path | None:
        """The folder of the weights, if they are on this machine."""
        folder = Path(self.path)
        return folder if self.capabilities.local and folder.is_dir() else None

    def check_folder(self) -> None:
        """Raise UserError if the model is a path, not a Hub name, and no such folder exists."""
        if self.capabilities.local:
            check_folder(self.path)


def check_folder(path: str) -> None:
    """Raise UserError for a path, rather than a Hub name, if there is no such folder."""
    if (path.startswith(("/", ".")) or "\\" in path) and not Path(path).is_dir():
        raise UserError(f"no model at {path}: the folder does not exist")


def read_arguments(query: str) -> dict[str, Any]:
    """Return the arguments of a query. Numbers, true and false are read as JSON; the rest is text.

    Raises:
        UserError: the query is not of the form NAME=VALUE&NAME=VALUE.

    Example:
        >>> read_arguments("max_model_len=4096&dtype=bfloat16")
        {'max_model_len': 4096, 'dtype': 'bfloat16'}
    """
    try:
        pairs = parse_qsl(query, strict_parsing=True) if query else []
    except ValueError:
        raise UserError(f"vllm arguments {query!r}: write NAME=VALUE&NAME=VALUE") from None
    return {name: value_of(text) for name, text in pairs}


def value_of(text: str) -> Any:
    """Return the JSON value of a text, or the text itself if it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text
