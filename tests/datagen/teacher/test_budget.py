"""What a run costs and where its budget ends it, counted by the endpoint itself."""

import json
import sqlite3

import pytest

from datagen.cli import main
from datagen.errors import UserError
from datagen.teacher.cost.budget import Limit, read_limit
from datagen.teacher.cost.prices import price_of
from tests.datagen.endpoint import Endpoint, Served

QUESTIONS = 40
PRICES = """
currency: usd
models:
  openai:exact: {input: 1, cached: 0.5, output: 4, batch: 0.5}
  "openai:a*": {input: 2.0, output: 10}
  "*": {input: 7, output: 7}
"""


class Billing(Endpoint):
    """Says that a fixed part of every prompt was cached, and counts what it bills."""

    def __init__(self, **more):
        super().__init__(**more)
        self.prompt = self.cached = self.completion = 0

    def reply(self, body, fault):
        reply = super().reply(body, fault)
        usage = reply["usage"] | {"prompt_tokens_details": {"cached_tokens": 2}}
        self.prompt, self.cached = self.prompt + usage["prompt_tokens"], self.cached + 2
        self.completion += usage["completion_tokens"]
        return reply | {"usage": usage}


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = Billing(latency=0.01)
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield endpoint


@pytest.fixture
def run(tmp_path, endpoint, capsys):
    (tmp_path / "q.jsonl").write_text(
        "".join(
            json.dumps({"question": f"What is {i} plus 2?", "answer": str(i + 2)}) + "\n"
            for i in range(QUESTIONS)
        )
    )
    (tmp_path / "prices.yaml").write_text(PRICES)

    def run(*more):
        words = [
            "rationales",
            str(tmp_path / "q.jsonl"),
            "--teacher",
            "openai:arith",
            "--samples",
            "2",
        ]
        words += ["--max_tokens", "20", "--concurrency", "8", "--out", str(tmp_path / "run"), *more]
        status = main(words)
        return status, *capsys.readouterr()

    return run


def answers(tmp_path):
    database = sqlite3.connect(tmp_path / "run" / "journal.sqlite")
    try:
        return database.execute("SELECT sum(samples) FROM replies").fetchone()[0]
    finally:
        database.close()


def test_the_first_pattern_that_fits_gives_the_price(tmp_path):
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES)
    tokens = {"prompt_tokens": 3e6, "completion_tokens": 2e6, "cached_tokens": 1e6}
    assert price_of("openai:exact", file).of(**tokens) == 2 * 1 + 1 * 0.5 + 2 * 4
    assert price_of("openai:exact", file, batch=True).of(**tokens) == (2 * 1 + 1 * 0.5 + 2 * 4) / 2
    assert (
        price_of("openai:arith", file, batch=True).of(**tokens) == 3 * 2 + 2 * 10
    )  # cached cost what others do
    assert price_of("hf:x", file).of(**tokens) == 35
    assert price_of("hf:./x").of(**tokens) == price_of("micro").of(**tokens) == 0
    assert price_of("openai:exact") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: [1, 2]", "needs `currency: usd` and `models:`"),
        ("just words", "needs `currency: usd` and `models:`"),
        ("models: {x: {input: 1}}", "models: x: needs input and output"),
        ("models: {x: {input: 1, output: cheap}}", "output: 'cheap' is no price"),
        ("models: {x: {input: -1, output: 1}}", "input: -1 is no price"),
        ("models: {x: {input: .nan, output: 1}}", "input: nan is no price"),
        (
            "models: {x: {input: 1, output: 1, ouptut: 1}}",
            "no key 'ouptut'; there are batch, cached, input, output",
        ),
        ("models: {x: {input: 1", "no YAML"),
    ],
)
def test_what_is_wrong_with_a_price_file_is_said_in_one_line(tmp_path, text, says):
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as error:
        price_of("x", file)
    assert says in str(error.value)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_budgets_are_read_with_their_unit():
    assert read_limit("") is None
    assert read_limit("5usd") == Limit(5.0, "usd")
    assert read_limit("0.25 EUR") == Limit(0.25, "eur")
    assert read_limit("2000000tokens") == Limit(2e6, "tokens")
    for wrong in ("5", "usd", "0usd", "-5usd", "1e9tokens", "five usd"):
        with pytest.raises(UserError, match="such as 5usd or 2000000tokens"):
            read_limit(wrong)


