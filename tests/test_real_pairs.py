"""The recipes' real.sh cannot be run here; that their commands and accelerate files are understood
can be seen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from datagen import cli as datagen
from datagen.flags import parse
from train import cli as train
from train.evaluate.settings import EvaluateSettings

ROOT = Path(__file__).parents[1]
ABILITIES = "instructions", "rationales", "in-context", "hybrid"
NOTE = """#!{python}
import json, sys
with open({file!r}, "a") as file:
    file.write(json.dumps(["{name}", *sys.argv[1:]]) + "\\n")
"""


def run(folder, ability, gpus):
    """The script's status, and the commands that it gives, noted down in their place."""
    noted, places = folder / "commands.jsonl", folder / "bin"
    places.mkdir()
    for name in ("datagen", "train", "accelerate"):
        (places / name).write_text(NOTE.format(python=sys.executable, file=str(noted), name=name))
        (places / name).chmod(0o755)
    told = os.environ | {"VENV": str(folder), "GPUS": gpus}
    done = subprocess.run(
        ["bash", ROOT / "recipes" / ability / "real.sh"], env=told, capture_output=True, text=True
    )
    return done, [
        json.loads(line) for line in noted.read_text().splitlines()
    ] if noted.exists() else []


def settings_of(words):
    """What the command's own parser makes of the words. Raises where it has no such flag, or the
    value is none."""
    from train import gkd, kd, sft

    program, command, *rest = words
    if program == "datagen":
        return parse("datagen", "", datagen.commands(), [command, *rest])[1]
    if program == "train":
        assert command == "evaluate"
        listed = [command, *train.as_lists(rest, EvaluateSettings)]
        return parse("train", "", {command: (EvaluateSettings, print)}, listed)[1]
    assert words[1] == "launch"
    assert words[2] == "--config_file"
    assert words[4] == "-m"
    trainers = {"train.sft": sft.parse_sft, "train.kd": kd.parse_kd, "train.gkd": gkd.parse_gkd}
    return trainers[words[5]](words[6:])


@pytest.mark.parametrize("ability", ABILITIES)
def test_every_command_is_one_that_there_is(tmp_path, ability):
    done, commands = run(tmp_path, ability, "1")
    assert done.returncode == 0, done.stderr
    assert [words[0] for words in commands][-1] == "train"
    assert any(words[0] == "accelerate" for words in commands)
    for words in commands:
        assert settings_of(words)


@pytest.mark.parametrize(("gpus", "processes", "kind"), [("1", 1, "NO"), ("8", 8, "MULTI_GPU")])
def test_the_accelerate_files_say_how_many_processes_start(tmp_path, gpus, processes, kind):
    from accelerate.commands.config.config_args import load_config_from_file

    _, commands = run(tmp_path, "rationales", gpus)
    [file] = {words[3] for words in commands if words[0] == "accelerate"}
    config = load_config_from_file(str(ROOT / file))
    assert (config.num_processes, config.distributed_type, config.mixed_precision) == (
        processes,
        kind,
        "bf16",
    )
    [batch] = {
        int(words[words.index("--per_device_train_batch_size") + 1])
        for words in commands
        if words[0] == "accelerate"
    }
    assert batch * processes == 32


def test_another_number_of_gpus_is_refused_in_one_line(tmp_path):
    done, commands = run(tmp_path, "rationales", "3")
    assert done.returncode == 2
    assert not commands
    assert done.stderr == "GPUS is 1 or 8, not 3\n"
