"""Diverse sets: vote-k, and greedy MAP of a determinantal point process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from datagen.demonstrations.selection.encode import Vectors

Places = list[int]
Floats = NDArray[np.float64]
BLOCK = 1024
"""Rows of the matrix of cosines that are computed at once. It bounds the memory."""


def vote_k(neighbours: NDArray[np.int64], size: int, *, discount: float = 10.0) -> Places:
    """Return nodes that represent a graph, the most representative first ("fast vote-k").

    The node with the highest vote is chosen, again and again. Every node that is not chosen votes
    for its neighbours, with the weight discount ** -(number of its neighbours that are chosen). So
    nodes near chosen ones get fewer votes. Of equal votes the lower node wins.

    Args:
        neighbours: the nearest other nodes of every node, of shape (nodes, degree).
        size: how many nodes to return.
        discount: of the weights. 10 is the paper's value.

    Source:
        Vote-k, arXiv 2209.01975, section 2.1.
    """
    nodes, degree = neighbours.shape
    counts = np.bincount(neighbours.ravel(), minlength=nodes)
    # the nodes that vote for each node
    by_target = np.argsort(neighbours.ravel(), kind="stable") // max(degree, 1)
    voters = np.split(by_target, np.cumsum(counts)[:-1])

    weight = np.ones(nodes)
    votes = counts.astype(float)
    chosen: Places = []
    while len(chosen) < min(size, nodes):
        free = np.setdiff1d(np.arange(nodes), chosen)
        # rounded, so that the order of additions decides no tie
        node = int(free[votes[free].round(9).argmax()])
        chosen.append(node)
        changed = [(node, 0.0), *((v, weight[v] / discount) for v in voters[node].tolist())]
        # only the votes of changed voters are counted anew
        for voter, now in changed:  # a chosen voter weighs 0 and stays there
            votes[neighbours[voter]] += now - weight[voter]
            weight[voter] = now
    return chosen


def nearest_others(vectors: Vectors, degree: int) -> NDArray[np.int64]:
    """Return the nearest other rows of every row by cosine; of equal ones the lower.

    Args:
        vectors: of length 1, of shape (rows, dimensions).
        degree: how many others.

    Returns:
        int64 of shape (rows, degree).
    """
    found = []
    for first in range(0, len(vectors), BLOCK):
        cosines = vectors[first : first + BLOCK] @ vectors.T
        rows = np.arange(len(cosines))
        cosines[rows, rows + first] = -np.inf
        found.append(np.argsort(-cosines, axis=1, kind="stable")[:, :degree])
    return np.concatenate(found)


def kernel(relevance: Floats, vectors: Vectors, *, trade_off: float = 0.1) -> Floats:
    """Return the kernel r_i · sim_ij · r_j with r = exp(relevance / (2 · trade_off)).

    Relevances and similarities are cosines, moved to 0..1 as the paper's code does.

    Args:
        relevance: of the items, of shape (n,).
        vectors: of the items, of length 1, of shape (n, dimensions).
        trade_off: a lower value favours relevance over diversity. 0.1 is the paper's value.

    Returns:
        float64 of shape (n, n).

    Source:
        CEIL, arXiv 2302.05698, section 3.2.
    """
    quality = np.exp((relevance + 1) / 2 / (2 * trade_off))
    similarity = (vectors.astype(np.float64) @ vectors.T.astype(np.float64) + 1) / 2
    return quality[:, None] * similarity * quality[None, :]


def greedy_map(kernel: Floats, size: int, allowed: Callable[[Places], Places]) -> Places:
    """Return the items that maximise the determinant of their submatrix, chosen greedily.

    Each step adds the item that raises the log determinant most. An item keeps its row of the
    Cholesky factor and the rest of its diagonal. So a step computes only one new row.

    Args:
        kernel: of shape (n, n).
        size: how many items to return. Fewer are returned if the rank is used up.
        allowed: from the chosen items to the items that may follow.

    Source:
        arXiv 1709.05135, algorithm 1.
    """
    factor = np.zeros((size, len(kernel)))
    rest = np.diag(kernel).copy()
    chosen: Places = []
    # below this the rest of a diagonal is rounding error
    least = 1e-10 * rest.max(initial=0.0)
    while len(chosen) < size:
        free = [item for item in allowed(chosen) if item not in chosen]
        if not free or rest[free].max() <= least:
            break
        item = free[int(rest[free].argmax())]
        step = len(chosen)
        factor[step] = (kernel[item] - factor[:step, item] @ factor[:step]) / np.sqrt(rest[item])
        rest -= factor[step] ** 2
        chosen.append(item)
    return chosen
