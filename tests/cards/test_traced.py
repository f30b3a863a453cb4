"""Every number of a card stands in the lineage, for each family and for a version of all three."""

import json
from itertools import pairwise
from random import Random

import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard, DatasetCardData

from cards.dataset import SHOWN, size_category
from datagen.publish import lineage as lineages
from datagen.publish.folder import add_other_families, card, with_number
from datagen.publish.samples import samples
from datagen.records.lineage import configs_of
from datagen.schema import FAMILIES
from datagen.versions.version import Version
from tests.cards.runs import run_of
from tests.cards.traces import WORD, untraced


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def run(tmp_path, family):
    return run_of(tmp_path / family, family)


def lineage_of(run, **given):
    about = {"name": "org/sums", "license": "apache-2.0", "language": "en"} | given
    return with_number(lineages.build(run, **about), (3, 2, 1), None)


def mixed(tmp_path, families=tuple(FAMILIES)):
    """The lineage of a version that holds a run of each family, published in this order."""
    newest = None
    for place, family in enumerate(families):
        run = run_of(tmp_path / f"{family}-run", family, kept=1234 + place, rejected=321 + place)
        lineage = with_number(
            add_other_families(
                lineages.build(run, name="org/sums", license="mit", language="en"), newest
            ),
            (3, place, 0),
            newest,
        )
        newest = Version(
            "org/sums", lineage["version"], tmp_path, lineage["content_sha256"], lineage
        )
    return newest.lineage


def all_rows(run):
    return [
        row for file in sorted(run.glob("*.parquet")) for row in pq.read_table(file).to_pylist()
    ]


def body_of(text):
    return text.split("---\n", 2)[2]


def test_every_number_comes_from_the_lineage(run):
    lineage = lineage_of(run)
    body = body_of(card(lineage))
    assert len(WORD.findall(body)) > 40
    assert untraced(body, lineage) == []
    assert untraced(body + "\n4,242 rows of ff00aa11, 0.123", lineage) == [
        "0.123",
        "4,242",
        "ff00aa11",
    ]


def test_every_number_of_a_section_comes_from_its_run_and_of_the_rest_from_the_version(tmp_path):
    lineage = mixed(tmp_path)
    top, *sections = body_of(card(lineage)).split("\n## ")
    *sections, licences = sections
    assert [section.splitlines()[0].lower() for section in sections] == list(FAMILIES)
    for section, (family, run) in zip(sections, lineage["runs"].items(), strict=True):
        assert len(WORD.findall(section)) > 40
        assert untraced(section, run) == []
        assert (
            f"| accepted: {FAMILIES[family][0]} | {run['configs'][FAMILIES[family][0]]['rows']:,} |"
            in section
        )
    assert untraced(top + licences, [lineage, configs_of(lineage)]) == []
    assert f"| rejected | {321 + 322 + 323} |" in top


def test_counts_of_the_card_are_those_of_the_files(run, family):
    text = card(lineage_of(run))
    first = FAMILIES[family][0]
    assert f"| accepted: {first} | {pq.read_table(run / f'{first}.parquet').num_rows:,} |" in text
    reasons = pq.read_table(run / "rejected.parquet").column("reason").to_pylist()
    for reason in set(reasons):
        assert f"| rejected: {reason} | {reasons.count(reason):,} |" in text


def test_the_metadata_are_valid_and_the_size_is_true(run, family):
    made = DatasetCard(card(lineage_of(run)))
    assert isinstance(made.data, DatasetCardData)
    assert made.data.to_dict() == yaml.safe_load(made.content.split("---\n")[1])
    rows = sum(pq.read_metadata(run / f"{config}.parquet").num_rows for config in FAMILIES[family])
    assert made.data.size_categories == [size_category(rows)] == ["1K<n<10K"]
    assert made.data.license == "apache-2.0"
    assert made.data.language == ["en"]
    names = [config["config_name"] for config in made.data.configs]
    assert names == [*FAMILIES[family], "rejected"]


def test_the_metadata_of_several_families_are_valid_and_name_the_columns_of_what_they_share(
    tmp_path,
):
    order = ("demonstrations", "rationales", "instructions")
    lineage = mixed(tmp_path, order)
    data = DatasetCard(card(lineage)).data
    assert [config["config_name"] for config in data.configs] == [
        *(config for family in order for config in FAMILIES[family]),
        "rejected",
    ]
    assert [config["config_name"] for config in data.configs if config.get("default")] == [
        "demonstrations"
    ]
    assert data.tags == [
        "synthetic",
        "distillation",
        "demonstrations",
        "rationales",
        "self-instruct",
    ]
    (shared,) = data.to_dict()["dataset_info"]
    schemas = [pq.read_schema(tmp_path / f"{family}-run" / "rejected.parquet") for family in order]
    assert {column["name"] for column in shared["features"]} == {
        name for schema in schemas for name in schema.names
    }
    hashes = [
        lineage["runs"][family]["configs"]["rejected"]["rows_sha256"][:16]
        for family in sorted(order)
    ]
    assert data.configs[-1]["data_files"][0]["path"] == [
        f"rejected/*-{digest}.parquet" for digest in hashes
    ]


def test_the_card_says_how_a_version_is_loaded(run, family):
    first = FAMILIES[family][0]
    text = card(lineage_of(run, hub=True))
    assert f'load_dataset("org/sums", "{first}", revision="v3.2.1", split="train")' in text
    assert f'load_dataset("STORE/org/sums/3.2.1", "{first}", split="train")' in card(
        lineage_of(run)
    )


