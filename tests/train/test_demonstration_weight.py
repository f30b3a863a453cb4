"""`train sft --demonstration_weight`: which tokens are outputs of demonstrations, and the loss on
them, in a loop."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from datagen.prompts.episodes import LAYOUTS, Format
from tests.train.test_sft import flags
from train.cli import main
from train.sft import build, parse_sft

PAIRS = [("a b", "x"), ("x", "x y"), ("b", "x")]


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_outputs_are_found_where_the_format_writes_them(name: str) -> None:
    format = Format(name)
    text = format.text(PAIRS, "x")
    spans = format.outputs(PAIRS)
    assert [text[first:last] for first, last in spans] == ["x", "x y", "x"]
    for (x, _), (first, _) in zip(PAIRS, spans, strict=True):
        assert text[:first].endswith(f"{x}{format.layout.between} ")
    assert all(end < start for (_, end), (start, _) in pairwise(spans))
    assert format.outputs([]) == []


def built(base: Path, episodes: Path, out: Path, **others: Any) -> Any:
    words = flags(base, episodes, out, dataset="episodes@1.0.0", dataset_config="demonstrations")
    return build(
        *parse_sft([*words, *(word for k, v in others.items() for word in (f"--{k}", str(v)))])
    )


def test_the_loss_is_that_of_the_completion_and_of_the_outputs_shown(
    base: Path, episodes: Path, tmp_path: Path
) -> None:
    """By hand: the tokens between an arrow and the end of its line, but for the query's."""
    weight = 0.4
    trainer = built(base, episodes, tmp_path, demonstration_weight=weight)
    decode = trainer.processing_class.decode
    batch = next(iter(trainer.get_train_dataloader()))
    completions, outputs = [], []
    for ids, mask in zip(batch["input_ids"], batch["attention_mask"].bool(), strict=True):
        tokens = ids[mask]
        logp = trainer.model(input_ids=tokens[None]).logits[0].double().log_softmax(-1)
        for t in range(1, len(tokens)):
            before, after = decode(tokens[:t]), decode(tokens[t:])
            value = logp[t - 1, tokens[t]].item()
            if "<|assistant|>" in before:
                completions.append(value)
            elif (
                "->" in before.rpartition("\n")[2]
                and "\n" in after
                and decode(tokens[t : t + 1]).strip()
            ):
                outputs.append(value)
    expected = -sum(completions) / len(completions) - weight * sum(outputs) / len(outputs)
    samples = [dict(batch)]
    items = trainer.count_step(samples, torch.device("cpu"))
    loss = trainer.compute_loss(trainer.model, samples[0], num_items_in_batch=items)
    assert loss.item() == pytest.approx(expected, rel=2e-4)


def test_without_demonstrations_one_line(
    base: Path, chains: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = flags(base, chains, tmp_path, dataset="chains@1.0.0", max_steps=1)
    assert main(["sft", *words, "--demonstration_weight", "1"]) == 2
    assert "--demonstration_weight needs demonstrations" in capsys.readouterr().err
