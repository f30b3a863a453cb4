"""Mix documents in given shares, and pack them into rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
from transformers import PreTrainedTokenizerFast

from recipes.microworld.documents import Document, draw


@dataclass(frozen=True)
class Rows:
    """Packed documents. Each array has the shape (rows, length)."""

    tokens: np.ndarray
    weights: np.ndarray
    """The weight of each token in the loss, as a target."""
    documents: np.ndarray
    """The number of the document in its row; -1 for padding. Attention stays within a document."""


def rows(
    tokenizer: PreTrainedTokenizerFast,
    shares: dict[str, float],
    *,
    seed: str,
    count: int,
    length: int = 256,
) -> Rows:
    """Draw documents and pack them into rows.

    Args:
        tokenizer: The tokenizer of the micro-world.
        shares: The share of tokens of each kind of document.
        seed: Decides which documents are drawn.
        count: The number of rows.
        length: Tokens of a row.
    """
    rng = Random(f"{seed}:documents")
    documents_drawn = _mixed(tokenizer, shares, rng, budget=count * length, length=length)
    bins = _fill(documents_drawn, count, length)
    # Otherwise the first rows of every chunk would have the longest documents.
    rng.shuffle(bins)
    tokens = np.zeros((count, length), dtype=np.int64)
    weights = np.zeros((count, length), dtype=np.float32)
    documents = np.full((count, length), -1, dtype=np.int64)
    for row, packed in enumerate(bins):
        at = 0
        for number, (ids, weight) in enumerate(packed):
            tokens[row, at : at + len(ids)] = ids
            weights[row, at : at + len(ids)] = weight
            # Nothing in its own document comes before the first token.
            weights[row, at] = 0.0
            documents[row, at : at + len(ids)] = number
            at += len(ids)
    return Rows(tokens, weights, documents)


Encoded = tuple[list[int], list[float]]
"""Token ids, and the weight of each."""


def _mixed(
    tokenizer: PreTrainedTokenizerFast,
    shares: dict[str, float],
    rng: Random,
    *,
    budget: int,
    length: int,
) -> list[Encoded]:
    """Draw documents with `budget` tokens together, always of the kind most behind its share."""
    spent = dict.fromkeys(shares, 0.0)
    found: list[Encoded] = []
    while sum(spent.values()) < budget:
        kind = min(shares, key=lambda k: spent[k] / shares[k])
        ids, weight = encode(tokenizer, draw(rng, kind))
        # A document that is too long counts as well, or its kind would be drawn without end.
        spent[kind] += len(ids)
        if len(ids) <= length:
            found.append((ids, weight))
    return found


def encode(tokenizer: PreTrainedTokenizerFast, document: Document) -> Encoded:
    """Return the token ids of a document, and the weight of each."""
    ids: list[int] = []
    weights: list[float] = []
    # Piece by piece, so that no token spans two pieces with different weights.
    pieces = tokenizer.backend_tokenizer.encode_batch([text for text, _ in document])
    for piece, (_, weight) in zip(pieces, document, strict=True):
        ids += piece.ids
        weights += [weight] * len(piece.ids)
    return ids, weights


def _fill(documents: Iterable[Encoded], count: int, length: int) -> list[list[Encoded]]:
    """Pack documents into rows: the longest first, each into the fullest row that has room.

    Documents without room in any row are left out.
    """
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
    """Yield chunks of rows without end. The same seed gives the same chunks.

    Args:
        tokenizer: The tokenizer of the micro-world.
        plan: Returns the shares of a chunk by its number.
        seed: Decides which documents are drawn.
        chunk: Rows of a chunk.
        start: The number of the first chunk, for a training that continues.
    """
    tokenizer.backend_tokenizer.no_padding()
    while True:
        yield rows(tokenizer, plan(start), seed=f"{seed}:{start}", count=chunk)
        start += 1
