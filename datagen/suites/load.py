"""Questions of a suite: from the Hub, from its published files, or made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.sources.files import first_line, read_records
from datagen.suites.question import Question, distinct, make
from datagen.suites.rows import ROWS
from datagen.suites.table import SUITES, Suite

MICROWORLD_SPLITS = ("train", "validation", "test")
MICROWORLD_QUESTIONS = 500


def load(
    name: str,
    split: str,
    *,
    data_root: str | Path | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> list[Question]:
    """The first `limit` questions (all by default) of a suite's split, in published order.

    With `data_root` from the published files below that folder, else from the Hub. The suites of
    the micro-world are generated from `seed`, 500 questions by default. Raises UserError for an
    unknown suite or split, a missing or broken file, and a Hub that cannot be reached.
    """
    suite = find(name)
    check_split(suite, split)
    if is_made(suite):
        return microworld(
            suite, split, n=MICROWORLD_QUESTIONS if limit is None else limit, seed=seed
        )
    records = (
        from_files(suite, split, Path(data_root))
        if data_root is not None
        else from_hub(suite, split)
    )
    return distinct(to_question(suite, record, where) for where, record in islice(records, limit))


def find(name: str) -> Suite:
    if name not in SUITES:
        raise UserError(
            f"no suite {name!r}: there are {', '.join(n for n in SUITES if '/' not in n)} and "
            "bbh/TASK"
        )
    return SUITES[name]


def check_split(suite: Suite, split: str) -> None:
    known = MICROWORLD_SPLITS if is_made(suite) else tuple(suite.files)
    if split not in known:
        raise UserError(f"suite {suite.name} has no split {split!r}, but: {', '.join(known)}")


def to_question(suite: Suite, record: Mapping[str, Any], where: str) -> Question:
    try:
        parsed = ROWS[suite.row](record)
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
    """(where, record) of the split's file; `root` may also be the folder that holds it, or the file
    itself.
    """
    if root.is_file():
        return read_records(root)
    if not root.is_dir():
        raise UserError(f"no such data folder: {root}")
    for relative in suite.files[split]:
        if (root / relative).is_file():
            return read_records(root / relative)
    raise UserError(
        f"{root} holds no file of {suite.name} {split}: looked for {', '.join(suite.files[split])}"
    )


def from_hub(suite: Suite, split: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if not suite.hub:
        raise UserError(
            f"suite {suite.name} has no copy on the Hub that we know: give its published file "
            "with --data-root"
        )
    from datasets import load_dataset

    try:
        rows = load_dataset(
            suite.hub, suite.config, split=suite.splits[split], revision=suite.revision
        )
    except (
        Exception
    ) as error:  # whatever the network, the Hub or the loader raises: the person needs one line
        message = (
            f"cannot load {suite.hub} for suite {suite.name}: {first_line(error)} (--data-root "
            "reads local files)"
        )
        raise UserError(message) from error
    return ((f"{suite.hub} {split} row {place}", row) for place, row in enumerate(rows))


def is_made(suite: Suite) -> bool:
    return suite.name.split("/")[0] == "microworld"


def microworld(suite: Suite, split: str, *, n: int, seed: int) -> list[Question]:
    """Word problems; instructions of so many operations; rules of all families in turn after so
    many demonstrations.
    """
    from datagen.microworld import instructions, problems, rules
    from datagen.suites import in_context

    kind, _, number = suite.name.removeprefix("microworld").strip("/").rpartition("-")
    if kind == "instructions":
        tasks = instructions.instructions(split, n, operations=int(number), seed=seed)
        return [bare(suite, task.instruction, task.answer) for task in tasks]
    if kind == "in-context":
        asked = in_context.queries(split, -(-n // len(rules.FAMILIES)), seed=seed)
        each = [[q for q in asked if q.family == family] for family in rules.FAMILIES]
        in_turn = [q for group in zip(*each, strict=True) for q in group][:n]
        return distinct(bare(suite, q.text(int(number)), q.output) for q in in_turn)
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


def bare(suite: Suite, prompt: str, answer: str) -> Question:
    """A question that is a prompt as it stands; the answer's own words are kept beside its
    canonical form.
    """
    return make(suite.name, prompt, answer, answer_type="text", rationale=answer)
