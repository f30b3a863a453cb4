"""`datagen topk`: what is stored against the model itself, kills, sources, and bad input."""

from __future__ import annotations

import json
import math
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datagen.cli import main
from datagen.teacher import connect
from datagen.teacher.tokens import tokenizer_fingerprint
from datagen.versions.parquet import rows
from tests.tiny import save_tiny_model
from tests.train.conftest import write_run

K = 8
END, ASSISTANT = "<|end|>", "<|assistant|>"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny", context=512)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "sums"
    folder.mkdir()
    write_run(folder)
    return folder


@pytest.fixture(scope="module")
def stored(run: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stored") / "run"
    assert topk(run, model, out) == 0
    return out


def topk(source: Path | str, model: Path, out: Path, *more: str) -> int:
    return main(
        [
            "topk",
            str(source),
            "--teacher",
            f"hf:{model}",
            "--teacher-topk",
            str(K),
            "--out",
            str(out),
            *more,
        ]
    )


def tokens(text: str, folder: Path) -> list[int]:
    """By the library `tokenizers` alone."""
    from tokenizers import Tokenizer

    return list(
        Tokenizer.from_file(str(folder / "tokenizer.json"))
        .encode(text, add_special_tokens=False)
        .ids
    )


def texts(row: dict[str, Any]) -> tuple[str, str]:
    """Prompt and completion, the chat template written out."""
    return (
        f"<|user|>{row['prompt'][0]['content']}{END}{ASSISTANT}",
        f"{row['completion'][0]['content']}{END}",
    )


def table(file: Path) -> list[dict[str, Any]]:
    return pq.read_table(file).to_pylist()


@pytest.mark.parametrize("config", ["rationales", "answers"])
def test_every_place_holds_what_the_model_says(stored: Path, model: Path, config: str) -> None:
    """Row by row, without padding, in double precision."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network = AutoModelForCausalLM.from_pretrained(model).eval()
    fingerprint = tokenizer_fingerprint(AutoTokenizer.from_pretrained(model))
    found = table(stored / f"{config}.parquet")
    assert len(found) == 24
    for row in found:
        prompt, completion = (tokens(text, model) for text in texts(row))
        with torch.no_grad():
            logits = network(input_ids=torch.tensor([prompt + completion])).logits[0]
        column = row["teacher_topk"]
        assert column["tokens"] == completion
        assert column["tokenizer"] == fingerprint
        for place in range(len(completion)):
            logprobs = logits[len(prompt) - 1 + place].double().log_softmax(-1)
            best = sorted(logprobs.tolist(), reverse=True)
            ids = column["ids"][place]
            assert len(set(ids)) == K
            assert column["logprobs"][place] == pytest.approx(
                [float(logprobs[i]) for i in ids], rel=1e-3, abs=1e-3
            )
            assert [float(logprobs[i]) for i in ids] == pytest.approx(best[:K], abs=1e-5)
            rest = math.fsum(math.exp(value) for value in best[K:])
            assert column["tail"][place] == pytest.approx(rest, rel=1e-3, abs=1e-9)


def test_everything_else_stays(run: Path, stored: Path) -> None:
    for config in ("rationales", "answers"):
        before, after = (pq.read_table(folder / f"{config}.parquet") for folder in (run, stored))
        assert after.schema.names == [*before.schema.names, "teacher_topk"]
        assert after.drop_columns("teacher_topk").equals(before)
    assert table(stored / "rejected.parquet") == table(run / "rejected.parquet")
    config, was = (json.loads((folder / "config.json").read_text()) for folder in (stored, run))
    assert {k: v for k, v in config["settings"].items() if "topk" not in k} == was["settings"]
    assert config["settings"]["teacher_topk"] == K
    assert config["settings"]["topk_teacher"].startswith("hf:")


def test_statistics_say_what_a_token_takes(stored: Path) -> None:
    found = json.loads((stored / "stats.json").read_text())["teacher_topk"]
    column = [
        row["teacher_topk"]
        for c in ("rationales", "answers")
        for row in table(stored / f"{c}.parquet")
    ]
    count = sum(len(value["tokens"]) for value in column)
    assert (found["rows"], found["tokens"], found["k"], found["cut"]) == (48, count, K, 0)
    assert found["bytes_per_token"] == K * (4 + 2) + 4 + 4
    size = sum((stored / f"{c}.parquet").stat().st_size for c in ("rationales", "answers"))
    assert 0 < found["bytes_per_token_on_disk"] * count < size


class Stopped:
    """A teacher that is interrupted when it is asked for the `last` time."""

    def __init__(self, teacher: Any, last: int | None = None):
        self.teacher, self.last, self.asked = teacher, last, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.teacher, name)

    async def topk(self, pairs: Sequence[Any], k: int) -> Any:
        self.asked += 1
        if self.asked == self.last:
            raise KeyboardInterrupt
        return await self.teacher.topk(pairs, k)


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    run: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("datagen.topk.storing.PIECE", 5)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert topk(run, model, whole) == 0
    asked = []
    for last in (3, 6, None):
        teacher = Stopped(connect(f"hf:{model}"), last)
        monkeypatch.setattr(
            "datagen.topk.command.connect", lambda *_, teacher=teacher, **__: teacher
        )
        assert topk(run, model, killed) == (130 if last else 0)
        asked.append(teacher.asked)
    for config in ("rationales", "answers", "rejected"):
        assert (whole / f"{config}.parquet").read_bytes() == (
            killed / f"{config}.parquet"
        ).read_bytes()
    assert sum(asked) == 10 + 2  # two configs of five pieces, and the two that were interrupted
    assert not (killed / "topk").exists()
    assert topk(run, model, killed) == 0
    assert "48 rows" in capsys.readouterr().out


def test_a_version_gives_what_its_run_gives(
    run: Path, stored: Path, model: Path, tmp_path: Path
) -> None:
    store = ["--store", str(tmp_path / "store")]
    assert main(["publish", str(run), "sums", *store]) == 0
    assert topk("sums@1.0.0", model, tmp_path / "out", *store) == 0
    for config in ("rationales", "answers"):
        assert pq.read_table(tmp_path / "out" / f"{config}.parquet").equals(
            pq.read_table(stored / f"{config}.parquet")
        )
    assert main(["publish", str(tmp_path / "out"), "sums", *store]) == 0
    assert (tmp_path / "store" / "sums" / "2.0.0").is_dir()  # a changed schema


def test_stored_again_with_another_k_replaces_the_column(
    stored: Path, model: Path, tmp_path: Path
) -> None:
    words = [
        "topk",
        str(stored),
        "--teacher",
        f"hf:{model}",
        "--out",
        str(tmp_path / "out"),
        "--teacher-topk",
    ]
    assert main([*words, "3"]) == 0
    two = [
        table(folder / "answers.parquet")[0]["teacher_topk"]
        for folder in (stored, tmp_path / "out")
    ]
    assert [ids[:3] for ids in two[0]["ids"]] == two[1]["ids"]


def test_a_published_row_shows_a_hash_that_follows_every_number(
    stored: Path, tmp_path: Path
) -> None:
    import pyarrow as pa

    before = next(rows(stored / "answers.parquet"))["teacher_topk"]
    found = pq.read_table(stored / "answers.parquet")
    count = len(found["teacher_topk"][0].as_py()["tokens"])
    assert before.startswith(f"{count} tokens, sha256 ")
    values = found.to_pylist()
    values[0]["teacher_topk"]["tail"][1] += 1e-3
    pq.write_table(pa.Table.from_pylist(values, schema=found.schema), tmp_path / "changed.parquet")
    after = [row["teacher_topk"] for row in rows(tmp_path / "changed.parquet")]
    same = [row["teacher_topk"] for row in rows(stored / "answers.parquet")]
    assert after[0] != before
    assert after[1:] == same[1:]


def test_tokens_beyond_the_context_are_left_out_and_counted(model: Path, tmp_path: Path) -> None:
    short = save_tiny_model(tmp_path / "short", context=64)
    folder = tmp_path / "run"
    folder.mkdir()
    write_run(folder)
    assert topk(folder, short, tmp_path / "out") == 0
    cut = 0
    for config in ("rationales", "answers"):
        for row in table(tmp_path / "out" / f"{config}.parquet"):
            prompt, completion = (tokens(text, short) for text in texts(row))
            fits = max(64 - len(prompt), 0)
            cut += len(completion) > fits
            assert row["teacher_topk"]["tokens"] == completion[:fits]
            assert (
                len(row["teacher_topk"]["ids"])
                == len(row["teacher_topk"]["tail"])
                == len(completion[:fits])
            )
    assert cut > 0
    assert json.loads((tmp_path / "out" / "stats.json").read_text())["teacher_topk"]["cut"] == cut


def test_what_pads_the_vocabulary_is_no_token(run: Path, model: Path, tmp_path: Path) -> None:
    """A head with more rows than the tokenizer has tokens, and these the most probable of all."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network, tokenizer = (
        AutoModelForCausalLM.from_pretrained(model),
        AutoTokenizer.from_pretrained(model),
    )
    network.resize_token_embeddings(len(tokenizer) + 40, mean_resizing=False)
    with torch.no_grad():
        network.lm_head.weight[len(tokenizer) :] *= 20
    network.save_pretrained(tmp_path / "padded")
    tokenizer.save_pretrained(tmp_path / "padded")
    assert topk(run, tmp_path / "padded", tmp_path / "out") == 0
    for row in table(tmp_path / "out" / "answers.parquet"):
        column = row["teacher_topk"]
        assert max(max(ids) for ids in column["ids"]) < len(tokenizer)
        for logprobs, tail in zip(column["logprobs"], column["tail"], strict=True):
            assert 0 < tail <= 1 + 1e-5
            assert sum(map(math.exp, logprobs)) + tail <= 1.01


