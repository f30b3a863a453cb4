"""The public API: documented, typed, light to import, and true in its examples."""

import ast
import doctest
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import datagen
from tests.stubs import ROOT, stubs

CLIENT = """
import datagen

run = datagen.generate_rationales("gsm8k", teacher="openai:gpt-x", samples=8, out="runs/gsm8k")
accepted: int = run.stats.accepted["rationales"]
wrong: int = run.stats.rejected["wrong"]
version = run.publish("gsm8k-rationales", license="apache-2.0")
reference: str = version.reference
answer: str | None = datagen.extract("The answer is 3.", "number")
agreement: float = datagen.vote(["1", "1", None]).agreement
verdict: bool = datagen.Novelty(0.7).compare("Name a fruit.").novel
"""


def test_every_public_name_is_documented_with_an_example():
    examples = doctest.DocTestFinder(recurse=False)
    for name in sorted(set(datagen.__all__) - {"__version__"}):
        found = getattr(datagen, name)
        assert found.__doc__, name
        assert any(test.examples for test in examples.find(found, name)), f"{name} has no example"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the examples write; those of one module build on each other."""
    return tmp_path_factory.mktemp("examples")


MODULES = [
    "datagen",
    "datagen.api.generating",
    "datagen.api.run",
    "datagen.api.version",
    "datagen.api.publishing",
]


def test_the_examples_are_true(folder, monkeypatch):
    """In this order: later examples use the runs of earlier ones."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    ordered = sorted(set(datagen.__all__) - {"__version__"}, key=place_of)
    finder = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    said: list[str] = []
    for name in ordered:
        found = getattr(datagen, name)
        for test in finder.find(found, name, globs=names_for(found, folder)):
            runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def place_of(name: str) -> tuple[int, int]:
    """Names in the order in which their examples stand: by module, then by line."""
    found = getattr(datagen, name)
    order = [*MODULES, datagen.MODULES[name]]
    first = ["Run", "open_run", "Version", "load_version"]
    if name in first:
        return 0, first.index(name)
    if datagen.MODULES[name] == "datagen.api.publishing":
        order = ["publish_run", "list_versions"]
        return 2, order.index(name) if name in order else len(order)
    code = getattr(found, "__code__", None)
    # a class has no code object: its example comes when the first runs and versions are there
    return 1, code.co_firstlineno if code else 1_000


def test_the_stubs_are_up_to_date():
    for file, text in stubs().items():
        assert file.read_text(encoding="utf-8") == text, f"run: python -m tests.stubs ({file.name})"


def test_a_client_program_passes_mypy_strict(tmp_path):
    (tmp_path / "client.py").write_text(CLIENT)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "client.py"]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    wrong = CLIENT.replace("samples=8", "samples='8'").replace("wrong: int", "wrong: str")
    (tmp_path / "client.py").write_text(wrong)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.count("error:") == 2  # types are really checked


@pytest.mark.parametrize("package", ["datagen", "train", "datagen.cli", "train.cli"])
def test_importing_loads_no_heavy_library(package):
    heavy = {"torch", "transformers", "trl", "datasets", "pyarrow", "numpy", "matplotlib"}
    code = f"import sys, {package}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & {name.partition(".")[0] for name in done.stdout.split()}


def test_a_function_never_has_the_name_of_a_module():
    taken = {path.stem for path in (ROOT / "datagen").iterdir()}
    taken |= {path.stem for path in (ROOT / "train").iterdir()}
    assert not taken & set(datagen.__all__)


def test_keyword_arguments_are_the_flags_with_their_defaults():
    import dataclasses
    import inspect

    for name in datagen.__all__:
        function = getattr(datagen, name)
        if settings := getattr(function, "__settings__", None):
            fields = {field.name: field for field in dataclasses.fields(settings)}
            for parameter in inspect.signature(function).parameters.values():
                if parameter.name in fields and parameter.default is not parameter.empty:
                    assert parameter.default == fields[parameter.name].default, parameter


def test_every_command_has_its_function():
    """By the settings of the commands, which the functions take."""
    from datagen.cli import commands

    taken = {getattr(getattr(datagen, name), "__settings__", None) for name in datagen.__all__}
    missing = [name for name, (settings, _) in commands().items() if settings not in taken]
    assert not missing


def test_all_names_that_are_listed_exist():
    for name, module in datagen.MODULES.items():
        assert hasattr(importlib.import_module(module), name)
    tree = ast.parse((ROOT / "datagen" / "__init__.pyi").read_text())
    stubbed = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    assert stubbed <= set(datagen.__all__)


def names_for(found: object, folder: Path) -> dict[str, object]:
    """What an example may use without an import: its own module's names, and `folder`."""
    module = sys.modules[getattr(found, "__module__", "datagen")]
    return {**vars(module), "folder": folder, "datagen": datagen}
