"""The settings of every command whose words come from template files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.prompts.language import Language, language
from datagen.prompts.templates import Templates
from datagen.teacher.chat.kept import without_default
from datagen.teacher.settings import UNRECORDED, TeacherSettings

NOT_IN_CONFIG = UNRECORDED | {"source", "language", "templates"}
"""Settings that change no row, and those that the configuration records in another form."""


@dataclass(frozen=True, kw_only=True)
class TemplateSettings(TeacherSettings):
    """The flags of all commands whose words come from templates."""

    language: str | None = None
    """Language of templates, word lists and lengths: en or zh. Default: en. The micro teacher has
    a language of its own."""
    templates: Path | None = None
    """Folder with your own templates and word lists. A file in it replaces the shipped file of
    the same name."""

    @property
    def language_name(self) -> str:
        """The language that is asked for, else the teacher's own, else English."""
        return self.language or ("micro" if self.teacher_spec.is_embedded else "en")

    def words(self) -> tuple[Templates, Language]:
        """Returns the templates and the language of this run."""
        # a template of one language and lengths of another would not fit
        name = self.language_name
        return Templates(name, self.templates), language(name)

    def recorded(self, templates: Templates) -> dict[str, Any]:
        """Returns the settings that decide the rows, as the configuration records them."""
        values = {name: value for name, value in vars(self).items() if name not in NOT_IN_CONFIG}
        return without_default(self, values) | recorded_templates(templates)


def recorded_templates(templates: Templates) -> dict[str, Any]:
    """Returns what the configuration records of the templates: language, and the user's own."""
    return {"language": templates.language, "templates": templates.fingerprint()}
