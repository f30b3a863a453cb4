"""Every number of a card stands in the lineage or in the rows that it shows, for each family."""

import html
import json
import re
from itertools import pairwise

import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard, DatasetCardData

from cards.dataset import size_category
from datagen.publish import lineage as lineages
from datagen.publish.folder import card, stamped
from datagen.publish.samples import samples
from datagen.schema import FAMILIES
from tests.cards.runs import run_of

WORD = re.compile(r"[A-Za-z0-9_.,]*\d[A-Za-z0-9_.,]*")
NUMBER = re.compile(r"\d+(\.\d+)?|\d{1,3}(,\d{3})+(\.\d+)?")


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def run(tmp_path, family):
    return run_of(tmp_path / family, family)


def lineage_of(run, **given):
    about = {"name": "org/sums", "license": "apache-2.0", "language": "en"} | given
    return stamped(lineages.build(run, **about), (3, 2, 1), None)


def all_rows(run):
    return [row for file in sorted(run.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def leaves(value):
    """Numbers and texts, keys among them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif value is not None:
        yield value


def untraced(text, lineage, rows):
    """The words of a card's text that hold a digit and come from nowhere."""
    known = list(leaves([lineage, rows]))
    numbers = {value for value in known if isinstance(value, int | float)}
    texts = {value for value in known if isinstance(value, str)}
    words = {word.strip(".,") for value in texts for word in WORD.findall(value)}
    plain = html.unescape(re.sub(r"\\([^\w\s])", r"\1", text))
    found = {word.strip(".,").removeprefix("v") for word in WORD.findall(plain)}
    return sorted(
        word
        for word in found
        if word not in words and not (stated(word, numbers) if NUMBER.fullmatch(word) else within(word, texts))
    )


def stated(word, numbers):
    """Whether a number is one of the known, to the decimals that it has."""
    digits = word.replace(",", "")
    decimals = len(digits.partition(".")[2])
    return any(f"{number:.{decimals}f}" == digits for number in numbers)


def within(word, texts):
    return any(word in text for text in texts)


def test_every_number_comes_from_the_lineage_or_the_rows(run):
    lineage = lineage_of(run)
    rows = list(samples(run, lineage["configs"], seed=5).values())
    body = card(lineage, run).split("---\n", 2)[2]
    assert len(WORD.findall(body)) > 40
    assert untraced(body, lineage, rows) == []
    assert untraced(body + "\n4,242 rows of ff00aa11, 0.123", lineage, rows) == ["0.123", "4,242", "ff00aa11"]


def test_counts_of_the_card_are_those_of_the_files(run, family):
    text = card(lineage_of(run), run)
    first = FAMILIES[family][0]
    assert f"| accepted: {first} | {pq.read_table(run / f'{first}.parquet').num_rows:,} |" in text
    reasons = pq.read_table(run / "rejected.parquet").column("reason").to_pylist()
    for reason in set(reasons):
        assert f"| rejected: {reason} | {reasons.count(reason):,} |" in text


def test_the_metadata_are_valid_and_the_size_is_true(run, family):
    made = DatasetCard(card(lineage_of(run), run))
    assert isinstance(made.data, DatasetCardData)
    assert made.data.to_dict() == yaml.safe_load(made.content.split("---\n")[1])
    rows = sum(pq.read_metadata(run / f"{config}.parquet").num_rows for config in FAMILIES[family])
    assert made.data.size_categories == [size_category(rows)] == ["1K<n<10K"]
    assert made.data.license == "apache-2.0"
    assert made.data.language == ["en"]
    names = [config["config_name"] for config in made.data.configs]
    assert names == [*FAMILIES[family], "rejected"]


def test_the_card_says_how_a_version_is_loaded(run, family):
    first = FAMILIES[family][0]
    text = card(lineage_of(run, hub=True), run)
    assert f'load_dataset("org/sums", "{first}", revision="v3.2.1", split="train")' in text
    assert f'load_dataset("STORE/org/sums/3.2.1", "{first}", split="train")' in card(lineage_of(run), run)


def test_the_same_run_gives_the_same_card(run, family, tmp_path):
    again = run_of(tmp_path / "again", family)
    lineage = lineage_of(run)
    assert card(lineage_of(again) | {"created": lineage["created"]}, again) == card(lineage, run)


def test_histograms_count_every_row_where_it_belongs(run, family):
    bins = lineage_of(run)["histograms"]["length"]
    edges = [int(label.rstrip("+")) for label in bins["labels"]]
    for side, file in (("accepted", FAMILIES[family][0]), ("rejected", "rejected")):
        lengths = [len(row["completion"][0]["content"]) for row in pq.read_table(run / f"{file}.parquet").to_pylist()]
        wanted = [sum(low <= length < high for length in lengths) for low, high in pairwise([*edges, 10**9])]
        assert bins[side] == wanted
        assert sum(bins[side]) == len(lengths)


def test_similarity_is_counted_by_twentieths(run, family):
    found = lineage_of(run)["histograms"]
    if family != "instructions":
        assert found.keys() == {"length"}
        return
    values = pq.read_table(run / "instructions.parquet").column("nearest_similarity").to_pylist()
    wanted = [sum(min(int(round(value, 3) * 20), 19) == n for value in values) for n in range(20)]
    assert found["similarity"]["accepted"] == wanted


def test_samples_are_rows_of_the_run_drawn_by_its_seed(run, family):
    first, described = FAMILIES[family][0], lineage_of(run)["configs"]
    drawn = samples(run, described, seed=5)
    left_out = {"candidates", "demonstrations"}
    there = [{k: v for k, v in row.items() if k not in left_out} for row in all_rows(run)]
    assert len(drawn[first]) == 3
    assert all(row in there for rows in drawn.values() for row in rows)
    assert sorted(row["reason"] for row in drawn["rejected"]) == ["similar", "truncated", "wrong"]
    assert drawn == samples(run, described, seed=5)
    assert drawn != samples(run, described, seed=6)


def test_what_it_cost_is_told_where_it_is_known(run):
    assert ", for 0.000312 usd." in card(lineage_of(run), run)
    stats = json.loads((run / "stats.json").read_text())
    (run / "stats.json").write_text(json.dumps(stats | {"cost": None, "currency": None}))
    assert "completion tokens.\n" in card(lineage_of(run), run)


def test_a_run_without_rejected_rows_shows_none(tmp_path, family):
    run = run_of(tmp_path / "clean", family, rejected=0)
    text = card(lineage_of(run), run)
    assert "`rejected`" not in text
    assert "| rejected | 0 |" not in text
    assert "### rejected" not in text
