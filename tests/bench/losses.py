"""Peak memory and time of a loss over a large vocabulary: in chunks, at once, and TRL's own, each
in its own process.

python tests/bench/losses.py [--positions 1024] [--vocabulary 151936] [--hidden 896] [--top 64]

Measured is the highest resident memory of the process above what it held before the loss, forward
and backward, or with `--device cuda` what torch had allocated. TRL's is its divergence between two
models' hidden states: there is no loss of stored probabilities in it to compare with."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import torch
from torch import Tensor

from train import losses

WAYS = ("plain", "chunked", "plain-full", "trl-full")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--positions", type=int, default=1024)
    parser.add_argument("--vocabulary", type=int, default=151936)
    parser.add_argument("--hidden", type=int, default=896)
    parser.add_argument("--top", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--way", choices=WAYS, help="one of them, in this process")
    args = parser.parse_args()
    if args.way:
        return measure(args)
    print(
        f"{args.positions} positions, {args.vocabulary:,} tokens, {args.hidden} wide, top "
        f"{args.top}, {args.device}"
    )
    for way in WAYS:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--way", way], check=True)
    return None


def measure(args: argparse.Namespace) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(args.positions, args.hidden, device=args.device, requires_grad=True)
    weight = (
        torch.randn(args.vocabulary, args.hidden, device=args.device) / args.hidden**0.5
    ).requires_grad_()
    teacher = torch.randn(args.positions, args.hidden, device=args.device)
    ids = torch.stack(
        [
            torch.randperm(args.vocabulary, device=args.device)[: args.top]
            for _ in range(args.positions)
        ]
    )
    logprobs = torch.randn(args.positions, args.top, device=args.device).log_softmax(-1) - 0.1
    tail = 1 - logprobs.exp().sum(-1)
    run = {
        "plain": lambda: losses.topk_divergence(hidden @ weight.T, ids, logprobs, tail),
        "chunked": lambda: losses.chunked(topk, hidden, weight, ids, logprobs, tail)[0],
        "plain-full": lambda: losses.divergence(teacher @ weight.detach().T, hidden @ weight.T),
        "trl-full": lambda: trl(hidden, weight, teacher),
    }[args.way]
    weight.grad, hidden.grad = torch.zeros_like(weight), torch.zeros_like(hidden)
    before, start = held(args.device), time.perf_counter()
    value = run().mean()
    value.backward()
    peak = held(args.device) - before
    seconds = time.perf_counter() - start
    print(
        f"{args.way:10}  {peak / 2**20:8,.0f} MiB  {seconds:6.2f} s  loss {value.item():.6f}",
        flush=True,
    )


def topk(*args: Tensor) -> tuple[Tensor]:
    return (losses.topk_divergence(*args),)


def trl(hidden: Tensor, weight: Tensor, teacher: Tensor) -> Tensor:
    from trl.kernels.chunked_divergence import ChunkedDivergenceFunction

    settings = (
        0.0,
        1.0,
        1.0,
        None,
        1.0,
        None,
    )  # forward KL at temperature 1, no scales, no soft caps
    return ChunkedDivergenceFunction.apply(
        hidden, weight, None, teacher, weight.detach(), None, *settings
    )[0]


def held(device: str) -> int:
    """Peak bytes so far."""
    if device == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated())


if __name__ == "__main__":
    main()
