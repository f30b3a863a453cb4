"""The recipes' real.sh cannot be run here; that their commands and accelerate files are understood
can be seen."""

import json
import os
import shutil
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


def recipes_in(folder):
    """A copy of the recipes, so that what a script writes itself stays in the folder."""
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    return folder / "recipes"


def run(folder, ability, gpus, **variables):
    """The script's status, and the commands that it gives, noted down in their place."""
    noted, places = folder / "commands.jsonl", folder / "bin"
    places.mkdir()
    for name in ("datagen", "train", "accelerate"):
        (places / name).write_text(NOTE.format(python=sys.executable, file=str(noted), name=name))
        (places / name).chmod(0o755)
    told = os.environ | {"VENV": str(folder), "GPUS": gpus} | variables
    done = subprocess.run(
        ["bash", recipes_in(folder) / ability / "real.sh"],
        env=told,
        capture_output=True,
        text=True,
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


@pytest.mark.parametrize(
    ("gpus", "processes", "kind", "precision", "rows"),
    [("1", 1, "NO", "bf16", 32), ("8", 8, "MULTI_GPU", "bf16", 32), ("0", 1, "NO", "no", 4)],
)
def test_the_accelerate_files_say_how_many_processes_start(
    tmp_path, gpus, processes, kind, precision, rows
):
    from accelerate.commands.config.config_args import load_config_from_file

    _, commands = run(tmp_path, "rationales", gpus)
    [file] = {words[3] for words in commands if words[0] == "accelerate"}
    config = load_config_from_file(str(ROOT / file))
    assert (config.num_processes, config.distributed_type, config.mixed_precision) == (
        processes,
        kind,
        precision,
    )
    assert config.use_cpu == (gpus == "0")
    [batch] = {
        int(words[words.index("--per_device_train_batch_size") + 1])
        for words in commands
        if words[0] == "accelerate"
    }
    assert batch * processes == rows


def test_another_number_of_gpus_is_refused_in_one_line(tmp_path):
    done, commands = run(tmp_path, "rationales", "3")
    assert done.returncode == 2
    assert not commands
    assert done.stderr == "GPUS is 0, 1 or 8, not 3\n"


SMALL = {
    "TEACHER": "hf:small",
    "STUDENT": "small",
    "LIMIT": "3",
    "SAMPLES": "2",
    "TOKENS": "40",
    "STEPS": "5",
    "DATA_ROOT": "files",
    "SUITES": "microworld",
    "PROMPT_TOKENS": "300",
    "QUERIES": "4",
}


@pytest.mark.parametrize("ability", ABILITIES)
def test_variables_make_it_small(tmp_path, ability):
    done, commands = run(tmp_path, ability, "0", **SMALL)
    assert done.returncode == 0, done.stderr
    trained = [settings_of(words) for words in commands if words[0] == "accelerate"]
    assert {config.max_steps for config in settings_in(trained, "max_steps")} == {5}
    for words in commands:
        if words[:2] == ["train", "evaluate"]:
            found = settings_of(words)
            assert (found.limit, found.max_tokens, str(found.data_root)) == (3, 40, "files")
            # rows of a demonstrations version are answered greedily alone
            assert found.samples <= 2 or all(name.startswith("episodes:") for name in found.suite)
            assert found.teacher.startswith("hf:small")
            assert "gsm8k" not in found.suite
        if words[:2] == ["datagen", "rationales"]:
            found = settings_of(words)
            assert (found.limit, found.samples, found.max_tokens) == (3, 2, 40)
        if words[:2] == ["datagen", "demonstrations"]:
            assert settings_of(words).queries == 4
            assert settings_of(words).prompt_tokens == 300


def settings_in(parsed, name):
    """Of each tuple of settings that a training command takes, the one with this field."""
    return [next(part for part in parts if hasattr(part, name)) for parts in parsed]


def flag(words, name):
    return words[words.index(f"--{name}") + 1]


def test_each_student_of_demonstrations_is_measured_on_its_own_task(tmp_path):
    """On test rows of the same kind as those that it learned."""
    _, commands = run(tmp_path, "in-context", "1")
    folders = {words[3]: words[2] for words in commands if words[:2] == ["datagen", "publish"]}
    made = {
        flag(words, "out"): (flag(words, "kind"), flag(words, "split"))
        for words in commands
        if words[:2] == ["datagen", "demonstrations"]
    }

    def rows_of(version):
        return made[folders[version.partition("@")[0]]]

    learned = {
        flag(words, "output_dir"): rows_of(flag(words, "dataset"))
        for words in commands
        if words[0] == "accelerate"
    }
    assert sorted(learned.values()) == [("context-distillation", "train"), ("meta-ict", "train")]
    measured = {}
    for words in commands:
        if words[:2] == ["train", "evaluate"]:
            [suite] = settings_of(words).suite
            [student] = settings_of(words).students
            folder = student.partition("=hf:")[2].removesuffix(":direct")
            measured[folder] = rows_of(suite.removeprefix("episodes:"))
    assert measured == {folder: (kind, "test") for folder, (kind, _) in learned.items()}


@pytest.mark.parametrize("given", [False, True])
def test_the_student_of_instructions_answers_instructions_that_it_did_not_learn(tmp_path, given):
    tasks = tmp_path / "given.jsonl"
    tasks.write_text("".join(json.dumps({"instruction": f"Say {n}."}) + "\n" for n in range(9)))
    variables = {"INSTRUCTIONS": str(tasks)} if given else {}
    _, commands = run(tmp_path, "instructions", "1", TARGET="5", HELD_OUT="3", **variables)
    answers = [words for words in commands if words[:2] == ["datagen", "respond"]]
    judged = [words[2] for words in commands if words[:2] == ["datagen", "judge"]]
    assert judged == [flag(words, "out") for words in answers]
    student = flag(next(words for words in commands if words[0] == "accelerate"), "output_dir")
    assert [flag(words, "teacher") for words in answers] == [
        "hf:Qwen/Qwen2.5-0.5B",
        f"hf:{student}",
        "vllm:Qwen/Qwen2.5-7B-Instruct",
    ]
    [asked] = {words[2] for words in answers}
    [evolved] = [words[2] for words in commands if words[:2] == ["datagen", "evol-instruct"]]
    if given:
        lines = tasks.read_text().splitlines()
        assert (tmp_path / evolved).read_text().splitlines() == lines[:5]
        assert (tmp_path / asked).read_text().splitlines() == lines[5:8]
    else:
        first, second = [w for w in commands if w[:2] == ["datagen", "self-instruct"]]
        assert (flag(first, "out"), flag(second, "out")) == (evolved, asked)
        assert flag(second, "pool") == evolved
