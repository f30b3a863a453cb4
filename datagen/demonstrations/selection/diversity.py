"""Sets that represent a pool: vote-k, and greedy MAP of a determinantal point process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from datagen.demonstrations.selection.encode import Vectors

Places = list[int]
Floats = NDArray[np.float64]


def vote_k(neighbours: NDArray[np.int64], size: int, *, discount: float = 10.0) -> Places:
    """The nodes of highest vote, one after another (arXiv 2209.01975, section 2.1; the graph part,
    "fast vote-k").

    `neighbours` [nodes, degree]: the nearest others of every node. A node that is not chosen yet
    votes for its neighbours with discount ** -(its neighbours chosen already). Of equal votes the
    lower node wins.
    """
    nodes, degree = neighbours.shape
    counts = np.bincount(neighbours.ravel(), minlength=nodes)
    voters = np.split(
        np.argsort(neighbours.ravel(), kind="stable") // max(degree, 1), np.cumsum(counts)[:-1]
    )
    weight, votes, chosen = np.ones(nodes), counts.astype(float), Places()
    while len(chosen) < min(size, nodes):
        free = np.setdiff1d(np.arange(nodes), chosen)
        node = int(free[votes[free].round(9).argmax()])
        chosen.append(node)
        changed = [(node, 0.0), *((v, weight[v] / discount) for v in voters[node].tolist())]
        for voter, now in changed:  # a chosen voter weighs 0 and stays there
            votes[neighbours[voter]] += now - weight[voter]
            weight[voter] = now
    return chosen


def nearest_others(vectors: Vectors, degree: int) -> NDArray[np.int64]:
    """The `degree` nearest other rows of every row by cosine, [rows, degree]; of equal ones the
    lower.
    """
    found = []
    for first in range(0, len(vectors), 1024):
        cosines = vectors[first : first + 1024] @ vectors.T
        rows = np.arange(len(cosines))
        cosines[rows, rows + first] = -np.inf
        found.append(np.argsort(-cosines, axis=1, kind="stable")[:, :degree])
    return np.concatenate(found)


def kernel(relevance: Floats, vectors: Vectors, *, trade_off: float = 0.1) -> Floats:
    """r_i · sim_ij · r_j, with r = exp(relevance / (2 · trade_off)) (arXiv 2302.05698, section
    3.2).

    `relevance` [n] and similarities are cosines, moved to 0..1 as the paper's code does; `vectors`
    [n, dimensions].
    """
    quality = np.exp((relevance + 1) / 2 / (2 * trade_off))
    similarity = (vectors.astype(np.float64) @ vectors.T.astype(np.float64) + 1) / 2
    return quality[:, None] * similarity * quality[None, :]


def greedy_map(kernel: Floats, size: int, allowed: Callable[[Places], Places]) -> Places:
    """Add the item that raises log det of the chosen submatrix most, `size` times (arXiv
    1709.05135, algorithm 1).

    Each item keeps its row of the Cholesky factor and what remains of its diagonal, so a step costs
    one row. `allowed` says which items may follow the chosen ones. Ends early where the rank is
    used up.
    """
    factor, rest, chosen = np.zeros((size, len(kernel))), np.diag(kernel).copy(), Places()
    least = 1e-10 * rest.max(initial=0.0)
    while len(chosen) < size:
        free = [item for item in allowed(chosen) if item not in chosen]
        if not free or rest[free].max() <= least:
            break
        item, step = free[int(rest[free].argmax())], len(chosen)
        factor[step] = (kernel[item] - factor[:step, item] @ factor[:step]) / np.sqrt(rest[item])
        rest -= factor[step] ** 2
        chosen.append(item)
    return chosen
