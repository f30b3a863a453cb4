"""The `datagen` command."""

from __future__ import annotations

from collections.abc import Sequence

from datagen.commands import Command, run_command

ABOUT = "Generate distillation datasets: ask a teacher, filter what it says, publish versions."


def commands() -> dict[str, Command]:
    from datagen.publish.command import PublishSettings, VersionsSettings, publish, versions
    from datagen.rationales.command import rationales
    from datagen.rationales.settings import RationaleSettings

    return {
        "rationales": (RationaleSettings, rationales),
        "publish": (PublishSettings, publish),
        "versions": (VersionsSettings, versions),
    }


def main(argv: Sequence[str] | None = None) -> int:
    return run_command("datagen", ABOUT, commands(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
