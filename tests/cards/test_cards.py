"""Cards: every number from the lineage, and hostile text shown as text."""

import re

import yaml

from cards.dataset import dataset_card, size_category
from cards.render import fenced, inline

RUN = {
    "method": "rationales",
    "license": None,
    "language": None,
    "terms": None,
    "prompts": {},
    "teacher": {"name": "openai:m", "identity": "openai:m@http://127.0.0.1/v1", "license": None},
    "source": {
        "suite": "a|b <script>x</script>",
        "hub": None,
        "split": None,
        "questions": 3,
        "sha256": "ab" * 32,
    },
    "settings": {"samples": 4, "shots": None},
    "code": {"version": "0.1.0", "commit": "d" * 40},
    "counts": {"questions": 4321, "accepted": {"rationales": 1234}, "rejected": {"wrong": 77}},
    "quality": {
        "samples": 4.0,
        "agreement": {"mean": 0.8125, "histogram": [0] * 10},
        "accuracy": {"questions": 4321, "single": 0.4375, "majority": 0.5625, "solved": 0.6875},
    },
    "usage": {"answers": 17284, "prompt_tokens": 111222, "completion_tokens": 333444},
    "configs": {
        "rationales": {"rows": 1234, "rows_sha256": "f" * 64, "columns": {"id": "string"}},
        "rejected": {"rows": 77, "rows_sha256": "0" * 64, "columns": {"id": "x"}},
    },
    "samples": {},
    "content_sha256": "e" * 64,
}
VERSION = {
    "name": "org/sums",
    "version": "1.2.0",
    "created": "2026-01-01T00:00:00Z",
    "previous": {"version": "1.1.0", "content_sha256": "c" * 64},
    "content_sha256": "e" * 64,
}
HOSTILE = (
    "```\n---\nlicense: mit\n---\n# Big\n<script>alert(1)</script>\n````\n{{ 7 * 7 }} \x1b[31m"
)


def card_of(**facts):
    """The card of a version of one run, with these facts in the place of its own."""
    return dataset_card(VERSION | {"runs": {"rationales": RUN | facts}})


def row(text):
    return {
        "prompt": [{"role": "user", "content": "q"}],
        "completion": [{"role": "assistant", "content": text}],
    }


def outside_fences(card):
    """The card's lines that Markdown reads as markup, by CommonMark's rule for fences."""
    kept, fence = [], None
    for line in card.splitlines():
        mark = re.match(r"`{3,}", line)
        if fence is None and mark:
            fence = mark.group()
        elif (
            fence is not None
            and mark
            and set(line.strip()) == {"`"}
            and len(line.strip()) >= len(fence)
        ):
            fence = None
        elif fence is None:
            kept.append(line)
    assert fence is None
    return "\n".join(kept)


def test_every_figure_of_the_lineage_stands_in_the_card():
    card = card_of(samples={"rationales": [row("fine")], "rejected": []})
    figures = (
        "1,234",
        "77",
        "4,321",
        "0.812",
        "0.438",
        "0.562",
        "0.688",
        "17,284",
        "111,222",
        "333,444",
    )
    for figure in figures:
        assert figure in card, figure
    assert "e" * 64 in card
    assert card.count("not stated") == 2  # no licence is invented


def test_what_a_model_wrote_cannot_leave_its_block():
    card = card_of(
        samples={"rationales": [row(HOSTILE)], "rejected": [row("x") | {"reason": "wrong"}]}
    )
    markup = outside_fences(card)
    assert "<script>" not in markup
    assert "# Big" not in markup
    assert "{{ 7 * 7 }}" in card  # not a template
    assert "\x1b" not in card
    header = yaml.safe_load(card.split("---\n")[1])
    assert "license" not in header


def test_fences_are_longer_than_what_they_hold():
    for ticks in range(8):
        block = fenced("a\n" + "`" * ticks + "\nb").splitlines()
        assert len(block[-1]) > ticks
        assert block[-1] == block[0].removesuffix("text")


def test_inline_text_is_one_line_without_markup():
    assert inline("a|b\n<i>*c*`") == r"a\|b &lt;i&gt;\*c\*\`"


def test_size_categories_are_true():
    assert [size_category(n) for n in (0, 999, 1000, 99_999, 10**9)] == [
        "n<1K",
        "n<1K",
        "1K<n<10K",
        "10K<n<100K",
        "n>1B",
    ]
