"""`datagen topk` on episodes: what the teacher thinks with the demonstrations in view, not what the
student sees."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datagen.cli import main
from tests.datagen.demonstrations.reading import Reading, write_tasks
from tests.datagen.endpoint import Served
from tests.tiny import save_tiny_model


@pytest.mark.parametrize("kind", ["meta-ict", "context-distillation"])
def test_probabilities_are_those_of_the_prompt_that_the_teacher_saw(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = save_tiny_model(tmp_path / "tiny", context=512)
    words = [
        "--teacher",
        "openai:arith",
        "--kind",
        kind,
        "--format",
        "arrow",
        "--shots",
        "4",
        "--queries",
        "3",
    ]
    run, out = tmp_path / "run", tmp_path / "topk"
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    with Served(Reading()) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert main(["demonstrations", str(write_tasks(tmp_path)), *words, "--out", str(run)]) == 0
    words = ["--teacher", f"hf:{model}", "--teacher_topk", "8", "--prompts"]
    assert main(["topk", str(run), *words, "--out", str(out)]) == 0
    network, tokenizer = (
        AutoModelForCausalLM.from_pretrained(model).eval(),
        AutoTokenizer.from_pretrained(model),
    )
    rows = pq.read_table(out / "demonstrations.parquet").to_pylist()
    assert len(rows) >= 3
    for row in rows:
        shown = "".join(f"{d['input']} -> {d['output']}\n" for d in row["demonstrations"])
        seen = f"<|user|>{shown}{row['query']} -><|end|><|assistant|>"
        column, prompt = row["teacher_topk"], tokenizer(seen, add_special_tokens=False).input_ids
        assert tokenizer.decode(column["tokens"]) == row["completion"][0]["content"] + "<|end|>"
        with torch.no_grad():
            logits = network(input_ids=torch.tensor([prompt + column["tokens"]])).logits[
                0, len(prompt) - 1 : -1
            ]
        for place, logprobs in enumerate(logits.log_softmax(-1)):
            expected = logprobs[torch.tensor(column["ids"][place])]
            assert torch.allclose(
                torch.tensor(column["logprobs"][place]).float(), expected, atol=0.02
            )
        if kind == "context-distillation":  # the student sees another prompt
            assert row["teacher_topk_prompt"] is None
        else:
            assert row["teacher_topk_prompt"]["tokens"] == prompt[1:]
    assert main(["publish", str(out), "episodes", "--store", str(tmp_path / "store")]) == 0
