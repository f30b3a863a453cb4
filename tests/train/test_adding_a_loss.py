"""A new loss is one file: the record in it gives the flag, the check, the rows, the training loss,
the lineage and the card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from datagen.errors import UserError
from tests.train.test_groups import chain_flags
from train.arguments import SftArguments, with_loss_flags
from train.data.grouping import Need, RowPlan
from train.data.roles import WRONG
from train.data.siblings import wrong_rationales
from train.flags import Command, parse, sft_config
from train.losses import catalogue, masked_mean
from train.losses.record import NEGATIVES, WEIGHT, Loss, Term
from train.sft import build
from train.trainers.fit import fit

if TYPE_CHECKING:
    from torch import Tensor


# ---- what the file of the loss would hold


def unlikelihood(log_probs: Tensor, mask: Tensor, count: Tensor | None = None) -> Tensor:
    """Return the mean of -log(1 - p) over tokens that the student should avoid.

    Source: Welleck et al. 2019, arXiv 1908.04319, section 5.
    """
    return masked_mean(-(1 - log_probs.exp()).clamp(min=1e-6).log(), mask, count)


def avoided(batch: Any) -> Tensor:
    return batch.of(batch.completion, WRONG)


LOSS = Loss(
    name="unlikelihood",
    flag="unlikelihood_weight",
    range=WEIGHT,
    help="Weight of the unlikelihood of wrong rationales.",
    sentence="unlikelihood of wrong rationales",
    term=Term(
        lambda batch: avoided(batch).sum(),
        lambda batch, outcome, _, count: unlikelihood(outcome.log_probs, avoided(batch), count),
    ),
    need=Need("wrong", "wrong rationales of questions that have right ones"),
    rows=RowPlan(attach=wrong_rationales),
    options=(NEGATIVES,),
)

# ----


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """`train sft` with one line more in the catalogue."""
    monkeypatch.setattr(catalogue, "LOSSES", (*catalogue.LOSSES, LOSS))

    @dataclass(frozen=True, kw_only=True)
    @with_loss_flags
    class Arguments(SftArguments):
        """The flags, made anew from the catalogue."""

    return Command("train sft", Arguments, sft_config)


def trainer_of(command: Command, words: list[str]) -> Any:
    return build(*parse(command, words))


def test_the_loss_is_that_of_the_formula(
    command: Command, base: Path, chains: Path, tmp_path: Path
) -> None:
    words = chain_flags(base, chains, tmp_path, unlikelihood_weight=0.7, answer_weight=0.5)
    trainer = trainer_of(command, words)
    batch = next(iter(trainer.get_train_dataloader()))
    logp = trainer.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    logp = logp.logits.log_softmax(-1)
    values: list[float] = []
    for row, labels in enumerate(batch["labels"].tolist()):
        if int(batch["role"][row]) == WRONG:
            values += [
                -torch.log(1 - logp[row, t - 1, label].exp()).item()
                for t, label in enumerate(labels)
                if label != -100
            ]
    with_it = trainer.compute_loss(trainer.model, dict(batch)).item()
    trainer.parts = trainer.parts[:-1]
    without = trainer.compute_loss(trainer.model, dict(batch)).item()
    assert with_it - without == pytest.approx(0.7 * sum(values) / len(values), rel=1e-3)


def test_the_card_and_the_lineage_say_it(
    command: Command, base: Path, chains: Path, tmp_path: Path
) -> None:
    words = chain_flags(base, chains, tmp_path / "out", unlikelihood_weight=0.7, negatives=2)
    assert fit(trainer_of(command, words))
    lineage = json.loads((tmp_path / "out" / "lineage.json").read_text())
    assert lineage["losses"] == {"unlikelihood_weight": "unlikelihood of wrong rationales"}
    assert lineage["settings"]["unlikelihood_weight"] == 0.7
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| unlikelihood\\_weight | 0.7 | unlikelihood of wrong rationales |" in card


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"unlikelihood_weight": -1}, "--unlikelihood_weight -1.0: a number of at least 0"),
        ({"unlikelihood_weight": 1, "dataset_config": "answers"}, "needs wrong rationales"),
        ({"unlikelihood_weight": 1, "packing": True}, "does not work with --unlikelihood_weight"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_bad_input_is_one_line(
    command: Command,
    base: Path,
    chains: Path,
    tmp_path: Path,
    changes: dict[str, Any],
    line: str,
) -> None:
    with pytest.raises(UserError, match=line):
        trainer_of(command, chain_flags(base, chains, tmp_path, **changes))


def test_every_loss_has_a_flag_a_sentence_and_a_function() -> None:
    flags = [loss.flag for loss in catalogue.LOSSES]
    assert len(set(flags)) == len(flags)
    for loss in catalogue.LOSSES:
        assert loss.help.endswith((".", ")"))
        assert loss.sentence
        assert hasattr(SftArguments, loss.flag)


def test_cards_of_older_students_say_the_same() -> None:
    """`cards` has the sentences for lineages from before students carried them."""
    from cards.model import LOSSES

    for loss in catalogue.LOSSES:
        assert LOSSES[loss.flag] == loss.sentence
