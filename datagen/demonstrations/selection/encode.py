"""Sentence vectors: a built-in encoder, and models of sentence-transformers by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from datagen.demonstrations.pools import same_input
from datagen.errors import UserError

Vectors: TypeAlias = NDArray[np.float32]
Encode: TypeAlias = Callable[[Sequence[str]], Vectors]
"""From texts to vectors of length 1, of shape (texts, dimensions)."""

DIMENSIONS = 512
"""Of a built-in vector. The noise of a cosine is about 1 / sqrt(512) = 4%."""
NGRAMS = (2, 3, 4)
"""Lengths of character n-grams. Inputs of tasks are often a few words, so short ones count."""
FEATURES = 1 << 20
"""Hash values of n-grams, in which they are counted before they share the dimensions."""
FITTED = 100_000
"""Most texts in which the n-grams are counted. From more texts, evenly spaced ones are taken: the
counts hardly change, and time is saved."""


def encoder(name: str, texts: Sequence[str]) -> Encode:
    """Return the encoder for the texts of a pool.

    Args:
        name: of a sentence-transformers model; "" is the built-in encoder.
        texts: of the pool. The built-in encoder counts its n-grams in them.

    Raises:
        UserError: the package or the model is missing.
    """
    return sentence_encoder(name) if name else hashed(texts)


def hashed(texts: Sequence[str]) -> Encode:
    """Return an encoder by TF-IDF of hashed character n-grams (sublinear tf, smoothed idf).

    The features are added up with random signs in DIMENSIONS dimensions.

    Source:
        Feature hashing, arXiv 0902.2206.
    """
    sample = texts[:: -(-len(texts) // FITTED) or 1]
    documents = np.zeros(FEATURES, dtype=np.int64)
    for text in sample:
        documents[np.unique(ngrams(text))] += 1
    # 1 is added, so that an n-gram of every text still counts
    idf = np.log((1 + len(sample)) / (1 + documents)) + 1

    def encode(texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            features, counts = np.unique(ngrams(text), return_counts=True)
            # half of the features of a dimension are subtracted, so that collisions cancel out
            signs = np.where(features // DIMENSIONS % 2, 1.0, -1.0)
            row += np.bincount(
                features % DIMENSIONS, signs * (1 + np.log(counts)) * idf[features], DIMENSIONS
            )
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    return encode


def ngrams(text: str) -> NDArray[np.int64]:
    """Return the hash of every character n-gram of a text, with a space before and after it."""
    points = np.frombuffer(
        f" {same_input(text)} ".encode("utf-32-le", "surrogatepass"), dtype=np.uint32
    )
    points = points.astype(np.uint64)
    found = []
    for n in NGRAMS:
        key = np.full(max(len(points) - n + 1, 0), n, dtype=np.uint64)
        for place in range(n):
            key = (key ^ points[place : place + len(key)]) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
        found.append(key >> np.uint64(44))
    return np.concatenate(found).astype(np.int64)


def sentence_encoder(name: str) -> Encode:
    """Return a sentence-transformers model as an encoder. Raises UserError."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise UserError(
            f"--encoder {name} needs sentence-transformers (pip install sentence-transformers); "
            "leave --encoder out for the one that is built in"
        ) from None
    try:
        model: Any = SentenceTransformer(name)
    except (OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UserError(f"--encoder {name}: cannot open it: {reason}") from None
    return lambda texts: np.asarray(
        model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False),
        dtype=np.float32,
    )


def in_blocks(encode: Encode, texts: Sequence[str], size: int) -> Iterator[tuple[int, Vectors]]:
    """Yield (first place, vectors) of one block of texts after another."""
    for first in range(0, len(texts), size):
        yield first, encode(texts[first : first + size])
