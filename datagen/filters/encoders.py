"""Texts as vectors of length 1, whose inner product is the cosine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError

if TYPE_CHECKING:
    import numpy as np

GRAMS = (3, 4, 5)
"""Lengths of character n-grams: about a syllable, a stem, a short word."""
BUCKETS = 1 << 20
"""Hash buckets in which n-grams are counted. English text has fewer than a million common n-grams,
so that few share a bucket."""
DIMENSIONS = 1024
"""Dimensions of a built-in vector. Folding the buckets adds noise of about 1 / sqrt(1024) = 3% to a
cosine."""
LONGEST = 20_000
"""Characters of a text that the built-in encoder reads. It bounds time and memory."""
MIX = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: multiplying by it spreads neighbouring numbers far apart."""
TINY = 1e-12
"""Least length of a vector, so that an empty text is divided by something."""


def encode(texts: Sequence[str], encoder: str = "characters") -> np.ndarray:
    """Return the vectors of texts.

    Args:
        texts: what is encoded.
        encoder: "characters" (TF-IDF of hashed character 3- to 5-grams, built in),
            "model2vec:NAME" or "sentence-transformers:NAME".

    Returns:
        float32 of shape (texts, dimensions). Each row has length 1, or 0 for an empty text.

    Raises:
        UserError: the encoder is unknown, or its package or model cannot be loaded.
    """
    import numpy as np

    # the name of a model may hold colons of its own
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
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), TINY)


def by_package(texts: Sequence[str], package: str, name: str) -> np.ndarray:
    """Return the vectors of a model by name. Raises UserError if it cannot be loaded."""
    import numpy as np

    try:
        model = load_model(package, name)
    except ImportError:
        raise UserError(
            f"encoder {package}:{name} needs the package {package}: pip install {package}"
        ) from None
    except Exception as error:
        # the Hub, the network and the files raise many types; a person needs one line
        raise UserError(
            f"encoder {package}:{name} cannot be loaded: {' '.join(str(error).split())[:200]}"
        ) from None
    return np.asarray(model.encode(list(texts)), dtype=np.float32)


def load_model(package: str, name: str) -> Any:
    """Return a model with a method `encode`. Raises what the package raises, or ImportError."""
    if package == "model2vec":
        from model2vec import StaticModel

        return StaticModel.from_pretrained(name)

    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(name)


def characters(texts: Sequence[str]) -> np.ndarray:
    """Return TF-IDF vectors of hashed character n-grams, of shape (texts, DIMENSIONS).

    The weight of an n-gram is (1 + log tf) · log(1 + N / df).
    """
    import numpy as np

    counted = [np.unique(grams(text), return_counts=True) for text in texts]
    frequency = np.zeros(BUCKETS, dtype=np.int64)
    for buckets, _ in counted:
        frequency[buckets] += 1
    idf = np.log1p(len(texts) / np.maximum(frequency, 1))
    # half of the buckets that share a dimension are subtracted, so that collisions cancel out
    sign = np.where(np.arange(BUCKETS) // DIMENSIONS % 2, 1.0, -1.0)

    rows = []
    for buckets, counts in counted:
        weights = sign[buckets] * idf[buckets] * (1 + np.log(counts))
        rows.append(np.bincount(buckets % DIMENSIONS, weights=weights, minlength=DIMENSIONS))
    return np.array(rows, dtype=np.float32).reshape(len(texts), DIMENSIONS)


def grams(text: str) -> np.ndarray:
    """Return the bucket of every character n-gram of a text.

    The text is read in lower case, with single spaces and a space at either end: the ends of words
    are features too.
    """
    import numpy as np

    words = text[:LONGEST].lower().split()
    if not words:
        return np.zeros(0, dtype=np.int64)
    spaced = f" {' '.join(words)} ".encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(spaced, dtype=np.uint32)

    found = []
    for size in GRAMS:
        window = min(size, len(points))
        windows = np.lib.stride_tricks.sliding_window_view(points, window).astype(np.uint64)
        hashed = np.full(len(windows), size, dtype=np.uint64)
        for column in windows.T:
            hashed = (hashed ^ column) * np.uint64(MIX)
            hashed ^= hashed >> np.uint64(29)
        found.append((hashed % np.uint64(BUCKETS)).astype(np.int64))
    return np.concatenate(found)
