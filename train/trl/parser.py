"""TRL's parser of flags and YAML files, with one spelling, exceptions, and our defaults."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from trl import TrlParser
from trl.scripts._hf_argparser import string_to_bool

from datagen.errors import UserError


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """The help texts with their defaults, where there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default == "":
            return action.help
        return super()._get_help_string(action)


class FlagParser(TrlParser):
    """A parser of dataclasses whose flags have underscores.

    Args:
        kinds: the dataclasses.
        command: what the messages and the help call the command, such as "train sft".
        renamed: other names of flags: `{"max_new_tokens": "max_completion_length"}`.
        defaults: values other than those of the dataclasses.
    """

    def __init__(
        self,
        kinds: Sequence[type[Any]],
        command: str,
        *,
        renamed: Mapping[str, str] | None = None,
        defaults: Mapping[str, Any] | None = None,
    ):
        usage = f"{command} [--config FILE.yaml] [--FLAG VALUE ...]"
        super().__init__(list(kinds), prog=command, usage=usage, formatter_class=HelpFormatter)
        self.command = command
        self.renamed = dict(renamed or {})

        self.add_argument("--config", help="YAML file with a line `flag: value` for each flag.")
        # one spelling in the help; `train.flags.underscored` lets people write both
        actions = self.by_name()
        for action in self._actions:
            spell_with_underscores(action)
            accept_as_switch(action)
        for name, target in self.renamed.items():
            self.rename(actions[target], name)
        self.rename(actions["model_name_or_path"], "model", keep=True)

        describe(actions, kinds)
        self.set_defaults(**(defaults or {}))

    def by_name(self) -> dict[str, argparse.Action]:
        """Return the flags by name; a switch is there without its `no_...` twin."""
        found: dict[str, argparse.Action] = {}
        for action in self._actions:
            found.setdefault(action.dest, action)
        return found

    def rename(self, action: argparse.Action, name: str, *, keep: bool = False) -> None:
        """Give a flag another name, which the help shows first; `keep` shows the old one too."""
        self._option_string_actions[f"--{name}"] = action
        action.option_strings = [f"--{name}", *(action.option_strings if keep else [])]

    def parse(self, words: Sequence[str], values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the dataclasses of these flags.

        Args:
            words: flags and values, as the command line has them.
            values: flags of a YAML file or of keyword arguments, by name; `words` win.

        Raises:
            UserError: a flag is unknown, or a value does not fit.
        """
        # the values are set as defaults, so that the words of the command line win
        named = {self.renamed.get(name, name): value for name, value in values.items()}
        self.refuse_nulls(named)
        try:
            # TRL returns what it does not know as flag, value, flag, value, ...
            unknown = self.set_defaults_with_config(**named)[::2]
            *found, rest, left = self.parse_args_into_dataclasses(
                list(words), return_remaining_strings=True, look_for_args_file=False
            )
        except (ValueError, TypeError, OSError, ImportError) as error:
            raise UserError(" ".join(str(error).split())) from None
        assert vars(rest).keys() <= {"config"}
        if unknown or left:
            self.refuse([*unknown, *left])
        return tuple(found)

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Raise UserError for flags that do not exist."""
        names = ", ".join(word.partition("=")[0] for word in words if word.startswith("--"))
        raise UserError(
            f"no flag {names or words[0]} with these settings, which use {self.config_name} "
            f"({self.command} --help lists them)"
        )

    @property
    def config_name(self) -> str:
        """The name of TRL's configuration among the dataclasses."""
        names = [kind.__name__ for kind in self.dataclass_types]
        return next((name for name in names if name.endswith("Config")), names[0])

    def refuse_nulls(self, values: Mapping[str, Any]) -> None:
        """Raise UserError for a null where a value is needed."""
        for kind in self.dataclass_types:
            for field in dataclasses.fields(kind):
                optional = field.default is None or re.search("None|Optional", str(field.type))
                if field.name in values and values[field.name] is None and not optional:
                    raise UserError(f"--config: {field.name} is null: leave it out for its default")

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} ({self.command} --help lists the flags)")


def spell_with_underscores(action: argparse.Action) -> None:
    """Show one spelling of a flag.

    Dashes are replaced before the parser sees the words, so they are accepted too.
    """
    known = [name for name in action.option_strings if "-" not in name.lstrip("-")]
    action.option_strings = known or action.option_strings


def accept_as_switch(action: argparse.Action) -> None:
    """Let `--flag` alone mean `--flag true`, also where TRL has no default for it."""
    if action.type is string_to_bool and action.nargs is None:
        action.nargs = "?"
        action.const = True


def describe(actions: Mapping[str, argparse.Action], kinds: Sequence[type[Any]]) -> None:
    """Use the docstrings under the fields as help texts."""
    from docstring_parser import parse_from_object

    for kind in kinds:
        # TRL's own fields have help texts already
        if kind.__module__.split(".")[0] == "train":
            for parameter in parse_from_object(kind).params:
                if parameter.description:
                    actions[parameter.arg_name].help = escaped(parameter.description)


def escaped(text: str) -> str:
    """Return a help text for argparse, which gives percent signs a meaning."""
    return text.replace("%", "%%")


def merged_help(
    parsers: Mapping[str, FlagParser], about: str, note: Callable[[list[str]], str]
) -> str:
    """Return the help of a command whose modes have their own parsers, with each flag once.

    Args:
        parsers: by mode.
        about: the description.
        note: returns the note on a flag from the modes that take it. It is not called if all do.
    """
    first = next(iter(parsers.values()))
    merged = argparse.ArgumentParser(
        prog=first.prog,
        usage=f"{first.prog} [--config FILE.yaml] [--FLAG VALUE ...]",
        description=about,
        formatter_class=HelpFormatter,
        add_help=False,
    )
    actions: dict[str, argparse.Action] = {}
    modes: dict[str, list[str]] = {}
    for mode, parser in parsers.items():
        for action in parser._actions:
            name = action.option_strings[0]
            actions.setdefault(name, action)
            modes.setdefault(name, []).append(mode)

    for name, action in actions.items():
        remark = note(modes[name]) if len(modes[name]) < len(parsers) else ""
        action.help = " ".join(part for part in (action.help, remark) if part)
        merged._add_action(action)
    return merged.format_help()
