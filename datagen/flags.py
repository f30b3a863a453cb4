"""How commands are made: a frozen dataclass is a command's flags, a flat YAML file equals them,
errors are one line.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from datagen.errors import NO_ROOM, DatagenError, UserError

Command = tuple[type, Callable[[Any], None]]
"""The settings of a command, and what it does with them. A class attribute `positional` names the
fields that may be given by position, right after the command."""


class Commands(Mapping[str, Command]):
    """Commands that are imported when they are asked for, so that `--help` is quick.

    Args:
        about: the command's line in the list of commands, by name.
        load: imports a command, by name.
    """

    def __init__(self, about: Mapping[str, str], load: Callable[[str], Command]):
        self.about = about
        self._load = load

    def __getitem__(self, name: str) -> Command:
        if name not in self.about:
            raise KeyError(name)
        return self._load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.about)

    def __len__(self) -> int:
        return len(self.about)


def run_command(
    program: str, about: str, commands: Mapping[str, Command], argv: Sequence[str] | None
) -> int:
    """Parse, run, and return the exit status: 0, an error's own (2: bad input; one line on standard
    error), 130 when interrupted.
    """
    try:
        name, settings = parse(program, about, commands, sys.argv[1:] if argv is None else argv)
        commands[name][1](settings)
    except DatagenError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        print(
            f"{program}: no room left to write ({one_line(error)}): free space, and give the "
            "same command again",
            file=sys.stderr,
        )
        return UserError.status
    except KeyboardInterrupt:
        print(
            f"\n{program}: stopped. What had arrived is kept; the same command goes on from there.",
            file=sys.stderr,
        )
        return 130
    return 0


def parse(
    program: str, description: str, commands: Mapping[str, Command], argv: Sequence[str]
) -> tuple[str, Any]:
    """The chosen command's name and its settings.

    Raises UserError for flags that do not parse; exits for --help.
    """
    from argparse import ArgumentError

    from jsonargparse import ArgumentParser, set_parsing_settings

    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(
        prog=program, description=description, version=version(), exit_on_error=False
    )
    subcommands = parser.add_subcommands(
        dest="command", metavar="COMMAND", title="commands", description=""
    )
    for name in commands:
        # the flags of the other commands need not be known, and reading them takes time
        wanted = list(argv[:1]) == [name]
        command = ArgumentParser()
        if wanted:
            command = command_parser(commands[name][0], f"{program} {name}")
        subcommands.add_subcommand(name, command, help=about(commands, name))
    try:
        values = parser.parse_args(plain(argv, commands) or ["--help"])
    except ArgumentError as error:
        raise UserError(
            f"{one_line(error)} (see {' '.join([program, *argv[:1]])} --help)"
        ) from None
    settings_type = commands[values.command][0]
    chosen = values[values.command]
    return values.command, settings_type(
        **{f.name: chosen[f.name] for f in dataclasses.fields(settings_type)}
    )


def about(commands: Mapping[str, Command], name: str) -> str:
    """The line of a command in the list of commands."""
    if isinstance(commands, Commands):
        return commands.about[name]
    return first_line(commands[name][0])


def command_parser(settings_type: type, program: str) -> Any:
    """Flags from the fields; their help from the docstrings under the fields."""
    from jsonargparse import ArgumentParser

    places = " ".join(name.upper() for name in positional(settings_type))
    usage = f"{program} {places} [--config FILE.yaml] [--FLAG VALUE ...]".replace("  ", " ")
    parser = ArgumentParser(description=settings_type.__doc__, usage=usage, exit_on_error=False)
    parser.add_argument(
        "--config", action="config", help="Flat YAML file with the same names as the flags."
    )
    parser.add_class_arguments(settings_type, as_group=False, sub_configs=False)
    return parser


def plain(argv: Sequence[str], commands: Mapping[str, Command]) -> list[str]:
    """The words in the form that jsonargparse takes.

    `gsm8k --dry-run --keep-by=gold` becomes `--source gsm8k --dry_run true --keep_by gold`, and
    `--filter a:b c:d` becomes `--filter ["a:b", "c:d"]`.
    """
    command, *rest = argv or [""]
    if command not in commands:
        return list(argv)
    settings_type = commands[command][0]

    words = [command]
    for name in positional(settings_type):
        if rest and not rest[0].startswith("-"):
            words += [f"--{name}", rest.pop(0)]

    kinds = {f"--{field.name}": kind_of(field) for field in dataclasses.fields(settings_type)}
    while rest:
        flag, *given = spelled(rest.pop(0))
        words.append(flag)
        kind = kinds.get(flag, "")
        if given:
            words += [as_list(given) if kind.startswith("tuple") else given[0]]
        elif kind == "bool" and rest[:1] not in (["true"], ["false"]):
            words.append("true")
        elif kind.startswith("tuple"):
            values = list(itertools.takewhile(lambda word: not word.startswith("--"), rest))
            del rest[: len(values)]
            words.append(as_list(values))
    return words


def kind_of(field: dataclasses.Field[Any]) -> str:
    """The type of a setting as text, whether annotations are kept as text or not."""
    return field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")


def spelled(word: str) -> list[str]:
    """A flag with underscores, and its value where `=` gives one. Other words stay as they are.

    Example:
        >>> spelled("--keep-by=gold-first"), spelled("--dry-run"), spelled("gsm8k")
        (['--keep_by', 'gold-first'], ['--dry_run'], ['gsm8k'])
    """
    if not word.startswith("--"):
        return [word]
    name, equals, value = word[2:].partition("=")
    flag = "--" + name.replace("-", "_")
    return [flag, value] if equals else [flag]


def as_list(values: Sequence[str]) -> str:
    """Several values as JSON, in which jsonargparse takes them. JSON stays as it is."""
    if len(values) == 1 and values[0].startswith("["):
        return values[0]
    return json.dumps(list(values))


def check(settings: object, **wanted: tuple[bool, str]) -> None:
    """Raise UserError for the first setting that is out of range; each comes with whether it holds
    and what it must be.

    >>> # check(settings, rounds=(settings.rounds >= 1, "at least 1"))
    """
    for name, (holds, must) in wanted.items():
        if not holds:
            raise UserError(f"--{name} {getattr(settings, name)}: must be {must}")


def positional(settings_type: type) -> tuple[str, ...]:
    return getattr(settings_type, "positional", ())


def first_line(settings_type: type) -> str:
    return (settings_type.__doc__ or "").strip().split("\n")[0]


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def version() -> str:
    from datagen import __version__

    return __version__
