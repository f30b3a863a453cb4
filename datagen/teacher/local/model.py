"""A causal language model and its tokenizer in memory, and the computation of one batch."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable
from functools import cached_property
from itertools import chain, starmap
from typing import Any

from datagen.teacher.base import Completion, Request, Sampling
from datagen.teacher.chat.reasoning import split_reasoning
from datagen.teacher.chat.template import stop_tokens
from datagen.teacher.local.batches import Job, TokenPair
from datagen.teacher.local.decode import Row, decode, score
from datagen.teacher.local.prefix import shared_prefix
from datagen.teacher.local.tokenizing import AnswerDecoder, cannot_open, opening_before


class CausalModel:
    """A model of transformers that generates and scores in batches."""

    def __init__(self, network: Any, tokenizer: Any, *, batch_rows: int):
        self.network = network
        self.tokenizer = tokenizer
        self._decoder = AnswerDecoder(tokenizer)
        self.batch_rows = batch_rows
        """The most sequences at once. It is halved when a GPU runs out of memory."""
        self.tokens_asked = 0
        """Tokens of all pairs that were scored."""
        self.tokens_computed = 0
        """How many of these tokens the model computed. A shared prefix counts once."""

    @property
    def context(self) -> int:
        """The most tokens of prompt and completion together."""
        return int(getattr(self.network.config, "max_position_embeddings", 1 << 30))

    def compute(self, jobs: list[Job]) -> list[Any]:
        """Return the completions of each request, or the scores of the one job that has pairs."""
        return self._generate(jobs) if jobs[0].request else [self._score(jobs[0].pairs)]

    def pad(self, sequences: list[list[int]]) -> tuple[Any, Any]:
        """Return left-padded ids and their attention mask, both [batch, longest]."""
        import torch

        longest = max(map(len, sequences))
        pad = self.tokenizer.pad_token_id or 0
        ids = [[pad] * (longest - len(s)) + s for s in sequences]
        mask = [[0] * (longest - len(s)) + [1] * len(s) for s in sequences]
        device = self.network.device
        return torch.tensor(ids, device=device), torch.tensor(mask, device=device)

    def _generate(self, jobs: list[Job]) -> list[list[Completion]]:
        """Return the completions of each job."""
        import torch

        sampling = jobs[0].request.sampling if jobs[0].request else Sampling()
        rows = list(chain.from_iterable(starmap(self._rows, enumerate(jobs))))
        ids, mask = self.pad([job.ids for job in jobs])
        with torch.inference_mode():
            decode(
                self.network,
                ids,
                mask,
                rows,
                sampling=sampling,
                ends=self._ends,
                stopped=self._stopped(sampling.stop),
            )
        answers: list[list[Completion]] = [[] for _ in jobs]
        openings = [opening_before(self.tokenizer, job.ids) for job in jobs]
        for row in rows:
            # the first sample of a request carries the prompt's tokens, as at an endpoint
            cost = 0 if answers[row.prompt] else len(jobs[row.prompt].ids)
            answer = self._completion(row, sampling, cost, opening=openings[row.prompt])
            answers[row.prompt].append(answer)
        return answers

    def _rows(self, place: int, job: Job) -> list[Row]:
        """Return the samples of a request, each with its own random stream."""
        if job.request is None:
            return []
        request = job.request
        room = min(request.sampling.max_tokens, self.context - len(job.ids))
        samples = range(request.first, request.first + request.n)
        return [Row(place, stream(request, sample, room)) for sample in samples]

    @cached_property
    def _ends(self) -> set[int]:
        """The tokens that end a text."""
        return stop_tokens(self.tokenizer, self.network.generation_config)

    def _stopped(self, stop: tuple[str, ...]) -> Callable[[list[int]], bool]:
        """Return a function that says whether a text contains a stop string.

        It looks at the last tokens only. Every token holds at least one byte, so as many tokens as
        the longest stop string has bytes are enough.
        """
        if not stop:
            return lambda tokens: False
        reach = max(len(s.encode()) for s in stop) + 1
        return lambda tokens: any(s in self.tokenizer.decode(tokens[-reach:]) for s in stop)

    def _completion(
        self, row: Row, sampling: Sampling, prompt_tokens: int, *, opening: str
    ) -> Completion:
        # in some families the token that ends a text is a mark of reasoning too
        ended = row.tokens[-1:] and row.tokens[-1] in self._ends
        [text] = self._decoder.decode([row.tokens[:-1] if ended else row.tokens])
        # a token can hold the stop string and more, so the text is cut before it
        cuts = [at for at in (text.find(s) for s in sampling.stop) if at >= 0]
        reasoning, answer = split_reasoning(opening + (text[: min(cuts)] if cuts else text))
        return Completion(
            text=answer,
            finish_reason="stop" if row.ended else "length",
            tokens=len(row.tokens),
            prompt_tokens=prompt_tokens,
            mean_logprob=sum(row.logprobs) / len(row.logprobs) if row.logprobs else None,
            reasoning=reasoning,
        )

    def _score(self, pairs: list[TokenPair]) -> list[list[float]]:
        """Return the scores of the pairs, computed in batches of similar length."""
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
        scores: list[list[float]] = [[] for _ in pairs]
        for first in range(0, len(order), self.batch_rows):
            places = order[first : first + self.batch_rows]
            batch = self._score_batch([pairs[i] for i in places])
            for place, found in zip(places, batch, strict=True):
                scores[place] = found
        return scores

    def _score_batch(self, pairs: list[TokenPair]) -> list[list[float]]:
        """Return the scores of one batch. A prefix that all pairs share is computed once."""
        import torch

        # under a sliding window, the padding between a prefix and its rows would count as distance
        sliding = getattr(self.network.config, "sliding_window", None) is not None
        # without the prompt's last token, whose logits score the first token of the answer
        prefix = [] if sliding else shared_prefix([ids[:-1] for ids, _ in pairs])
        ids, mask = self.pad([(ids + answer)[len(prefix) :] for ids, answer in pairs])
        longest = max(len(answer) for _, answer in pairs)
        with torch.inference_mode():
            logprobs_BT = score(self.network, ids, mask, longest, prefix=prefix)

        tokens = sum(len(ids) + len(answer) for ids, answer in pairs)
        self.tokens_asked += tokens
        self.tokens_computed += tokens - len(prefix) * (len(pairs) - 1)
        rows = zip(logprobs_BT.tolist(), pairs, strict=True)
        return [row[-len(answer) :] for row, (_, answer) in rows]


def open_model(path: str, tokenizer: Any, *, batch_rows: int) -> CausalModel:
    """Load a model's weights: in bfloat16 on a GPU if there is one, else in float32.

    Raises:
        UserError: there is no such model.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    try:
        network = AutoModelForCausalLM.from_pretrained(path, dtype=dtype).to(device).eval()
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from None
    return CausalModel(network, tokenizer, batch_rows=batch_rows)


def release_memory() -> None:
    """Give back the memory of models that are no longer used, also to other processes on a GPU."""
    import torch

    # the frames of an error, such as a prompt that was too long, can hold a model in a cycle
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def stream(request: Request, sample: int, length: int) -> list[float]:
    """Return the uniform numbers of one sample: a function of seed, prompt and sample index."""
    import numpy as np

    # Philox takes any key as its seed, so a hash of the name gives independent streams
    name = f"{request.sampling.seed}:{sample}:{request.prompt}"
    key = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:16], "big")
    return np.random.Generator(np.random.Philox(key=key)).random(length).tolist()
