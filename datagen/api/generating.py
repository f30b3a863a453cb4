"""The generators as functions: keyword arguments have the names and defaults of the flags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datagen.api.run import Run
from datagen.api.settings import settings_from, takes
from datagen.demonstrations.command import forecast_demonstrations, run_demonstrations
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.errors import UserError
from datagen.filters.command import run_filter
from datagen.filters.judge.command import forecast_judge, run_judge
from datagen.filters.judge.settings import JudgeSettings
from datagen.filters.row_filter import RowFilter
from datagen.filters.settings import FilterSettings
from datagen.instructions.evol_instruct.command import forecast_evol_instruct, run_evol_instruct
from datagen.instructions.evol_instruct.settings import EvolSettings
from datagen.instructions.magpie.command import forecast_magpie, run_magpie
from datagen.instructions.magpie.settings import MagpieSettings
from datagen.instructions.respond.command import forecast_respond, run_respond
from datagen.instructions.respond.settings import RespondSettings
from datagen.instructions.self_instruct.command import (
    forecast_self_instruct,
    run_self_instruct,
)
from datagen.instructions.self_instruct.settings import SelfInstructSettings
from datagen.rationales.command import forecast_rationales, run_rationales
from datagen.rationales.settings import RationaleSettings
from datagen.teacher.cost.forecast import Forecast
from datagen.topk.command import run_topk
from datagen.topk.settings import TopkSettings

Source = str | Path | Any
"""What a method starts from: a name, a file or a folder. A Run or a Version stands for its
folder."""


@takes(RationaleSettings, "dry_run")
def generate_rationales(source: Source, **flags: Any) -> Run:
    """Sample chains of thought for questions, and keep those that agree.

    Returns:
        The run. Its configs are `rationales`, `answers` and `rejected`.

    Raises:
        UserError: a setting, the source or the teacher cannot be used.

    Source:
        Self-consistency, arXiv 2203.11171; Fine-tune-CoT, arXiv 2212.10071; STaR, arXiv 2203.14465.

    Example:
        >>> import datagen
        >>> run = datagen.generate_rationales("microworld", limit=4, samples=2, out=folder / "r")
        >>> sum(run.stats.accepted.values()) + sum(run.stats.rejected.values()) >= 8
        True
    """
    return Run.of(run_rationales(settings_from(RationaleSettings, {"source": source, **flags})))


@takes(SelfInstructSettings, "dry_run")
def generate_self_instruct(**flags: Any) -> Run:
    """Write new instructions from a few seed tasks, with inputs and outputs.

    Returns:
        The run, with the config `instructions`.

    Raises:
        UserError: a setting, the seeds or the teacher cannot be used.
        Incomplete: patience ended before the target. What was found is kept.

    Source:
        Self-Instruct, arXiv 2212.10560.

    Example:
        >>> import datagen
        >>> run = datagen.generate_self_instruct(target=3, out=folder / "new")
        >>> run.stats.accepted["instructions"] > 0
        True
    """
    return Run.of(run_self_instruct(settings_from(SelfInstructSettings, flags)))


@takes(EvolSettings, "dry_run")
def generate_evol_instruct(source: Source, **flags: Any) -> Run:
    """Rewrite instructions into harder and rarer ones, round after round, with responses.

    Returns:
        The run, with the config `instructions`.

    Raises:
        UserError: a setting, the source or the teacher cannot be used.

    Source:
        Evol-Instruct, arXiv 2304.12244.

    Example:
        >>> import datagen
        >>> run = datagen.generate_evol_instruct(
        ...     datagen.open_run(folder / "new"), rounds=1, limit=2, out=folder / "evolved"
        ... )
        >>> run.config.method
        'evol-instruct'
    """
    return Run.of(run_evol_instruct(settings_from(EvolSettings, {"source": source, **flags})))


@takes(RespondSettings, "dry_run")
def generate_responses(source: Source, **flags: Any) -> Run:
    """Let the teacher answer an instruction set.

    Returns:
        The run, with the config `instructions`.

    Raises:
        UserError: a setting, the source or the teacher cannot be used.

    Source:
        With `systems`: Orca, arXiv 2306.02707.

    Example:
        >>> import datagen
        >>> run = datagen.generate_responses(folder / "new", limit=2, out=folder / "answered")
        >>> run.config.method
        'respond'
    """
    return Run.of(run_respond(settings_from(RespondSettings, {"source": source, **flags})))


@takes(MagpieSettings, "dry_run")
def generate_magpie(target: int, **flags: Any) -> Run:
    """Let an aligned model write instructions from its own chat template, and answer them.

    Returns:
        The run, with the config `instructions`.

    Raises:
        UserError: the teacher hides its chat template, or a setting cannot be used.
        Incomplete: patience ended before the target. What was found is kept.

    Source:
        Magpie, arXiv 2406.08464.

    Example:
        >>> import datagen
        >>> datagen.generate_magpie(3, teacher="openai:any")
        Traceback (most recent call last):
        ...
        datagen.errors.UserError: magpie needs the model's own chat template, which openai:any \
hides: use micro, hf:NAME_OR_PATH or vllm:NAME_OR_PATH
    """
    return Run.of(run_magpie(settings_from(MagpieSettings, {"target": target, **flags})))


@takes(DemonstrationSettings, "dry_run")
def generate_demonstrations(source: Source, **flags: Any) -> Run:
    """Build in-context episodes: demonstrations, a query, and what the teacher makes of it.

    Returns:
        The run, with the config `demonstrations`.

    Raises:
        UserError: a setting, the tasks or the teacher cannot be used.

    Source:
        Meta-ICT and Multitask-ICT, arXiv 2212.10670; context distillation, arXiv 2209.15189.

    Example:
        >>> import datagen
        >>> run = datagen.generate_demonstrations(
        ...     "micro", shots="1,2", rules=1, queries=2, out=folder / "episodes"
        ... )
        >>> next(run.rows())["kind"]
        'meta-ict'
    """
    return Run.of(
        run_demonstrations(settings_from(DemonstrationSettings, {"source": source, **flags}))
    )


@takes(FilterSettings)
def filter_rows(source: Source, *, filters: Sequence[RowFilter] = (), **flags: Any) -> Run:
    """Leave out the rows of an instruction set that a check or a filter of yours rejects.

    Args:
        filters: functions from a row to None, or to the reason to reject it. They come first.

    Returns:
        The run. Each rejected row has its reason, and what the check met.

    Raises:
        UserError: a setting, the source or a benchmark cannot be read.

    Example:
        >>> import datagen
        >>> def short(row):
        ...     return "short" if len(row["instruction"]) < 5 else None
        >>> run = datagen.filter_rows(folder / "new", filters=[short], out=folder / "clean")
        >>> run.config.teacher.name
        'none'
    """
    settings = settings_from(FilterSettings, {"source": source, **flags})
    return Run.of(run_filter(settings, filters=filters))


@takes(JudgeSettings, "dry_run")
def judge_rows(source: Source, **flags: Any) -> Run:
    """Let a judge score instruction rows by a rubric, and keep those that score enough.

    Returns:
        The run. Every row has its `score`, from 1 to 10.

    Raises:
        UserError: a setting, the source or the judge cannot be used.

    Example:
        >>> import datagen
        >>> datagen.judge_rows(folder / "new", at_least=11)
        Traceback (most recent call last):
        ...
        datagen.errors.UserError: --at_least 11.0: must be between 1 and 10
    """
    return Run.of(run_judge(settings_from(JudgeSettings, {"source": source, **flags})))


@takes(TopkSettings)
def store_topk(source: Source, **flags: Any) -> Run:
    """Store a teacher's probabilities for the rows of a run or a version, for `train.fit_kd`.

    Returns:
        A run of the same rows with the column `teacher_topk`.

    Raises:
        UserError: the rows or the teacher cannot be used.

    Example:
        >>> import datagen
        >>> run = datagen.store_topk(folder / "chains", teacher_topk=4, out=folder / "topk")
        >>> run.stats["teacher_topk"]["k"]
        4
    """
    return Run.of(run_topk(settings_from(TopkSettings, {"source": source, **flags})))


FORECASTS: Mapping[str, tuple[type[Any], Callable[[Any], Forecast]]] = {
    "rationales": (RationaleSettings, forecast_rationales),
    "self-instruct": (SelfInstructSettings, forecast_self_instruct),
    "evol-instruct": (EvolSettings, forecast_evol_instruct),
    "respond": (RespondSettings, forecast_respond),
    "magpie": (MagpieSettings, forecast_magpie),
    "demonstrations": (DemonstrationSettings, forecast_demonstrations),
    "judge": (JudgeSettings, forecast_judge),
}
"""By the command's name: its settings, and what tells its cost."""


def forecast(method: str, **flags: Any) -> Forecast:
    """What a run would ask and cost. Nothing is asked, nothing is written.

    Args:
        method: the name of the command: rationales, self-instruct, evol-instruct, respond, magpie,
            demonstrations or judge.
        **flags: the flags of that command.

    Returns:
        The first prompts, and the requests, tokens and cost to expect.

    Raises:
        UserError: the method or a flag is unknown, or the source cannot be read.

    Example:
        >>> import datagen
        >>> datagen.forecast("rationales", source="microworld", limit=10, samples=8).answers
        80.0
    """
    if method not in FORECASTS:
        raise UserError(f"no method {method!r}: there are {', '.join(FORECASTS)}")
    settings_type, ask = FORECASTS[method]
    return ask(settings_from(settings_type, flags))
