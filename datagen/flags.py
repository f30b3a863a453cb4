"""How commands are made: a frozen dataclass is a command's flags, a flat YAML file equals them,
errors are one line.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from datagen.errors import NO_ROOM, DatagenError, UserError

Command = tuple[type, Callable[[Any], None]]
"""The settings of a command, and what it does with them. A class attribute `positional` names the
fields that may be given by position, right after the command."""


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
    program: str, about: str, commands: Mapping[str, Command], argv: Sequence[str]
) -> tuple[str, Any]:
    """The chosen command's name and its settings.

    Raises UserError for flags that do not parse; exits for --help.
    """
    from argparse import ArgumentError

    from jsonargparse import ArgumentParser, set_parsing_settings

    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(prog=program, description=about, version=version(), exit_on_error=False)
    subcommands = parser.add_subcommands(
        dest="command", metavar="COMMAND", title="commands", description=""
    )
    for name, (settings_type, _) in commands.items():
        wanted = list(argv[:1]) == [
            name
        ]  # the flags of the others need not be known, and reading them takes time
        command = command_parser(settings_type, f"{program} {name}") if wanted else ArgumentParser()
        subcommands.add_subcommand(name, command, help=first_line(settings_type))
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
    """The words as jsonargparse takes them: `gsm8k --dry-run` is `--source gsm8k --dry_run
    true`.
    """
    command, *rest = argv or [""]
    if command not in commands:
        return list(argv)
    settings_type = commands[command][0]
    words = [command]
    for name in positional(settings_type):
        if rest and not rest[0].startswith("-"):
            words += [f"--{name}", rest.pop(0)]
    switches = {f"--{f.name}" for f in dataclasses.fields(settings_type) if f.type == "bool"}
    for place, word in enumerate(rest):
        words.append(word.replace("-", "_").replace("__", "--", 1) if is_flag(word) else word)
        if words[-1] in switches and rest[place + 1 : place + 2] not in (["true"], ["false"]):
            words.append("true")
    return words


def check(settings: object, **wanted: tuple[bool, str]) -> None:
    """Raise UserError for the first setting that is out of range; each comes with whether it holds
    and what it must be.

    >>> # check(settings, rounds=(settings.rounds >= 1, "at least 1"))
    """
    for name, (holds, must) in wanted.items():
        if not holds:
            raise UserError(f"--{name} {getattr(settings, name)}: must be {must}")


def is_flag(word: str) -> bool:
    return word.startswith("--") and "=" not in word


def positional(settings_type: type) -> tuple[str, ...]:
    return getattr(settings_type, "positional", ())


def first_line(settings_type: type) -> str:
    return (settings_type.__doc__ or "").strip().split("\n")[0]


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def version() -> str:
    from datagen import __version__

    return __version__
