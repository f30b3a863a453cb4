"""What a filter run is asked to do."""

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
    """Rows to filter: a run folder, a dataset version (NAME or NAME@VERSION), a Parquet or JSONL
    file."""
    out: Path | None = None
    """The run folder, by default runs/filter-SOURCE."""
    filter: tuple[str, ...] = ()
    """Your own filters, each as module:function. A filter gets a row and returns None, or the
    reason to reject it."""
    exact_duplicates: bool = True
    """Leave out prompts with the same words as an earlier one."""
    near_duplicates: float = 0.0
    """Leave out prompts whose 3-word shingles have at least this Jaccard similarity with an earlier
    one's, e.g. 0.8 (MinHash-LSH). 0 leaves the check out."""
    embedding_duplicates: float = 0.0
    """Leave out prompts whose embedding has at least this cosine with an earlier one's, e.g. 0.95.
    0 leaves the check out."""
    encoder: str = "characters"
    """What makes the embeddings: characters (n-grams, built in), model2vec:NAME or
    sentence-transformers:NAME."""
    against: str = ""
    """Benchmarks whose test questions must not be in a prompt, with commas between them:
    gsm8k,svamp,bbh."""
    data_root: Path | None = None
    """Folder with the published files of the benchmarks; without it they come from the Hub."""
    ngram_share: float = 0.5
    """A prompt is contaminated when this share of a question's words stands in 8-word runs that
    both hold ..."""
    rouge_l: float = 0.7
    """... or when the longest common subsequence is over this share of the question's words."""
    responses: bool = False
    """Check the responses too: empty, cut off, refusals, repetitive, too short, too long."""
    shortest: int = 1
    """Shortest response, in words (zh: characters)."""
    longest: int | None = None
    """Longest response, in words (zh: characters)."""
    repetition: float = 0.5
    """Largest share of a response's 4-word runs that may stand in it before."""
    language: str | None = None
    """Language of the responses: their refusals and their lengths; en by default."""
    templates: Path | None = None
    """Folder with word lists of your own, which go before the shipped ones."""
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
            longest=(
                self.longest is None or self.longest >= max(1, self.shortest),
                "at least the shortest",
            ),
            repetition=(0 <= self.repetition <= 1, "between 0 and 1"),
        )
        check_license("--teacher-license", self.teacher_license)
