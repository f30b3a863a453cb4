"""Every number of a student's page stands in what it was made from: the dataset version, the
command, TRL's own settings and the report of its evaluation. One student of each trainer, trained,
measured and pushed as users do it."""

import json
import re

import pyarrow.parquet as pq
import pytest

from tests.cards.traces import WORD, untraced
from tests.tiny import save_tiny_model
from tests.train.test_kd import store_of
from train.cli import main

COMMON = {
    "max_steps": 1,
    "per_device_train_batch_size": 3,
    "max_length": 311,
    "save_strategy": "no",
    "seed": 17,
}
TOLD = {
    "sft": {"learning_rate": 0.0021, "weight_decay": 0.0625, "answer_weight": 0.7, "negatives": 6},
    "kd": {
        "learning_rate": 0.0013,
        "kd_weight": 0.875,
        "sft_weight": 0.125,
        "divergence": "jsd",
        "temperature": 2.25,
    },
    "gkd": {
        "learning_rate": 0.0034,
        "lmbda": 0.25,
        "beta": 0.75,
        "temperature": 0.85,
        "max_new_tokens": 12,
    },
}
"""What each trainer is told beside that, no two the same."""
LIMITS = {"kd": {"limit": 19}}
OURS = {
    "sft": {"devices": 1},
    "kd": {"devices": 1, "lm_weight": 0.0},
    "gkd": {"devices": 1, "trainer": "DistillationTrainer", "cross_tokenizer": False},
}
"""Settings of our own that the command does not name: what the documentation says of them."""
SHOWN = {"sft": {"answer_weight"}, "kd": {"kd_weight", "sft_weight"}, "gkd": {"lmbda", "beta"}}
"""Settings that stand among the losses."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the store (`sums@1.0.0`), a student for each trainer, and one report on all of
    them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("made")
    base = save_tiny_model(folder / "base", context=512)
    teacher = AutoModelForCausalLM.from_pretrained(base).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in teacher.parameters():
            weight += 0.2 * torch.randn_like(weight)
    teacher.save_pretrained(folder / "teacher")
    AutoTokenizer.from_pretrained(base).save_pretrained(folder / "teacher")
    store = store_of(folder, base, teacher, k=8)
    places = {"dataset": "sums@1.0.0", "store": store, "model": base, "disable_tqdm": True}
    for method, told in TOLD.items():
        more = {"teacher_model_name_or_path": folder / "teacher"} if method == "gkd" else {}
        flags = {
            **places,
            **COMMON,
            **told,
            **LIMITS.get(method, {}),
            **more,
            "output_dir": folder / method,
        }
        words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
        assert main([method, *words]) == 0
    words = [
        "evaluate",
        "--base",
        f"hf:{base}",
        "--teacher",
        f"hf:{folder / 'teacher'}",
        "--students",
    ]
    words += [f"{method}=hf:{folder / method}" for method in TOLD]
    assert (
        main(
            [
                *words,
                "--limit",
                "3",
                "--samples",
                "2",
                "--max_tokens",
                "8",
                "--out",
                str(folder / "report"),
            ]
        )
        == 0
    )
    return folder


@pytest.fixture(params=TOLD)
def method(request):
    return request.param


@pytest.fixture
def card(hub, made, method):
    """The page as it stands on the Hub."""
    words = [
        "push",
        str(made / method),
        f"org/{method}",
        "--report",
        str(made / "report" / "report.json"),
    ]
    assert main(words) == 0
    return hub.read(hub.repositories[f"models/org/{method}"].file("main", "README.md")).decode()


def trl_settings(made, method):
    """What TRL's trainer was run with, as it saved it itself."""
    import torch

    return torch.load(made / method / "training_args.bin", weights_only=False).to_dict()


def read(path):
    return json.loads(path.read_text())


def table(text):
    """The cells of every row of the tables in a text, without their heads."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in rows]
    heads = {place - 1 for place, row in enumerate(cells) if set("".join(row)) <= set("-:")}
    return [row for place, row in enumerate(cells) if not {place, place - 1} & heads]


def part(card, name):
    return card.split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_every_number_comes_from_its_sources(made, card, method):
    version, report = (
        read(made / "store/sums/1.0.0/lineage.json"),
        read(made / "report/report.json"),
    )
    told = [COMMON, TOLD[method], LIMITS.get(method, {})]
    body = card.split("---\n", 2)[2]
    assert len(WORD.findall(body)) > 30
    sources = [version, report, trl_settings(made, method), *told]
    assert untraced(body, *sources) == []
    assert untraced(body + "\n4,242 rows of ff00aa11, 0.1234567", *sources) == [
        "0.1234567",
        "4,242",
        "ff00aa11",
    ]


def test_the_data_are_those_of_the_version(made, card, method):
    version = read(made / "store/sums/1.0.0/lineage.json")
    (file,) = (made / "store/sums/1.0.0/rationales").iterdir()
    rows = LIMITS.get(method, {}).get("limit", pq.read_metadata(file).num_rows)
    assert card.split("---\n", 2)[2].strip().startswith(f"# Student of sums {version['version']}\n")
    (line,) = [line for line in part(card, "Data").splitlines() if line.startswith("- ")]
    assert (
        line
        == f"- **sums 1.0.0**, config rationales: {rows} rows; content sha256 {version['content_sha256']}"
    )


def test_losses_and_settings_are_those_of_the_command_and_of_trl(made, card, method):
    shown = {row[0]: row[1] for name in ("Loss", "Settings") for row in table(part(card, name))}
    trl, told = trl_settings(made, method), COMMON | TOLD[method]
    assert {row[0] for row in table(part(card, "Loss"))} >= SHOWN[method]
    unsaid = told.keys() - shown.keys()
    assert unsaid <= {"save_strategy"}
    # the end of turn holds characters of Markdown; it has a test of its own
    assert shown.pop("eos_token")
    for name, value in shown.items():
        if name in told:
            assert value == str(told[name]), name
        elif name in trl:
            assert value == ("-" if trl[name] is None else str(trl[name])), name
        else:
            assert value == str(OURS[method][name]), name


def test_what_it_kept_is_what_the_report_measured(made, card, method):
    (suite,) = read(made / "report/report.json")["suites"]
    text = part(card, "What it kept of its teacher")
    assert f"{suite['suite']}, {suite['n']} questions:" in text
    told = [m for m in suite["models"] if m["role"] != "student" or m["name"] == method]
    rows = [
        [
            m["role"],
            m["mode"],
            *(interval(m[key]) for key in ("greedy_accuracy", "majority_accuracy", "gap_closed")),
        ]
        for m in told
    ]
    assert [row[0] for row in rows] == ["base", "base", "student", "teacher"]
    assert table(text) == rows


def interval(figure):
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]" if figure else ""
