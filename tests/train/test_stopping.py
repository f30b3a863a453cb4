"""Students that learn one-word answers on every chat template: they stop by themselves, the stored
probabilities of `train kd` stand at their tokens, and what they are made from says how they stop."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main as datagen
from datagen.running import run_coroutine
from datagen.teacher import Request, Sampling, connect
from datagen.teacher.tokens import row_tokens
from tests.chat_models import chat_tokenizer, save_chat_model, templates, usable
from tests.tiny import save_tiny_model
from train.cli import main

WORDS = {"red": "plum", "yellow": "banana", "green": "pear", "brown": "fig"}
LIMIT = 24
FAST = ("qwen2_5", "gemma", "phi3", "qwen3")
"""A literal end token; a beginning-of-text token; two end tokens; thoughts that the template adds."""
TRAINED = [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in usable()]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with `words@1.0.0`: four questions, and a word for each."""
    folder = tmp_path_factory.mktemp("words")
    rows = [
        {"instruction": f"Name a {colour} fruit.", "input": "", "output": word}
        for colour, word in WORDS.items()
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert datagen(["filter", str(folder / "rows.jsonl"), "--out", str(folder / "run")]) == 0
    assert datagen(["publish", str(folder / "run"), "words", "--store", str(folder / "store")]) == 0
    return folder / "store"


TESTED: set[tuple[str, str]] = set()


def is_new(test: str, name: str) -> bool:
    """Whether the template writes other tokens than those that this test has seen: equal tokens make
    an equal student, and many of TRL's templates differ in what these rows do not have."""
    tokenizer = chat_tokenizer(templates()[name])
    rows = [
        {
            "prompt": [{"role": "user", "content": f"Name a {colour} fruit."}],
            "completion": [{"role": "assistant", "content": word}],
        }
        for colour, word in WORDS.items()
    ]
    found = (test, str([row_tokens(row, tokenizer) for row in rows]))
    new = found not in TESTED
    TESTED.add(found)
    return new


def flags(base: Path, store: Path, out: Path, **others: Any) -> list[str]:
    values = {
        "dataset": "words@1.0.0",
        "dataset_config": "instructions",
        "store": store,
        "model": base,
        "output_dir": out,
        "max_steps": 40,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-2,
        "max_length": 2048,
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    return [
        word for name, value in {**values, **others}.items() for word in (f"--{name}", str(value))
    ]


def answers(folder: Path) -> list[tuple[str, str]]:
    """(text, why it ended) of the greedy answers to the questions, as `hf:` asks them."""
    teacher = connect(f"hf:{folder}")
    sampling = Sampling(temperature=0, max_tokens=LIMIT)

    async def ask() -> list[tuple[str, str]]:
        found = []
        for colour in WORDS:
            prompt = (("user", f"Name a {colour} fruit."),)
            [answer] = await teacher.complete(Request(prompt, sampling=sampling))
            found.append((answer.text, answer.finish_reason))
        await teacher.close()
        return found

    return run_coroutine(ask())


def generated(folder: Path) -> list[list[int]]:
    """The new tokens of the same answers, as a user of transformers gets them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    found = []
    for colour in WORDS:
        asked = [{"role": "user", "content": f"Name a {colour} fruit."}]
        inputs = tokenizer.apply_chat_template(
            asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        ids = model.generate(**inputs, max_new_tokens=LIMIT, do_sample=False)
        found.append(ids[0, inputs["input_ids"].shape[1] :].tolist())
    return found


@pytest.mark.parametrize("name", TRAINED)
def test_a_student_stops_by_itself(store: Path, tmp_path: Path, name: str) -> None:
    """The base's tokenizer and generation config know only end tokens that no template writes."""
    if not is_new("stops", name):
        return
    base = save_chat_model(tmp_path / "base", templates()[name])
    out = tmp_path / "student"
    assert main(["sft", *flags(base, store, out)]) == 0
    for (text, ended), word in zip(answers(out), WORDS.values(), strict=True):
        assert ended == "stop"
        assert text.rstrip().endswith(word)
    assert all(len(tokens) < LIMIT for tokens in generated(out))


@pytest.mark.parametrize("name", TRAINED)
def test_stored_probabilities_stand_at_the_students_tokens(
    store: Path, tmp_path: Path, name: str
) -> None:
    """Against the teacher's own logits at every label of the batches that `train kd` makes."""
    import torch
    from transformers import AutoModelForCausalLM

    from train.kd import build, parse_kd

    if not is_new("kd", name):
        return
    base = save_chat_model(tmp_path / "base", templates()[name])
    teacher = save_chat_model(tmp_path / "teacher", templates()[name], seed=1)
    run, kept = tmp_path / "run", tmp_path / "store"
    words = ["words@1.0.0", "--store", str(store), "--out", str(run), "--teacher-topk", "8"]
    assert datagen(["topk", *words, "--teacher", f"hf:{teacher}"]) == 0
    assert datagen(["publish", str(run), "words", "--store", str(kept)]) == 0

    trainer = build(*parse_kd(flags(base, kept, tmp_path / "out", max_steps=1)))
    [batch] = list(trainer.get_train_dataloader())
    network = AutoModelForCausalLM.from_pretrained(teacher).eval()
    with torch.no_grad():
        logits = network(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).logits
    expected = logits[:, :-1].log_softmax(-1).topk(8)
    labels = batch["labels"][:, 1:] != -100
    assert labels.sum() >= 2 * len(WORDS)
    assert torch.equal(batch["topk_ids"][:, 1:][labels], expected.indices[labels])
    stored = batch["topk_logprobs"][:, 1:][labels]
    assert stored.allclose(expected.values[labels], atol=2e-2)
    assert (batch["topk_tail"][:, 1:][labels] >= 0).all()


@pytest.fixture(scope="module")
def student(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student on ChatML, whose padding is its end of turn."""
    folder = tmp_path_factory.mktemp("chatml")
    base = save_chat_model(folder / "base", templates()["qwen2_5"], pad="<|im_end|>")
    assert main(["sft", *flags(base, store, folder / "student")]) == 0
    return folder / "student"


def test_a_student_whose_padding_is_its_end_learns_to_stop(student: Path) -> None:
    assert answers(student) == [(word, "stop") for word in WORDS.values()]


def test_files_and_lineage_say_how_a_student_stops(student: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(student)
    assert tokenizer.eos_token == "<|im_end|>"
    ends = GenerationConfig.from_pretrained(student).eos_token_id
    known = ["<bos>", "<|endoftext|>", "<|im_end|>"]
    assert ends == sorted(tokenizer.convert_tokens_to_ids(known))
    assert (
        json.loads((student / "config.json").read_text())["eos_token_id"] == tokenizer.eos_token_id
    )
    lineage = json.loads((student / "lineage.json").read_text())
    assert lineage["settings"]["eos_token"] == "<|im_end|>"


def test_a_model_that_does_not_know_its_end_is_stopped_by_its_template(
    student: Path, tmp_path: Path
) -> None:
    """As the base of an evaluation: neither tokenizer nor generation config has the end of turn."""
    folder = tmp_path / "unaware"
    shutil.copytree(student, folder)
    for file, key in (
        ("tokenizer_config.json", "eos_token"),
        ("generation_config.json", "eos_token_id"),
    ):
        settings = json.loads((folder / file).read_text())
        settings[key] = "<|endoftext|>" if key == "eos_token" else None
        (folder / file).write_text(json.dumps(settings))
    assert any(len(tokens) == LIMIT for tokens in generated(folder))
    assert answers(folder) == [(word, "stop") for word in WORDS.values()]


def test_an_adapter_stops_too(store: Path, tmp_path: Path) -> None:
    base = save_chat_model(tmp_path / "base", templates()["llama3"])
    words = flags(
        base, store, tmp_path / "out", use_peft=True, lora_r=32, lora_target_modules="all-linear"
    )
    assert main(["sft", *words]) == 0
    assert [ended for _, ended in answers(tmp_path / "out")] == ["stop"] * len(WORDS)


@pytest.mark.parametrize("lmbda", ["0", "1"])
def test_a_student_of_gkd_stops(store: Path, student: Path, tmp_path: Path, lmbda: str) -> None:
    """It learns from a student that stops. Its own end tokens are wrong."""
    base = tmp_path / "base"
    shutil.copytree(student, base)
    for file in ("generation_config.json", "tokenizer_config.json"):
        settings = json.loads((base / file).read_text())
        settings |= {"eos_token_id": None} if "gen" in file else {"eos_token": "<|endoftext|>"}
        (base / file).write_text(json.dumps(settings))
    words = flags(
        base,
        store,
        tmp_path / "out",
        teacher_model_name_or_path=student,
        lmbda=lmbda,
        max_steps=1,
        max_new_tokens=LIMIT,
        learning_rate=1e-5,
    )
    if lmbda == "1":
        del words[words.index("--max_length") : words.index("--max_length") + 2]
    assert main(["gkd", *words]) == 0
    assert answers(tmp_path / "out") == [(word, "stop") for word in WORDS.values()]
    assert all(len(tokens) < LIMIT for tokens in generated(tmp_path / "out"))


def test_the_template_of_a_file_decides(store: Path, tmp_path: Path) -> None:
    """`--chat_template_path`: the base's own template puts nothing after an answer."""
    base = save_chat_model(tmp_path / "base", templates()["glm4moe"])
    file = tmp_path / "template.jinja"
    file.write_text(templates()["lfm2"])
    assert main(["sft", *flags(base, store, tmp_path / "no")]) == 2
    out = tmp_path / "out"
    assert main(["sft", *flags(base, store, out, chat_template_path=file)]) == 0
    assert answers(out) == [(word, "stop") for word in WORDS.values()]


@pytest.mark.parametrize(
    ("name", "line"),
    [("none.jinja", "no such file"), ("a.txt", "ends in .jinja"), ("b.jinja", "cannot be read")],
)
def test_a_template_that_cannot_be_read_is_one_line(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, line: str
) -> None:
    base = save_tiny_model(tmp_path / "base")
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "b.jinja").write_bytes(b"\xff\xfe")
    words = flags(base, store, tmp_path / "out", chat_template_path=tmp_path / name)
    assert main(["sft", *words]) == 2
    assert line in capsys.readouterr().err.splitlines()[-1]


def test_the_template_and_the_end_of_turn_of_another_model(store: Path, tmp_path: Path) -> None:
    """The other model's end token is not what its template writes, and the base lacks the tokens."""
    other = save_chat_model(tmp_path / "other", templates()["qwen2_5"])
    base = save_tiny_model(tmp_path / "base", context=512)
    (base / "chat_template.jinja").unlink()
    out = tmp_path / "out"
    words = flags(base, store, out, chat_template_path=other, max_length=512, max_steps=60)
    assert main(["sft", *words]) == 0
    assert [ended for _, ended in answers(out)] == ["stop"] * len(WORDS)
    lineage = json.loads((out / "lineage.json").read_text())
    assert lineage["settings"]["eos_token"] == "<|im_end|>"
