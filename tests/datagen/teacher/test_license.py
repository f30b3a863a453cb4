"""The licence of a teacher in a run's configuration: given, recorded before, or of the card."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from huggingface_hub import HfApi, ModelCardData

from datagen.cli import main
from datagen.teacher import connect
from datagen.teacher.license import find_license


@pytest.fixture
def hub(monkeypatch):
    """The Hub's model cards by name; names that were asked for."""
    cards = {
        "org/free": ModelCardData(license="apache-2.0"),
        "org/own": ModelCardData(license="other", license_name="my-terms"),
        "org/none": ModelCardData(),
        "org/odd": ModelCardData(license="two words"),
    }
    asked = []

    def model_info(self, name, **options):
        assert options["timeout"] <= 5
        asked.append(name)
        if name not in cards:
            raise OSError("offline")
        return SimpleNamespace(card_data=cards[name])

    monkeypatch.setattr(HfApi, "model_info", model_info)
    return asked


def license_of(spec, out, given=None):
    return asyncio.run(find_license(connect(spec), given, out))


@pytest.mark.parametrize(
    ("spec", "license"),
    [
        ("hf:org/free", "apache-2.0"),
        ("vllm:org/free?max_model_len=9", "apache-2.0"),
        ("hf:org/own", "my-terms"),
        ("hf:org/none", None),
        ("hf:org/odd", None),
        ("hf:org/offline", None),
        ("openai:org/free", None),
        ("micro", None),
    ],
)
def test_a_model_on_the_hub_has_the_licence_of_its_card(hub, tmp_path, spec, license):
    assert license_of(spec, tmp_path) == license
    assert license_of(spec, tmp_path, "mit") == "mit"


def test_a_folder_asks_no_hub(hub, tiny_model, tmp_path):
    assert license_of(f"hf:{tiny_model}", tmp_path) is None
    assert hub == []


@pytest.mark.parametrize("recorded", [None, "mit"])
def test_a_resumed_run_keeps_what_it_recorded(hub, tmp_path, recorded):
    config = {"teacher": {"name": "hf:org/free", "license": recorded}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert license_of("hf:org/free", tmp_path) == recorded
    assert hub == []


def test_the_flag_stands_in_configuration_and_lineage(tmp_path, capsys):
    out, store = tmp_path / "run", tmp_path / "store"
    command = ["rationales", "microworld", "--split", "test", "--limit", "2", "--samples", "2"]
    command += ["--out", str(out)]
    assert main([*command, "--teacher-license", "two words"]) == 2
    assert "--teacher-license 'two words': give an identifier" in capsys.readouterr().err
    assert main([*command, "--teacher-license", "mit"]) == 0
    config = json.loads((out / "config.json").read_text())
    assert config["teacher"]["license"] == "mit"
    assert "teacher_license" not in config["settings"]
    assert main(["publish", str(out), "sums", "--store", str(store)]) == 0
    lineage = json.loads(next(store.rglob("lineage.json")).read_text())
    assert '"license": "mit"' in json.dumps(lineage)


def test_a_filtered_run_can_name_its_teachers_licence(tmp_path):
    rows = [{"instruction": f"Say {word}.", "output": word} for word in ("one", "two", "three")]
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "filtered"
    assert main(["filter", str(source), "--out", str(out), "--teacher-license", "mit"]) == 0
    config = json.loads((out / "config.json").read_text())
    assert config["teacher"] == {"name": "none", "identity": "none", "license": "mit"}
    assert "teacher_license" not in config["settings"]
