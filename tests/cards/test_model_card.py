"""The card of a student: what it is made from, by which losses, and what a report measured of
it."""

import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData
from markdown_it import MarkdownIt

from cards.model import model_card

DATASET = {
    "name": "org/sums",
    "version": "1.2.0",
    "content_sha256": "e" * 64,
    "config": "rationales",
    "rows": 1234,
}
LINEAGE = {
    "method": "sft",
    "base": {"name": "ORG/base"},
    "dataset": DATASET,
    "settings": {"learning_rate": 0.0021, "bf16": False},
}
ACCURACY = {"value": 0.43125, "low": 0.36, "high": 0.5, "n": 200}
RETENTION = [
    {
        "suite": "microworld",
        "n": 200,
        "models": [
            {
                "role": "base",
                "mode": "direct",
                "greedy_accuracy": {"value": 0.01, "low": 0.0, "high": 0.025},
            },
            {
                "role": "student",
                "mode": "rationale",
                "greedy_accuracy": ACCURACY,
                "gap_closed": {"value": 0.5512, "low": 0.47, "high": 0.64},
            },
        ],
    }
]


def test_it_names_base_version_hash_commit_and_settings():
    card = model_card(LINEAGE | {"dataset": DATASET | {"commit": "d" * 40}})
    header = ModelCard(card).data
    assert isinstance(header, ModelCardData)
    assert header.base_model == "ORG/base"
    assert header.datasets == ["org/sums"]
    assert header.tags == ["distillation", "trl", "sft"]
    for text in (
        "1.2.0",
        "1,234 rows",
        "e" * 64,
        "d" * 40,
        "0.0021",
        "cross-entropy of the completion's tokens",
        "Not measured",
    ):
        assert text in card


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (
            "kd",
            {
                "kd_weight": 0.875,
                "sft_weight": 0.125,
                "divergence": "reverse_kl",
                "temperature": 2.5,
            },
        ),
        ("gkd", {"lmbda": 0.25, "beta": 0.75, "temperature": 0.9}),
    ],
)
def test_it_says_by_which_losses(method, settings):
    teacher = {"name": "/home/me/teacher"}
    card = model_card(
        LINEAGE | {"method": method, "teacher": teacher, "settings": settings | {"seed": 3}}
    )
    assert method in ModelCard(card).data.tags
    losses = card.split("## Loss\n")[1].split("## What it kept")[0]
    assert all(
        f"| {str(value).replace('_', chr(92) + '_')} |" in losses for value in settings.values()
    )
    assert "| seed | 3 |" in card.split("## Settings")[1]
    assert "with teacher as its teacher" in card
    assert "/home" not in card


def test_what_a_report_measured_stands_in_a_table():
    card = model_card(LINEAGE | {"retention": RETENTION})
    table = MarkdownIt("commonmark").enable("table").render(card.split("its teacher\n", 1)[1])
    cells = [
        line.strip().removeprefix("<td>").removesuffix("</td>")
        for line in table.splitlines()
        if "<td>" in line
    ]
    assert cells[:10] == [
        *("base", "direct", "0.010 [0.000, 0.025]", "", ""),
        *("student", "rationale", "0.431 [0.360, 0.500]", "", "0.551 [0.470, 0.640]"),
    ]
    assert "Not measured" not in card


def test_a_mixture_names_all_its_parts():
    parts = [
        DATASET | {"weight": 0.625, "distinct_rows": 777},
        DATASET | {"name": "org/tasks", "weight": 0.375},
    ]
    whole = {
        "name": "org/sums + org/tasks",
        "version": "1.2.0",
        "content_sha256": "f" * 64,
        "config": "x",
        "rows": 9,
    }
    parts[1]["distinct_rows"] = 888
    card = model_card(LINEAGE | {"dataset": whole | {"parts": parts}})
    assert yaml.safe_load(card.split("---\n")[1])["datasets"] == ["org/sums", "org/tasks"]
    assert "777 distinct, weight 0.625" in card
    assert "888 distinct, weight 0.375" in card


def test_a_local_base_is_named_without_its_path():
    card = model_card(LINEAGE | {"base": {"name": "/home/me/models/student"}})
    assert "/home" not in card
    assert ModelCard(card).data.base_model == "student"
