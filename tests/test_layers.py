"""The house has no knots: a package imports only packages below it, deferred imports included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = (
    # what everybody may know
    ("datagen.errors", "datagen.json_bytes", "datagen.schema", "datagen.running"),
    ("datagen.secrets", "datagen.terminal", "datagen.scratch"),
    ("datagen.database", "datagen.flags", "datagen.histogram", "datagen.progress"),
    ("datagen.answers", "datagen.microworld"),
    ("datagen.records",),
    ("cards",),
    ("datagen.teacher", "datagen.versions"),
    ("datagen.prompts",),
    ("datagen.sources",),
    ("datagen.suites",),
    ("datagen.run",),
    ("datagen.topk", "datagen.filters"),
    # the methods: none knows another
    ("datagen.rationales", "datagen.instructions", "datagen.demonstrations"),
    ("datagen.publish", "datagen.inspect"),
    ("datagen.api", "datagen.cli"),
    ("train",),
    ("recipes",),
)
"""From the ground up. A package imports packages of lower layers only, never one beside it."""

METHODS = {"datagen.rationales", "datagen.instructions", "datagen.demonstrations"}
RANK = {package: rank for rank, packages in enumerate(LAYERS) for package in packages}
ROOMS = ("datagen", "train", "cards", "recipes")


def modules() -> dict[str, Path]:
    """Every module of the project by its name."""
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    return {name_of(file): file for file in files}


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path, known: dict[str, Path]) -> Iterator[tuple[int, str]]:
    """(line, module) of every import of a module of the project, wherever it stands."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in known:
                    yield node.lineno, alias.name
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import in line {node.lineno}"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found = inner if inner in known else str(node.module)
                if found in known:
                    yield node.lineno, found


def package_of(module: str) -> str:
    """The package that a layer names; the bare `datagen` (its version number) belongs to none."""
    parts = module.split(".")
    return module if parts[0] != "datagen" else ".".join(parts[:2])


def layer(package: str) -> int | None:
    """The layer of a package; None for the bare `datagen`, which everybody may import."""
    name = package.partition(".")[0] if not package.startswith("datagen") else package
    return RANK.get(name)


def test_every_package_has_its_layer():
    packages = {package_of(module) for module in modules()} - {"datagen"}
    unknown = {package for package in packages if layer(package) is None}
    assert not unknown


def test_no_import_goes_up_or_sideways():
    known = modules()
    wrong: list[str] = []
    for module, file in known.items():
        here = package_of(module)
        for line, target in imports(file, known):
            there = package_of(target)
            if root(here) == root(there) or target == "datagen" or module == "datagen":
                continue
            if layer(there) is None or layer(there) >= layer(here):
                wrong.append(f"{file.relative_to(ROOT)}:{line} imports {target}")
    assert not wrong, "\n".join(wrong)


def root(package: str) -> str:
    """What counts as one package: a package of `datagen`, or all of `train`, `cards`, `recipes`."""
    return package if package.startswith("datagen") else package.partition(".")[0]


def test_train_imports_no_method():
    known = modules()
    for module, file in known.items():
        if module.startswith("train"):
            found = {package_of(target) for _, target in imports(file, known)}
            assert not found & METHODS, f"{module} imports {found & METHODS}"


@pytest.mark.parametrize("room", ["datagen", "train", "cards"])
def test_no_module_cycle(room):
    """Not even inside a package, and not by a deferred import."""
    known = {name: file for name, file in modules().items() if name.partition(".")[0] == room}
    graph = {
        name: {target for _, target in imports(file, known) if target not in (name, room)}
        for name, file in known.items()
    }
    assert not cycle(graph)


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of cycles: what is left when modules that import none of the others, or that none
    of the others imports, are taken away again and again.
    """
    left = {name: set(targets) for name, targets in graph.items()}
    while True:
        imported = set().union(*left.values()) if left else set()
        kept = {name for name, targets in left.items() if targets & left.keys()} & imported
        if kept == left.keys():
            return sorted(left)
        left = {name: left[name] & kept for name in kept}


def test_a_cycle_is_found():
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]
    assert cycle({"a": {"b"}, "b": set(), "c": {"a", "b"}}) == []
