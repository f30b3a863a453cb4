"""The words in which a teacher is asked: plain text files, a folder a language; a user's folder
goes first.

`{name}` is a field. A file that begins with `[system]` or `[user]` holds chat turns, each under
such a line.
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


class Templates:
    """Templates and word lists of a language.

    Raises UserError for a language, file or field that does not exist.
    """

    def __init__(self, language: str, folder: Path | None = None):
        shipped = SHIPPED / language
        if not shipped.is_dir():
            known = ", ".join(sorted(path.name for path in SHIPPED.iterdir() if path.is_dir()))
            raise UserError(f"--language {language}: there are templates for {known}")
        if folder is not None and not folder.is_dir():
            raise UserError(f"--templates {folder}: there is no such folder")
        self.language, self.folders = language, [*([folder] if folder else []), shipped]

    def text(self, name: str, **fields: str) -> str:
        """A template with its fields filled in; what a field holds is never read as a template."""
        return fill(self.path(f"{name}.txt"), fields)

    def messages(self, name: str, **fields: str) -> Messages:
        """A template as chat turns; one user turn where the file names none."""
        path = self.path(f"{name}.txt")
        _, *parts = TURN.split(
            "[user]\n" + read(path) if not TURN.match(read(path)) else read(path)
        )
        turns = zip(parts[::2], parts[1::2], strict=True)
        return tuple((role, substitute(path, text.strip("\n"), fields)) for role, text in turns)

    def words(self, name: str) -> tuple[str, ...]:
        """A word list: one word or phrase a line; `#` begins a comment."""
        lines = (
            line.split("#")[0].strip() for line in read(self.path(f"words/{name}.txt")).splitlines()
        )
        return tuple(line for line in lines if line)

    def names(self, folder: str) -> tuple[str, ...]:
        """The templates of a subfolder, in alphabetical order."""
        return tuple(
            sorted({path.stem for root in self.folders for path in (root / folder).glob("*.txt")})
        )

    def path(self, name: str) -> Path:
        for folder in self.folders:
            if (folder / name).is_file():
                return folder / name
        raise UserError(
            f"there is no template {name} in {' or '.join(str(folder) for folder in self.folders)}"
        )

    def fingerprint(self) -> dict[str, str]:
        """The user's own files by name and content, for the run's configuration."""
        own = self.folders[:-1]
        return {
            str(path.relative_to(root)): read(path)
            for root in own
            for path in sorted(root.rglob("*.txt"))
        }


@cache
def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from None


def fill(path: Path, fields: dict[str, str]) -> str:
    return substitute(path, read(path), fields)


def substitute(path: Path, text: str, fields: dict[str, str]) -> str:
    """`text` with its fields filled in, in one pass."""
    unknown = [name for name in FIELD.findall(text) if name not in fields]
    if unknown:
        known = ", ".join(sorted(fields)) or "none"
        raise UserError(
            f"{path}: unknown variable {{{unknown[0]}}}; the variables here are {known}"
        )
    return FIELD.sub(lambda match: fields[match[1]], text)


def recorded_prompts(templates: Templates, names: Iterable[str]) -> dict[str, str]:
    """Returns the text of each template by name, for a run's configuration.

    A name that the language has no template for is left out.
    """
    found: dict[str, str] = {}
    for name in names:
        with contextlib.suppress(UserError):
            found[name] = read(templates.path(f"{name}.txt")).strip()
    return found
