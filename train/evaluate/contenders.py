"""The models of an evaluation: who is asked, in which mode, and in which prompt style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datagen.errors import UserError
from datagen.prompts.render import Style
from datagen.teacher import TeacherSpec
from train.evaluate.settings import AUTO, MODES, EvaluateSettings

PLAIN = "plain"


@dataclass(frozen=True)
class Contender:
    """One model asked in one mode."""

    name: str
    role: str
    """base, student or teacher."""
    spec: str
    """As `datagen.teacher.connect` takes it."""
    mode: str
    prompt_style: Style = "chat"


def contenders(settings: EvaluateSettings) -> list[Contender]:
    """Return the base (in both modes), the students and the teacher, in this order.

    Raises:
        UserError: a student has no name or no model, there is nobody to ask, or a model cannot be
            asked in its style.
    """
    found = base_contenders(settings)
    for student in settings.students:
        name, equals, spec = student.partition("=")
        if not (name and equals and spec):
            raise UserError(
                f"--students {student}: write NAME=SPEC, such as rationales=hf:students/rationales"
            )
        found.append(contender(name, "student", spec, settings))

    if settings.teacher:
        found.append(contender("teacher", "teacher", settings.teacher, settings))
    check_names([c.name for c in found if c.role == "student"])
    if not found:
        raise UserError("nothing to measure: give --students, --base or --teacher")
    return found


def base_contenders(settings: EvaluateSettings) -> list[Contender]:
    """Return the base in both modes, or nothing without a base."""
    if not settings.base:
        return []
    spec, words = split_words(settings.base)
    if given := [word for word in words if word in MODES]:
        raise UserError(
            f"--base {settings.base}: the base is asked in both modes; leave out :{given[0]}"
        )
    style = style_of(spec, words, settings)
    return [Contender("base", "base", spec, mode, style) for mode in MODES]


def contender(name: str, role: str, text: str, settings: EvaluateSettings) -> Contender:
    """Return the contender of SPEC, SPEC:MODE, SPEC:plain or SPEC:MODE:plain."""
    spec, words = split_words(text)
    mode = next((word for word in words if word in MODES), MODES[0])
    return Contender(name, role, spec, mode, style_of(spec, words, settings))


def split_words(text: str) -> tuple[str, list[str]]:
    """Return `hf:PATH:direct:plain` as (`hf:PATH`, [`plain`, `direct`]).

    Raises:
        UserError: two of the words say the same kind of thing.
    """
    spec = text
    words: list[str] = []
    # names, paths and the models of an endpoint may contain colons: only known words are split off
    while is_spec(head := spec.rpartition(":")[0]) and spec[len(head) + 1 :] in (*MODES, PLAIN):
        words.append(spec[len(head) + 1 :])
        spec = head
    if len([word for word in words if word in MODES]) > 1 or words.count(PLAIN) > 1:
        raise UserError(f"{text}: give one mode, {' or '.join(MODES)}, and :plain once at most")
    return spec, words


def is_spec(text: str) -> bool:
    """Return whether a text names an engine and, unless it is `micro`, a model."""
    return text == "micro" or ":" in text


def style_of(spec: str, words: Sequence[str], settings: EvaluateSettings) -> Style:
    """Return the prompt style of a model: what the user gave, or else the model's own.

    Raises:
        UserError: there is no such model, or it shall chat and has no chat template.
    """
    # all models now, because a later one may be opened only after hours
    model = TeacherSpec.parse(spec)
    model.check_folder()
    if PLAIN in words or settings.prompt_style == PLAIN:
        return "plain"
    if has_chat_template(model):
        return "chat"
    if settings.prompt_style != AUTO:
        raise UserError(f"{spec} has no chat template: leave --prompt_style chat out")
    return "plain"


def has_chat_template(model: TeacherSpec) -> bool:
    """Return whether a model takes chat turns. Of an endpoint it is not known, and assumed."""
    if not model.capabilities.tokenizer:
        return True
    from datagen.teacher.local.tokenizing import open_tokenizer

    return bool(open_tokenizer(model.path).chat_template)


def check_names(names: Sequence[str]) -> None:
    """Raise UserError for a student's name that is reserved or given twice."""
    for name in names:
        if name in ("base", "teacher") or names.count(name) > 1:
            raise UserError(f"--students {name}=...: the name is taken, choose another")
