"""Load the questions of a suite from the Hub or from its published files, or generate them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.sources.files import first_line, read_records
from datagen.suites.question import Question, distinct, make
from datagen.suites.rows import ROWS
from datagen.suites.table import SUITES, Suite

MICROWORLD_SPLITS = ("train", "validation", "test")
MICROWORLD_QUESTIONS = 500
"""The default number. An accuracy of 0.5 then has a 95% interval of about 4 points to each side."""


def load(
    name: str,
    split: str,
    *,
    data_root: str | Path | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> list[Question]:
    """Load the questions of one split of a suite in their published order.

    Args:
        name: The name of the suite, such as "gsm8k" or "bbh/navigate".
        split: The name of the split.
        data_root: The folder with the published files. By default the questions come from the Hub.
        limit: Load at most this many questions; by default all of them, or 500 of the micro-world.
        seed: Decides which questions of the micro-world are generated. Other suites ignore it.

    Returns:
        The questions.

    Raises:
        UserError: The suite or the split is unknown, a file is missing or broken, or the Hub
            cannot be reached.

    Example:
        >>> [question] = load("microworld", "test", limit=1)
        >>> question.answer_type
        'number'
    """
    suite = find(name)
    check_split(suite, split)

    if is_generated(suite):
        count = MICROWORLD_QUESTIONS if limit is None else limit
        return microworld(suite, split, n=count, seed=seed)

    if data_root is None:
        records = from_hub(suite, split)
    else:
        records = from_files(suite, split, Path(data_root))
    return distinct(to_question(suite, record, where) for where, record in islice(records, limit))


def find(name: str) -> Suite:
    """Return the suite with a name. Raises UserError if there is none."""
    if name not in SUITES:
        raise UserError(
            f"no suite {name!r}: choose one of "
            f"{', '.join(n for n in SUITES if '/' not in n)} or bbh/TASK"
        )
    return SUITES[name]


def check_split(suite: Suite, split: str) -> None:
    """Raise UserError if the suite has no such split."""
    known = MICROWORLD_SPLITS if is_generated(suite) else tuple(suite.files)
    if split not in known:
        raise UserError(
            f"suite {suite.name} has no split {split!r}: choose one of {', '.join(known)}"
        )


def to_question(suite: Suite, record: Mapping[str, Any], where: str) -> Question:
    """Return the question of a published record.

    Args:
        suite: The suite, which knows the format of its records.
        record: The record, from the file or from the Hub.
        where: The place of the record, for messages.

    Raises:
        UserError: The record has another format.
    """
    try:
        parsed = ROWS[suite.row](record)
    # A record of another shape fails in whatever way its reader touches it first.
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{where}: not a record of {suite.name} ({type(error).__name__}: {error})"
        ) from error
    return make(
        suite.name,
        parsed.question,
        parsed.gold,
        answer_type=parsed.answer_type or suite.answer_type,
        options=parsed.options or suite.words,
        rationale=parsed.rationale,
    )


def from_files(suite: Suite, split: str, root: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the records of the split's published file, each with its place.

    `root` is a data root, the folder that holds the file, or the file itself.
    """
    if root.is_file():
        return read_records(root)
    if not root.is_dir():
        raise UserError(f"no such data folder: {root}")
    for relative in suite.files[split]:
        if (root / relative).is_file():
            return read_records(root / relative)
    raise UserError(
        f"{root} holds no file of {suite.name} {split}. These were looked for: "
        f"{', '.join(suite.files[split])}"
    )


def from_hub(suite: Suite, split: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return the records of the split's copy on the Hub, each with its place."""
    if not suite.hub:
        raise UserError(
            f"suite {suite.name} has no copy on the Hub that we know: name its published file "
            "with --data_root"
        )
    from datasets import load_dataset

    try:
        rows = load_dataset(
            suite.hub, suite.config, split=suite.splits[split], revision=suite.revision
        )
    # The network, the Hub and the loader raise errors of many types. The user needs one line.
    except Exception as error:
        message = (
            f"cannot load {suite.hub} for suite {suite.name}: {first_line(error)} "
            "(--data_root reads local files)"
        )
        raise UserError(message) from error
    return ((f"{suite.hub} {split} row {place}", row) for place, row in enumerate(rows))


def is_generated(suite: Suite) -> bool:
    """Return whether the questions of a suite are generated, not downloaded."""
    return suite.name.split("/")[0] == "microworld"


def microworld(suite: Suite, split: str, *, n: int, seed: int) -> list[Question]:
    """Generate `n` questions of a suite of the micro-world.

    "microworld" has word problems. "microworld/instructions-3" has instructions of three
    operations. "microworld/in-context-4" has queries after four demonstrations.
    """
    from datagen.microworld import instructions, problems

    kind, _, number = suite.name.removeprefix("microworld").strip("/").rpartition("-")
    if kind == "instructions":
        tasks = instructions.instructions(split, n, operations=int(number), seed=seed)
        return [whole_prompt(suite, task.instruction, task.answer) for task in tasks]

    if kind == "in-context":
        return in_context_questions(suite, split, n=n, k=int(number), seed=seed)

    return [
        make(
            suite.name,
            problem.question,
            problem.answer,
            answer_type="number",
            rationale=problem.rationale,
        )
        for problem in problems.problems(split, n, seed=seed)
    ]


def in_context_questions(suite: Suite, split: str, *, n: int, k: int, seed: int) -> list[Question]:
    """Generate `n` queries after `k` demonstrations, with the families of rules in turn."""
    from datagen.microworld.rules import FAMILIES
    from datagen.suites import in_context

    # Rounded up: the last round of families may be cut.
    rounds = -(-n // len(FAMILIES))
    asked = in_context.queries(split, rounds, seed=seed)
    by_family = [[query for query in asked if query.family == family] for family in FAMILIES]
    in_turn = list(chain.from_iterable(zip(*by_family, strict=True)))[:n]
    return distinct(whole_prompt(suite, query.text(k), query.output) for query in in_turn)


def whole_prompt(suite: Suite, prompt: str, answer: str) -> Question:
    """Return a question that is a whole prompt.

    The answer in its own words is kept as the gold rationale, because the canonical form changes
    its case and commas.
    """
    return make(suite.name, prompt, answer, answer_type="text", rationale=answer)
