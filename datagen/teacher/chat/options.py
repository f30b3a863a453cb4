"""How a model's chat template is filled in: whether the model thinks, and further variables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datagen.errors import UserError
from datagen.teacher.chat.reasoning import opening_at_end

SWITCHES = ("enable_thinking", "thinking")
"""Variables with which chat templates switch thinking: Qwen, GLM and SmolLM have the first one,
DeepSeek and Granite the second one."""
EFFORT = "reasoning_effort"
"""The variable of templates whose models think always, more or less."""
LEAST = '{"reasoning_effort": "low"}'
GENERATION = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")
"""A tag of transformers, which jinja2 does not know."""


@dataclass(frozen=True)
class ChatOptions:
    """What a chat template is given besides the messages.

    Raises:
        UserError: the variables cannot be written as JSON, or thinking is set twice.

    Example:
        >>> ChatOptions(thinking=False).suffix
        '[thinking=false]'
    """

    thinking: bool | None = None
    """Whether the model thinks before it answers. None leaves that to the template."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Variables of the template by name."""

    def __post_init__(self) -> None:
        if self.thinking is not None and (twice := set(SWITCHES) & set(self.variables)):
            raise UserError(f"--thinking and {twice.pop()} in --chat_template_kwargs: give one")
        try:
            json.dumps(dict(self.variables))
        except (TypeError, ValueError) as error:
            raise UserError(f"--chat_template_kwargs cannot be written as JSON: {error}") from None

    @classmethod
    def of(cls, thinking: bool | None, variables: Mapping[str, Any] | str | None) -> ChatOptions:
        """Return the options that the flags give.

        Args:
            thinking: --thinking.
            variables: --chat_template_kwargs, as JSON or as an object.

        Raises:
            UserError: the variables are no JSON object, or thinking is set twice.

        Example:
            >>> ChatOptions.of(None, '{"depth": 2}').variables
            {'depth': 2}
        """
        found: Any = variables or {}
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except ValueError:
                found = []
        if not isinstance(found, Mapping):
            raise UserError(
                f"--chat_template_kwargs {variables}: write a JSON object such as "
                """'{"enable_thinking": false}'"""
            )
        return cls(thinking, found)

    @property
    def suffix(self) -> str:
        """What a teacher's identity says of the options. It is empty if none is set."""
        parts = [] if self.thinking is None else [f"thinking={json.dumps(self.thinking)}"]
        if self.variables:
            parts.append(f"chat_template_kwargs={json.dumps(dict(self.variables), sort_keys=True)}")
        return f"[{', '.join(parts)}]" if parts else ""

    def for_tokenizer(self, tokenizer: Any, name: str) -> dict[str, Any]:
        """Return the variables for the chat template of a tokenizer.

        Args:
            tokenizer: the model's tokenizer.
            name: the teacher's name, for the errors.

        Raises:
            UserError: the template has no such variable, or no switch for thinking.
        """
        if not self.suffix:
            return {}
        known = template_variables(tokenizer.chat_template)
        for variable in self.variables:
            if variable not in known:
                raise UserError(
                    f"--chat_template_kwargs: the chat template of {name} has no {variable!r}"
                )
        if self.thinking is None:
            return dict(self.variables)
        switch = next((switch for switch in SWITCHES if switch in known), None)
        if switch:
            return {**self.variables, switch: self.thinking}
        check_without_switch(tokenizer, name, known, thinking=self.thinking)
        return dict(self.variables)


def check_without_switch(tokenizer: Any, name: str, variables: set[str], *, thinking: bool) -> None:
    """Check a model whose chat template has no switch for thinking.

    Args:
        tokenizer: the model's tokenizer.
        name: the teacher's name, for the errors.
        variables: those that the template reads.
        thinking: whether the model should think.

    Raises:
        UserError: it always thinks and should not, or it should and cannot be asked to.
    """
    asked = [{"role": "user", "content": "Hello."}]
    rendered = ""
    if tokenizer.chat_template:
        rendered = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    # gpt-oss always thinks, and is told how much
    always = bool(opening_at_end(rendered)) or EFFORT in variables
    if thinking and not always:
        raise UserError(
            f"--thinking true: the chat template of {name} has no switch for thinking. Leave the "
            "flag out, or name the template's own variable in --chat_template_kwargs"
        )
    if always and not thinking:
        less = f"; less with --chat_template_kwargs {LEAST!r}" if EFFORT in variables else ""
        raise UserError(f"--thinking false: {name} always thinks, by its chat template{less}")


def template_variables(template: str | Mapping[str, str] | None) -> set[str]:
    """Return the variables that a chat template reads.

    Example:
        >>> sorted(template_variables("{% if enable_thinking %}{{ messages }}{% endif %}"))
        ['enable_thinking', 'messages']
    """
    from jinja2 import Environment, TemplateSyntaxError, meta

    environment = Environment(extensions=["jinja2.ext.loopcontrols"], autoescape=False)
    # a model can have several templates, such as one for tools
    texts = list(template.values()) if isinstance(template, Mapping) else [template or ""]
    found: set[str] = set()
    for text in texts:
        try:
            parsed = environment.parse(GENERATION.sub("", text))
        except TemplateSyntaxError as error:
            raise UserError(f"the chat template cannot be read: {error}") from None
        found |= meta.find_undeclared_variables(parsed)
    return found
