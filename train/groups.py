"""Which rows stand in a batch together: a question's rationales, its direct answer, wrong
rationales, and the candidate demonstrations of a query.

The trainer draws groups as it would draw rows. `members` are all rows, tokenised once; a group is a
list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from train.data import DataArguments, load_version, open_config
from train.losses.groups import LEAST_CANDIDATES
from train.mixture import Source, by_length

if TYPE_CHECKING:
    from datasets import Dataset

    from datagen.versions import Version
    from train.sft import SftArguments

LEARNED, LABEL, WRONG, CANDIDATE = range(4)
"""Roles of a row: learned as it is; the direct answer; a rationale that ends wrong; a demonstration
to be scored."""
WRONG_REASONS = ("wrong", "minority")
OPTIONAL = (
    *("id", "parents", "answer", "rationale"),
    *("candidates", "demonstrations", "query", "target", "format", "strategy"),
)
Groups = list[list[int]]
Spans = list[list[int]]


@dataclass(frozen=True)
class Part:
    """One source, read: `groups` hold indices of `members`, which have the columns of
    `members_of`."""

    source: Source
    version: Version
    members: Dataset
    groups: Groups
    columns: list[str]


def read_part(data: DataArguments, source: Source, sft: SftArguments, *, seed: int) -> Part:
    """The groups of a source that the losses of `sft` ask for. Raises UserError for what cannot be
    read."""
    from datasets import concatenate_datasets

    data = replace(data, dataset=source.dataset, dataset_config=source.config)
    version, rows = load_version(data, optional=OPTIONAL)
    reasoned, columns = "rationale" in rows.column_names, rows.column_names
    if sft.long_share is not None and reasoned:
        lengths = [len(rationale) for rationale in rows["rationale"]]
        rows = rows.select(by_length(questions_of(rows), lengths, share=sft.long_share, seed=seed))
    shown = (
        shown_outputs(rows) if sft.demonstration_weight and "demonstrations" in columns else None
    )
    parts, groups = [members_of(rows, LEARNED, shown=shown)], [[row] for row in range(len(rows))]
    if reasoned and sft.consistency_weight:
        groups = together(questions_of(rows), size=2, seed=seed)
    if reasoned and sft.label_weight:
        answers = open_config(version.path, "answers")
        groups = beside(groups, rows, answers, first=len(rows), count=1, seed=seed)
        parts.append(members_of(answers, LABEL))
    if reasoned and (sft.contrast_weight or sft.counterfactual_weight):
        wrong = open_config(version.path, "rejected").filter(is_wrong)
        groups = beside(
            groups, rows, wrong, first=sum(map(len, parts)), count=sft.negatives, seed=seed
        )
        parts.append(members_of(wrong, WRONG))
    if sft.preference_weight and "candidates" in columns:
        scored, places = candidates_of(rows, most=sft.candidates)
        groups = [
            [*group, *(sum(map(len, parts)) + at for at in places[group[0]])] for group in groups
        ]
        parts.append(scored)
    return Part(source, version, concatenate_datasets(parts), groups, columns)


def members_of(
    rows: Dataset,
    role: int,
    scores: Sequence[float] | None = None,
    *,
    shown: Sequence[Spans] | None = None,
) -> Dataset:
    """The columns that all members have."""
    from datasets import List, Value

    kept = rows.select_columns(
        ["prompt", "completion", *(["answer"] if "answer" in rows.column_names else [])]
    )
    if "answer" not in rows.column_names:
        kept = kept.add_column("answer", [None] * len(rows), feature=Value("string"))
    kept = kept.add_column("role", [role] * len(rows), feature=Value("int64"))
    kept = kept.add_column("score", list(scores or [0.0] * len(rows)), feature=Value("float64"))
    return kept.add_column(
        "shown", list(shown or [[]] * len(rows)), feature=List(List(Value("int32")))
    )


def shown_outputs(rows: Dataset) -> list[Spans]:
    """First and last + 1 of the characters of the demonstrations' outputs in every row's last turn
    of the prompt; none where the row does not show them (the student of context distillation)."""
    from datagen.prompts.episodes import Format

    found: list[Spans] = []
    for row in rows.select_columns(["prompt", "demonstrations", "query", "format"]):
        format, text = Format(row["format"]), row["prompt"][-1]["content"]
        pairs = [(each["input"], each["output"]) for each in row["demonstrations"]]
        episode = format.text(pairs, row["query"])
        ahead = len(text) - len(episode)
        spans = format.outputs(pairs) if text.endswith(episode) else []
        found.append([[ahead + start, ahead + end] for start, end in spans])
    return found


def questions_of(rows: Dataset) -> list[str]:
    """The question that each row was made from, the first of its `parents`. Raises UserError
    without that column."""
    if "parents" not in rows.column_names:
        raise UserError(
            "no column parents, which says what rows are of one question (`datagen rationales` writes it)"
        )
    return [parents[0] if parents else f"row {row}" for row, parents in enumerate(rows["parents"])]


def together(questions: Sequence[str], *, size: int, seed: int) -> Groups:
    """Rows of one question, `size` at a time in random order; what is left of a question is a
    smaller group."""
    rows: dict[str, list[int]] = {}
    for row, question in enumerate(questions):
        rows.setdefault(question, []).append(row)
    groups: Groups = []
    for question, of in rows.items():
        Random(f"{seed}:together:{question}").shuffle(of)
        bounds = [*range(0, len(of), size), len(of)]
        groups += [of[start:end] for start, end in pairwise(bounds)]
    return groups


def beside(
    groups: Groups, rows: Dataset, others: Dataset, *, first: int, count: int, seed: int
) -> Groups:
    """Every group with `count` of the other rows of its question, as members from number `first`
    on; the groups of a question take turns through these in random order, no row twice in a
    group."""
    of_question: dict[str, list[int]] = {}
    for place, question in enumerate(questions_of(others)):
        of_question.setdefault(question, []).append(first + place)
    for question, places in of_question.items():
        Random(f"{seed}:beside:{question}").shuffle(places)
    names, grown = questions_of(rows), Groups()
    for group in groups:
        places = of_question.get(names[group[0]], [])
        grown.append([*group, *places[:count]])
        places[:] = [*places[count:], *places[:count]]
    return grown


def is_wrong(row: Mapping[str, Any]) -> bool:
    """A whole rationale that was left out for its answer."""
    return (
        row["reason"] in WRONG_REASONS
        and row["correct"] is not True
        and bool(row["completion"] and row["answer"])
    )


def candidates_of(rows: Dataset, *, most: int) -> tuple[Dataset, Groups]:
    """Members that show a query after one of its candidates, with the teacher's score of that
    candidate, and which of them are each row's: at most `most`, spread evenly from the best to the
    worst.

    Rows keep the candidates' ids; their texts are those of demonstrations that some row shows. A
    row counts where its candidates were scored by the teacher (`--strategy teacher`) and the texts
    of three at least are known."""
    from datasets import Dataset

    shown, made, scores, places = texts_of(rows), list[dict[str, Any]](), list[float](), Groups()
    for row in rows:
        known = [c for c in row["candidates"] if shown.get(c["id"]) and c["score"] is not None]
        ranked = spread(sorted(known, key=lambda c: -c["score"]), most)
        ranked = ranked if row["strategy"] == "teacher" and len(ranked) >= LEAST_CANDIDATES else []
        places.append(list(range(len(made), len(made) + len(ranked))))
        made += [one_shot(row, shown[c["id"]]) for c in ranked]
        scores += [c["score"] for c in ranked]
    return members_of(
        Dataset.from_list(made) if made else rows.select([]), CANDIDATE, scores
    ), places


def texts_of(rows: Dataset) -> dict[str, tuple[str, str]]:
    """Input and output of every demonstration that is shown, by id;
    without those that rows show with different labels."""
    texts: dict[str, tuple[str, str]] = {}
    for demonstrations in rows["demonstrations"]:
        for each in demonstrations:
            pair = (each["input"], each["output"])
            texts[each["id"]] = pair if texts.get(each["id"], pair) == pair else ("", "")
    return {id: pair for id, pair in texts.items() if any(pair)}


def spread(ranked: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of the items, the first and the last among them, evenly spaced."""
    if len(ranked) <= most:
        return list(ranked)
    return [ranked[round(place * (len(ranked) - 1) / (most - 1))] for place in range(most)]


def one_shot(row: Mapping[str, Any], demonstration: tuple[str, str]) -> dict[str, Any]:
    """The row's query after one demonstration, under the task's description where the row has it,
    and its gold."""
    from datagen.prompts.episodes import Format
    from datagen.schema import assistant, user

    format, prompt = Format(row["format"]), row["prompt"][-1]["content"]
    pairs = [(each["input"], each["output"]) for each in row["demonstrations"]]
    episode = format.text(pairs, row["query"])
    ahead = prompt.removesuffix(episode) if prompt.endswith(episode) else ""
    text = ahead + format.text([demonstration], row["query"])
    return {"prompt": user(text), "completion": assistant(format.target(row["target"]))}


def kept(groups: Iterable[Sequence[int]], members: Sequence[int], roles: Sequence[int]) -> Groups:
    """The groups with the places of what is left in `members` (numbers in order of place), each
    with a row to learn.

    Members go where truncation leaves no token of the completion.
    """
    place = {number: at for at, number in enumerate(members)}
    left = [[place[number] for number in group if number in place] for group in groups]
    return [group for group in left if any(roles[at] == LEARNED for at in group)]
