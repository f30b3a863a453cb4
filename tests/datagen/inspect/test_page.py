"""The page of runs whose rows are known: counts, escaping, bounds."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from datagen.errors import UserError
from datagen.inspect.command import inspect
from datagen.inspect.settings import InspectSettings
from datagen.publish.cli import PublishSettings, publish
from datagen.schema import Accepted
from tests.datagen.inspect import runs
from tests.datagen.inspect.parsed import parse
from tests.datagen.publish.conftest import make_run


def page_of(run: Path, **settings) -> str:
    out = run.parent / "page.html"
    inspect(InspectSettings(run=run, out=out, **settings))
    return out.read_text(encoding="utf-8")


def rows_of(html: str) -> list[list[str]]:
    found = re.search(r'<script type="application/json" id="rows">(.*?)</script>', html, re.DOTALL)
    return json.loads(found[1])


def counts(html: str) -> dict[str, str]:
    cells = re.findall(
        r'<th scope="row">([^<]*)</th>\s*<td class="wide">.*?<td class="figure">([\d,]+)</td>',
        html,
        re.DOTALL,
    )
    return {name: int(number.replace(",", "")) for name, number in cells}


def section(html: str, name: str) -> str:
    return re.search(rf'<section id="{name}">.*?</section>', html, re.DOTALL)[0]


@pytest.fixture(scope="module")
def self_instruct(tmp_path_factory) -> Path:
    return runs.write(tmp_path_factory.mktemp("self") / "run", runs.self_instruct(400))


def test_counts_are_those_of_the_rows(self_instruct):
    html = page_of(self_instruct)
    assert counts(html) == {"accepted": 300, "similar": 90, "refusal": 10}
    assert len(rows_of(html)) == 400


def test_histograms_hold_every_row(self_instruct):
    figures = section(page_of(self_instruct), "lengths").split("<figure>")[1:]
    totals = [
        [
            sum(map(int, re.findall(pattern, figure)))
            for pattern in (r"(\d+) accepted", r"(\d+) rejected")
        ]
        for figure in figures
    ]
    assert totals == [[300, 100], [300, 100], [299, 100]]  # the hostile row has no neighbour


def test_an_instruction_with_several_instances_counts_once(tmp_path):
    items = [
        [Accepted(runs.row(f"n{i}-{j}", f"Write poem {i}.", "x"), "instructions") for j in range(3)]
        for i in range(5)
    ]
    html = page_of(runs.write(tmp_path / "run", items))
    assert counts(html) == {"accepted": 15}
    assert "5 of 5 accepted instructions" in html
    assert [
        sum(map(int, re.findall(r"(\d+) accepted", f)))
        for f in section(html, "lengths").split("<figure>")[1:]
    ] == [
        5,
        15,
    ]


def test_nothing_a_model_wrote_becomes_markup(self_instruct):
    html = page_of(self_instruct, samples=400)
    page = parse(html)
    tags = {tag for tag, _ in page.tags}
    assert "img" not in tags
    assert len(page.named("script")) == 2
    assert not [
        attributes
        for _, attributes in page.tags
        if any(name.startswith("on") for name in attributes)
    ]
    assert "49" not in section(html, "samples").split("hostile")[1].split("</article>")[0]
    assert runs.HOSTILE in "".join(page.text("p"))
    (hostile,) = [row for row in rows_of(html) if row[1] == "hostile"]
    assert hostile[2] == runs.HOSTILE
    assert "{{ 7 * 7 }} &lt; <U+202E>abc" in hostile[3]


def test_the_block_of_rows_ends_where_it_should_whatever_is_in_it(tmp_path):
    texts = [
        "</script>",
        "<!--<script>",
        "<!--",
        "]]>",
        "</SCRIPT >",
        "a\u2028b\u2029c",
        "\x00\x1b",
        "é&amp;",
    ]
    items = [
        [Accepted(runs.row(f"n{n}", text, text), "instructions")] for n, text in enumerate(texts)
    ]
    html = page_of(runs.write(tmp_path / "run", items))
    (block,) = [text for text in parse(html).text("script") if text.startswith("[[")]
    assert not set(block) & set("<>&\u2028\u2029")
    assert [row[2] for row in json.loads(block)][:5] == texts[:5]


def test_the_policy_allows_our_style_and_script_and_nothing_else(self_instruct):
    html = page_of(self_instruct)
    page = parse(html)
    policy = next(
        m["content"] for m in page.named("meta") if m.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for rule, tag in (("style-src", "style"), ("script-src", "script")):
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules.pop(rule) == f"'sha256-{digest}'"
    assert set(rules.values()) == {"'none'"}
    assert "default-src" in rules
    assert not [
        a for _, attributes in page.tags for a in attributes if a in ("src", "href", "style")
    ]


def test_evolutions_stand_side_by_side_with_what_is_new_marked(tmp_path):
    run = runs.write(tmp_path / "run", runs.evolution(10), method="evol-instruct")
    html = page_of(run, trees=3)
    trees = section(html, "trees").split('<div class="scroll tree">')[1:]
    assert len(trees) == 3
    for tree in trees:
        assert re.findall(r"<h3>round (\d)</h3>", tree) == list("01234")
        marked = [re.sub(r"\s+", " ", text) for text in re.findall(r"<mark>(.*?)</mark>", tree)]
        assert marked == [f"Mention detail {n}." for n in (1, 2, 3, 4)]
    numbers = [
        [int(r) for r in re.findall(r"\d+", row)]
        for row in re.findall(r"<tr><th scope.*?</tr>", section(html, "rounds"), re.DOTALL)
    ]
    assert [row[:3] for row in numbers] == [
        [0, 10, 0],
        [1, 10, 0],
        [2, 10, 0],
        [3, 5, 5],
        [4, 10, 0],
    ]
    assert re.findall(r"<td>(\d\.00)</td>", section(html, "rounds"))[-1] == "7.00"


def test_an_unfinished_run_shows_what_is_there(tmp_path):
    html = page_of(runs.write(tmp_path / "run", runs.self_instruct(400), stop_after=90))
    assert "not finished" in html
    assert sum(counts(html).values()) == len(rows_of(html)) == 90


def test_questions_and_chains_are_shown_once_and_answers_counted(tmp_path):
    html = page_of(
        runs.write(tmp_path / "run", runs.rationales(20), method="rationales", family="rationales")
    )
    assert counts(html) == {"accepted": 20, "wrong_answer": 20}
    assert "<b>20</b> answers" in html
    assert ["What is 3 plus 1?", "3 + 1 = 4"] in [row[2:4] for row in rows_of(html)]


def test_a_published_version_is_read_and_not_touched(tmp_path):
    run = make_run(tmp_path / "run", rows=5, rejected=2)
    publish(PublishSettings(run=run, name="sums", store=tmp_path / "store"))
    version = tmp_path / "store" / "sums" / "1.0.0"
    before = sorted(version.rglob("*"))
    inspect(InspectSettings(run=version))
    assert sorted(version.rglob("*")) == before
    html = (tmp_path / "store" / "sums" / "1.0.0.html").read_text()
    assert counts(html) == {"accepted": 5, "wrong": 2}
    assert "<h1>sums 1.0.0</h1>" in html


def test_rows_and_text_are_bounded_and_the_page_says_so(tmp_path):
    items = [
        [Accepted(runs.row(f"n{n}", f"Write {n} " + "x" * 5000, "y" * 5000), "instructions")]
        for n in range(300)
    ]
    run = runs.write(tmp_path / "run", items)
    html = page_of(run, rows=50)
    rows = rows_of(html)
    assert len(rows) == 50
    assert [int(row[1][1:]) for row in rows] == sorted(int(row[1][1:]) for row in rows)
    assert "50 of 300 rows" in html
    assert len(html) < 50 * 2_500 + 60_000
    assert page_of(run, rows=50) == html
    assert page_of(run, rows=50, seed=1) != html


def test_what_was_asked_is_shown_zeros_too(tmp_path):
    html = page_of(
        runs.write(tmp_path / "run", runs.self_instruct(5), temperature=0.7, seed=0, shots=[])
    )
    asked = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html))
    assert asked == {
        "teacher.name": "hf:model",
        "teacher.identity": "x",
        "settings.temperature": "0.7",
        "settings.seed": "0",
        "code_version": "0.0.0",
        "source.suite": "none",
        "source.questions": "1",
        "source.sha256": "00",
    }


def test_the_page_tells_nothing_of_the_machine(self_instruct):
    html = page_of(self_instruct)
    assert "/home/me" not in html
    assert str(self_instruct.parent) not in html


@pytest.mark.parametrize("break_it", ["missing", "empty", "config", "rows", "parquet", "version"])
def test_bad_input_is_one_line(tmp_path, break_it):
    run = tmp_path / "run"
    if break_it != "missing":
        stop = None if break_it == "parquet" else 0
        runs.write(
            run, runs.self_instruct(10), stop_after=stop
        ) if break_it != "empty" else run.mkdir()
    if break_it == "config":
        (run / "config.json").write_text("{")
    if break_it == "rows":
        (run / "rows.sqlite").write_bytes(b"no database" * 1000)
    if break_it == "parquet":
        (run / "instructions.parquet").write_bytes(b"no parquet")
    if break_it == "version":
        (run / "lineage.json").write_text("[]")
    with pytest.raises(UserError) as error:
        page_of(run)
    assert "\n" not in str(error.value)
    assert str(run) in str(error.value)


BROWSERS = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome", "chrome")


@pytest.mark.slow
def test_in_a_browser_it_opens_searches_and_runs_nothing_of_the_rows(self_instruct):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    page_of(self_instruct, samples=400)
    url = (self_instruct.parent / "page.html").as_uri() + "#q=onerror+script"
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--virtual-time-budget=2000",
    ]
    done = subprocess.run(
        [browser, *flags, "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    assert "<title>run · self-instruct</title>" in done.stdout
    assert re.search(r'id="found"[^>]*>1 row<', done.stdout)
    assert done.stdout.split('id="results"')[1].count("<article") == 1
    assert "img" not in {tag for tag, _ in parse(done.stdout).tags}
