"""Texts as vectors of length 1, for cosines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datagen.errors import UserError

if TYPE_CHECKING:
    import numpy as np

GRAMS = (3, 4, 5)
BUCKETS = 1 << 20
DIMENSIONS = 1024
LONGEST = 20_000
"""Characters of a text that the built-in encoder reads."""


def encode(texts: Sequence[str], encoder: str = "characters") -> np.ndarray:
    """Vectors of shape (texts, dimensions), float32, each of length 1 (0 for an empty text).

    "characters" needs nothing: TF-IDF of character 3- to 5-grams, hashed. "model2vec:NAME" and
    "sentence-transformers:NAME" load that model with that package. Raises UserError where it is not
    there.
    """
    import numpy as np

    kind, _, name = encoder.partition(":")
    if encoder == "characters":
        vectors = characters(texts)
    elif kind in ("model2vec", "sentence-transformers") and name:
        vectors = by_package(texts, kind, name)
    else:
        raise UserError(
            f"encoder {encoder!r}: there are characters, model2vec:NAME and "
            "sentence-transformers:NAME"
        )
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def by_package(texts: Sequence[str], package: str, name: str) -> np.ndarray:
    import numpy as np

    try:
        if package == "model2vec":
            from model2vec import StaticModel

            model = StaticModel.from_pretrained(name)
        else:
            from sentence_transformers import SentenceTransformer

            model = SentenceTransformer(name)
    except ImportError:
        raise UserError(
            f"encoder {package}:{name} needs the package {package}: pip install {package}"
        ) from None
    except Exception as error:  # whatever the hub or the files raise: the person needs one line
        raise UserError(
            f"encoder {package}:{name} cannot be loaded: {' '.join(str(error).split())[:200]}"
        ) from None
    return np.asarray(model.encode(list(texts)), dtype=np.float32)


def characters(texts: Sequence[str]) -> np.ndarray:
    """TF-IDF of hashed character n-grams, (1 + log tf)·log(1 + N/df), folded to DIMENSIONS with
    signs.
    """
    import numpy as np

    counted = [np.unique(grams(text), return_counts=True) for text in texts]
    frequency = np.zeros(BUCKETS, dtype=np.int64)
    for buckets, _ in counted:
        frequency[buckets] += 1
    weight = np.log1p(len(texts) / np.maximum(frequency, 1))
    sign = np.where(np.arange(BUCKETS) // DIMENSIONS % 2, 1.0, -1.0)
    rows = [
        np.bincount(
            b % DIMENSIONS, weights=sign[b] * weight[b] * (1 + np.log(n)), minlength=DIMENSIONS
        )
        for b, n in counted
    ]
    return np.array(rows, dtype=np.float32).reshape(len(texts), DIMENSIONS)


def grams(text: str) -> np.ndarray:
    """The bucket of every character n-gram of a text: lower case, single spaces, one at either
    end.
    """
    import numpy as np

    words = text[:LONGEST].lower().split()
    if not words:
        return np.zeros(0, dtype=np.int64)
    points = np.frombuffer(
        f" {' '.join(words)} ".encode("utf-32-le", "surrogatepass"), dtype=np.uint32
    )
    found = []
    for size in GRAMS:
        windows = np.lib.stride_tricks.sliding_window_view(points, min(size, len(points))).astype(
            np.uint64
        )
        hashed = np.full(len(windows), size, dtype=np.uint64)
        for column in windows.T:
            hashed = (hashed ^ column) * np.uint64(0x9E3779B97F4A7C15)
            hashed ^= hashed >> np.uint64(29)
        found.append((hashed % np.uint64(BUCKETS)).astype(np.int64))
    return np.concatenate(found)
