"""How an episode is written: the one place, for generation, training and evaluation alike.

A student that is trained on one format and measured on another is measured on something else. What
is rendered here is the user's turn of a chat, or the whole prompt of a base model; the target is
what follows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from datagen.errors import UserError
from datagen.teacher.base import Messages

Style = Literal["chat", "plain"]
Pair = tuple[str, str]


@dataclass(frozen=True)
class Layout:
    """Words of a format.

    A demonstration is `before`, the input, `between`, the output; the query ends at `between`.
    """

    before: str
    between: str
    separator: str
    """Between two demonstrations, and between the last one and the query."""
    stop: str
    """Where a base model that goes on is cut off: the next demonstration begins."""
    one_line: bool = False
    """Inputs and outputs must be single lines, or the demonstrations cannot be told apart."""


LAYOUTS = {
    "arrow": Layout("", " ->", "\n", "\n", one_line=True),
    "qa": Layout("Q: ", "\nA:", "\n\n", "\n\nQ:"),
    "input_output": Layout("Input: ", "\nOutput:", "\n\n", "\n\nInput:"),
}
"""`arrow` is the micro-world's own: its models know no other."""


class Format:
    """A named format. Raises UserError for an unknown name."""

    def __init__(self, name: str):
        if name not in LAYOUTS:
            raise UserError(f"no format {name!r}: there are {', '.join(LAYOUTS)}")
        self.name, self.layout = name, LAYOUTS[name]

    def text(self, demonstrations: Iterable[Pair], query: str, *, description: str = "") -> str:
        """The description if there is one, the demonstrations (input, output) in order, and the
        query, unanswered.
        """
        layout = self.layout
        shown = [f"{layout.before}{x}{layout.between} {y}" for x, y in demonstrations]
        parts = [description] if description else []
        return layout.separator.join([*parts, *shown, f"{layout.before}{query}{layout.between}"])

    def outputs(self, demonstrations: Iterable[Pair]) -> list[tuple[int, int]]:
        """First and last + 1 of the characters of every demonstration's output in `text` without a
        description.
        """
        layout, spans, place = self.layout, [], 0
        for x, y in demonstrations:
            start = place + len(f"{layout.before}{x}{layout.between} ")
            spans.append((start, start + len(y)))
            place = start + len(y) + len(layout.separator)
        return spans

    def prompt(
        self,
        demonstrations: Iterable[Pair],
        query: str,
        *,
        description: str = "",
        style: Style = "chat",
    ) -> str | Messages:
        """What a teacher or a student is asked: one user turn, or plain text to be continued."""
        text = self.text(demonstrations, query, description=description)
        return text if style == "plain" else (("user", text),)

    def target(self, output: str, *, style: Style = "chat") -> str:
        """The output as it follows the prompt: an assistant's turn, or with the space that
        continues plain text.
        """
        return f" {output}" if style == "plain" else output

    def stop(self, *, style: Style = "chat") -> tuple[str, ...]:
        return (self.layout.stop,) if style == "plain" else ()

    def read(self, completion: str) -> str | None:
        """The output that a completion gives, up to where another demonstration would begin; None
        for an empty one.
        """
        text = (
            completion.strip()
            .split(self.layout.stop)[0]
            .removeprefix(self.layout.between.strip())
            .strip()
        )
        return text or None

    def pair(self, text: str) -> Pair | None:
        """The first demonstration that a text begins with, or goes on with where a prompt ended at
        `before`.
        """
        layout = self.layout
        one = text.strip().removeprefix(layout.before.strip()).split(layout.stop)[0]
        x, _, y = (part.strip() for part in one.partition(layout.between))
        return (x, y) if x and y and not (layout.one_line and "\n" in one) else None

    def check(self, task: str, pairs: Iterable[Pair]) -> None:
        """Raise UserError for a text that this format cannot show."""
        others = " or ".join(name for name, layout in LAYOUTS.items() if not layout.one_line)
        for x, y in pairs if self.layout.one_line else ():
            if "\n" in x or "\n" in y:
                raise UserError(
                    f"task {task}: an example has several lines ({shorten(x)!r}), which "
                    f"--format {self.name} cannot show; use {others}"
                )


def shorten(text: str, length: int = 40) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
