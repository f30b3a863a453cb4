"""Write the page: fill a template with what was collected.

A model wrote the texts, so they may be hostile. Four things protect the reader. Jinja escapes all
texts. The rows for the search lie in a block of JSON without `<`. The script inserts them as text.
The page's policy lets nothing run or load but our own style and script.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.render import number
from datagen.histogram import length_bins, share_bins
from datagen.inspect import charts
from datagen.inspect.collect import Round, Summary
from datagen.inspect.read import ACCEPTED, Entry, Source
from datagen.inspect.treemap import NOUNS, VERBS, treemap
from datagen.records.names import public_name
from datagen.terminal import visible

if TYPE_CHECKING:
    from markupsafe import Markup

FOLDER = Path(__file__).parent
LONGEST = 1000
"""The page shows this many characters of a text. So 5,000 long rows of English take about 10 MB."""
COMPARED = 150
"""Only this many words of an evolved instruction are compared with its parent. The comparison takes
time that grows with the square of the length."""
FACTS = {
    "answers": "answers of the teacher",
    "prompt_tokens": "tokens asked",
    "completion_tokens": "tokens answered",
    "seconds": "seconds",
}
"""The numbers of stats.json that the page shows, and their names on the page."""
NOT_LISTED = {"format", "name", "method", "prompts"}
"""Keys of a configuration that the page shows elsewhere or leaves out."""


def page(source: Source, summary: Summary) -> bytes:
    """Return the whole page as UTF-8.

    Args:
        source: The run or the version.
        summary: What was collected from its rows.
    """
    # Jinja is imported here, so that `datagen --help` need not load it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    loader = FileSystemLoader(FOLDER)
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"display": display_text, "number": number}
    style = Markup((FOLDER / "page.css").read_text(encoding="utf-8"))
    script = Markup((FOLDER / "page.js").read_text(encoding="utf-8"))
    html = environment.get_template("page.html").render(
        style=style,
        script=script,
        style_hash=policy_hash(style),
        script_hash=policy_hash(script),
        **content(source, summary),
    )
    # Half of a surrogate pair has no UTF-8. It becomes "?".
    return html.encode("utf-8", "replace")


def policy_hash(text: str) -> str:
    """Return the hash by which a content security policy allows a style or a script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def content(source: Source, summary: Summary) -> dict[str, Any]:
    """Return the values that the template uses, by name."""
    order = [verdict for verdict, *_ in verdicts(summary)]
    return {
        **about(source, summary),
        "verdicts": verdicts(summary),
        **lengths(summary),
        **verbs(summary),
        "rounds": rounds(summary),
        "trees": [tree(root, entries) for root, entries in summary.trees.items()],
        "samples": [(verdict, [card(e) for e in summary.samples[verdict]]) for verdict in order],
        "rows": json_block([list(card(entry).values()) for entry in summary.rows]),
        "searched": min(summary.rows.size, summary.rows.seen),
        "seen": summary.rows.seen,
        "longest": LONGEST,
    }


def about(source: Source, summary: Summary) -> dict[str, Any]:
    """Return what the head of the page says about the run."""
    config = {key: value for key, value in source.config.items() if key not in NOT_LISTED}
    stats = source.stats
    return {
        "name": source.name,
        "method": source.config.get("method", "a run"),
        "finished": source.finished,
        "settings": list(flat_settings(config)),
        "facts": {label: round(stats[key]) for key, label in FACTS.items() if stats.get(key)},
        "configs": {name: count for name, count in summary.configs.items() if name != "rejected"},
    }


def lengths(summary: Summary) -> dict[str, Any]:
    """Return the histograms."""
    instructions = length_bins(summary.instructions)
    return {
        "unit": "characters" if summary.language.by_characters else "words",
        "chinese": summary.language.by_characters,
        "instructions": charts.histogram(instructions, "lengths of instructions"),
        "responses": charts.histogram(length_bins(summary.responses), "lengths of responses"),
        "similarity": similarity(summary),
    }


def display_text(text: object, longest: int = LONGEST) -> str:
    """Return a text for the page: cut, with invisible characters written as their codes."""
    words = str(text)
    words = words if len(words) <= longest else words[:longest] + " […]"
    # Some invisible characters reverse the order of letters, which can hide what a text says.
    return visible(words)


