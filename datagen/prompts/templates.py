"""The words in which a teacher is asked: plain text files, one folder a language.

A file in the user's folder replaces the shipped file of the same name. `{name}` is a field. A file
that begins with `[system]` or `[user]` holds chat turns, each under such a line.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from datagen.errors import UserError
from datagen.teacher.base import Messages

SHIPPED = Path(__file__).parent / "templates"
FIELD = re.compile(r"\{([a-z_]+)\}")
TURN = re.compile(r"^\[(system|user|assistant)\]\n", re.MULTILINE)
"""The line above a chat turn."""


class Templates:
    """The templates and word lists of a language.

    Args:
        language: such as "en" or "zh".
        folder: the user's own files. Default: none.

    Raises:
        UserError: the language or the folder does not exist.
    """

    def __init__(self, language: str, folder: Path | None = None):
        shipped = SHIPPED / language
        if not shipped.is_dir():
            known = ", ".join(sorted(path.name for path in SHIPPED.iterdir() if path.is_dir()))
            raise UserError(f"--language {language}: there are templates for {known}")
        if folder is not None and not folder.is_dir():
            raise UserError(f"--templates {folder}: there is no such folder")
        self.language = language
        # the user's folder comes first, so that its files win
        self.folders = [folder, shipped] if folder else [shipped]

    def text(self, name: str, **fields: str) -> str:
        """Return a template with its fields filled in.

        Args:
            name: of the file, without `.txt`.
            **fields: a text for each field. Braces in these texts are no fields.

        Raises:
            UserError: there is no such template, or it has another field.
        """
        path = self.path(f"{name}.txt")
        return substitute(path, read(path), fields)

    def messages(self, name: str, **fields: str) -> Messages:
        """Return a template as chat turns. A file that names no turns is one user turn.

        Args:
            name: of the file, without `.txt`.
            **fields: a text for each field. Braces in these texts are no fields.

        Raises:
            UserError: there is no such template, or it has another field.
        """
        path = self.path(f"{name}.txt")
        text = read(path)
        if not TURN.match(text):
            text = f"[user]\n{text}"
        _, *parts = TURN.split(text)
        turns = zip(parts[::2], parts[1::2], strict=True)
        # filled in turn by turn: a field cannot begin a turn of its own
        return tuple((role, substitute(path, turn.strip("\n"), fields)) for role, turn in turns)

    def words(self, name: str) -> tuple[str, ...]:
        """Return a word list: one word or phrase a line; `#` begins a comment."""
        lines = read(self.path(f"words/{name}.txt")).splitlines()
        words = (line.split("#")[0].strip() for line in lines)
        return tuple(word for word in words if word)

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names of the templates in a subfolder, in alphabetical order."""
        found: set[str] = set()
        for root in self.folders:
            found.update(path.stem for path in (root / folder).glob("*.txt"))
        return tuple(sorted(found))

    def path(self, name: str) -> Path:
        """Return the file of a template: the user's own, else the shipped one. Raises UserError."""
        for folder in self.folders:
            if (folder / name).is_file():
                return folder / name
        places = " or ".join(str(folder) for folder in self.folders)
        raise UserError(f"there is no template {name} in {places}")

    def fingerprint(self) -> dict[str, str]:
        """Return the user's own files by name and content, for the configuration of a run."""
        own: dict[str, str] = {}
        # the shipped files belong to the version of the code
        for root in self.folders[:-1]:
            for path in sorted(root.rglob("*.txt")):
                own[str(path.relative_to(root))] = read(path)
        return own


@cache
def read(path: Path) -> str:
    """Return the text of a file. Raises UserError if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from None


def substitute(path: Path, text: str, fields: dict[str, str]) -> str:
    """Return a text with its fields filled in.

    Args:
        path: the file of the text, for the message.
        text: of a template.
        fields: a text for each field.

    Raises:
        UserError: the text has another field.
    """
    unknown = [name for name in FIELD.findall(text) if name not in fields]
    if unknown:
        known = ", ".join(sorted(fields)) or "none"
        raise UserError(
            f"{path}: unknown variable {{{unknown[0]}}}; the variables here are {known}"
        )
    # in one pass, so that a field whose text looks like a field stays as it is
    return FIELD.sub(lambda match: fields[match[1]], text)


def recorded_prompts(templates: Templates, names: Iterable[str]) -> dict[str, str]:
    """Return the text of each template by name, for the configuration of a run.

    A name that the language has no template for is left out.
    """
    found: dict[str, str] = {}
    for name in names:
        with contextlib.suppress(UserError):
            found[name] = read(templates.path(f"{name}.txt")).strip()
    return found
