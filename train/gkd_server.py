"""The teacher behind vLLM's own server (`vllm serve MODEL`): asked over HTTP for the probabilities
of given tokens.

The one endpoint that is used beside `/v1/models` is `/v1/completions`, with token ids as the prompt
and `prompt_logprobs`: vLLM alone gives that. TRL's client asks the same, but opens only where vLLM
is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import openai
from trl import DistillationTrainer
from trl.experimental.server_distillation import ServerDistillationTrainer
from trl.generation.vllm_client import VLLMClient

from datagen.errors import UserError
from datagen.teacher.tokens import row_tokens
from train.student import Student

RETRIES = 5
"""Of a request that failed on its way, or with a status that passes."""


class TeacherServer(VLLMClient):
    """TRL's client with another transport: `get_sequence_logprobs` is TRL's."""

    def __init__(self, url: str):
        """Raises UserError where no vLLM server answers."""
        self.base_url = url.strip().rstrip("/").removesuffix("/v1")
        key = os.environ.get("VLLM_API_KEY") or "none"
        self.client = openai.OpenAI(
            base_url=f"{self.base_url}/v1", api_key=key, max_retries=RETRIES
        )
        with refused(self.base_url):
            models = self.client.with_options(max_retries=0).models.list().data
        if not models:
            raise UserError(f"--teacher_model_server_url {url}: it serves no model")
        self.model = models[0].id

    def _post(self, url: str, **kwargs: Any) -> dict[str, Any]:
        with refused(self.base_url):
            found: Any = self.client.post(
                url.removeprefix(f"{self.base_url}/v1"), body=kwargs["json"], cast_to=object
            )
        if not all(choice.get("prompt_logprobs") for choice in found["choices"]):
            raise UserError(
                f"{self.base_url} gives no prompt_logprobs: the server of `vllm serve` does"
            )
        return dict(found)


@contextmanager
def refused(url: str) -> Iterator[None]:
    """What a server or its absence says, as one line: raises UserError."""
    try:
        yield
    except openai.APIConnectionError:
        raise UserError(
            f"no server at {url}: `vllm serve TEACHER` starts one, and prints its address"
        ) from None
    except openai.APIStatusError as error:
        why = " ".join(str(error.message).split())[:300]
        hint = (
            "; start it with `vllm serve --max-logprobs -1`, or lower --loss_top_k"
            if "logprobs" in why
            else ""
        )
        raise UserError(f"the teacher's server at {url} refuses: {why}{hint}") from None


class ServerStudent(Student, ServerDistillationTrainer):
    """The teacher is on a vLLM server, which gives its most probable tokens alone.

    With probability λ a step's completions are the student's own, else the dataset's (Agarwal et
    al., arXiv 2306.13649, algorithm 1; TRL's trainer has λ = 1 alone)."""

    def __init__(
        self,
        *args: Any,
        lineage: dict[str, Any],
        teacher: TeacherServer,
        lmbda: float,
        **kwargs: Any,
    ):
        self.lineage, self.lmbda = lineage, lmbda
        self.given: list[list[int]] | None = None
        # past ServerDistillationTrainer's, which opens TRL's client
        DistillationTrainer.__init__(self, *args, teacher_model=None, **kwargs)
        self.teacher_client = teacher
        self.loss_top_k, self.loss_add_tail = self.args.loss_top_k, self.args.loss_add_tail
        self.reverse_kl_top_1_mode = self.args.reverse_kl_top_1_mode

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        own = Random(f"{self.args.seed}:lmbda:{self.state.global_step}").random() < self.lmbda
        self.given = None if own else [row_tokens(row, self._tokenizer)[1] for row in inputs]
        return super()._generate_and_score_completions(inputs)

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        return super()._generate_single_turn(*args, **kwargs) if self.given is None else self.given

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns: list[str] = ["prompt", "completion"]
