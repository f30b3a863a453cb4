"""Documents mixed in given shares and packed into rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
from transformers import PreTrainedTokenizerFast

from recipes.microworld.documents import Document, draw


@dataclass(frozen=True)
class Rows:
    """Packed documents, each array of shape (rows, length)."""

    tokens: np.ndarray
    weights: np.ndarray
    """Loss weight of each token, as a target."""
    documents: np.ndarray
    """Number of the document in its row; -1 where the row is empty."""


def rows(
    tokenizer: PreTrainedTokenizerFast,
    shares: dict[str, float],
    *,
    seed: str,
    count: int,
    length: int = 256,
) -> Rows:
    """`count` rows of documents in given shares of tokens."""
    rng = Random(f"{seed}:documents")
    bins = _fill(
        _mixed(tokenizer, shares, rng, budget=count * length, length=length), count, length
    )
    rng.shuffle(bins)
    tokens = np.zeros((count, length), dtype=np.int64)
    weights = np.zeros((count, length), dtype=np.float32)
    documents = np.full((count, length), -1, dtype=np.int64)
    for row, packed in enumerate(bins):
        at = 0
        for number, (ids, weight) in enumerate(packed):
            tokens[row, at : at + len(ids)] = ids
            weights[row, at : at + len(ids)] = weight
            weights[row, at] = 0.0
            documents[row, at : at + len(ids)] = number
            at += len(ids)
    return Rows(tokens, weights, documents)


Encoded = tuple[list[int], list[float]]


def _mixed(
    tokenizer: PreTrainedTokenizerFast,
    shares: dict[str, float],
    rng: Random,
    *,
    budget: int,
    length: int,
) -> list[Encoded]:
    """Documents worth `budget` tokens, always drawing the kind that is most behind its share."""
    spent = dict.fromkeys(shares, 0.0)
    found: list[Encoded] = []
    while sum(spent.values()) < budget:
        kind = min(shares, key=lambda k: spent[k] / shares[k])
        ids, weight = encode(tokenizer, draw(rng, kind))
        spent[kind] += len(ids)
        if len(ids) <= length:
            found.append((ids, weight))
    return found


def encode(tokenizer: PreTrainedTokenizerFast, document: Document) -> Encoded:
    """Token ids and the weight of each."""
    ids: list[int] = []
    weights: list[float] = []
    for piece, (_, weight) in zip(
        tokenizer.backend_tokenizer.encode_batch([text for text, _ in document]),
        document,
        strict=True,
    ):
        ids += piece.ids
        weights += [weight] * len(piece.ids)
    return ids, weights


def _fill(documents: Iterable[Encoded], count: int, length: int) -> list[list[Encoded]]:
    """Best fit, longest first; what fits nowhere is left out."""
    bins: list[list[Encoded]] = [[] for _ in range(count)]
    room = [length] * count
    for document in sorted(documents, key=lambda d: -len(d[0])):
        fits = [i for i in range(count) if room[i] >= len(document[0])]
        if fits:
            best = min(fits, key=room.__getitem__)
            bins[best].append(document)
            room[best] -= len(document[0])
    return bins


def stream(
    tokenizer: PreTrainedTokenizerFast,
    plan: Callable[[int], dict[str, float]],
    *,
    seed: int,
    chunk: int,
    start: int = 0,
) -> Iterator[Rows]:
    """Chunks of `chunk` rows without end; `plan` gives the shares of chunk i. The same seed gives
    the same chunks."""
    tokenizer.backend_tokenizer.no_padding()
    while True:
        yield rows(tokenizer, plan(start), seed=f"{seed}:{start}", count=chunk)
        start += 1
