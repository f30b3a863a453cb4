"""The settings of `datagen filter`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from datagen.flags import check
from datagen.teacher.license import check_license


@dataclass(frozen=True)
class FilterSettings:
    """Leave out duplicates, benchmark questions and poor responses of an instruction set."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Rows to filter: a run folder, a dataset version (NAME or NAME@VERSION), a file (JSONL,
    JSON, CSV, TSV or Parquet), a dataset folder, or a dataset on the Hub (ORG/NAME)."""
    out: Path | None = None
    """The run folder. Default: runs/filter-SOURCE."""
    filter: tuple[str, ...] = ()
    """Your own filters, each as module:function. A filter gets a row and returns None, or the
    reason to reject it."""
    exact_duplicates: bool = True
    """Reject a prompt that has the same words as an earlier one."""
    near_duplicates: float = 0.0
    """Reject a prompt if the Jaccard similarity of its 3-word sequences with an earlier prompt
    is at least this value, such as 0.8. 0 switches the check off."""
    embedding_duplicates: float = 0.0
    """Reject a prompt if the cosine of its embedding with an earlier one is at least this value,
    such as 0.95. 0 switches the check off."""
    encoder: str = "characters"
    """What computes the embeddings: characters (built in), model2vec:NAME or
    sentence-transformers:NAME."""
    against: str = ""
    """Benchmarks whose test questions must not occur in a prompt. Separate names with commas:
    gsm8k,svamp,bbh."""
    data_root: Path | None = None
    """Folder that holds the published files of the benchmarks. Default: they come from the Hub."""
    ngram_share: float = 0.5
    """Reject a prompt if at least this fraction of a benchmark question's words is covered by
    8-word sequences that the prompt shares with it."""
    rouge_l: float = 0.7
    """Reject a prompt if its longest common subsequence with a benchmark question covers more
    than this fraction of the question's words."""
    responses: bool = False
    """Check the responses too: reject those that are empty, cut off, refusals, repetitive, too
    short or too long."""
    shortest: int = 1
    """Shortest response in words (Chinese: characters)."""
    longest: int | None = None
    """Longest response in words (Chinese: characters). Default: no limit."""
    repetition: float = 0.5
    """Reject a response if more than this fraction of its 4-word sequences occurred in it
    before."""
    language: str | None = None
    """Language of the responses: en or zh. It decides the refusal phrases and how lengths are
    counted. Default: en."""
    templates: Path | None = None
    """Folder with your own word lists. A file in it replaces the shipped file of the same name."""
    teacher_license: str | None = None
    """Licence of the teacher that wrote the rows, such as apache-2.0, for lineage and card."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        check(
            self,
            near_duplicates=(0 <= self.near_duplicates <= 1, "between 0 and 1"),
            embedding_duplicates=(0 <= self.embedding_duplicates <= 1, "between 0 and 1"),
            ngram_share=(0 < self.ngram_share <= 1, "above 0 and at most 1"),
            rouge_l=(0 < self.rouge_l <= 1, "above 0 and at most 1"),
            shortest=(self.shortest >= 0, "0 or more"),
            # a shortest of 0 still needs a longest of 1: an empty response is rejected anyway
            longest=(
                self.longest is None or self.longest >= max(1, self.shortest),
                "at least the shortest",
            ),
            repetition=(0 <= self.repetition <= 1, "between 0 and 1"),
        )
        check_license("--teacher-license", self.teacher_license)
