"""Train a model of the micro-world: `python -m recipes.microworld.pretrain teacher --tokens 30e6
--out OUT`.

Muon for the matrices, AdamW for the rest, warm-up and linear decay to zero over `--tokens`; bf16
weights with fp32 masters. The same command goes on from its checkpoint; `--minutes` bounds the time
of one call."""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from recipes.microworld import tokenizer as world_tokenizer
from recipes.microworld.mixtures import MODELS, Model
from recipes.microworld.packing import Rows, stream
from recipes.microworld.probes import probe
from recipes.microworld.structure import look_back

CHUNK = 144
LENGTH = 256


def plan(model: Model, tokens: float) -> Callable[[int], dict[str, float]]:
    """The shares of chunk i of a training of `tokens` tokens."""

    def shares(chunk: int) -> dict[str, float]:
        seen = chunk * CHUNK * LENGTH
        return next(
            (
                shares
                for until, shares in model.stages
                if seen < (until if until > 1 else until * tokens)
            ),
            model.stages[-1][1],
        )

    return shares


def new_model(model: Model, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A fresh model; tokens that differ only by the space before them start alike."""
    config = LlamaConfig(
        vocab_size=-(-len(tokenizer) // 8) * 8,
        hidden_size=model.width,
        num_hidden_layers=model.layers,
        num_attention_heads=model.heads,
        num_key_value_heads=model.heads,
        intermediate_size=model.hidden,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.05,
        attention_bias=model.looks_back,
    )
    llama = LlamaForCausalLM(config)
    _share_embeddings(llama.model.embed_tokens.weight.data, tokenizer)
    if model.looks_back:
        look_back(llama)
    return llama


def _share_embeddings(table: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> None:
    space, vocabulary = torch.randn(table.shape[1]) * 0.02, tokenizer.get_vocab()
    for token, i in vocabulary.items():
        if token.startswith("Ġ") and token[1:] in vocabulary:
            table[i] = table[vocabulary[token[1:]]] + space


class Master:
    """Optimizers on fp32 copies of bf16 parameters."""

    def __init__(self, llama: LlamaForCausalLM, model: Model) -> None:
        self.parameters = list(llama.parameters())
        self.copies = [parameter.detach().float().clone() for parameter in self.parameters]
        names = [name for name, _ in llama.named_parameters()]
        matrices = [
            c
            for c, name in zip(self.copies, names, strict=True)
            if c.ndim == 2 and "embed" not in name
        ]
        rest = [c for c in self.copies if not any(c is m for m in matrices)]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=model.rate, weight_decay=0.01, momentum=0.95),
            torch.optim.AdamW(
                rest, lr=model.adam_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
            ),
        ]
        self.peaks = [model.rate, model.adam_rate]

    def step(self, factor: float) -> None:
        """One update at `factor` of the peak learning rates, written back to the parameters."""
        for copy, parameter in zip(self.copies, self.parameters, strict=True):
            assert parameter.grad is not None
            copy.grad = parameter.grad.float()
            parameter.grad = None
        torch.nn.utils.clip_grad_norm_(self.copies, 1.0)
        for optimizer, peak in zip(self.optimizers, self.peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * factor
            optimizer.step()
        with torch.no_grad():
            for copy, parameter in zip(self.copies, self.parameters, strict=True):
                parameter.copy_(copy)

    def state(self) -> dict[str, Any]:
        return {
            "copies": self.copies,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def load(self, state: dict[str, Any]) -> None:
        for copy, parameter, saved in zip(
            self.copies, self.parameters, state["copies"], strict=True
        ):
            copy.copy_(saved)
            parameter.data.copy_(saved)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def loss_of(
    llama: LlamaForCausalLM, tokens: torch.Tensor, weights: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Weighted mean cross-entropy in nats; tokens and weights are (rows, length), mask is (rows, 1,
    length, length)."""
    hidden = llama.model(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state[
        :, :-1
    ]
    logits = llama.lm_head(hidden).float()
    losses = cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    wanted = weights[:, 1:].flatten()
    return (losses * wanted).sum() / wanted.sum()


def batches(
    source: Iterator[Rows], size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Tokens, weights and the mask that keeps documents apart."""
    causal = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
    for chunk in source:
        tokens, weights, documents = map(
            torch.from_numpy, (chunk.tokens, chunk.weights, chunk.documents)
        )
        for i in range(0, CHUNK, size):
            same = documents[i : i + size, :, None] == documents[i : i + size, None, :]
            yield tokens[i : i + size], weights[i : i + size], (same & causal)[:, None]


def in_background(make: Callable[[], Iterator[Rows]]) -> Iterator[Rows]:
    """The same chunks, made ahead by a process of their own."""
    context = multiprocessing.get_context("fork")
    queue: Any = context.Queue(maxsize=4)
    context.Process(target=_feed, args=(queue, make), daemon=True).start()
    while True:
        yield queue.get()


def _feed(queue: Any, make: Callable[[], Iterator[Rows]]) -> None:
    os.nice(5)
    for chunk in make():
        queue.put(chunk)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the checkpoint, the log and the model"
    )
    parser.add_argument("--tokens", type=float, required=True, help="tokens of the whole training")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="stop after so long and keep the checkpoint"
    )
    parser.add_argument(
        "--batch", type=int, default=48, help=f"rows of {LENGTH} tokens a step; divides {CHUNK}"
    )
    parser.add_argument("--probe-minutes", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


def train(settings: argparse.Namespace) -> None:
    torch.manual_seed(settings.seed)
    settings.out.mkdir(parents=True, exist_ok=True)
    model, started = MODELS[settings.model], (settings.out / "checkpoint.pt").exists()
    tokenizer = (
        AutoTokenizer.from_pretrained(settings.out / "model")
        if started
        else world_tokenizer.build()
    )
    llama = new_model(model, tokenizer).to(torch.bfloat16)
    master, state = Master(llama, model), {"chunk": 0, "seconds": 0.0}
    if started:
        saved = torch.load(settings.out / "checkpoint.pt", weights_only=True)
        master.load(saved["master"])
        state = saved["state"]
    shares = plan(model, settings.tokens)

    def make() -> Iterator[Any]:
        return stream(tokenizer, shares, seed=settings.seed, chunk=CHUNK, start=int(state["chunk"]))

    _loop(settings, llama, master, batches(in_background(make), settings.batch), state, tokenizer)


def _loop(
    settings: argparse.Namespace,
    llama: LlamaForCausalLM,
    master: Master,
    source: Iterator[Any],
    state: dict[str, Any],
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    compiled = torch.compile(loss_of)
    started = probed = logged = time.monotonic()
    before, losses, per_chunk = state["seconds"], [], CHUNK // settings.batch
    total = math.ceil(settings.tokens / (CHUNK * LENGTH))
    while state["chunk"] < total and time.monotonic() - started < settings.minutes * 60:
        for part in range(per_chunk):
            progress = (state["chunk"] + part / per_chunk) / total
            warm = (state["chunk"] * per_chunk + part + 1) / 60
            loss = compiled(llama, *next(source))
            loss.backward()
            master.step(min(1.0, warm, max(0.01, 1 - progress)))
            losses.append(loss.detach())
        state["chunk"] += 1
        now = time.monotonic()
        state["seconds"] = before + now - started
        if state["chunk"] % 10 == 0:
            rate = 10 * CHUNK * LENGTH / (now - logged)
            _log(
                settings.out,
                {
                    "tokens": state["chunk"] * CHUNK * LENGTH,
                    "seconds": round(state["seconds"]),
                    "loss": round(float(torch.stack(losses).mean()), 4),
                    "tokens_per_second": round(rate),
                },
            )
            logged, losses = now, []
        if now - probed > settings.probe_minutes * 60:
            save(settings.out, llama, master, state, tokenizer)
            _log(
                settings.out, {"tokens": state["chunk"] * CHUNK * LENGTH} | probe(llama, tokenizer)
            )
            probed = logged = time.monotonic()
    save(settings.out, llama, master, state, tokenizer)
    _log(
        settings.out,
        {"tokens": state["chunk"] * CHUNK * LENGTH, "finished": state["chunk"] >= total}
        | probe(llama, tokenizer),
    )


def save(
    out: Path,
    llama: LlamaForCausalLM,
    master: Master,
    state: dict[str, Any],
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """The checkpoint to go on from, and the model folder, each replaced in one move."""
    torch.save({"master": master.state(), "state": state}, out / "checkpoint.tmp")
    os.replace(out / "checkpoint.tmp", out / "checkpoint.pt")
    folder = out / "model.tmp"
    llama.save_pretrained(folder)
    tokenizer.backend_tokenizer.no_padding()  # else the setting of the last batch is saved with it
    tokenizer.save_pretrained(folder)
    shutil.rmtree(out / "model", ignore_errors=True)
    os.replace(folder, out / "model")


def _log(out: Path, record: dict[str, Any]) -> None:
    print(json.dumps(record), flush=True)
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