def test_stored_while_generated_is_what_is_stored_afterwards(model: Path, tmp_path: Path) -> None:
    (tmp_path / "sums.jsonl").write_text(
        "".join(f'{{"question": "{a} + 2?", "answer": "{a + 2}"}}\n' for a in range(4))
    )
    words = [
        "rationales",
        str(tmp_path / "sums.jsonl"),
        "--teacher",
        f"hf:{model}",
        "--samples",
        "3",
        "--max-tokens",
    ]
    words += ["40", "--keep-by", "none"]
    now, later = tmp_path / "now", tmp_path / "later"
    if main([*words, "--out", str(later)]) != 0:
        pytest.skip("the random model answered nothing")
    assert main([*words, "--teacher-topk", str(K), "--out", str(now)]) == 0
    assert topk(later, model, tmp_path / "out") == 0
    for config in ("rationales", "answers"):
        assert (now / f"{config}.parquet").read_bytes() == (
            tmp_path / "out" / f"{config}.parquet"
        ).read_bytes()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--teacher", "openai:gpt-x"],
            "openai:gpt-x does not give the probabilities of given tokens",
        ),
        (["--teacher-topk", "9999"], "--teacher-topk 9999: from 1 to 261, the tokens of hf:"),
        (["--teacher-topk", "0"], "--teacher-topk 0: from 1 to"),
        (["--teacher", "hf:/no/such"], "no model at /no/such"),
    ],
    ids=["endpoint", "many", "none", "model"],
)
def test_bad_settings_are_one_line(
    run: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    line: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    assert topk(run, model, tmp_path / "out", *words) == 2
    errors = capsys.readouterr().err
    assert line in errors
    assert len(errors.strip().splitlines()) == 1


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(
    run: Path, model: Path, stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, limits[1]))
    try:
        status = topk(run, model, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    errors = capsys.readouterr().err
    assert (status, errors.count("\n")) == (2, 1)
    assert "no room left to write" in errors
    assert topk(run, model, tmp_path / "out") == 0
    for file in stored.glob("*.parquet"):
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes()


def test_sources_that_are_none(
    run: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = tmp_path / "half"
    half.mkdir()
    (half / "config.json").write_text((run / "config.json").read_text())
    assert topk(half, model, tmp_path / "out") == 2
    assert "is not finished" in capsys.readouterr().err
    assert topk("nothing@1.0.0", model, tmp_path / "out", "--store", str(tmp_path)) == 2
    assert "no dataset 'nothing'" in capsys.readouterr().err


def test_a_run_that_lacks_its_probabilities_is_not_published(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kill came between the rows and their probabilities."""
    import shutil

    shutil.copytree(stored, tmp_path / "run")
    stats = json.loads((stored / "stats.json").read_text())
    del stats["teacher_topk"]
    (tmp_path / "run" / "stats.json").write_text(json.dumps(stats))
    assert main(["publish", str(tmp_path / "run"), "sums", "--store", str(tmp_path / "store")]) == 2
    assert "has no stored probabilities yet" in capsys.readouterr().err
