"""What every command that asks a teacher is told: whom, how patiently, how much at once, and what
it may cost."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from datagen.errors import UserError
from datagen.flags import check
from datagen.teacher import Teacher, connect
from datagen.teacher.budget import Account, read_limit
from datagen.teacher.prices import price_of
from datagen.teacher.ray import RayTeacher
from datagen.teacher.throttle import Patience

BATCH_UNDER_WAY = 10_000
"""Items under way with --batch: what these ask for at the same time goes into one file."""


@dataclass(frozen=True, kw_only=True)
class TeacherSettings:
    """The flags that all generators share."""

    out: Path | None = None
    """The run folder; by default one in runs/ that is named after the command or its source. The
    same command again resumes it."""
    teacher: str = "micro"
    """Who answers: micro (embedded, no key, no GPU), hf:NAME_OR_PATH, vllm:NAME_OR_PATH, or
    openai:MODEL (with OPENAI_BASE_URL and OPENAI_API_KEY)."""
    engine: Literal["local", "ray"] = "local"
    """Where the teacher answers: in this process, or on the workers of a Ray cluster: the one at
    RAY_ADDRESS, else one on this machine. Changes no row."""
    workers: int | None = None
    """With ray, teachers at once: by default as many as the cluster's GPUs hold, or one a
    machine."""
    seed: int = 0
    concurrency: int = 64
    """Items under way at once. Changes nothing but speed."""
    timeout: float = Patience.attempt_s
    """Seconds that an endpoint has for one attempt at a request."""
    deadline: float = Patience.request_s
    """Seconds for a request with all its attempts and the waits between them; then it counts as
    failed."""
    outage: float = Patience.down_s
    """Seconds that the run waits for an endpoint that is down before it ends."""
    batch: bool = False
    """Ask through the endpoint's Batch API: cheaper, and answered within a day. The same command
    again goes on."""
    prices: Path | None = None
    """YAML file with the prices of models, which are compared in its order; see
    datagen/teacher/prices.yaml."""
    budget: str = ""
    """What the run may cost in all, such as 5usd or 2000000tokens. It ends before a request that
    could cost more than what is left; the same command with more goes on."""
    dry_run: bool = False
    """Show the first prompts, and how many requests, tokens and how much money the run would take;
    ask nothing, write nothing."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
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
        if self.batch and not self.teacher.startswith("openai:"):
            raise UserError(
                f"--batch: {self.teacher} has no Batch API, only openai: teachers may have one"
            )

    @property
    def under_way(self) -> int:
        """Items to work on at once: more than an endpoint may have in flight, or its places would
        stand empty while answers are kept and read."""
        if self.batch:
            return max(self.concurrency, BATCH_UNDER_WAY)
        return self.concurrency * 3 // 2 if self.teacher.startswith("openai:") else self.concurrency

    def connect(self, out: Path) -> Teacher:
        """The teacher; `out` is where batches under way are remembered. Raises UserError."""
        patience = Patience(attempt_s=self.timeout, request_s=self.deadline, down_s=self.outage)
        if self.engine == "ray":
            return RayTeacher(
                self.teacher, concurrency=self.concurrency, patience=patience, workers=self.workers
            )
        batches = out / "batches.sqlite" if self.batch else None
        return connect(
            self.teacher, concurrency=self.concurrency, patience=patience, batches=batches
        )

    def account(self) -> Account:
        """Raises UserError for a budget in money where the price is not known."""
        account = Account(
            price_of(self.teacher, self.prices, batch=self.batch), read_limit(self.budget)
        )
        if account.limit and account.limit.unit != "tokens" and not account.price:
            raise UserError(
                f"--budget {self.budget}: the price of {self.teacher} is not known. Name it in a --prices FILE (see "
                "datagen/teacher/prices.yaml for the format), or give the budget in tokens"
            )
        if (
            account.limit
            and account.price
            and account.limit.unit not in {"tokens", account.price.currency}
        ):
            raise UserError(f"--budget {self.budget}: the prices are in {account.price.currency}")
        return account


UNRECORDED = {field.name for field in fields(TeacherSettings)} - {"seed"}
"""Settings that change no row, and the teacher, which a configuration records in another form."""


def sampling_checks(
    *, samples: int, temperature: float, top_p: float, max_tokens: int
) -> dict[str, tuple[bool, str]]:
    """What `check` wants of settings that draw several samples of a prompt."""
    return {
        "samples": (samples >= 1, "at least 1"),
        "temperature": (
            temperature > 0 or (temperature == 0 and samples == 1),
            "above 0 for several samples, else 0 or more",
        ),
        "top_p": (0 < top_p <= 1, "above 0 and at most 1"),
        "max_tokens": (max_tokens >= 1, "at least 1"),
    }
