"""The `datagen` command."""

from __future__ import annotations

from collections.abc import Sequence

from datagen.commands import Command, run_command

ABOUT = "Generate distillation datasets: ask a teacher, filter what it says, publish versions."


def commands() -> dict[str, Command]:
    from datagen.demonstrations.command import demonstrations
    from datagen.demonstrations.settings import DemonstrationSettings
    from datagen.filters.command import filter_rows
    from datagen.filters.settings import FilterSettings
    from datagen.inspect.command import inspect
    from datagen.inspect.settings import InspectSettings
    from datagen.instructions.command import self_instruct_command
    from datagen.instructions.evol_command import EvolSettings, evol_instruct
    from datagen.instructions.magpie_command import MagpieSettings, magpie
    from datagen.instructions.respond import RespondSettings, respond
    from datagen.instructions.settings import SelfInstructSettings
    from datagen.judging import JudgeSettings, judge_rows
    from datagen.publish.command import COMMANDS
    from datagen.rationales.command import rationales
    from datagen.rationales.settings import RationaleSettings
    from datagen.topk_command import TopkSettings, topk

    return {
        "rationales": (RationaleSettings, rationales),
        "self-instruct": (SelfInstructSettings, self_instruct_command),
        "evol-instruct": (EvolSettings, evol_instruct),
        "respond": (RespondSettings, respond),
        "magpie": (MagpieSettings, magpie),
        "demonstrations": (DemonstrationSettings, demonstrations),
        "filter": (FilterSettings, filter_rows),
        "judge": (JudgeSettings, judge_rows),
        "topk": (TopkSettings, topk),
        "inspect": (InspectSettings, inspect),
        **COMMANDS,
    }


def main(argv: Sequence[str] | None = None) -> int:
    return run_command("datagen", ABOUT, commands(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
