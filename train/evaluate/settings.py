"""The settings of `train evaluate`: which models, which suites, how often."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from datagen.errors import UserError
from datagen.prompts.render import Style
from datagen.teacher import check_workers
from datagen.teacher.chat.options import ChatOptions

MODES = ("rationale", "direct")
"""A model is asked to reason first, or to give only the answer."""
AUTO = "auto"
STYLES: tuple[Style, ...] = ("chat", "plain")


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """Ask base, students and teacher the same questions, and report accuracy and the gap closed."""

    out: Path
    """Folder for report.json, answers.jsonl and the figures, report.png and in_context.png."""
    students: tuple[str, ...] = ()
    """NAME=SPEC or NAME=SPEC:MODE for each student, such as rationales=hf:students/a or
    answers=hf:students/b:direct. MODE is rationale by default. :plain at the end asks this model
    without its chat template."""
    base: str | None = None
    """What the students were trained from, hf:NAME_OR_PATH, with or without :plain. It is asked in
    both modes."""
    teacher: str | None = None
    """micro, hf:NAME_OR_PATH or openai:MODEL, with or without :MODE and :plain."""
    suite: tuple[str, ...] = ("microworld",)
    """Suites to measure on, by name. in-context measures accuracy by the number of demonstrations
    (in-context/category,shift: only these rule families). episodes:NAME@VERSION asks the rows of a
    demonstrations version."""
    split: str = "test"
    """The suites' split."""
    limit: int | None = None
    """Questions of each suite; by default all. For in-context, queries of each rule family; by
    default 40."""
    demonstration_seeds: int = 5
    """How often the demonstrations of in-context are drawn; the report has the mean and the worst
    draw."""
    data_root: Path | None = None
    """Folder with the suites' published files. Without it they come from the Hub."""
    samples: int = 8
    """Samples of each question for the majority answer; 0 leaves the majority out."""
    temperature: float = 0.7
    """Temperature of these samples."""
    max_tokens: int = 256
    """Longest answer, in tokens."""
    prompt_style: str = AUTO
    """auto, chat or plain (text of the form "Q: ... A:"), for all models. auto asks each model in
    its own way: plain if it is here and has no chat template, else chat."""
    thinking: bool | None = None
    """Whether models that can reason do so before they answer. Default: as the chat template of
    each decides. The reasoning counts towards --max_tokens, and no answer is read from it."""
    chat_template_kwargs: dict[str, Any] | str | None = None
    """Variables of the chat templates, as JSON, such as '{"enable_thinking": false}'."""
    concurrency: int = 64
    """Requests in flight at an endpoint."""
    resamples: int = 2000
    """Bootstrap resamples of the questions for the 95% intervals, at least 1,000."""
    engine: Literal["local", "ray"] = "local"
    """Where the models answer: in this process, or on the workers of a Ray cluster."""
    workers: int | None = None
    """Workers of each model with ray. By default as many as the cluster's GPUs hold, or one a
    machine."""
    seed: int = 0
    """Seed of generated questions, of the sampling and of the bootstrap."""

    def __post_init__(self) -> None:
        least = {
            "demonstration_seeds": 1,
            "samples": 0,
            "temperature": 0,
            "max_tokens": 1,
            "concurrency": 1,
            "resamples": 1000,
        }
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UserError(f"--{name} {getattr(self, name)}: at least {low}")

        if self.limit is not None and self.limit < 1:
            raise UserError(f"--limit {self.limit}: at least 1")
        if self.prompt_style not in (AUTO, *STYLES):
            raise UserError(f"--prompt_style {self.prompt_style}: auto, chat or plain")
        ChatOptions.of(self.thinking, self.chat_template_kwargs)
        check_workers(self.workers)
        if not self.suite:
            raise UserError("--suite: name at least one")
