"""Finds the names of the project that a piece of Python uses, and says which do not exist."""

from __future__ import annotations

import ast
import importlib

PROJECT = ("datagen", "train", "cards")


def missing(code: str) -> set[str]:
    """Dotted names of the project that the code uses and that do not exist."""
    return {name for name in used(code) if not exists(name)}


def used(code: str) -> set[str]:
    """Dotted names of the project that the code imports, or reads as an attribute of a package."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
    return {name for name in found if name.split(".")[0] in PROJECT}


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    try:
        importlib.import_module(name)
    except ImportError:
        module, _, attribute = name.rpartition(".")
        try:
            return hasattr(importlib.import_module(module), attribute) if module else False
        except ImportError:
            return False
    return True
