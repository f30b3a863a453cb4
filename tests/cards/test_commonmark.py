"""The cards as a CommonMark parser reads them: whatever a model wrote, there is no markup but our
own."""

from collections import Counter

import pytest
import yaml
from markdown_it import MarkdownIt

from cards.licenses import license_fields
from cards.render import fenced, inline
from tests.cards.test_cards import RUN, card_of, row

HOSTILE = [
    "```\n# EVIL\n```",
    "~~~\n# EVIL\n~~~\n````````\n<b>EVIL</b>",
    "\r# EVIL\r\n\r\n<script>EVIL</script>",
    "\u2028# EVIL\u2029<img src=x onerror=EVIL>\u0085# EVIL",
    "---\nlicense: EVIL\n---\n",
    "</code></pre><h1>EVIL</h1><!-- EVIL",
    "EVIL | EVIL |\n|---|---|\n[EVIL](javascript:EVIL) ![EVIL](x)",
    "{% raw %}{{ EVIL }}{% endraw %}",
    "\u202eEVIL\u202c\u200b\x1b[31mEVIL\x00",
    "`" * 1499 + "\n# EVIL",
    "",
]


def markup(text):
    """What a parser finds in a card, without its YAML: every block in order, and how many of each
    thing in lines."""
    tokens = (
        MarkdownIt("commonmark", {"html": True}).enable("table").parse(text.split("---\n", 2)[2])
    )
    inside = Counter(child.type for token in tokens for child in token.children or [])
    return [token.type for token in tokens], {
        kind: number for kind, number in inside.items() if kind != "text"
    }


def card_with(text):
    """A card with the text wherever a model, a user's file or a remote lineage may have put it."""
    rejected = row(text) | {"id": text, "reason": text or "empty", "answer": text, "detail": text}
    rejected["prompt"] = [{"role": text, "content": text}]
    facts = {
        "source": RUN["source"] | {"suite": text, "split": text},
        "settings": {
            "trigger": text,
            "shots": None,
            "against": text or "x",
            "ngram_share": 0.5,
            "rouge_l": 0.7,
        },
        "teacher": {"name": text, "identity": text, "license": text},
        "terms": text or "none",
        "prompts": {text: text},
        "counts": RUN["counts"] | {"rejected": {text: 5}},
        "samples": {"rationales": [row(text)], "rejected": [rejected]},
        "languages": {"detector": text, "shortest": 40, "configs": {"rationales": seen(text)}},
    }
    return card_of(**facts)


def seen(text):
    return {"sample": 9} | {
        part: {"languages": {text: 8}, "too_short": 1} for part in ("prompt", "completion")
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_makes_no_markup(text):
    card, plain = card_with(text), card_with("plain")
    assert yaml.safe_load(card.split("---\n")[1]) == yaml.safe_load(plain.split("---\n")[1])
    assert markup(card) == markup(plain)
    assert not any(
        "html" in kind or "link" in kind for kind in (*markup(card)[0], *markup(card)[1])
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_a_fence_holds_the_whole_of_its_text(text):
    tokens = MarkdownIt("commonmark").parse(fenced(text) + "\n\nafter")
    assert [token.type for token in tokens] == [
        "fence",
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]
    assert tokens[0].content.count("EVIL") == text.count("EVIL") or len(text) > 1500


def test_characters_that_hide_or_reorder_text_are_shown():
    assert fenced("a\u202eb\x1bc").splitlines()[1] == "a<U+202E>b<U+001B>c"
    assert inline("a\u200bb") == "a&lt;U+200B&gt;b"


def test_a_licence_is_the_hubs_or_other_with_its_name():
    assert license_fields([None]) == {}
    assert license_fields(["apache-2.0"]) == {"license": "apache-2.0"}
    assert license_fields(["my-terms"]) == {"license": "other", "license_name": "my-terms"}


def test_licences_of_several_runs_are_told_where_each_states_one():
    assert license_fields(["mit", None]) == {}
    assert license_fields(["mit", "mit"]) == {"license": "mit"}
    assert license_fields(["mit", "my-terms"]) == {
        "license": ["mit", "other"],
        "license_name": "my-terms",
    }
