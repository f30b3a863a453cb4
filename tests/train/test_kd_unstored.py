"""`train kd` where the teacher's probabilities do not reach to the end of a completion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.test_kd import store_of, trainer_of

CUT = 3
"""Places at the end of every completion for which nothing is stored."""


@pytest.fixture(scope="module")
def model(teacher: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(teacher).eval()


def by_hand(batch: dict[str, Any], teacher: Any, student: Any) -> tuple[float, float]:
    """The divergence at the stored places alone, and the cross-entropy, a label each."""
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        t, s = (m(**inputs).logits.double().log_softmax(-1) for m in (teacher, student))
    kl = nll = 0.0
    labels = 0
    for row, found in enumerate(batch["labels"].tolist()):
        places = [place for place, label in enumerate(found) if label != -100]
        labels += len(places)
        nll -= sum(float(s[row, place - 1, found[place]]) for place in places)
        for place in places[:-CUT]:
            p, q = t[row, place - 1], s[row, place - 1]
            kl += float((p.exp() * (p - q)).sum())
    return kl / labels, nll / labels


def test_unstored_places_add_no_divergence(base: Path, model: Any, tmp_path: Path) -> None:
    def cut(topk: dict[str, Any]) -> dict[str, Any]:
        return {
            name: values if name == "tokenizer" else values[:-CUT] for name, values in topk.items()
        }

    store = store_of(tmp_path, base, model, k=model.config.vocab_size, change=cut)
    weights = {"kd_weight": 0.7, "sft_weight": 0.3}
    trainer = trainer_of(base, store, tmp_path / "out", **weights)
    trainer.model.eval()
    for batch in list(trainer.get_train_dataloader())[:2]:
        kl, nll = by_hand(batch, model, trainer.model)
        with torch.no_grad():
            found = trainer.compute_loss(trainer.model, dict(batch)).item()
        assert kl > 0.01
        assert found == pytest.approx(0.7 * kl + 0.3 * nll, rel=2e-3)
