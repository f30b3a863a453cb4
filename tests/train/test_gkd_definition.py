"""Loss and gradient of `train gkd` against the formula of its paper (arXiv 2306.13649, section 2),
written out as a loop, for every way to split a step over batches and processes; and of `train kd`
against its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.train.steps import Step, steps_of
from tests.train.test_kd import completion_of, store_of

BETA, TEMPERATURE = 0.3, 1.7
NEW = 9
"""Tokens that the student may write: fewer than the dataset's completions have, and the student
ends some before."""
STEPS = {"0": 1, "0.5": 6, "1": 1}
"""At lambda = 0.5 enough of them that both kinds of completions occur."""
SPLITS = ((8, 1), (1, 8))
"""Rows of a batch, batches of a step: 8 rows in all."""
SPLITS_OF_TWO = ((4, 1), (1, 4))
"""The same of each of two processes."""
KD = {"divergence": "forward_kl", "kd_weight": 0.7, "sft_weight": 0.3, "temperature": TEMPERATURE}


def words(out: Path, base: Path, store: Path, split: tuple[int, int], **others: Any) -> list[str]:
    rows, batches = split
    values = {
        "dataset": "sums@1.0.0",
        "store": store,
        "limit": 8,
        "model": base,
        "output_dir": out,
        "max_steps": 1,
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": batches,
        **others,
    }
    return [word for name, value in values.items() for word in (f"--{name}", str(value))]


def gkd(
    out: Path, base: Path, store: Path, teacher: Path, share: str, split: tuple[int, int]
) -> list[str]:
    own = {
        "beta": BETA,
        "temperature": TEMPERATURE,
        "max_new_tokens": NEW,
        "lmbda": share,
        "max_steps": STEPS[share],
        "teacher_model_name_or_path": teacher,
        # the most probable token alone: what the student writes does not depend on a draw
        "top_k": 1,
    }
    return words(out, base, store, split, **own)


def opened(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval()


@pytest.fixture(scope="module")
def texts(base: Path, store: Path) -> list[tuple[list[int], list[int]]]:
    """Tokens of prompt and completion of the rows of a step."""
    from datasets import load_dataset

    rows = load_dataset(str(store / "sums" / "1.0.0"), "rationales", split="train")
    return [completion_of(row, base) for row in rows.select(range(8))]


@pytest.fixture(scope="module")
def student(
    base: Path,
    texts: list[tuple[list[int], list[int]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The base with two more end tokens, which it writes in some rows early."""
    folder = tmp_path_factory.mktemp("ending") / "student"
    shutil.copytree(base, folder)
    first, second = (greedy(opened(base), texts[row][0]) for row in (0, 2))
    file = folder / "generation_config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"eos_token_id": [first[3], second[5]]}))
    return folder


@pytest.fixture(scope="module")
def written(student: Path, texts: list[tuple[list[int], list[int]]]) -> list[list[int]]:
    """What the student writes itself."""
    found = [greedy(opened(student), prompt) for prompt, _ in texts]
    assert len({len(completion) for completion in found}) > 2
    return found


