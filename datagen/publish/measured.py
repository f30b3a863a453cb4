"""What is measured of every row that is published: the languages of a sample, and how many rows
repeat another.
"""

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
"""Rows of a config whose languages are looked at."""
SHORTEST = 40
"""Bytes, in UTF-8, of the letters of a text, below which its language is not guessed: seven words
of English, a dozen characters of Chinese."""
LONGEST = 1_000
"""Characters of a text that are looked at."""
LETTERS = re.compile(r"[^\W\d_]+")


@dataclass
class Texts:
    """The prompts of a config, or its prompts with their completions: how many were there
    before.
    """

    digests: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, *texts: str) -> None:
        digest = hashlib.blake2b(
            "\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8
        ).digest()
        self.digests.append(int.from_bytes(digest, "little"))

    def repeated(self) -> int:
        import numpy as np

        return len(self.digests) - len(np.unique(np.frombuffer(self.digests, np.uint64)))


def measured(files: dict[str, Path], rows: dict[str, int], *, seed: int) -> dict[str, Any]:
    """`languages` and `duplicates` of the configs of a run, from their Parquet files.

    languages: of `sample` rows drawn by the run's seed, how many prompts and completions are in
    which language, and how many are `too_short` to tell. duplicates: how many rows have the prompt
    of an earlier row, and how many its completion as well; a pair of texts is taken for the same by
    8 bytes of its hash.
    """
    from importlib.metadata import version

    found = {
        config: of_config(file, rows[config], Random(f"{seed}:languages:{config}"))
        for config, file in files.items()
    }
    about = {"detector": f"py3langid {version('py3langid')}", "shortest": SHORTEST}
    return {
        "languages": about
        | {"configs": {config: languages for config, (languages, _) in found.items()}},
        "duplicates": {config: duplicates for config, (_, duplicates) in found.items()},
    }


def of_config(file: Path, rows: int, stream: Random) -> tuple[dict[str, Any], dict[str, int]]:
    """Languages and duplicates of one config, in one pass over its texts."""
    drawn = set(stream.sample(range(rows), min(SAMPLE, rows)))
    tongues, prompts, pairs = (
        {"prompt": Counter[str](), "completion": Counter[str]()},
        Texts(),
        Texts(),
    )
    for place, (prompt, completion) in enumerate(texts_of(file)):
        prompts.add(prompt)
        pairs.add(prompt, completion)
        if place in drawn:
            tongues["prompt"][language_of(prompt)] += 1
            tongues["completion"][language_of(completion)] += 1
    languages = {"sample": len(drawn)} | {part: in_order(found) for part, found in tongues.items()}
    return languages, {"prompts": prompts.repeated(), "rows": pairs.repeated()}


def in_order(found: Counter[str]) -> dict[str, Any]:
    """The languages by their number of texts, of equals by name; apart from them what was too
    short.
    """
    short = found.pop("", 0)
    return {
        "languages": dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))),
        "too_short": short,
    }


def language_of(text: str) -> str:
    """The code of a text's language; empty where it has too few letters to tell."""
    from py3langid import classify

    text = text[:LONGEST]
    if len("".join(LETTERS.findall(text)).encode("utf-8", "surrogatepass")) < SHORTEST:
        return ""
    return str(classify(text)[0])


def texts_of(file: Path) -> Iterator[tuple[str, str]]:
    """What was asked and what was answered, row by row: the words of all turns."""
    for batch in batches_of(file, columns=["prompt", "completion"]):
        yield from zip(
            words(batch.column("prompt")), words(batch.column("completion")), strict=True
        )


def words(turns: pa.ListArray) -> list[str]:
    """The contents of each row's turns, a line each."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = np.cumsum(pc.list_value_length(turns).fill_null(0).to_numpy(zero_copy_only=False))
    contents = turns.flatten().field("content").fill_null("")
    lists = pa.ListArray.from_arrays(pa.array([0, *ends], pa.int32()), contents)
    return list(pc.binary_join(lists, "\n").to_pylist())
