"""Statistics of the rows that are published: their languages, and how many rows are duplicates."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from datagen.versions.parquet import batches_of

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE = 2_000
"""Rows of a config whose languages are detected. At this size a share of 50 % has a standard error
of about 1 %."""
SHORTEST = 40
"""Bytes, in UTF-8, of the letters of a text. For shorter texts no language is guessed. These are
about seven words of English or a dozen characters of Chinese."""
LONGEST = 1_000
"""Characters of a text that the detector reads. More text would only cost time."""
LETTERS = re.compile(r"[^\W\d_]+")


@dataclass
class SeenTexts:
    """Counts repeated texts. It keeps 8 bytes of hash for each text, not the text."""

    digests: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, *texts: str) -> None:
        """Add one text, or a group of texts that count as one."""
        # a separator, so that ("ab", "c") and ("a", "bc") differ
        joined = "\0".join(texts).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(joined, digest_size=8).digest()
        self.digests.append(int.from_bytes(digest, "little"))

    def repeated(self) -> int:
        """Return how many texts were added that had been added before."""
        import numpy as np

        return len(self.digests) - len(np.unique(np.frombuffer(self.digests, np.uint64)))


def row_statistics(files: dict[str, Path], rows: dict[str, int], *, seed: int) -> dict[str, Any]:
    """Return the languages and the duplicates of the rows of a run.

    Two texts count as equal if 8 bytes of their hashes are equal.

    Args:
        files: the Parquet file of each config.
        rows: the number of rows of each config.
        seed: the seed of the run. It decides which rows are in the sample.

    Returns:
        `languages`: how many prompts and completions of the sample are in which language, and how
            many are `too_short` to tell.
        `duplicates`: how many rows repeat the prompt of an earlier row, and how many repeat its
            completion as well.
    """
    from importlib.metadata import version

    languages: dict[str, Any] = {}
    duplicates: dict[str, Any] = {}
    for config, file in files.items():
        # a stream of its own for each config: adding one does not change another's sample
        stream = Random(f"{seed}:languages:{config}")
        languages[config], duplicates[config] = of_config(file, rows[config], stream)

    about = {"detector": f"py3langid {version('py3langid')}", "shortest": SHORTEST}
    return {"languages": about | {"configs": languages}, "duplicates": duplicates}


def of_config(file: Path, rows: int, stream: Random) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the languages and the duplicates of one config. The file is read once.

    Args:
        file: the Parquet file.
        rows: the number of its rows.
        stream: draws the sample.
    """
    drawn = set(stream.sample(range(rows), min(SAMPLE, rows)))
    counts = {"prompt": Counter[str](), "completion": Counter[str]()}
    prompts = SeenTexts()
    pairs = SeenTexts()

    for position, (prompt, completion) in enumerate(texts_of(file)):
        prompts.add(prompt)
        pairs.add(prompt, completion)
        if position in drawn:
            counts["prompt"][language_of(prompt)] += 1
            counts["completion"][language_of(completion)] += 1

    languages = {"sample": len(drawn)} | {part: in_order(count) for part, count in counts.items()}
    return languages, {"prompts": prompts.repeated(), "rows": pairs.repeated()}


def in_order(counts: Counter[str]) -> dict[str, Any]:
    """Return the languages, the most frequent first, and the number of texts without one.

    Args:
        counts: texts of each language. The empty language stands for texts that are too short.
    """
    too_short = counts.pop("", 0)
    # equal counts are sorted by name, so that the same rows give the same card
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return {"languages": dict(ordered), "too_short": too_short}


def language_of(text: str) -> str:
    """Return the code of a text's language, or "" if it has too few letters to tell."""
    from py3langid import classify

    text = text[:LONGEST]
    if len("".join(LETTERS.findall(text)).encode("utf-8", "surrogatepass")) < SHORTEST:
        return ""
    return str(classify(text)[0])


def texts_of(file: Path) -> Iterator[tuple[str, str]]:
    """Yield prompt and completion of every row, each as the text of all its turns."""
    for batch in batches_of(file, columns=["prompt", "completion"]):
        prompts = turn_texts(batch.column("prompt"))
        completions = turn_texts(batch.column("completion"))
        yield from zip(prompts, completions, strict=True)


def turn_texts(turns: pa.ListArray) -> list[str]:
    """Return the contents of each row's turns, joined by line breaks, [rows]."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    # lists are built anew from their lengths, because a null list must become an empty text
    ends = np.cumsum(pc.list_value_length(turns).fill_null(0).to_numpy(zero_copy_only=False))
    contents = turns.flatten().field("content").fill_null("")
    lists = pa.ListArray.from_arrays(pa.array([0, *ends], pa.int32()), contents)
    return list(pc.binary_join(lists, "\n").to_pylist())
