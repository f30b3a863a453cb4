"""Decides what a test does with a command of a page: run it, or only parse it.

A command is run when this machine can run it alone: the embedded teacher, local files. A command
that names an endpoint, a model or dataset of the Hub, vLLM or a Ray cluster is parsed by the real
parser, so that every flag must exist. So is a command that reads what such a command would have
written."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datagen.suites import SUITES
from tests.docs.markdown import ROOT

ELSEWHERE = re.compile(
    r"openai:|any-llm:|vllm:|hf:[\w.-]+/[\w.-]+(:\w+)?$|--hub|--engine=?ray|^ray$|^pull$|^push$"
    r"|https?://|^ORG/|^HF_NAME|^[A-Z]\w+/\w[\w.-]+(@[\d.]+)?$|^superglue$|^glue$|^mmlu$|^bbh$"
)
"""A word of a command that needs a key, a GPU, a cluster or the Hub."""
SUITE_NAMES = {name.split("/")[0] for name in SUITES}
OUTPUTS = ("out", "output_dir", "name")
"""Settings that name what a command writes."""
TRAINERS = ("sft", "kd", "gkd")
FEW_STEPS = ("--max_steps", "2")
"""What is added to a training: a page may train longer than a test has time for."""


@dataclass
class Commands:
    """The commands of one page."""

    missing: set[str] = field(default_factory=set)
    """Names of runs, datasets and students that commands would have written that were only
    parsed."""

    def run(self, program: str, words: Sequence[str]) -> int:
        """Run or parse a command. Returns its exit status; raises where it does not parse."""
        handler = getattr(self, program.replace("-", "_"))
        return int(handler(list(words)) or 0)

    def datagen(self, words: list[str]) -> int:
        from datagen import cli

        return self._either(cli.main, parse_datagen, words)

    def train(self, words: list[str]) -> int:
        from train import cli

        few = FEW_STEPS if words[0] in TRAINERS else ()
        return self._either(cli.main, parse_train, [*words, *few])

    def accelerate(self, words: list[str]) -> None:
        """`accelerate launch [--config_file F] -m train.COMMAND FLAGS`: the flags are parsed."""
        assert words[0] == "launch", words
        module = words.index("-m") + 1
        program, _, command = words[module].partition(".")
        assert program == "train", words
        self._note(parse_train([command, *words[module + 1 :]]))

    def make(self, words: list[str]) -> None:
        """Every target stands in the Makefile."""
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words) <= set(targets), words

    def pip(self, words: list[str]) -> None:
        """Every extra that is installed stands in pyproject.toml."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        for word in words:
            for extras in re.findall(r"^(?:\.|emergent-distill)\[([\w,-]+)\]$", word):
                assert set(extras.split(",")) <= set(project["optional-dependencies"]), word

    def python(self, words: list[str]) -> None:
        """Run `python -c CODE`; the module of `python -m` or the file of `python FILE` exists."""
        if words[0] == "-c":
            exec(words[1], {})
        if words[0] == "-m" and words[1] not in {"venv", "pip"}:
            assert importlib.util.find_spec(words[1]), words
        if words[0].endswith(".py"):
            assert (ROOT / words[0]).is_file(), words

    python3 = python

    def script(self, words: list[str]) -> None:
        """A script of the repository exists. Tests of its own run it."""
        assert (ROOT / words[0]).is_file(), words

    def _either(self, run: Any, parse: Any, words: list[str]) -> int:
        if words[-1] in {"--help", "--version"}:
            return leave(run, words)
        settings = parse(words)
        if any(self._elsewhere(word) for word in words):
            self._note(settings)
            return 0
        return int(run(words))

    def _elsewhere(self, word: str) -> bool:
        names = {part.split("/")[0] for part in re.split("[,=:]", word)}
        suite = names & (SUITE_NAMES - {"microworld"})
        written = any(re.search(rf"(^|[/=:,]){re.escape(m)}\b", word) for m in self.missing)
        return bool(suite or written or ELSEWHERE.search(word))

    def _note(self, settings: dict[str, Any]) -> None:
        self.missing |= {str(settings[name]) for name in OUTPUTS if settings.get(name)}


def leave(run: Any, words: list[str]) -> int:
    """The status of a command that prints its help and exits."""
    try:
        return int(run(words))
    except SystemExit as exit:
        return int(exit.code or 0)


def parse_datagen(words: Sequence[str]) -> dict[str, Any]:
    """The settings that `datagen` reads from the words. Raises where a flag does not exist."""
    from datagen import cli
    from datagen.flags import parse

    settings: dict[str, Any] = vars(parse("datagen", "", cli.commands(), words)[1])
    return settings


def parse_train(words: Sequence[str]) -> dict[str, Any]:
    """The same of `train`. TRL's settings and the project's own are one dictionary."""
    from datagen.flags import parse
    from train import cli, gkd, kd, sft
    from train.evaluate.settings import EvaluateSettings
    from train.probe import ProbeSettings
    from train.push import PushSettings

    command, *rest = words
    trainers: dict[str, Any] = {"sft": sft.parse_sft, "kd": kd.parse_kd, "gkd": gkd.parse_gkd}
    if command in trainers:
        parts = [part for part in trainers[command](rest) if not isinstance(part, str)]
        return {name: value for part in parts for name, value in vars(part).items()}
    own = {"evaluate": EvaluateSettings, "probe": ProbeSettings, "push": PushSettings}[command]
    listed = [command, *cli.as_lists(rest, own)]
    settings: dict[str, Any] = vars(parse("train", "", {command: (own, print)}, listed)[1])
    return settings