def json_block(value: Any) -> Markup:
    """Return a value as JSON that cannot end its script element, whatever it contains."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # U+2028 and U+2029 end a line in older JavaScript, but not in JSON.
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


def flat_settings(config: dict[str, Any], name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the settings that have a value, with the names of nested ones joined by dots."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from flat_settings(value, f"{name}{key}.")
        elif value not in (None, "", []):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield name + key, public_name(text) if name == "teacher." else text


def verdicts(summary: Summary) -> list[tuple[str, int, float, Markup]]:
    """Return a line for the accepted rows and for each reason, the most frequent reason first.

    A line has a name, the number of rows, their share of all rows, and a bar.
    """
    total = summary.verdicts.total() or 1
    order = sorted(
        summary.verdicts.items(), key=lambda pair: (pair[0] != ACCEPTED, -pair[1], pair[0])
    )
    top = max(summary.verdicts.values(), default=1)
    return [(verdict, count, count / total, charts.bar(count / top)) for verdict, count in order]


def similarity(summary: Summary) -> Markup | None:
    """Return the histogram of similarities, or None if no row has one."""
    sides = summary.similarity
    if not sides.accepted and not sides.rejected:
        return None
    return charts.histogram(share_bins(sides), "similarity with the nearest earlier instruction")


def verbs(summary: Summary) -> dict[str, Any]:
    """Return the treemap of verbs and nouns, and how many instructions it covers.

    `described` counts all accepted instructions, `paired` those with a verb, and `drawn` those in
    the treemap.
    """
    by_verb: dict[str, int] = {}
    for (verb, _), count in summary.pairs.items():
        by_verb[verb] = by_verb.get(verb, 0) + count
    paired = summary.pairs.total()
    return {
        "treemap": treemap(summary.pairs) if paired else None,
        "drawn": sum(sorted(by_verb.values())[-VERBS:]),
        "paired": paired,
        "described": paired + summary.unpaired,
        "verbs": VERBS,
        "nouns": NOUNS,
    }


def rounds(summary: Summary) -> list[dict[str, Any]]:
    """Return a line for each round of an evolution. Rows without a round come last."""
    keys = sorted(summary.rounds, key=lambda key: (key is None, key))
    return [round_row(key, summary.rounds[key]) for key in keys]


def round_row(key: int | None, found: Round) -> dict[str, Any]:
    """Return the line of a round: counts, mean length, mean score and the scores."""
    judged = found.scores.total()
    points = sum(score * count for score, count in found.scores.items())
    return {
        "round": "–" if key is None else key,
        "accepted": found.accepted,
        "rejected": found.rejected,
        "length": found.length / found.accepted if found.accepted else None,
        "score": points / judged if judged else None,
        "scores": charts.scores(found.scores) if judged else "",
    }


def card(entry: Entry) -> dict[str, str]:
    """Return a row as samples and search show it."""
    return {
        "verdict": entry.verdict,
        "id": display_text(entry.row.get("id") or ""),
        "instruction": display_text(entry.instruction),
        "response": display_text(entry.response),
        "notes": display_text(" · ".join(notes(entry))),
    }


NOTED = ("round", "operation", "score", "answer", "gold", "agreement", "finish_reason", "detail")
"""Columns that the page shows under a row."""


def notes(entry: Entry) -> Iterator[str]:
    """Yield what else the columns of a row say."""
    row = entry.row
    if row.get("nearest_similarity") is not None:
        yield f"nearest {row['nearest_similarity']:.2f} ({row.get('nearest_id') or 'unnamed'})"

    for name in NOTED:
        value = row.get(name)
        if value not in (None, ""):
            text = f"{value:.3g}" if isinstance(value, float) else str(value)
            yield f"{name.replace('_', ' ')} {text}"


def tree(root: str, entries: list[Entry]) -> dict[str, Any]:
    """Return an evolution: the rows of each round, each with its new words marked."""
    texts = {entry.row.get("id"): entry.instruction for entry in entries}
    columns: dict[int, list[dict[str, Any]]] = {}
    for entry in entries:
        parent = next((texts[p] for p in entry.row.get("parents") or () if p in texts), None)
        node = card(entry) | {
            "operation": entry.row.get("operation") or "seed",
            "pieces": pieces(parent, entry.instruction),
        }
        columns.setdefault(entry.row["round"], []).append(node)
    return {"root": root, "columns": columns}


def pieces(before: str | None, after: str) -> list[tuple[bool, str]]:
    """Split a text into pieces that are new and pieces that stood in an earlier text.

    Args:
        before: The earlier text. None if it is not known; then no word counts as new.
        after: The text.

    Returns:
        For each piece, whether it is new, and its words.
    """
    if before is None:
        return [(False, display_text(after))]

    old = before.split()[:COMPARED]
    words = after.split()
    new = words[:COMPARED]
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    found = [
        (code != "equal", display_text(" ".join(new[low:high])))
        for code, _, _, low, high in codes
        if high > low
    ]

    rest = words[COMPARED:]
    return [*found, (False, display_text(" ".join(rest)))] if rest else found
