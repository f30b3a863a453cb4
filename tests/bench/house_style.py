"""Measure the style of the code: `python tests/bench/house_style.py [FOLDER ...]`.

Function length (lines: median, 90th percentile, share over 50), comment lines, assignments of
several unrelated values on one line, comprehensions with several `for`, and lines over 100
characters; the last four per 1,000 lines of code. A swap or an unpacked call is no such assignment.
"""

from __future__ import annotations

import ast
import io
import statistics
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOMS = ("datagen", "train", "cards")
LONGEST_LINE, LONGEST_FUNCTION, LONGEST_FILE, FULL_FOLDER = 100, 50, 300, 15


@dataclass
class Measured:
    """What was counted."""

    lines: int = 0
    functions: list[int] = field(default_factory=list)
    comments: int = 0
    tuples: int = 0
    loops: int = 0
    wide: int = 0
    long_files: list[str] = field(default_factory=list)
    folders: Counter[str] = field(default_factory=Counter)

    def add(self, file: Path) -> None:
        """Count one file."""
        text = file.read_text(encoding="utf-8")
        lines = text.splitlines()
        code = [line for line in lines if line.strip()]
        self.lines += len(code)
        self.wide += sum(len(line) > LONGEST_LINE for line in lines)
        self.comments += sum(1 for _ in comments(text))
        self.folders[str(file.parent)] += 1
        if len(lines) > LONGEST_FILE:
            self.long_files.append(f"{file} ({len(lines)})")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions.append(body_length(node))
            self.tuples += is_tuple_assignment(node)
            self.loops += len(getattr(node, "generators", [])) > 1

    def report(self) -> str:
        """The figures, a line each."""
        lengths = sorted(self.functions)
        over = sum(length > LONGEST_FUNCTION for length in lengths)
        full = {name: count for name, count in self.folders.items() if count > FULL_FOLDER}
        return "\n".join(
            [
                f"lines of code (not blank)      {self.lines:,}",
                f"function length                median {statistics.median(lengths):.0f}, "
                f"p90 {lengths[int(0.9 * len(lengths))]}, over 50: {over} of {len(lengths)}",
                f"comment lines per 1,000        {self.rate(self.comments):.1f}",
                f"tuple assignments per 1,000    {self.rate(self.tuples):.1f}",
                f"several `for` per 1,000        {self.rate(self.loops):.1f}",
                f"lines over 100 characters      {self.wide / max(self.lines, 1):.1%}",
                f"files over 300 lines           {', '.join(self.long_files) or 'none'}",
                f"folders over 15 files          {full or 'none'}",
            ]
        )

    def rate(self, count: int) -> float:
        return 1000 * count / max(self.lines, 1)


def comments(text: str) -> Iterator[str]:
    """Comments that stand on a line of their own."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        own_line = token.line.lstrip().startswith("#")
        if token.type == tokenize.COMMENT and own_line:
            yield token.string


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def is_tuple_assignment(node: ast.AST) -> bool:
    """Whether several values are assigned to several names on one line, and it is no swap."""
    if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)):
        return False
    if not isinstance(node.value, ast.Tuple):
        return False
    names = {ast.unparse(target) for target in node.targets[0].elts}
    values = {ast.unparse(value) for value in node.value.elts}
    return not names & values


def main(folders: list[str]) -> None:
    """Print the figures of the folders."""
    measured = Measured()
    for folder in folders or list(ROOMS):
        for file in sorted(Path(folder).rglob("*.py")):
            measured.add(file)
    print(measured.report())


if __name__ == "__main__":
    main(sys.argv[1:])