def test_the_same_run_gives_the_same_card(run, family, tmp_path):
    again = run_of(tmp_path / "again", family)
    lineage = lineage_of(run)
    assert card(lineage_of(again) | {"created": lineage["created"]}) == card(lineage)


def test_histograms_count_every_row_where_it_belongs(run, family):
    bins = lineage_of(run)["runs"][family]["histograms"]["length"]
    edges = [int(label.rstrip("+")) for label in bins["labels"]]
    for side, file in (("accepted", FAMILIES[family][0]), ("rejected", "rejected")):
        lengths = [
            len(row["completion"][0]["content"])
            for row in pq.read_table(run / f"{file}.parquet").to_pylist()
        ]
        wanted = [
            sum(low <= length < high for length in lengths)
            for low, high in pairwise([*edges, 10**9])
        ]
        assert bins[side] == wanted
        assert sum(bins[side]) == len(lengths)


def test_similarity_is_counted_by_twentieths(run, family):
    found = lineage_of(run)["runs"][family]["histograms"]
    if family != "instructions":
        assert found.keys() == {"length"}
        return
    values = pq.read_table(run / "instructions.parquet").column("nearest_similarity").to_pylist()
    wanted = [sum(min(int(round(value, 3) * 20), 19) == n for value in values) for n in range(20)]
    assert found["similarity"]["accepted"] == wanted


def test_samples_are_rows_of_the_run_drawn_by_its_seed(run, family):
    first, described = FAMILIES[family][0], lineage_of(run)["runs"][family]["configs"]
    drawn = samples(run, described, seed=5)
    there = [{k: v for k, v in row.items() if k in SHOWN} for row in all_rows(run)]
    assert len(drawn[first]) == 3
    assert all(row in there for rows in drawn.values() for row in rows)
    assert sorted(row["reason"] for row in drawn["rejected"]) == ["similar", "truncated", "wrong"]
    assert drawn == samples(run, described, seed=5)
    assert drawn != samples(run, described, seed=6)


def test_what_it_cost_is_told_where_it_is_known(run):
    assert ", for 0.000312 usd." in card(lineage_of(run))
    stats = json.loads((run / "stats.json").read_text())
    (run / "stats.json").write_text(json.dumps(stats | {"cost": None, "currency": None}))
    assert "completion tokens.\n" in card(lineage_of(run))


def test_a_run_without_rejected_rows_shows_none(tmp_path, family):
    run = run_of(tmp_path / "clean", family, rejected=0)
    text = card(lineage_of(run))
    assert "`rejected`" not in text
    assert "| rejected | 0 |" not in text
    assert "### rejected" not in text


def test_duplicates_are_those_that_the_rows_have(run, family):
    """Against sets of the rows' own texts."""
    found = lineage_of(run)["runs"][family]["duplicates"]
    assert found.keys() == set(FAMILIES[family])
    for config, repeated in found.items():
        rows = pq.read_table(run / f"{config}.parquet").to_pylist()
        prompts = {row["prompt"][0]["content"] for row in rows}
        pairs = {(row["prompt"][0]["content"], row["completion"][0]["content"]) for row in rows}
        assert repeated == {"prompts": len(rows) - len(prompts), "rows": len(rows) - len(pairs)}
        assert f"{repeated['prompts']:,} have the prompt of an earlier row" in card(lineage_of(run))


TONGUES = {
    "en": "The old bridge over the river was closed in winter, because nobody had the time to mend it before the snow.",
    "de": "Die alte Brücke über den Fluss war im Winter gesperrt, weil niemand sie vor dem Schnee ausbessern konnte.",
    "zh": "河上的旧桥冬天一直关闭，因为下雪之前没有人来得及修好它，村里的人只好绕路去集市买东西。",
    "fr": "Le vieux pont sur la rivière était fermé en hiver, parce que personne n'avait eu le temps de le réparer.",
}


def test_languages_are_those_that_the_rows_were_written_in(tmp_path):
    """3,000 rows, of which 2,000 are looked at; every twentieth has too few letters."""
    rng = Random("languages")
    texts = [rng.choice([*TONGUES]) for _ in range(3000)]
    run = run_of(tmp_path / "run", "instructions", kept=3000)
    table = pq.read_table(run / "instructions.parquet").to_pylist()
    for place, (row, tongue) in enumerate(zip(table, texts, strict=True)):
        row["completion"][0]["content"] = (
            TONGUES[tongue] if place % 20 else "12 + 13 = 25, so x = 25."
        )
    schema = pq.read_schema(run / "instructions.parquet")
    import pyarrow as pa

    pq.write_table(
        pa.Table.from_pylist(table, schema=schema), run / "instructions.parquet", row_group_size=700
    )
    measured = lineage_of(run)["runs"]["instructions"]["languages"]
    found = measured["configs"]["instructions"]
    assert found["sample"] == 2000
    assert found["prompt"] == {"languages": {}, "too_short": 2000}
    counts = found["completion"]["languages"]
    assert counts.keys() == TONGUES.keys()
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert sum(counts.values()) + found["completion"]["too_short"] == 2000
    for tongue in TONGUES:  # 2,000 of 3,000 rows, give or take what chance makes of it
        wanted = sum(text == tongue for place, text in enumerate(texts) if place % 20) * 2 / 3
        assert abs(counts[tongue] - wanted) < 60
    text = card(lineage_of(run))
    assert f"as {measured['detector']} detects them" in text
    named = ", ".join(f"{tongue} {count:,}" for tongue, count in counts.items())
    assert (
        f"| instructions | 2,000 | completions | {named} | {found['completion']['too_short']} |"
        in text
    )
    assert "often misjudges short or formulaic text" in text
    assert measured == lineage_of(run)["runs"]["instructions"]["languages"]