def greedy(student: Any, prompt: list[int]) -> list[int]:
    """Token by token, up to an end token."""
    ends = student.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    ids = list(prompt)
    while len(ids) < len(prompt) + NEW and ids[-1] not in ends:
        with torch.no_grad():
            ids.append(int(student(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


@pytest.fixture(scope="module")
def paper(
    student: Path, teacher: Path, texts: list[tuple[list[int], list[int]]], written: list[list[int]]
) -> dict[str, Step]:
    """Loss and gradient on the dataset's completions ("0") and on the student's own ("1")."""
    both = {"0": [c for _, c in texts], "1": written}
    prompts = [p for p, _ in texts]
    return {
        name: by_loop(opened(student), opened(teacher), prompts, completions)
        for name, completions in both.items()
    }


def by_loop(
    student: Any,
    teacher: Any,
    prompts: list[list[int]],
    completions: list[list[int]],
    *,
    beta: float = BETA,
    temperature: float = TEMPERATURE,
) -> Step:
    """The mean of D over all completion tokens, one row and one token at a time."""
    values: list[Tensor] = []
    for prompt, completion in zip(prompts, completions, strict=True):
        ids = torch.tensor([prompt + completion])
        with torch.no_grad():
            theirs = teacher(input_ids=ids).logits[0].double()
        ours = student(input_ids=ids).logits[0].double()
        for place in range(len(prompt) - 1, ids.shape[1] - 1):
            p, q = ((x[place] / temperature).softmax(-1) for x in (theirs, ours))
            values.append(paper_divergence(p, q, beta))
    return differentiated(sum(values) / len(values), student)


def paper_divergence(p: Tensor, q: Tensor, beta: float) -> Tensor:
    """Of teacher p and student q; the ends of beta are the two KL divergences."""

    def kl(a: Tensor, b: Tensor) -> Tensor:
        return (a * (a.log() - b.log())).sum()

    if beta in (0, 1):
        return kl(q, p) if beta else kl(p, q)
    m = beta * p + (1 - beta) * q
    return beta * kl(p, m) + (1 - beta) * kl(q, m)


def differentiated(loss: Any, student: Any) -> Step:
    loss.backward()
    return loss.item(), torch.cat([p.grad.flatten() for p in student.parameters()])


@pytest.fixture(scope="module")
def stored(base: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows with the teacher's three most probable tokens."""
    return store_of(tmp_path_factory.mktemp("stored"), base, opened(teacher), k=3)


@pytest.fixture(scope="module")
def stored_step(base: Path, stored: Path) -> Step:
    """Loss and gradient of `train kd`: of each token, T^2 * KL over the three tokens and the rest,
    and the cross-entropy."""
    from datasets import load_dataset

    student, values = opened(base), []
    rows = load_dataset(str(stored / "sums" / "1.0.0"), "rationales", split="train")
    for row in rows.select(range(8)):
        prompt, completion = completion_of(row, base)
        logits = student(input_ids=torch.tensor([prompt + completion])).logits[0].double()
        topk = row["teacher_topk"]
        for n, token in enumerate(completion):
            q = logits[len(prompt) - 1 + n].softmax(-1)
            known = q[topk["ids"][n]]
            p = torch.tensor([*topk["logprobs"][n]]).double().exp()
            p, s = (
                torch.cat([x, rest.view(1)]) ** (1 / TEMPERATURE)
                for x, rest in ((p, torch.tensor(topk["tail"][n])), (known, 1 - known.sum()))
            )
            p, s = p / p.sum(), s / s.sum()
            kl = (p * (p.log() - s.log())).sum()
            values.append(0.7 * TEMPERATURE**2 * kl - 0.3 * q[token].log())
    return differentiated(sum(values) / len(values), student)


def same(found: Step, expected: Step, *, rel: float = 2e-5) -> bool:
    """The largest difference of a gradient is small beside its largest value."""
    gap = (found[1] - expected[1]).abs().max() / expected[1].abs().max()
    return found[0] == pytest.approx(expected[0], rel=rel) and float(gap) < rel


def check(steps: list[Step], share: str, paper: dict[str, Step]) -> None:
    """Every step is that of the paper, with the completions that it has; at 0.5 both occur."""
    kinds = [[kind for kind in paper if same(step, paper[kind])] for step in steps]
    expected = {"0": [["0"]], "0.5": [["0"], ["1"]], "1": [["1"]]}[share]
    assert sorted(map(list, {tuple(kind) for kind in kinds})) == expected, [
        (loss, paper["0"][0], paper["1"][0]) for loss, _ in steps
    ]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("share", STEPS)
def test_one_process_has_the_loss_and_gradient_of_the_paper(
    student: Path,
    store: Path,
    teacher: Path,
    tmp_path: Path,
    paper: dict[str, Step],
    share: str,
    split: tuple[int, int],
) -> None:
    steps = steps_of("gkd", gkd(tmp_path, student, store, teacher, share, split))
    assert len(steps) == STEPS[share]
    check(steps, share, paper)


@pytest.mark.parametrize(("beta", "temperature"), [(0.0, 1.0), (1.0, 0.6)])
def test_the_ends_of_beta_are_the_two_kl_divergences(
    base: Path,
    store: Path,
    teacher: Path,
    tmp_path: Path,
    texts: list[tuple[list[int], list[int]]],
    beta: float,
    temperature: float,
) -> None:
    own = {"lmbda": 0, "teacher_model_name_or_path": teacher, "max_new_tokens": NEW}
    own |= {"beta": beta, "temperature": temperature}
    [found] = steps_of("gkd", words(tmp_path, base, store, (4, 2), **own))
    prompts, completions = zip(*texts, strict=True)
    models = opened(base), opened(teacher)
    assert same(found, by_loop(*models, prompts, completions, beta=beta, temperature=temperature))


@pytest.mark.parametrize("split", SPLITS)
def test_kd_on_one_process_has_the_loss_and_gradient_of_its_formula(
    base: Path, stored: Path, tmp_path: Path, stored_step: Step, split: tuple[int, int]
) -> None:
    [found] = steps_of("kd", words(tmp_path, base, stored, split, **KD))
    assert same(found, stored_step, rel=1e-3)  # 16 bits are stored


@pytest.mark.parametrize(
    ("shares", "splits"),
    [
        (("0.5",), ((2, 2),)),
        pytest.param(tuple(STEPS), SPLITS_OF_TWO, marks=pytest.mark.slow),
    ],
    ids=["both kinds of completions", "all"],
)
def test_two_processes_have_the_loss_and_gradient_of_one(
    base: Path,
    student: Path,
    store: Path,
    stored: Path,
    teacher: Path,
    tmp_path: Path,
    paper: dict[str, Step],
    stored_step: Step,
    shares: tuple[str, ...],
    splits: tuple[tuple[int, int], ...],
) -> None:
    """In one start of two processes, which takes most of the time."""
    cases = [(share, split) for share in shares for split in splits]
    out = tmp_path / "out"
    trainings = [("gkd", gkd(out, student, store, teacher, *case)) for case in cases]
    trainings += [("kd", words(out, base, stored, split, **KD)) for split in splits]
    found = on_two_processes(trainings, tmp_path)
    for (share, _), steps in zip(cases, found, strict=False):
        check(steps, share, paper)
    for [step] in found[len(cases) :]:
        assert same(step, stored_step, rel=1e-3)


def on_two_processes(trainings: list[tuple[str, list[str]]], folder: Path) -> list[list[Step]]:
    given, out = folder / "trainings.json", folder / "steps.pt"
    given.write_text(json.dumps(trainings))
    launch = ["torch.distributed.run", "--nproc_per_node", "2", "--standalone", "-m"]
    subprocess.run(
        [sys.executable, "-m", *launch, "tests.train.steps", str(given), str(out)],
        check=True,
        timeout=280,
        env=os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
    )
    found: list[list[Step]] = torch.load(out)
    return found
