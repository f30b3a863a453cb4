"""The candidate demonstrations of a query, with the scores that the teacher gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datagen.prompts.episodes import Format
from datagen.schema import assistant, user
from train.data.grouping import Attached, Groups, SourceRows
from train.data.roles import CANDIDATE
from train.data.rows import members_of, pairs_of

if TYPE_CHECKING:
    from datasets import Dataset

LEAST_CANDIDATES = 3
"""Standardised scores of two candidates are always +1 and -1: there is nothing to compare."""


def scored_candidates(read: SourceRows, groups: Groups) -> Attached | None:
    """Return, for each group, its query after each of its candidates, with the teacher's score."""
    if "candidates" not in read.columns:
        return None
    members, places = candidates_of(read.rows, most=read.options.candidates)
    return Attached(members, [places[group[0]] for group in groups])


def candidates_of(rows: Dataset, *, most: int) -> tuple[Dataset, Groups]:
    """Return the rows with a query after one candidate, and for each given row their numbers.

    A given row holds only the ids and scores of its candidates. The texts come from the
    demonstrations that some row shows. A row gets candidates if the teacher scored them
    (`--strategy teacher`) and the texts of at least three are known. If a row has more than `most`
    candidates, `most` of them are taken, spread evenly from the best to the worst.
    """
    from datasets import Dataset

    # a row keeps only ids and scores of its candidates, lest a version hold every text many times
    texts = texts_of(rows)
    made: list[dict[str, Any]] = []
    scores: list[float] = []
    places: Groups = []
    for row in rows:
        known = [c for c in row["candidates"] if texts.get(c["id"]) and c["score"] is not None]
        ranked = evenly_spaced(sorted(known, key=lambda c: -c["score"]), most)
        if row["strategy"] != "teacher" or len(ranked) < LEAST_CANDIDATES:
            ranked = []
        places.append(list(range(len(made), len(made) + len(ranked))))
        made += [one_shot(row, texts[c["id"]]) for c in ranked]
        scores += [c["score"] for c in ranked]

    found = Dataset.from_list(made) if made else rows.select([])
    return members_of(found, CANDIDATE, scores), places


def texts_of(rows: Dataset) -> dict[str, tuple[str, str]]:
    """Return the input and output of every demonstration that a row shows, by id.

    A demonstration that rows show with different labels is left out.
    """
    texts: dict[str, tuple[str, str]] = {}
    for demonstrations in rows["demonstrations"]:
        for each in demonstrations:
            pair = (each["input"], each["output"])
            # flipped or symbolic labels give one id several outputs, and only one was scored
            texts[each["id"]] = pair if texts.get(each["id"], pair) == pair else ("", "")
    return {id: pair for id, pair in texts.items() if any(pair)}


def evenly_spaced(ranked: Sequence[Any], most: int) -> list[Any]:
    """Return at most `most` of the items, evenly spaced, including the first and the last."""
    if len(ranked) <= most:
        return list(ranked)
    return [ranked[round(place * (len(ranked) - 1) / (most - 1))] for place in range(most)]


def one_shot(row: Mapping[str, Any], demonstration: tuple[str, str]) -> dict[str, Any]:
    """Return the row's query after one demonstration, and its gold answer.

    A description of the task stays in front of the demonstration.
    """
    format = Format(row["format"])
    prompt = row["prompt"][-1]["content"]
    episode = format.text(pairs_of(row), row["query"])
    description = prompt.removesuffix(episode) if prompt.endswith(episode) else ""
    text = description + format.text([demonstration], row["query"])
    return {"prompt": user(text), "completion": assistant(format.target(row["target"]))}
