"""What an engine can do besides completing prompts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """Declared once for each engine, so that a command can refuse a teacher before it asks it."""

    score: bool = False
    """It gives the log-probability of a given continuation. An endpoint does so only where it is
    a vLLM server; another endpoint raises UserError at the first score."""
    topk: bool = False
    """It gives the K most probable tokens in the place of given tokens."""
    schema: bool = False
    """It can hold an answer to a JSON schema (structured outputs)."""
    batch_api: bool = False
    """It may have a Batch API."""
    tokenizer: bool = False
    """The model's own tokenizer and chat template are at hand (`load_tokenizer`)."""
    local: bool = False
    """The weights are loaded on the machine that asks, not behind an address."""
    gpu: bool = False
    """A worker should have a GPU, where there is one."""
