"""Bad input: one line on standard error and status 2, before anything is asked."""

import pytest

from datagen.demonstrations.command import run_demonstrations
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.flags import run_command
from tests.datagen.demonstrations.reading import MAPPING, Reading, write_tasks
from tests.datagen.endpoint import Served


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    """Run the command over three tasks; status, standard error, how often the teacher was asked."""
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = Reading()

    def ask(*flags, mapping=MAPPING, source=None):
        path = write_tasks(tmp_path, mapping=mapping)
        words = [
            "demonstrations",
            source or str(path),
            "--teacher",
            "openai:arith",
            "--out",
            str(tmp_path / "run"),
            *flags,
        ]
        status = run_command(
            "datagen", "", {"demonstrations": (DemonstrationSettings, run_demonstrations)}, words
        )
        return status, capsys.readouterr().err, len(endpoint.bodies)

    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield ask


def test_good_input_passes(ask):
    assert ask("--shots", "2", "--format", "arrow") == (0, "", 20)


@pytest.mark.parametrize(
    ("flags", "texts"),
    [
        (
            ["--shots", "21"],
            ["task parity/", "20 candidates, fewer than the 21 demonstrations of --shots"],
        ),
        (["--shots", "two"], ["--shots two: must be numbers separated by commas"]),
        (["--kind", "context-distillation", "--shots", "0,4"], ["--shots 0,4: must be above 0"]),
        (
            ["--kind", "context-distillation", "--labels", "flipped"],
            ["--labels flipped: must be natural"],
        ),
        (["--tasks", "red,pink"], ["--tasks pink: no such task or family", "parity/blue"]),
        (["--tasks", "red"], ["meta-ict needs one task to train on and another for the test"]),
        (["--strategy", "best"], ["no strategy 'best'", "random, bm25, knn"]),
        (
            ["--strategy", "teacher", "--split", "test"],
            ["--strategy teacher looks at the gold", "test query"],
        ),
        (["--format", "xml"], ["format", "xml"]),
        (["--queries", "0"], ["--queries 0: must be at least 1"]),
    ],
)
def test_settings_that_cannot_be_met(ask, flags, texts):
    check(ask("--format", "arrow", *flags) if "--format" not in flags else ask(*flags), *texts)


@pytest.mark.parametrize("strategy", ["mdl", "cone", "teacher"])
def test_a_teacher_that_cannot_score_is_named_with_one_that_can(ask, strategy):
    check(
        ask("--strategy", strategy, "--shots", "2", "--format", "arrow"),
        "cannot score",
        "hf:NAME_OR_PATH",
    )


def test_a_source_that_does_not_exist(ask):
    check(ask(source="nothing"), "no source 'nothing'", "bbh, glue, mmlu, superglue")
    check(ask(source="nothing.yaml"), "nothing.yaml cannot be read")


def test_a_mapping_with_an_unknown_column(ask):
    check(ask(mapping=MAPPING.replace("{number}", "{value}")), "no column 'value'", "number, label")


def test_labels_that_cannot_be_replaced(ask):
    none = MAPPING.replace("  options: [even, odd]\n", "")
    check(
        ask("--labels", "flipped", mapping=none),
        "--labels flipped: no task is a classification task",
    )
    many = MAPPING.replace("[even, odd]", str([f"o{n}" for n in range(20)]))
    check(ask("--labels", "symbolic", mapping=many), "has 20 labels, and there are 16 symbols")


def test_a_format_that_cannot_show_the_inputs(ask):
    check(
        ask("--format", "arrow", mapping=MAPPING.replace("{number}", "{number}\\nis")),
        "several lines",
        "use qa",
    )


def check(result, *texts):
    status, error, asked = result
    assert (status, asked) == (2, 0)
    assert error.startswith("datagen: ")
    assert error.count("\n") == 1
    for text in texts:
        assert text in error
