"""Make a command from a frozen dataclass: its fields are the flags, their docstrings the help.

A flat YAML file (`--config`) can hold the same settings. A flag can be spelled with dashes or with
underscores. An error that a person can mend is one line.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from datagen.errors import NO_ROOM, DatagenError, NoChatTemplate, UserError
from datagen.terminal import show

Command = tuple[type, Callable[[Any], None]]
"""The settings class of a command, and the function that takes the settings. A class attribute
`positional` names the fields whose values may follow the command without a flag."""


class Commands(Mapping[str, Command]):
    """Commands that are imported when they are used, so that `--help` is quick.

    Args:
        about: For each command, its line in the list of commands.
        load: Imports the command with a given name.
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
    """Parse the command line, run the command, and return the exit status.

    Args:
        program: The name of the program, for messages.
        about: The description of the program, for its help.
        commands: The commands by name.
        argv: The words after the program's name; None for those of this process.

    Returns:
        0 for success; the status of a DatagenError, which is 2 for bad input; 130 for an interrupt.
        An error is printed as one line on standard error.
    """
    settings = None
    try:
        name, settings = parse(program, about, commands, sys.argv[1:] if argv is None else argv)
        commands[name][1](settings)
    except DatagenError as error:
        show(f"{program}: {error}{hint(error, settings)}", error=True)
        return error.status
    except OSError as error:
        # A full disk is for the user to mend. Other system errors need their traceback.
        if error.errno not in NO_ROOM:
            raise
        show(
            f"{program}: no room left to write ({one_line(error)}): free space and run the same "
            "command again",
            error=True,
        )
        return UserError.status
    except KeyboardInterrupt:
        print(
            f"\n{program}: stopped. All answers that arrived are kept. Run the same command again "
            "to continue.",
            file=sys.stderr,
        )
        # Shells report 128 + 2, the number of the interrupt signal.
        return 130
    return 0


def hint(error: DatagenError, settings: Any) -> str:
    """Return what else helps against an error, if the command has the flag for it."""
    if isinstance(error, NoChatTemplate) and hasattr(settings, "prompt_style"):
        return ", or ask it with --prompt_style plain"
    return ""


def parse(
    program: str, description: str, commands: Mapping[str, Command], argv: Sequence[str]
) -> tuple[str, Any]:
    """Return the name of the chosen command and its settings.

    Raises:
        UserError: The flags cannot be parsed.
        SystemExit: The user asked for help or for the version, and got it.
    """
    # jsonargparse takes a tenth of a second to import. The Python API does not need it.
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
        # Reading the flags of a command takes time. Only the chosen command needs them.
        command = ArgumentParser()
        if list(argv[:1]) == [name]:
            command = command_parser(commands[name][0], f"{program} {name}")
        subcommands.add_subcommand(name, command, help=about(commands, name))

    try:
        values = parser.parse_args(canonical_words(argv, commands) or ["--help"])
    except ArgumentError as error:
        known = [word for word in argv[:1] if word in commands]
        help_command = " ".join([program, *known, "--help"])
        raise UserError(f"{one_line(error)} (see {help_command})") from None

    settings_type = commands[values.command][0]
    chosen = values[values.command]
    return values.command, settings_type(
        **{f.name: chosen[f.name] for f in dataclasses.fields(settings_type)}
    )


def about(commands: Mapping[str, Command], name: str) -> str:
    """Return the line of a command in the list of commands."""
    if isinstance(commands, Commands):
        return commands.about[name]
    return first_line(commands[name][0])


def command_parser(settings_type: type, program: str) -> Any:
    """Return a parser whose flags are the fields of a settings class.

    The help of a flag is the docstring under its field.
    """
    from jsonargparse import ArgumentParser

    # jsonargparse's own usage line lists all flags, which fills a screen.
    places = " ".join(name.upper() for name in positional(settings_type))
    usage = f"{program} {places} [--config FILE.yaml] [--FLAG VALUE ...]".replace("  ", " ")
    parser = ArgumentParser(description=settings_type.__doc__, usage=usage, exit_on_error=False)
    parser.add_argument(
        "--config",
        action="config",
        help="A flat YAML file with settings. Its keys are the names of the flags.",
    )
    parser.add_class_arguments(settings_type, as_group=False, sub_configs=False)
    return parser


def canonical_words(argv: Sequence[str], commands: Mapping[str, Command]) -> list[str]:
    """Return the words of a command line in the one form that jsonargparse understands.

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

    types = {f"--{field.name}": type_name(field) for field in dataclasses.fields(settings_type)}
    while rest:
        flag, *given = split_flag(rest.pop(0))
        words.append(flag)
        of_type = types.get(flag, "")
        if given:
            words += [as_list(given) if of_type.startswith("tuple") else given[0]]
        # jsonargparse wants a value for a switch. `--dry_run gsm8k` must not take "gsm8k" for it.
        elif of_type == "bool" and rest[:1] not in (["true"], ["false"]):
            words.append("true")
        elif of_type.startswith("tuple"):
            values = list(itertools.takewhile(lambda word: not word.startswith("--"), rest))
            del rest[: len(values)]
            words.append(as_list(values))
    return words


def type_name(field: dataclasses.Field[Any]) -> str:
    """Return the type of a setting as text."""
    # With `from __future__ import annotations` the type of a field is text already.
    return field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")


def split_flag(word: str) -> list[str]:
    """Return a flag with underscores, and its value if `=` gives one. Other words stay as they are.

    Example:
        >>> split_flag("--keep-by=gold-first"), split_flag("--dry-run"), split_flag("gsm8k")
        (['--keep_by', 'gold-first'], ['--dry_run'], ['gsm8k'])
    """
    if not word.startswith("--"):
        return [word]
    name, equals, value = word[2:].partition("=")
    flag = "--" + name.replace("-", "_")
    return [flag, value] if equals else [flag]


def as_list(values: Sequence[str]) -> str:
    """Return several values as a JSON list. A single value that is a JSON list stays as it is."""
    if len(values) == 1 and values[0].startswith("["):
        return values[0]
    return json.dumps(list(values))


def check(settings: object, **wanted: tuple[bool, str]) -> None:
    """Raise UserError for the first setting that is out of range.

    Args:
        settings: The settings, for the value in the message.
        wanted: For each setting, whether it is in range, and what the range is.

    Example:
        >>> from types import SimpleNamespace
        >>> settings = SimpleNamespace(rounds=0)
        >>> check(settings, rounds=(settings.rounds >= 1, "at least 1"))
        Traceback (most recent call last):
        datagen.errors.UserError: --rounds 0: must be at least 1
    """
    for name, (in_range, wanted_range) in wanted.items():
        if not in_range:
            raise UserError(f"--{name} {getattr(settings, name)}: must be {wanted_range}")


def positional(settings_type: type) -> tuple[str, ...]:
    """Return the names of the settings whose values may be given without a flag."""
    return getattr(settings_type, "positional", ())


def first_line(settings_type: type) -> str:
    """Return the first line of the docstring of a settings class."""
    return (settings_type.__doc__ or "").strip().split("\n")[0]


def one_line(error: BaseException) -> str:
    """Return the message of an error as one line."""
    return " ".join(str(error).split())


def version() -> str:
    """Return the version of the package."""
    from datagen import __version__

    return __version__
