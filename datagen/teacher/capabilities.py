"""What an engine can do besides completing prompts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What an engine can do.

    It is declared once for each engine, so a command can refuse a teacher before it asks anything.
    """

    score: bool = False
    """It gives the log-probability of a given continuation. Of the endpoints only vLLM servers do.
    Another endpoint raises UserError at the first score."""
    topk: bool = False
    """It gives the K most probable tokens at each position of a given text."""
    schema: bool = False
    """It can hold an answer to a JSON schema (structured outputs)."""
    batch_api: bool = False
    """It may have a Batch API."""
    tokenizer: bool = False
    """It can load the model's own tokenizer and chat template (`load_tokenizer`)."""
    local: bool = False
    """The weights are loaded on the machine that asks, not behind a URL."""
    gpu: bool = False
    """A worker should have a GPU, if the machine has one."""
