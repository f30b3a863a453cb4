"""The page: a template filled with what was collected.

What a model wrote is hostile. Jinja escapes all of it, the rows for the search lie in a block of
JSON without `<`, the script puts them in place as text, and the page's policy lets nothing run or
load but our own style and script.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.render import number, visible
from datagen.histogram import length_bins, share_bins
from datagen.inspect import charts
from datagen.inspect.collect import Round, Summary
from datagen.inspect.read import ACCEPTED, Entry, Source
from datagen.inspect.treemap import NOUNS, VERBS, treemap
from datagen.records.names import public_name

if TYPE_CHECKING:
    from markupsafe import Markup

FOLDER = Path(__file__).parent
LONGEST = 1000
"""Characters of a text that the page shows."""
COMPARED = 150
"""Words of an evolved instruction that are compared with its parent."""
FACTS = {
    "answers": "answers of the teacher",
    "prompt_tokens": "tokens asked",
    "completion_tokens": "tokens answered",
    "seconds": "seconds",
}
"""Numbers of stats.json that the page shows, and what it calls them."""
NOT_ASKED = {"format", "name", "method", "prompts"}
"""Keys of a configuration that the page says elsewhere or leaves out."""


def page(source: Source, summary: Summary) -> bytes:
    """The whole page, UTF-8."""
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
    environment.filters |= {"shown": shown, "number": number}
    style, script = (
        Markup((FOLDER / name).read_text(encoding="utf-8")) for name in ("page.css", "page.js")
    )
    html = environment.get_template("page.html").render(
        style=style,
        script=script,
        style_hash=policy_hash(style),
        script_hash=policy_hash(script),
        **content(source, summary),
    )
    return html.encode("utf-8", "replace")  # a lone half of a surrogate pair becomes "?"


def policy_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def content(source: Source, summary: Summary) -> dict[str, Any]:
    """What the template names."""
    return {
        "name": source.name,
        "method": source.config.get("method", "a run"),
        "finished": source.finished,
        "asked": list(asked({key: v for key, v in source.config.items() if key not in NOT_ASKED})),
        "facts": {
            label: round(source.stats[key]) for key, label in FACTS.items() if source.stats.get(key)
        },
        "configs": {
            config: count for config, count in summary.configs.items() if config != "rejected"
        },
        "verdicts": verdicts(summary),
        "unit": "characters" if summary.language.by_characters else "words",
        "chinese": summary.language.by_characters,
        "instructions": charts.histogram(
            length_bins(summary.instructions), "lengths of instructions"
        ),
        "responses": charts.histogram(length_bins(summary.responses), "lengths of responses"),
        "similarity": similarity(summary),
        **verbs(summary),
        "rounds": [
            round_row(key, summary.rounds[key])
            for key in sorted(summary.rounds, key=lambda k: (k is None, k))
        ],
        "trees": [tree(root, entries) for root, entries in summary.trees.items()],
        "samples": [
            (verdict, [card(e) for e in summary.samples[verdict]])
            for verdict, *_ in verdicts(summary)
        ],
        "rows": block([list(card(entry).values()) for entry in summary.rows]),
        "searched": min(summary.rows.size, summary.rows.seen),
        "seen": summary.rows.seen,
        "longest": LONGEST,
    }


def shown(text: object, longest: int = LONGEST) -> str:
    """The text, cut, with what is invisible or changes the order of letters written as its code."""
    words = str(text)
    words = words if len(words) <= longest else words[:longest] + " […]"
    return words if words.replace("\n", "").isprintable() else visible(words)


def block(value: Any) -> Markup:
    """JSON that cannot end its script element, whatever is in it."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


def asked(config: dict[str, Any], name: str = "") -> Iterator[tuple[str, str]]:
    """The configuration as (name, value), nested names joined by dots, without what is empty."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from asked(value, f"{name}{key}.")
        elif value not in (None, "", []):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield name + key, public_name(text) if name == "teacher." else text


def verdicts(summary: Summary) -> list[tuple[str, int, float, Markup]]:
    """Accepted, then the reasons by number: name, rows, share of all rows, bar."""
    total = summary.verdicts.total() or 1
    order = sorted(
        summary.verdicts.items(), key=lambda pair: (pair[0] != ACCEPTED, -pair[1], pair[0])
    )
    top = max(summary.verdicts.values(), default=1)
    return [(verdict, count, count / total, charts.bar(count / top)) for verdict, count in order]


def similarity(summary: Summary) -> Markup | None:
    sides = summary.similarity
    if not sides.accepted and not sides.rejected:
        return None
    return charts.histogram(share_bins(sides), "similarity with the nearest earlier instruction")


def verbs(summary: Summary) -> dict[str, Any]:
    """The treemap; `drawn` accepted instructions are in it, of `paired` that have a pair, of
    `described` in all.
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


def round_row(key: int | None, found: Round) -> dict[str, Any]:
    judged = found.scores.total()
    return {
        "round": "–" if key is None else key,
        "accepted": found.accepted,
        "rejected": found.rejected,
        "length": found.length / found.accepted if found.accepted else None,
        "score": sum(score * count for score, count in found.scores.items()) / judged
        if judged
        else None,
        "scores": charts.scores(found.scores) if judged else "",
    }


def card(entry: Entry) -> dict[str, str]:
    """A row as samples and search show it."""
    return {
        "verdict": entry.verdict,
        "id": shown(entry.row.get("id") or ""),
        "instruction": shown(entry.instruction),
        "response": shown(entry.response),
        "notes": shown(" · ".join(notes(entry))),
    }


def notes(entry: Entry) -> Iterator[str]:
    """What else is known of a row."""
    row = entry.row
    if row.get("nearest_similarity") is not None:
        yield f"nearest {row['nearest_similarity']:.2f} ({row.get('nearest_id') or 'unnamed'})"
    names = (
        "round",
        "operation",
        "score",
        "answer",
        "gold",
        "agreement",
        "finish_reason",
        "detail",
    )
    for name in names:
        if (value := row.get(name)) not in (None, ""):
            shown = f"{value:.3g}" if isinstance(value, float) else value
            yield f"{name.replace('_', ' ')} {shown}"


def tree(root: str, entries: list[Entry]) -> dict[str, Any]:
    """An evolution: by round its rows, each instruction in pieces, new words marked."""
    texts = {entry.row.get("id"): entry.instruction for entry in entries}
    columns: dict[int, list[dict[str, Any]]] = {}
    for entry in entries:
        parent = next((texts[p] for p in entry.row.get("parents") or () if p in texts), None)
        columns.setdefault(entry.row["round"], []).append(
            card(entry)
            | {
                "operation": entry.row.get("operation") or "seed",
                "pieces": pieces(parent, entry.instruction),
            }
        )
    return {"root": root, "columns": columns}


def pieces(before: str | None, after: str) -> list[tuple[bool, str]]:
    """The text in pieces: (whether it is new against `before`, words).

    All old where nothing is known of before.
    """
    if before is None:
        return [(False, shown(after))]
    old, new = before.split()[:COMPARED], after.split()
    first, rest = new[:COMPARED], new[COMPARED:]
    codes = SequenceMatcher(None, old, first, autojunk=False).get_opcodes()
    found = [
        (code != "equal", shown(" ".join(first[low:high])))
        for code, _, _, low, high in codes
        if high > low
    ]
    return [*found, (False, shown(" ".join(rest)))] if rest else found
