"""Train a model of the micro-world: `python -m recipes.microworld.pretrain teacher --tokens 30e6
--out OUT`.

Muon trains the matrices, AdamW the rest. The learning rate warms up and then falls linearly to zero
over `--tokens`. Weights are bf16, with fp32 master copies. The same command continues from its
checkpoint, and `--minutes` limits the time of one call.
"""

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

# These must be set before torch and tokenizers are imported. The process forks, and threads that
# wait actively would take the cores from the process that makes the data.
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
"""Rows of a chunk of data. The batch sizes 24, 36, 48 and 72 divide it."""
LENGTH = 256
"""Tokens of a row. Nearly all documents are shorter."""
WARM_UP = 60
"""Steps in which the learning rate rises."""


def plan(model: Model, tokens: float) -> Callable[[int], dict[str, float]]:
    """Return a function that gives the mixture of each chunk in a training of `tokens` tokens."""

    def shares(chunk: int) -> dict[str, float]:
        seen = chunk * CHUNK * LENGTH
        for until, mixture in model.stages:
            if seen < (until if until > 1 else until * tokens):
                return mixture
        return model.stages[-1][1]

    return shares


def new_model(model: Model, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return a new model with random weights."""
    config = LlamaConfig(
        # Matrix products are faster with a multiple of 8.
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
    """Give tokens that differ only by the space before them nearly the same embedding.

    Otherwise the model would learn every word twice.
    """
    space = torch.randn(table.shape[1]) * 0.02
    vocabulary = tokenizer.get_vocab()
    for token, i in vocabulary.items():
        if token.startswith("Ġ") and token[1:] in vocabulary:
            table[i] = table[vocabulary[token[1:]]] + space


class Master:
    """Optimizers that work on fp32 copies of bf16 parameters.

    A step is often smaller than the precision of bf16, so it would be lost without the copies.
    """

    def __init__(self, llama: LlamaForCausalLM, model: Model) -> None:
        self.parameters = list(llama.parameters())
        self.copies = [parameter.detach().float().clone() for parameter in self.parameters]

        # Muon makes updates orthogonal, which is meant for matrices of hidden layers.
        matrices = []
        rest = []
        for copy, (name, _) in zip(self.copies, llama.named_parameters(), strict=True):
            hidden = copy.ndim == 2 and "embed" not in name
            (matrices if hidden else rest).append(copy)
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=model.rate, weight_decay=0.01, momentum=0.95),
            torch.optim.AdamW(
                rest, lr=model.adam_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
            ),
        ]
        self.peaks = [model.rate, model.adam_rate]

    def step(self, factor: float) -> None:
        """Make one update at `factor` times the peak learning rates."""
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
        """Return what a checkpoint stores."""
        return {
            "copies": self.copies,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        pairs = zip(self.copies, self.parameters, state["copies"], strict=True)
        for copy, parameter, saved in pairs:
            copy.copy_(saved)
            parameter.data.copy_(saved)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def loss_of(
    llama: LlamaForCausalLM, tokens: torch.Tensor, weights: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Return the weighted mean cross-entropy in nats.

    Args:
        llama: The model.
        tokens: Shape (rows, length).
        weights: The weight of each token in the loss, shape (rows, length).
        mask: What each token can attend to, shape (rows, 1, length, length).
    """
    output = llama.model(input_ids=tokens, attention_mask=mask, use_cache=False)
    logits = llama.lm_head(output.last_hidden_state[:, :-1]).float()
    losses = cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    wanted = weights[:, 1:].flatten()
    return (losses * wanted).sum() / wanted.sum()


def batches(
    source: Iterator[Rows], size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield tokens, weights and the attention mask of each batch.

    The mask keeps the documents of a row apart.
    """
    causal = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
    for chunk in source:
        tokens, weights, documents = map(
            torch.from_numpy, (chunk.tokens, chunk.weights, chunk.documents)
        )
        for i in range(0, CHUNK, size):
            same = documents[i : i + size, :, None] == documents[i : i + size, None, :]
            yield tokens[i : i + size], weights[i : i + size], (same & causal)[:, None]


def in_background(make: Callable[[], Iterator[Rows]]) -> Iterator[Rows]:
    """Yield the same chunks, made ahead by another process."""
    context = multiprocessing.get_context("fork")
    # Four chunks ahead: the training never waits, and little memory is used.
    queue: Any = context.Queue(maxsize=4)
    context.Process(target=_feed, args=(queue, make), daemon=True).start()
    while True:
        yield queue.get()


def _feed(queue: Any, make: Callable[[], Iterator[Rows]]) -> None:
    """Put chunks into a queue, without end."""
    # The training comes first where both compete for a core.
    os.nice(5)
    for chunk in make():
        queue.put(chunk)


def main() -> None:
    """Parse the command line, and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the checkpoint, the log and the model"
    )
    parser.add_argument("--tokens", type=float, required=True, help="tokens of the whole training")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="stop after this time with a checkpoint"
    )
    parser.add_argument(
        "--batch", type=int, default=48, help=f"rows of {LENGTH} tokens a step; divides {CHUNK}"
    )
    parser.add_argument("--probe-minutes", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


def train(settings: argparse.Namespace) -> None:
    """Train a model, or continue from its checkpoint."""
    torch.manual_seed(settings.seed)
    settings.out.mkdir(parents=True, exist_ok=True)
    model = MODELS[settings.model]
    started = (settings.out / "checkpoint.pt").exists()
    if started:
        tokenizer = AutoTokenizer.from_pretrained(settings.out / "model")
    else:
        tokenizer = world_tokenizer.build()

    llama = new_model(model, tokenizer).to(torch.bfloat16)
    master = Master(llama, model)
    state = {"chunk": 0, "seconds": 0.0}
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
    """Train chunk by chunk until the tokens or the minutes are used up."""
    compiled = torch.compile(loss_of)
    started = probed = logged = time.monotonic()
    before = state["seconds"]
    losses: list[torch.Tensor] = []
    total = math.ceil(settings.tokens / (CHUNK * LENGTH))
    while state["chunk"] < total and time.monotonic() - started < settings.minutes * 60:
        losses += _train_chunk(compiled, llama, master, source, state["chunk"], settings, total)
        state["chunk"] += 1
        now = time.monotonic()
        state["seconds"] = before + now - started

        # One line for ten chunks, 370,000 tokens.
        if state["chunk"] % 10 == 0:
            _log_progress(settings.out, state, losses, seconds=now - logged)
            logged = now
            losses = []

        if now - probed > settings.probe_minutes * 60:
            save(settings.out, llama, master, state, tokenizer)
            seen = state["chunk"] * CHUNK * LENGTH
            _log(settings.out, {"tokens": seen} | probe(llama, tokenizer))
            # The time of a probe does not count as training.
            probed = logged = time.monotonic()

    save(settings.out, llama, master, state, tokenizer)
    last = {"tokens": state["chunk"] * CHUNK * LENGTH, "finished": state["chunk"] >= total}
    _log(settings.out, last | probe(llama, tokenizer))


def _train_chunk(
    loss_function: Callable[..., torch.Tensor],
    llama: LlamaForCausalLM,
    master: Master,
    source: Iterator[Any],
    chunk: int,
    settings: argparse.Namespace,
    total: int,
) -> list[torch.Tensor]:
    """Make the steps of one chunk, and return their losses."""
    steps = CHUNK // settings.batch
    losses = []
    for step in range(steps):
        progress = (chunk + step / steps) / total
        warm = (chunk * steps + step + 1) / WARM_UP
        loss = loss_function(llama, *next(source))
        loss.backward()
        # A rate of exactly zero would waste the last steps.
        master.step(min(1.0, warm, max(0.01, 1 - progress)))
        losses.append(loss.detach())
    return losses


def _log_progress(
    out: Path, state: dict[str, Any], losses: list[torch.Tensor], *, seconds: float
) -> None:
    """Log the loss and the speed of the last ten chunks."""
    record = {
        "tokens": state["chunk"] * CHUNK * LENGTH,
        "seconds": round(state["seconds"]),
        "loss": round(float(torch.stack(losses).mean()), 4),
        "tokens_per_second": round(10 * CHUNK * LENGTH / seconds),
    }
    _log(out, record)


def save(
    out: Path,
    llama: LlamaForCausalLM,
    master: Master,
    state: dict[str, Any],
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """Save the checkpoint and the model folder. Each is replaced at once."""
    torch.save({"master": master.state(), "state": state}, out / "checkpoint.tmp")
    os.replace(out / "checkpoint.tmp", out / "checkpoint.pt")
    folder = out / "model.tmp"
    llama.save_pretrained(folder)
    # Otherwise the padding of the last batch would be saved with the tokenizer.
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder)
    shutil.rmtree(out / "model", ignore_errors=True)
    os.replace(folder, out / "model")


def _log(out: Path, record: dict[str, Any]) -> None:
    """Print a record, and append it to the log."""
    print(json.dumps(record), flush=True)
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
