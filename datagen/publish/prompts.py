"""What a run's teacher was asked, as templates: `{fields}` stand where its questions and
instructions did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import datagen
from datagen.errors import UserError

if TYPE_CHECKING:
    from datagen.instructions.templates import Templates
    from datagen.teacher import Messages


def prompts(config: dict[str, Any]) -> dict[str, str]:
    """Name to template, from a run's configuration.

    Empty where nothing was asked, and where another release of this package asked: its words may
    have been others."""
    if config["code_version"] != datagen.__version__:
        return {}
    method, settings = config["method"], config["settings"]
    try:
        if method == "rationales":
            return of_rationales(config["source"]["suite"], settings)
        if method == "demonstrations":
            return of_demonstrations(settings)
        return dict(of_instructions(method, settings))
    except (UserError, KeyError):  # a suite, format or language that is no more
        return {}


def of_rationales(suite_name: str, settings: dict[str, Any]) -> dict[str, str]:
    from datagen.rationales.prompts import Prompts
    from datagen.suites import SUITES, Question, Suite

    suite = SUITES.get(suite_name) or Suite(suite_name, settings.get("answer_type", "number"))
    shots = tuple((question, chain) for question, chain in settings.get("shots") or ())
    asking = Prompts(suite, settings.get("prompt_style", "chat"), shots)
    question = Question("", "{question}", "{answer}", suite.answer_type, suite.words)
    found = {"question": shown(asking.ask(question))}
    return found | (
        {"with the answer as a hint": shown(asking.hint(question))} if settings.get("hints") else {}
    )


def of_demonstrations(settings: dict[str, Any]) -> dict[str, str]:
    from datagen.demonstrations.formats import Format
    from datagen.demonstrations.written import writing_prompt

    format, style = Format(settings["format"]), settings["prompt_style"]
    pairs = [("{first input}", "{first output}"), ("{second input}", "{second output}")]
    description = "{description}" if settings["describe"] == "always" else ""
    found = {"query": shown(format.prompt(pairs, "{query}", description=description, style=style))}
    if settings["generate"]:
        found["one more demonstration"] = shown(
            writing_prompt(format, pairs, "{description}", plain=style == "plain")
        )
    return found


def of_instructions(method: str, settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The templates that a method takes, a user's own in the place of the shipped ones."""
    from datagen.instructions.templates import Templates, read

    if method == "magpie":
        yield "instruction", "{the teacher's chat template, up to where a user's words begin}"
    if method in ("magpie", "respond", "evol-instruct"):
        yield "response", "[user] {instruction}"
    templates, own = Templates(settings["language"]), settings.get("templates") or {}
    for name in taken(method, settings, templates):
        try:
            yield name, (own.get(f"{name}.txt") or read(templates.path(f"{name}.txt"))).strip()
        except UserError:  # this language has none
            continue


def taken(method: str, settings: dict[str, Any], templates: Templates) -> list[str]:
    """The names of a method's templates."""
    own = {PurePosixPath(name) for name in settings.get("templates") or {}}
    extra = {
        folder: [path.stem for path in own if str(path.parent) == folder]
        for folder in ("evolve", "systems")
    }
    weights = (part.partition("=") for part in (settings.get("weights") or "").split(","))
    never = {name.strip() for name, _, weight in weights if weight and float(weight) == 0}
    evolve = sorted({*templates.names("evolve"), *extra["evolve"]} - never)
    systems = (
        sorted({*templates.names("systems"), *extra["systems"]}) if settings.get("systems") else []
    )
    opening = "instructions_chat" if settings.get("style") == "chat" else "instructions"
    return {
        "self-instruct": [opening, "item", "classify", "output_first", "input_first", "with_input"],
        "alpaca": ["alpaca"],
        "unnatural": [
            "unnatural",
            "unnatural_output",
            *(["paraphrase"] if settings.get("paraphrases") else []),
        ],
        "evol-instruct": [*(f"evolve/{name}" for name in evolve), "same"],
        "respond": ["with_input", *(f"systems/{name}" for name in systems)],
        "judge": [str(settings.get("rubric"))],
    }.get(method, [])


def shown(prompt: str | Messages) -> str:
    """Chat turns with their roles, or the text that a base model goes on with."""
    return (
        prompt
        if isinstance(prompt, str)
        else "\n".join(f"[{role}] {content}" for role, content in prompt)
    )