def test_the_statistics_have_the_cost_that_the_endpoint_would_bill(run, endpoint, tmp_path):
    status, said, _ = run("--prices", str(tmp_path / "prices.yaml"))
    assert status == 0
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    expected = (2.0 * endpoint.prompt + 10 * endpoint.completion) / 1e6
    assert stats["cost"] == pytest.approx(expected, abs=1e-6)
    assert stats["currency"] == "usd"
    assert stats["cached_tokens"] == endpoint.cached == 2 * QUESTIONS
    assert f"cost {expected:.2g} usd" in said


def test_an_unknown_price_is_an_unknown_cost(run, tmp_path):
    status, said, _ = run()
    assert status == 0
    assert json.loads((tmp_path / "run" / "stats.json").read_text())["cost"] is None
    assert "cost unknown" in said


@pytest.mark.parametrize(("unit", "share"), [("tokens", 0.4), ("usd", 0.4)])
def test_a_budget_ends_the_run_and_a_bigger_one_goes_on(run, endpoint, tmp_path, unit, share):
    prompt, completion = (
        17 * QUESTIONS,
        14 * QUESTIONS,
    )  # at most, and exactly: 7 tokens for each of 2 samples
    per = {"tokens": (1, 1), "usd": (2e-6, 10e-6)}[unit]
    total = prompt * per[0] + completion * per[1]

    def spent():
        return endpoint.prompt * per[0] + endpoint.completion * per[1]

    prices = ("--prices", str(tmp_path / "prices.yaml"))
    status, _, error = run("--budget", f"{share * total:.6f}{unit}", *prices)
    assert status == 3
    assert "is spent" in error
    assert "higher --budget" in error
    assert error.count("\n") == 1
    assert 0.5 * share * total < spent() <= share * total
    assert answers(tmp_path) == 2 * len(endpoint.bodies)  # nothing that was asked is lost
    first = len(endpoint.bodies)
    status, _, error = run(
        "--budget", f"{share * total:.6f}{unit}", *prices
    )  # the same budget: it is still spent
    assert (status, len(endpoint.bodies)) == (3, first)
    assert run("--budget", f"{3 * total:.6f}{unit}", *prices)[0] == 0
    assert len(endpoint.bodies) == QUESTIONS
    assert not any(count > 1 for count in endpoint.answered.values())


def test_money_without_a_price_and_another_currency_are_refused_before_anything_is_asked(
    run, endpoint, tmp_path
):
    status, _, error = run("--budget", "5usd")
    assert status == 2
    assert "the price of openai:arith is not known" in error
    status, _, error = run("--budget", "5eur", "--prices", str(tmp_path / "prices.yaml"))
    assert status == 2
    assert "the prices are in usd" in error
    assert not endpoint.bodies


def test_a_dry_run_forecasts_requests_tokens_and_cost(run, endpoint, tmp_path):
    status, said, _ = run("--dry-run", "--prices", str(tmp_path / "prices.yaml"))
    assert status == 0
    assert not endpoint.bodies
    assert not (tmp_path / "run").exists()
    assert f"requests:  {QUESTIONS}, for {2 * QUESTIONS} answers" in said
    first = said.split("---\n")[1].removeprefix("[user] ").rstrip("\n")
    prompts = sum(-(-len(first.replace(" 0 ", f" {i} ").encode()) // 4) for i in range(QUESTIONS))
    assert f"about {prompts:,} of prompts" in said
    assert f"{2 * QUESTIONS * 20:,} of answers" in said
    assert f"cost:      {(prompts * 2 + 2 * QUESTIONS * 20 * 10) / 1e6:.2g} usd" in said
