"""How an in-context episode is written: demonstrations, then a query.

Generation, training and evaluation all use this module. A student that is trained on one format and
evaluated on another would be measured on something else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from datagen.errors import UserError
from datagen.teacher.base import Messages

Style = Literal["chat", "plain"]
"""`chat` is one user turn; `plain` is text that a base model continues."""
Pair = tuple[str, str]
"""Input and output of a demonstration."""


@dataclass(frozen=True)
class Layout:
    """The words of a format.

    A demonstration is `before`, the input, `between`, a space and the output. The query ends at
    `between`.
    """

    before: str
    between: str
    separator: str
    """Text between two demonstrations, and between the last one and the query."""
    stop: str
    """The beginning of a further demonstration. A base model that goes on is cut off there."""
    one_line: bool = False
    """Inputs and outputs must be single lines. Otherwise one demonstration looks like two."""


LAYOUTS = {
    # the format of the micro-world, whose models know no other
    "arrow": Layout("", " ->", "\n", "\n", one_line=True),
    "qa": Layout("Q: ", "\nA:", "\n\n", "\n\nQ:"),
    "input_output": Layout("Input: ", "\nOutput:", "\n\n", "\n\nInput:"),
}


class Format:
    r"""A format by its name.

    Args:
        name: arrow, qa or input_output.

    Raises:
        UserError: the name is unknown.

    Example:
        >>> qa = Format("qa")
        >>> print(qa.text([("3 + 4", "7")], "9 + 2"))
        Q: 3 + 4
        A: 7
        <BLANKLINE>
        Q: 9 + 2
        A:
        >>> qa.read("11\n\nQ: 1 + 1")
        '11'
    """

    def __init__(self, name: str):
        if name not in LAYOUTS:
            raise UserError(f"no format {name!r}: there are {', '.join(LAYOUTS)}")
        self.name = name
        self.layout = LAYOUTS[name]

    def text(self, demonstrations: Iterable[Pair], query: str, *, description: str = "") -> str:
        """Return an episode whose query is not answered.

        Args:
            demonstrations: shown in this order.
            query: the input to be answered.
            description: of the task. It comes first.
        """
        layout = self.layout
        parts = [description] if description else []
        parts += [f"{layout.before}{x}{layout.between} {y}" for x, y in demonstrations]
        return layout.separator.join([*parts, f"{layout.before}{query}{layout.between}"])

    def outputs(self, demonstrations: Iterable[Pair]) -> list[tuple[int, int]]:
        """Return where the outputs stand in `text` without a description.

        Returns:
            (first character, last character + 1) of each output.
        """
        layout = self.layout
        spans: list[tuple[int, int]] = []
        place = 0
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
        """Return what a teacher or a student is asked: one user turn, or plain text."""
        text = self.text(demonstrations, query, description=description)
        return text if style == "plain" else (("user", text),)

    def target(self, output: str, *, style: Style = "chat") -> str:
        """Return an output as it follows the prompt. In plain text a space comes first."""
        # the prompt ends without a space: most tokenizers join it to the next word
        return f" {output}" if style == "plain" else output

    def stop(self, *, style: Style = "chat") -> tuple[str, ...]:
        """Return the strings at which a completion ends. A chat ends by itself."""
        return (self.layout.stop,) if style == "plain" else ()

    def read(self, completion: str) -> str | None:
        """Return the output that a completion gives, or None if it is empty."""
        # what follows is a further demonstration, which a base model writes
        first = completion.strip().split(self.layout.stop)[0]
        return first.removeprefix(self.layout.between.strip()).strip() or None

    def pair(self, text: str) -> Pair | None:
        """Return the demonstration that a text begins with, or None.

        The text may begin behind `before`, where a prompt ended.
        """
        layout = self.layout
        first = text.strip().removeprefix(layout.before.strip()).split(layout.stop)[0]
        x, _, y = (part.strip() for part in first.partition(layout.between))
        if not (x and y) or (layout.one_line and "\n" in first):
            return None
        return x, y

    def check(self, task: str, pairs: Iterable[Pair]) -> None:
        """Raise UserError for a pair that this format cannot show.

        Args:
            task: name of the task, for the message.
            pairs: inputs and outputs.
        """
        if not self.layout.one_line:
            return
        for x, y in pairs:
            if "\n" in x or "\n" in y:
                others = [name for name, layout in LAYOUTS.items() if not layout.one_line]
                raise UserError(
                    f"task {task}: an example has several lines ({shorten(x)!r}), which "
                    f"--format {self.name} cannot show; use {' or '.join(others)}"
                )


def shorten(text: str, length: int = 40) -> str:
    """Return a text as one line of at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
