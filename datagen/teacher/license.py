"""The licence of a teacher, for lineage and card."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.teacher.base import Teacher
from datagen.teacher.spec import TeacherSpec

LICENSE = re.compile(r"[A-Za-z0-9][\w.+-]{0,79}", re.ASCII)
"""An identifier as the Hub writes it."""
HUB_S = 3.0
"""Seconds for the Hub to return a model card. A run should not wait longer for its licence."""


def check_license(flag: str, license: str | None) -> None:
    """Raise UserError if a licence is no identifier."""
    if license is not None and not LICENSE.fullmatch(license):
        raise UserError(
            f"{flag} {license!r}: give an identifier such as apache-2.0, without spaces"
        )


async def find_license(teacher: Teacher, given: str | None, out: Path) -> str | None:
    """Return the licence that a run records for its teacher, or None if it is not known.

    It is the first of these:
    - the licence that the user gave,
    - the licence in the run folder `out`, so a resumed run does not depend on the Hub,
    - the licence of the model card on the Hub.
    """
    if given is not None:
        return given
    known, license = recorded_license(out)
    if known or not teacher.capabilities.local:
        return license
    return await asyncio.to_thread(card_license, TeacherSpec.parse(teacher.name))


def recorded_license(out: Path) -> tuple[bool, str | None]:
    """Return whether a run folder has recorded a licence or its absence, and which."""
    try:
        config = json.loads((out / "config.json").read_text(encoding="utf-8"))
        license = config["teacher"]["license"]
    except (OSError, ValueError, KeyError, TypeError):
        return False, None
    return True, license if isinstance(license, str) else None


def card_license(spec: TeacherSpec) -> str | None:
    """Return the licence of a model card on the Hub, or None offline and for a model in a folder.

    The embedded teacher has none here either, although its weights are this project's own under
    apache-2.0. A licence would change the bytes of every dataset of the embedded teacher. The user
    can give it with --teacher-license.
    """
    if spec.is_embedded or spec.folder:
        return None
    try:
        from huggingface_hub import HfApi

        card: Any = HfApi().model_info(spec.model, timeout=HUB_S).card_data
        license = card.get("license")
        # a card with a licence of its own says "other", and names it in another field
        if license == "other":
            license = card.get("license_name")
    except Exception:  # offline, unknown, without a card: the run goes on without a licence
        return None
    # anybody can write a model card, and the licence goes into the dataset's card
    return license if isinstance(license, str) and LICENSE.fullmatch(license) else None
