"""Write the type stubs of the public API: `python -m tests.stubs`.

The functions take the flags of their commands as keyword arguments. The stubs say so in full, for
editors and type checkers, with what each flag means. A test fails when they are not up to date.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parent.parent
WIDTH = 96


def stub(package: ModuleType) -> str:
    """The text of a package's `__init__.pyi`."""
    names = [name for name in package.__all__ if name != "__version__"]
    functions = [name for name in names if hasattr(getattr(package, name), "__settings__")]
    parts = [signature(getattr(package, name)) for name in functions]
    used = [name for name in ("Mapping", "Sequence") if any(f"{name}[" in part for part in parts)]
    lines = [
        f'"""Types of the public API of {package.__name__}. Made by `python -m tests.stubs`."""',
        "",
        f"from collections.abc import {', '.join(used)}",
        "from pathlib import Path",
        "from typing import Any, Literal",
        "",
    ]
    for module, found in sorted(package.PLACES.items()):
        lines += [f"from {module} import {name} as {name}" for name in found if name in names]
    kept = [line for line in lines if line.rpartition(" ")[2] not in functions]
    version = ["__version__: str"] if "__version__" in package.__all__ else []
    return "\n".join([*kept, "", *version, "__all__: list[str]", "", *parts])


def signature(function: Any) -> str:
    """One function with all its keyword arguments and its docstring."""
    settings = function.__settings__
    required: list[str] = []
    optional: list[str] = []
    star = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            required.append("*")
            star = True
        text = f"{parameter.name}: {accepted(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            optional.append(f"{text} = {shown(parameter.default)}")
        else:
            required.append(text)
    returns = inspect.signature(inspect.unwrap(plain(function))).return_annotation
    arguments = ",\n    ".join([*required, *optional])
    doc = textwrap.indent(documented(function, settings), "    ")
    return f"def {function.__name__}(\n    {arguments},\n) -> {returns}:\n{doc}\n"


def plain(function: Any) -> Any:
    """The function as it was written, without the signature of its flags."""
    copy = type(function)(function.__code__, function.__globals__, function.__name__)
    copy.__annotations__ = function.__annotations__
    return copy


def accepted(annotation: Any) -> str:
    """The type that an argument may have: a path may be a text, a tuple any sequence."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "Any")
    text = re.sub(r"\bPath\b(?! \|)", "str | Path", text.replace("str | Path", "Path"))
    text = re.sub(r"\bPath \| None", "str | Path | None", text)
    text = text.replace("str | str |", "str |")
    text = re.sub(r"tuple\[(\w+), \.\.\.\]", r"Sequence[\1]", text)
    text = re.sub(r"\b(Source|RowFilter)\b", "Any", text)
    return re.sub(r"\bModel\b", "str | Path | Student", text)


def shown(default: Any) -> str:
    return "..." if dataclasses.is_dataclass(default) else repr(default)


def documented(function: Any, settings: type[Any]) -> str:
    """The docstring, with what every flag means under `Args`."""
    from docstring_parser import parse_from_object

    about = {p.arg_name: p.description or "" for p in parse_from_object(settings).params}
    parameters = inspect.signature(function).parameters
    doc = inspect.cleandoc(function.__doc__)
    own = re.search(r"\nArgs:\n((?:    .*\n)+)", doc)
    lines = own[1].rstrip("\n").split("\n") if own else []
    told = {line.strip().partition(":")[0] for line in lines}
    lines += [
        line
        for name in parameters
        if about.get(name) and name not in told
        for line in textwrap.wrap(
            f"{name}: {' '.join(about[name].split())}",
            WIDTH - 8,
            initial_indent="    ",
            subsequent_indent="        ",
            break_on_hyphens=False,
        )
    ]
    if own:
        doc = doc.replace(own[0], "\n")
    first, _, rest = doc.partition("\n\n")
    arguments = "\n".join(["Args:", *lines])
    text = f"{first}\n\n{arguments}\n\n{rest}" if lines else doc
    quotes = 'r"""' if "\\" in text else '"""'
    return f'{quotes}{text}\n"""'


def formatted(text: str) -> str:
    """The text as ruff formats it, with its imports in order."""
    for command in (["check", "--quiet", "--select", "I", "--fix"], ["format"]):
        ruff = [str(Path(sys.executable).with_name("ruff")), *command]
        ruff += ["--stdin-filename", "__init__.pyi", "-"]
        done = subprocess.run(
            ruff, input=text, capture_output=True, text=True, cwd=ROOT, check=True
        )
        text = done.stdout
    return text


def stubs() -> dict[Path, str]:
    """Each stub file and its text."""
    packages = [importlib.import_module(name) for name in ("datagen", "train")]
    return {
        ROOT / package.__name__ / "__init__.pyi": formatted(stub(package))
        for package in packages
        if hasattr(package, "PLACES")
    }


if __name__ == "__main__":
    for file, text in stubs().items():
        file.write_text(text, encoding="utf-8")
        print(f"written to {file.relative_to(ROOT)}")
