"""Accuracy by the number of demonstrations, and its slope: the ability to learn in context.

Shape suffixes: N queries, S demonstration seeds, K numbers of demonstrations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from train.evaluate.bootstrap import Bootstrap, Floats
from train.evaluate.cases import EPISODES, Case, CaseAnswer
from train.evaluate.contenders import Contender
from train.evaluate.estimate import rounded

Right: TypeAlias = NDArray[np.float64]
Answers: TypeAlias = Mapping[Contender, Sequence[CaseAnswer]]
SLOPE = (
    "least-squares slope of accuracy over log2(k + 1); mean over demonstration seeds, bootstrap "
    "over queries"
)
"""The definition of a slope in the report."""


def shots_section(
    suite: str, cases: Sequence[Case], answers: Answers, bootstrap: Bootstrap
) -> dict[str, Any]:
    """Return one suite's section of the report.

    `answers` are in the order of `cases`.
    """
    right = {
        contender: np.array([answer.correct for answer in found], dtype=np.float64)
        for contender, found in answers.items()
    }
    part = episodes_section if suite.startswith(EPISODES) else curves_section
    return {
        "suite": suite,
        "n": len({case.query for case in cases}),
        "shots": sorted({case.k for case in cases}),
        "demonstration_seeds": len({case.draw for case in cases}),
        "failed": {
            contender.name: sum(answer.error is not None for answer in found)
            for contender, found in answers.items()
        },
        **part(cases, right, bootstrap),
    }


def curves_section(
    cases: Sequence[Case], right: Mapping[Contender, Right], bootstrap: Bootstrap
) -> dict[str, Any]:
    """Return the curves over k, by family and over all families, and compare the slopes."""
    shots = sorted({case.k for case in cases})
    shape = (-1, len({case.draw for case in cases}), len(shots))
    # the cases are ordered by query, draw and k (`read_cases`), so a reshape is enough
    family_N = np.array([case.family for case in cases]).reshape(shape)[:, 0, 0]
    right_NSK = {contender: flat.reshape(shape) for contender, flat in right.items()}
    # `all` first: a comparison of the families with themselves is true everywhere
    groups = {"all": family_N == family_N} | {
        family: family_N == family for family in dict.fromkeys(family_N.tolist())
    }

    models = [
        {
            "name": contender.name,
            "role": contender.role,
            "families": {
                name: curve(found[group], shots, bootstrap) for name, group in groups.items()
            },
        }
        for contender, found in right_NSK.items()
    ]
    comparisons = []
    for family, group in groups.items():
        slopes_N = {
            contender: slopes(found[group], shots) for contender, found in right_NSK.items()
        }
        comparisons += [
            {"a": a.name, "b": b.name, "family": family}
            | comparison(slopes_N[a], slopes_N[b], bootstrap)
            for a, b in compared_pairs(right_NSK)
        ]
    return {"slope": SLOPE, "models": models, "comparisons": comparisons}


def curve(right_NSK: Right, shots: Sequence[int], bootstrap: Bootstrap) -> dict[str, Any]:
    """Return the accuracy at each k, and the slope.

    Accuracy is the mean over draws of the demonstrations, with its interval over queries, and the
    accuracy of the worst draw.
    """
    mean_NK = right_NSK.mean(1)
    seeds_SK = right_NSK.mean(0)
    by_k = {
        str(k): {
            **rounded(bootstrap.mean(mean_NK[:, place])),
            "worst": round(float(seeds_SK[:, place].min()), 6),
        }
        for place, k in enumerate(shots)
    }
    return {
        "n": len(right_NSK),
        "accuracy": by_k,
        "slope": rounded(bootstrap.mean(slopes(right_NSK, shots))),
    }


def slopes(right_NSK: Right, shots: Sequence[int]) -> Floats:
    """Return each query's slope, [N].

    A slope is linear in the accuracies, so the mean of the slopes is the slope of the mean curve.
    """
    x_K = np.log2(np.array(shots) + 1.0)
    centred_K = x_K - x_K.mean()
    # with a single k the sum is 0: the slope is then 0 instead of nan
    return np.asarray(right_NSK.mean(1) @ centred_K / max((centred_K**2).sum(), 1e-12))


def compared_pairs(models: Mapping[Contender, Any]) -> list[tuple[Contender, Contender]]:
    """Return each student paired with the base, with the teacher, and with every other student."""
    students = [c for c in models if c.role == "student"]
    others = [c for c in models if c.role != "student"]
    return [
        *((student, other) for student in students for other in others),
        *combinations(students, 2),
    ]


def comparison(a_N: Floats, b_N: Floats, bootstrap: Bootstrap) -> dict[str, Any]:
    """Return a - b, paired by query, and whether its interval excludes 0."""
    difference = bootstrap.difference(a_N, b_N)
    return {"difference": rounded(difference), "clear": difference.low > 0 or difference.high < 0}


def episodes_section(
    cases: Sequence[Case], right: Mapping[Contender, Right], bootstrap: Bootstrap
) -> dict[str, Any]:
    """Return the accuracy over all rows, by task and by k, and compare the models by row."""
    tasks = places_by(cases, "family")
    by_k = places_by(cases, "k")
    models = [
        {
            "name": contender.name,
            "role": contender.role,
            "accuracy": rounded(bootstrap.mean(right_N)),
            "by_task": accuracies(right_N, tasks, bootstrap),
            "by_k": accuracies(right_N, by_k, bootstrap),
        }
        for contender, right_N in right.items()
    ]
    comparisons = [
        {"a": a.name, "b": b.name, **comparison(right[a], right[b], bootstrap)}
        for a, b in compared_pairs(right)
    ]
    return {"models": models, "comparisons": comparisons}


def accuracies(
    right_N: Right, groups: Mapping[str, list[int]], bootstrap: Bootstrap
) -> dict[str, Any]:
    """Return the accuracy of each group of rows, with its interval and its size."""
    return {
        name: {**rounded(bootstrap.mean(right_N[places])), "n": len(places)}
        for name, places in groups.items()
    }


def places_by(cases: Sequence[Case], key: str) -> dict[str, list[int]]:
    """Return the places of the cases by the value of a field, sorted by the value."""
    found = defaultdict[Any, list[int]](list)
    for place, case in enumerate(cases):
        found[getattr(case, key)].append(place)
    return {str(value): found[value] for value in sorted(found)}
