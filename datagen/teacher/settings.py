"""The flags of every command that asks a teacher: which teacher, time limits, speed and cost."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from datagen.errors import UserError
from datagen.flags import check
from datagen.teacher import Teacher, TeacherSpec, connect
from datagen.teacher.chat.options import ChatOptions
from datagen.teacher.cost.budget import Account, read_limit
from datagen.teacher.cost.prices import price_of
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.license import check_license

BATCH_UNDER_WAY = 10_000
"""Items under way with --batch. Requests of the same moment go into one file. A few large files are
answered sooner than many small ones."""


@dataclass(frozen=True, kw_only=True)
class TeacherSettings:
    """The flags that all generators share."""

    out: Path | None = None
    """The run folder. By default a folder in runs/ with the name of the command or its source. The
    same command again resumes it."""
    teacher: str = "micro"
    """Who answers: micro (embedded, no key, no GPU), hf:NAME_OR_PATH, vllm:NAME_OR_PATH,
    openai:MODEL (with OPENAI_BASE_URL and OPENAI_API_KEY), or any-llm:PROVIDER/MODEL (with the
    provider's own key)."""
    teacher_license: str | None = None
    """Licence of the teacher's weights or outputs, such as apache-2.0, for lineage and card. By
    default the licence of the model card, for a model on the Hub that can be reached."""
    thinking: bool | None = None
    """Whether a model that can reason does so before it answers. Default: as its chat template or
    its endpoint decides."""
    chat_template_kwargs: dict[str, Any] | str | None = None
    """Variables of the teacher's chat template, as JSON, such as '{"enable_thinking": false}'."""
    engine: Literal["local", "ray"] = "local"
    """Where the teacher answers: in this process, or on the workers of a Ray cluster. That is the
    cluster at RAY_ADDRESS, or else one on this machine. Changes no row."""
    workers: int | None = None
    """Number of teachers with ray. By default as many as the cluster's GPUs hold, or one a
    machine."""
    seed: int = 0
    """Seed of every random choice, and of the sampling where the teacher takes one."""
    concurrency: int = 64
    """Items under way at once. Changes only the speed."""
    timeout: float = Patience.attempt_s
    """Seconds that an endpoint has for one attempt at a request."""
    deadline: float = Patience.request_s
    """Seconds for a request with all its attempts and the waits between them. After that the
    request counts as failed."""
    outage: float = Patience.down_s
    """Seconds that the run waits for an endpoint that is down, before the run ends."""
    batch: bool = False
    """Ask through the endpoint's Batch API: cheaper, and answered within a day. The same command
    again continues the run."""
    prices: Path | None = None
    """YAML file with the prices of models; the first pattern that fits counts. See
    datagen/teacher/cost/prices.yaml."""
    budget: str = ""
    """What the run may cost in all, such as 5usd or 2000000tokens. The run ends before a request
    that could cost more than is left; the same command with a higher budget continues it."""
    dry_run: bool = False
    """Show the first prompts, and the requests, tokens and money that the run would take. Ask
    nothing and write nothing."""

    def __post_init__(self) -> None:
        """Raise UserError for values out of range."""
        check(
            self,
            concurrency=(self.concurrency >= 1, "at least 1"),
            timeout=(self.timeout > 0, "above 0"),
            deadline=(self.deadline > 0, "above 0"),
            workers=(self.workers is None or self.workers >= 1, "at least 1"),
            engine=(
                self.engine == "local" or not self.batch,
                "local with --batch, which needs no workers",
            ),
            outage=(self.outage >= 0, "0 or more"),
        )
        if self.batch and not self.teacher_spec.capabilities.batch_api:
            raise UserError(
                f"--batch: {self.teacher} has no Batch API, only openai: teachers may have one"
            )
        # now, not when the teacher is opened: a run that cannot work must not begin
        ChatOptions.of(self.thinking, self.chat_template_kwargs)
        check_license("--teacher-license", self.teacher_license)

    @property
    def teacher_spec(self) -> TeacherSpec:
        """The parsed --teacher.

        Raises:
            UserError: --teacher names no teacher.
        """
        return TeacherSpec.parse(self.teacher)

    @property
    def under_way(self) -> int:
        """How many items the command works on at once.

        For an endpoint this is more than the requests in flight. While some items save or read
        their answers, others can ask, so the endpoint is never idle.
        """
        if self.batch:
            return max(self.concurrency, BATCH_UNDER_WAY)
        local = self.teacher_spec.capabilities.local
        return self.concurrency if local else self.concurrency * 3 // 2

    def connect(self, out: Path) -> Teacher:
        """Return the teacher, not opened yet.

        Args:
            out: the run folder. It records the batches that were submitted to a Batch API.

        Raises:
            UserError: there is no such teacher, or Ray is not installed.
        """
        return connect(
            self.teacher_spec,
            engine=self.engine,
            workers=self.workers,
            concurrency=self.concurrency,
            patience=Patience(attempt_s=self.timeout, request_s=self.deadline, down_s=self.outage),
            batches=out / "batches.sqlite" if self.batch else None,
            thinking=self.thinking,
            chat_template_kwargs=self.chat_template_kwargs,
        )

    def account(self) -> Account:
        """Return the budget, with the prices that it needs.

        Raises:
            UserError: The budget is in money and the teacher's price is not known.
        """
        price = price_of(self.teacher, self.prices, batch=self.batch)
        limit = read_limit(self.budget)
        if limit and limit.unit != "tokens":
            if not price:
                raise UserError(
                    f"--budget {self.budget}: the price of {self.teacher} is not known. Name it in "
                    "a --prices FILE (see datagen/teacher/cost/prices.yaml for the format), or "
                    "give the budget in tokens"
                )
            if limit.unit != price.currency:
                raise UserError(f"--budget {self.budget}: the prices are in {price.currency}")
        return Account(price, limit)


UNRECORDED = {field.name for field in fields(TeacherSettings)} - {"seed"}
"""Settings that change no row, and the teacher, which a configuration records in another form."""


def sampling_checks(
    *, samples: int, temperature: float, top_p: float, max_tokens: int
) -> dict[str, tuple[bool, str]]:
    """Return the checks of settings that draw several samples of a prompt.

    The result is for `datagen.flags.check`: for each setting, whether it is right, and what it must
    be.
    """
    return {
        "samples": (samples >= 1, "at least 1"),
        "temperature": (
            temperature > 0 or (temperature == 0 and samples == 1),
            "above 0 for several samples, else 0 or more",
        ),
        "top_p": (0 < top_p <= 1, "above 0 and at most 1"),
        "max_tokens": (max_tokens >= 1, "at least 1"),
    }
