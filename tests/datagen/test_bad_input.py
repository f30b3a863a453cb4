"""Bad input at the command line: one line on standard error, status 2, nothing written."""

import subprocess
import sys
import time

import pytest

from datagen.cli import main
from tests.datagen.endpoint import Endpoint, Served

GOOD = '{"question": "What is 1 plus 2?", "answer": "3"}\n'


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    """Run `datagen rationales FILE` with the file's text; returns status and standard error."""
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")

    def ask(text, *more, teacher="openai:arith"):
        file = tmp_path / "questions.jsonl"
        file.write_text(text)
        status = main(
            ["rationales", str(file), "--teacher", teacher, "--out", str(tmp_path / "run"), *more]
        )
        return status, capsys.readouterr().err

    with Served(Endpoint()) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield ask


def check(result, *texts):
    status, error = result
    assert status == 2
    assert error.startswith("datagen: ")
    assert error.count("\n") == 1
    for text in texts:
        assert text in error


def test_good_input_passes(ask):
    assert ask(GOOD) == (0, "")


def test_a_broken_line_is_named(ask):
    check(ask(GOOD + '{"question": "What\n'), "questions.jsonl, line 2", "not JSON")


def test_a_missing_column_names_those_there_are(ask):
    check(ask('{"q": "What?", "answer": "3"}\n'), "no column 'question'", "q, answer")


def test_an_empty_file(ask):
    check(ask(""), "questions.jsonl", "empty")


def test_an_output_folder_that_is_a_file(ask):
    check(ask(GOOD, "--out", __file__), f"--out {__file__}: no folder can be made there")


def test_a_journal_that_is_none(ask, tmp_path):
    assert ask(GOOD) == (0, "")
    (tmp_path / "run" / "stats.json").unlink()
    (tmp_path / "run" / "journal.sqlite").write_bytes(b"not a database" * 100)
    check(ask(GOOD), "journal.sqlite cannot be read and written")


def test_no_such_file(capsys, tmp_path):
    assert main(["rationales", str(tmp_path / "no.jsonl")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_no_key(ask, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    check(ask(GOOD), "OPENAI_API_KEY is not set")


def test_a_wrong_model(ask):
    check(ask(GOOD, teacher="openai:gpt-x"), "no model 'gpt-x'; it has: arith")


def test_a_wrong_model_folder(ask):
    check(ask(GOOD, teacher="hf:./nowhere"), "no model at ./nowhere")


def test_an_unknown_engine_and_an_unknown_suite(ask, capsys):
    check(ask(GOOD, teacher="claude"), "unknown teacher 'claude'")
    check((main(["rationales", "gsm9k"]), capsys.readouterr().err), "no suite 'gsm9k'", "gsm8k")
    misspelt = main(["rationales", "bbh/navigat"])
    check((misspelt, capsys.readouterr().err), "no suite 'bbh/navigat'", "bbh/TASK")


def test_an_unreachable_endpoint(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    (tmp_path / "q.jsonl").write_text(GOOD)
    words = [
        "rationales",
        str(tmp_path / "q.jsonl"),
        "--teacher",
        "openai:arith",
        "--out",
        str(tmp_path / "run"),
    ]
    check((main(words), capsys.readouterr().err), "cannot reach http://127.0.0.1:9/v1")


def test_numbers_out_of_range_and_unknown_flags(ask):
    check(ask(GOOD, "--samples", "0"), "--samples 0: must be at least 1")
    check(ask(GOOD, "--samples", "many"), "samples")
    check(ask(GOOD, "--sample-size", "3"), "--sample_size", "datagen rationales --help")


def test_a_configuration_file_with_an_unknown_name(ask, tmp_path):
    (tmp_path / "c.yaml").write_text("sampels: 3\n")
    check(ask(GOOD, "--config", str(tmp_path / "c.yaml")), "sampels")


def test_flags_equal_the_configuration_file(ask, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("samples: 3\nkeep: best\n")
    status, _ = ask(GOOD, "--config", str(tmp_path / "c.yaml"), "--dry-run")
    assert status == 0
    assert ask(GOOD, "--config", str(tmp_path / "c.yaml")) == (0, "")
    assert ask(GOOD, "--samples", "3", "--keep", "best") == (
        0,
        "",
    )  # the same run: nothing to refuse
    check(ask(GOOD, "--samples", "4", "--keep", "best"), "settings.samples was 3, now 4")


def test_a_dry_run_shows_the_prompt_and_writes_nothing(ask, tmp_path, capsys):
    main(["rationales", "gsm8k", "--data-root", "nowhere", "--dry-run"])
    capsys.readouterr()
    (tmp_path / "q.jsonl").write_text(GOOD)
    words = [
        "rationales",
        str(tmp_path / "q.jsonl"),
        "--out",
        str(tmp_path / "dry"),
        "--dry-run",
        "--samples",
        "5",
    ]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "What is 1 plus 2?" in said
    assert "1 questions × 5 samples" in said
    assert not (tmp_path / "dry").exists()


def test_help_loads_no_torch():
    start = time.perf_counter()
    code = "import sys, datagen.cli; datagen.cli.main(['--help'])"
    probe = (
        f"import sys\ntry:\n  exec({code!r})\nfinally:\n  print({{'torch', 'transformers'}} & "
        f"set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.stdout.rstrip().endswith("set()"), done.stdout
    assert "rationales" in done.stdout
    print(f"datagen --help took {time.perf_counter() - start:.2f} s")
