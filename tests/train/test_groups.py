"""`train sft` with losses that compare rows of a question: which rows stand together, and what the
trainer computes, against formulas in a loop over one row at a time, without padding."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.conftest import QUESTIONS
from tests.train.test_sft import flags, same, weights
from train.cli import main
from train.sft import build, parse_sft


def chain_flags(base: Path, chains: Path, out: Path, **others: Any) -> list[str]:
    return flags(
        base,
        chains,
        out,
        **{"dataset": "chains@1.0.0", "max_steps": 3, "save_strategy": "no", **others},
    )


# Which rows stand together


def members(trainer: Any) -> list[list[dict[str, Any]]]:
    """The rows of every group, as text: role, question and completion."""
    decode = trainer.processing_class.decode
    found = []
    for group in trainer.train_dataset["members"]:
        rows = [trainer.members[number] for number in group]
        found.append([{"role": row["role"], "text": decode(row["input_ids"])} for row in rows])
    return found


def question(text: str) -> str:
    return text.split("<|user|>")[1].split("<|end|>")[0]


def test_a_group_is_of_one_question_and_every_rationale_is_in_one(
    base: Path, chains: Path, tmp_path: Path
) -> None:
    weights = {"consistency_weight": 0.1, "contrast_weight": 1, "label_weight": 0.5, "negatives": 2}
    groups = members(build(*parse_sft(chain_flags(base, chains, tmp_path, **weights))))
    assert all(len({question(row["text"]) for row in group}) == 1 for group in groups)
    learned = [row["text"] for group in groups for row in group if row["role"] == 0]
    assert len(learned) == len(set(learned)) == sum(1 + i % 3 for i in range(QUESTIONS))
    assert sorted({sum(row["role"] == 0 for row in group) for group in groups}) == [1, 2]
    for group in groups:
        i = int(question(group[0]["text"]).split()[2]) - 2
        wrong = [row["text"] for row in group if row["role"] == 2]
        assert len(wrong) == len(set(wrong)) == min(2, i % 4)
        assert all(" make " in text for text in wrong)
        assert [row["text"].split("<|assistant|>")[1] for row in group if row["role"] == 1] == [
            f"The answer is {32 - i}.<|end|>"
        ]


def test_wrong_rationales_take_turns(base: Path, chains: Path, tmp_path: Path) -> None:
    """Question 11 has three right rationales and three wrong ones: with one each, all wrong ones
    are used."""
    groups = members(
        build(*parse_sft(chain_flags(base, chains, tmp_path, contrast_weight=1, negatives=1)))
    )
    last = [
        row["text"]
        for group in groups
        for row in group
        if row["role"] == 2 and "has 13 apples" in row["text"]
    ]
    assert len(last) == len(set(last)) == 3


def test_the_candidates_are_those_whose_text_is_known(
    base: Path, episodes: Path, tmp_path: Path
) -> None:
    words = flags(
        base, episodes, tmp_path, dataset="episodes@1.0.0", dataset_config="demonstrations"
    )
    trainer = build(*parse_sft([*words, "--preference_weight", "1", "--candidates", "4"]))
    for n, group in enumerate(members(trainer)):
        shown = [
            row["text"].split("<|user|>")[1].split("\n")[0] for row in group if row["role"] == 3
        ]
        scores = [trainer.members[k]["score"] for k in trainer.train_dataset["members"][n][1:]]
        ranked = sorted((math.sin(n + i) for i in range(5)), reverse=True)
        assert scores == pytest.approx([ranked[0], ranked[1], ranked[3], ranked[4]])
        texts = {i: f"{'abc'[: 1 + i % 3]} -> {'xyz'[i % 3] * (1 + i)}" for i in range(5)}
        by_score = sorted(texts, key=lambda i: -math.sin(n + i))
        assert shown == [texts[by_score[place]] for place in (0, 1, 3, 4)]
        assert all(
            row["text"].endswith(f"\n{'ab' * n} -><|end|><|assistant|>{'y' * (1 + n)}<|end|>")
            for row in group
        )


# What the trainer computes


class Row:
    """One member, run alone: its log-probabilities of prompt, completion and answer, and the
    distributions there."""

    def __init__(self, model: Any, member: dict[str, Any]):
        ids, labels = member["input_ids"], member["labels"]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0].double()
        start, end = member.get("answer_span", (0, 0))
        logp = logits.log_softmax(-1)
        places = range(1, len(ids))
        self.role, self.score = member["role"], member["score"]
        self.completion = [logp[t - 1, ids[t]].item() for t in places if labels[t] != -100]
        self.prompt = [logp[t - 1, ids[t]].item() for t in places if labels[t] == -100]
        self.answer = [logp[t - 1, ids[t]].item() for t in places if start <= t < end]
        self.rest = [
            logp[t - 1, ids[t]].item() for t in places if labels[t] != -100 and not start <= t < end
        ]
        self.answer_ids = ids[start:end]
        self.answer_logits = [logits[t - 1] for t in range(start, end)]
        self.mean = sum(self.completion) / len(self.completion)


def groups_of(trainer: Any, batch: dict[str, Any]) -> Iterator[list[Row]]:
    """The groups of a batch, found again by their tokens in the prepared rows."""
    known = {tuple(row["input_ids"]): row for row in trainer.members}
    rows = [
        Row(trainer.model, known[tuple(ids[mask.bool()].tolist())] | {"role": role})
        for ids, mask, role in zip(
            batch["input_ids"], batch["attention_mask"], batch["role"].tolist(), strict=True
        )
    ]
    for number in range(int(batch["group"].max()) + 1):
        yield [
            row for row, group in zip(rows, batch["group"].tolist(), strict=True) if group == number
        ]


def mean_loss(log_probs: list[float]) -> float:
    return -sum(log_probs) / len(log_probs) if log_probs else 0.0


def kl(p: torch.Tensor, q: torch.Tensor, temperature: float) -> float:
    p, q = (x / temperature for x in (p, q))
    return sum((p.softmax(-1) * (p.log_softmax(-1) - q.log_softmax(-1))).tolist()) * temperature**2


def consistency(groups: list[list[Row]], temperature: float) -> float:
    found = []
    for group in groups:
        right = [row for row in group if row.role == 0]
        if len(right) == 2 and right[0].answer_ids == right[1].answer_ids:
            both = zip(right[0].answer_logits, right[1].answer_logits, strict=True)
            found += [(kl(p, q, temperature) + kl(q, p, temperature)) / 2 for p, q in both]
    return sum(found) / len(found)


def contrast(groups: list[list[Row]], temperature: float) -> float:
    found = []
    for group in groups:
        right, wrong = (
            [math.exp(row.mean / temperature) for row in group if row.role == role]
            for role in (0, 2)
        )
        if right and wrong:
            found.append(sum(-math.log(r / (r + sum(wrong))) for r in right) / len(right))
    return sum(found) / len(found)


def preference(groups: list[list[Row]], temperature: float) -> float:
    def listwise(scores: list[float]) -> list[float]:
        mean = sum(scores) / len(scores)
        deviation = math.sqrt(sum((s - mean) ** 2 for s in scores) / len(scores))
        exps = [math.exp((s - mean) / deviation / temperature) for s in scores]
        return [e / sum(exps) for e in exps]

    found = []
    for group in groups:
        rows = [row for row in group if row.role == 3]
        teacher, student = (
            listwise([row.score for row in rows]),
            listwise([row.mean for row in rows]),
        )
        found.append(sum(t * math.log(t / s) for t, s in zip(teacher, student, strict=True)))
    return sum(found) / len(found)


def expected(groups: list[list[Row]], settings: dict[str, float]) -> float:
    """The whole loss, from the formula in the docstring of `train.losses.objective`."""
    rows = [row for group in groups for row in group]
    learned = [row for row in rows if row.role == 0]
    loss = mean_loss([x for row in learned for x in row.completion])
    if "answer_weight" in settings:
        alpha = settings["answer_weight"]
        rest, answers = (
            [x for row in learned for x in getattr(row, part)] for part in ("rest", "answer")
        )
        loss = (1 - alpha) * mean_loss(rest) + alpha * mean_loss(answers)
    if "label_weight" in settings:
        label = mean_loss([x for row in rows if row.role == 1 for x in row.completion])
        loss = (1 - settings["label_weight"]) * loss + settings["label_weight"] * label
    if "counterfactual_weight" in settings:
        wrong = mean_loss([x for row in rows if row.role == 2 for x in row.answer])
        loss = (1 - settings["counterfactual_weight"]) * loss + settings[
            "counterfactual_weight"
        ] * wrong
    loss += settings.get("lm_weight", 0) * mean_loss([x for row in learned for x in row.prompt])
    for name, of in (
        ("consistency", consistency),
        ("contrast", contrast),
        ("preference", preference),
    ):
        if weight := settings.get(f"{name}_weight"):
            loss += weight * of(groups, settings.get("temperature", 1.0))
    return loss


CHAINS = [
    {"answer_weight": 0.3},
    {"answer_weight": 0.0},
    {"label_weight": 0.3},
    {"counterfactual_weight": 0.4},
    {"consistency_weight": 2.0, "temperature": 2.0},
    {"contrast_weight": 0.5, "temperature": 0.5},
    {"lm_weight": 0.2},
    {
        "answer_weight": 0.5,
        "label_weight": 0.2,
        "counterfactual_weight": 0.3,
        "consistency_weight": 0.5,
        "contrast_weight": 0.7,
        "lm_weight": 0.1,
    },
]
EPISODES = [
    {"preference_weight": 3.0},
    {"preference_weight": 0.5, "lm_weight": 1.0, "temperature": 0.7},
]


@pytest.mark.parametrize("settings", [*CHAINS, *EPISODES], ids=lambda settings: "+".join(settings))
def test_the_loss_is_the_formula_and_every_part_has_a_gradient(
    base: Path, chains: Path, episodes: Path, tmp_path: Path, settings: dict[str, float]
) -> None:
    words = chain_flags(base, chains, tmp_path, per_device_train_batch_size=5)
    if "preference_weight" in settings:
        words = flags(
            base, episodes, tmp_path, dataset="episodes@1.0.0", dataset_config="demonstrations"
        )
    trainer = build(
        *parse_sft([*words, *(w for k, v in settings.items() for w in (f"--{k}", str(v)))])
    )
    for batch in list(trainer.get_train_dataloader())[:2]:
        samples = [dict(batch)]
        items = trainer.count_step(samples, torch.device("cpu"))
        trainer.model.zero_grad()
        loss = trainer.compute_loss(trainer.model, samples[0], num_items_in_batch=items)
        loss.backward()
        assert all(torch.count_nonzero(p.grad) for p in trainer.model.parameters())
        assert loss.item() == pytest.approx(
            expected(list(groups_of(trainer, batch)), settings), rel=2e-4
        )


@pytest.mark.parametrize("name", ["consistency", "contrast", "preference"])
def test_the_gradient_is_that_of_the_weight_alone(
    base: Path, chains: Path, episodes: Path, tmp_path: Path, name: str
) -> None:
    """Each comparison moves the student: along its gradient alone, the comparison's own loss
    falls."""
    words = chain_flags(base, chains, tmp_path, per_device_train_batch_size=6)
    if name == "preference":
        words = flags(
            base, episodes, tmp_path, dataset="episodes@1.0.0", dataset_config="demonstrations"
        )
    trainer = build(*parse_sft([*words, f"--{name}_weight", "1"]))
    trainer.parts = [part for part in trainer.parts if part.name == name]
    batch = next(iter(trainer.get_train_dataloader()))

    def loss() -> Any:
        return trainer.compute_loss(trainer.model, dict(batch))

    before = loss()
    before.backward()
    with torch.no_grad():
        norm = sum(p.grad.square().sum() for p in trainer.model.parameters()) ** 0.5
        for p in trainer.model.parameters():
            p -= 1e-2 * p.grad / norm
        assert loss().item() < before.item()


def test_batches_in_parts_take_the_step_of_the_whole(
    base: Path, chains: Path, tmp_path: Path
) -> None:
    settings = {
        "answer_weight": 0.3,
        "consistency_weight": 1,
        "contrast_weight": 1,
        "label_weight": 0.4,
    }
    ways = {
        "whole": {"per_device_train_batch_size": 4},
        "parts": {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 4},
    }
    for name, way in ways.items():
        assert main(["sft", *chain_flags(base, chains, tmp_path / name, **settings, **way)]) == 0
    found, wanted = (weights(tmp_path / name) for name in ("parts", "whole"))
    assert all(found[name].allclose(wanted[name], atol=2e-5) for name in wanted)
    assert not same(wanted, weights(base))
    told = json.loads((tmp_path / "whole" / "lineage.json").read_text())["settings"]
    assert {name: told[name] for name in settings} == settings


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"label_weight": 2}, "--label_weight 2.0: a number from 0 to 1 is needed"),
        ({"contrast_weight": -1}, "--contrast_weight -1.0: a number of at least 0 is needed"),
        ({"contrast_weight": 1, "temperature": 0}, "--temperature 0.0: a number above 0 is needed"),
        ({"contrast_weight": 1, "negatives": 0}, "--negatives 0: at least 1 is needed"),
        (
            {"contrast_weight": 1, "packing": True},
            "--packing True does not work with --contrast_weight",
        ),
        (
            {"preference_weight": 1},
            "`datagen demonstrations --strategy teacher` writes; chains@1.0.0, config rationales",
        ),
        (
            {"consistency_weight": 1, "dataset_config": "answers"},
            "--consistency_weight needs two rationales",
        ),
        (
            {"consistency_weight": 1, "max_length": 30},
            "--consistency_weight: no row's completion holds its `answer`",
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_bad_input_is_one_line(
    base: Path,
    chains: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    line: str,
) -> None:
    assert main(["sft", *chain_flags(base, chains, tmp_path / "out", **changes)]) == 2
    errors = [
        found for found in capsys.readouterr().err.splitlines() if found.startswith("train: ")
    ]
    assert len(errors) == 1
    assert line in errors[0]
