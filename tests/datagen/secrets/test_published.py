"""A run under every way to give a key, against a server that repeats the key: it is nowhere."""

import base64
import json
import re

import pyarrow.parquet as pq
import pytest

from datagen.cli import main
from tests.datagen.endpoint import Served
from tests.datagen.secrets.echo import Echo
from tests.datagen.secrets.search import holds, leaks

KEY = "sk-proj-Zq81mN4xTt0wVb77"
WORD = "opensesame"
WAYS = {
    # way: variables, with HOST for the server's host and port; and what must be nowhere
    "key": ({"OPENAI_API_KEY": KEY}, [KEY]),
    "key and password": (
        {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": "http://anna:hunter2@HOST/v1"},
        ["hunter2", base64.b64encode(b"anna:hunter2").decode()],
    ),
    "password of letters": (
        {"OPENAI_BASE_URL": f"http://anna:{WORD}@HOST/v1"},
        [WORD, base64.b64encode(f"anna:{WORD}".encode()).decode()],
    ),
    "password with signs": (
        {"OPENAI_BASE_URL": "http://anna:p%40ss%2Fw%3Ard%221@HOST/v1"},
        ['p@ss/w:rd"1', "p%40ss%2Fw%3Ard%221", "p%40ss"],
    ),
    "password with an @": ({"OPENAI_BASE_URL": "http://anna:se@cret77@HOST/v1"}, ["se@cret77"]),
    "password of another script": (
        {"OPENAI_BASE_URL": "http://anna:Sch%C3%BCssel%E5%AF%86%E7%A0%81@HOST/v1"},
        ["Schüssel密码", "ssel%E5%AF%86"],
    ),
    "user as key": ({"OPENAI_BASE_URL": f"http://{KEY}:@HOST/v1"}, [KEY]),
    "short login": (
        {"OPENAI_BASE_URL": "http://me:pw@HOST/v1"},
        [base64.b64encode(b"me:pw").decode().rstrip("=")],
    ),
    "path": ({"OPENAI_BASE_URL": f"http://HOST/{KEY}/v1"}, [KEY]),
    "word in the path": ({"OPENAI_BASE_URL": f"http://HOST/x/{WORD}/v1"}, [f"/{WORD}"]),
    "encoded path": ({"OPENAI_BASE_URL": "http://HOST/k%2Bey%2F0123456/v1"}, ["k+ey/0123456"]),
    "query": ({"OPENAI_BASE_URL": f"http://HOST/v1?api-key={KEY}"}, [KEY]),
    "word in the query": ({"OPENAI_BASE_URL": f"http://HOST/v1?token={WORD}"}, [WORD]),
    "query of another name": (
        {"OPENAI_BASE_URL": f"http://HOST/v1?api-version=2024-10-21&u={KEY}"},
        [KEY],
    ),
    "query without a name": ({"OPENAI_BASE_URL": f"http://HOST/v1?{KEY}"}, [KEY]),
    "other variables": (
        {
            "HF_TOKEN": "hf_AbCdEfGhIjKlMnOp",
            "AZURE_OPENAI_API_KEY": "0f1e2d3c4b5a69788796a5b4",
            "MISTRAL_API_KEY": WORD,
            "COMPANY_TOKEN": "ct-9999-abcdef-0000",
            "HTTPS_PROXY": "http://me:prox7pass9@127.0.0.1:9",
        },
        [
            "hf_AbCdEfGhIjKlMnOp",
            "0f1e2d3c4b5a69788796a5b4",
            WORD,
            "ct-9999-abcdef-0000",
            "prox7pass9",
        ],
    ),
}


@pytest.fixture
def questions(tmp_path, monkeypatch):
    # what always fails is asked nine times, so without waits
    monkeypatch.setattr("datagen.teacher.endpoint.endpoint.LONGEST_DELAY_S", 0.01)
    file = tmp_path / "sums.jsonl"
    rows = [{"question": f"What is {n} plus 2?", "answer": str(n + 2)} for n in range(16, 32)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def distil(questions, out, *more):
    words = ["rationales", str(questions), "--teacher", "openai:arith", "--out", str(out)]
    return main([*words, "--samples", "1", "--temperature", "0", *more])


@pytest.mark.parametrize("way", WAYS)
def test_no_byte_of_a_run_and_its_version_holds_a_secret(
    way, questions, tmp_path, monkeypatch, capfd
):
    variables, secrets = WAYS[way]
    server = Echo(known=[value for name, value in variables.items() if "BASE" not in name])
    server.known += secrets if way == "other variables" else []
    with Served(server) as url:
        host = url.removeprefix("http://").removesuffix("/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "unused")
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        for name, value in variables.items():
            monkeypatch.setenv(name, value.replace("HOST", host))
        assert distil(questions, tmp_path / "work/run") == 0
        assert (
            main(["publish", str(tmp_path / "work/run"), "sums", "--store", f"{tmp_path}/work"])
            == 0
        )
        assert main(["inspect", str(tmp_path / "work/run")]) == 0
        assert distil(questions, tmp_path / "work/other", "--teacher", "openai:gpt") == 2
    said = "".join(capfd.readouterr())
    (tmp_path / "work/printed.txt").write_text(said)
    # once for each of the two commands that asked the server
    assert said.count("repeats a secret of yours: replies get *** instead") == 2
    assert server.asked >= 16
    assert leaks(tmp_path / "work", secrets) == []
    assert_rows_are_there(tmp_path / "work/run")


def assert_rows_are_there(run):
    """What is no secret stays: the right rows, and why the others were rejected."""
    kept = pq.read_table(run / "rationales.parquet").to_pylist()
    assert len(kept) == 8
    assert all(re.search(r"\*\*\*|anna|Host", row["rationale"]) for row in kept)
    assert {row["finish_reason"] for row in kept} == {"stop", "other"}
    failed = pq.read_table(run / "rejected.parquet").to_pylist()
    assert {row["reason"] for row in failed} == {"failed"}
    reasons = [row["finish_reason"] for row in failed]
    assert any("400" in reason for reason in reasons)
    assert any("500" in reason for reason in reasons)
    assert not any(re.search("[\x00-\x1f]", reason) for reason in reasons)


def test_the_search_finds_what_it_should():
    told = f"X {KEY} X".encode()
    for form in (told, told.upper(), base64.b64encode(told), b"%73" + told[3:]):
        assert holds(form, KEY)
    assert not holds(b"sk-proj-Zq81mN4xTt0wVb7 7", KEY)
