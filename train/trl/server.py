"""A teacher behind vLLM's own server, asked over HTTP for the probabilities of given tokens.

`vllm serve MODEL` starts the server. Besides `/v1/models` one endpoint is used: `/v1/completions`,
with token ids as the prompt and `prompt_logprobs`, which only vLLM offers. TRL's client sends the
same requests, but its constructor needs an installed vLLM.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
from trl import DistillationTrainer
from trl.experimental.server_distillation import ServerDistillationTrainer
from trl.generation.vllm_client import VLLMClient

from datagen.errors import UserError
from datagen.secrets import Secrets, public_url
from train.trl.distillation import MixedCompletions

RETRIES = 5
"""How often a request is sent again after a network error or a temporary status. The client waits
longer each time, so five tries outlast a short interruption."""
MESSAGE_LENGTH = 300
"""Characters of the server's own message that an error shows: enough for its first sentences."""


class TeacherServer(VLLMClient):
    """TRL's client with another transport; `get_sequence_logprobs` is unchanged."""

    def __init__(self, url: str):
        """Connect to a server.

        Raises:
            UserError: no vLLM server answers.
        """
        self.base_url = url.strip().rstrip("/").removesuffix("/v1")
        # the SDK needs some key, and a server without keys accepts any
        key = os.environ.get("VLLM_API_KEY") or "none"
        self.client = openai.OpenAI(
            base_url=f"{self.base_url}/v1", api_key=key, max_retries=RETRIES
        )
        with refusals_of(self.base_url):
            # without retries: a wrong address is reported at once
            models = self.client.with_options(max_retries=0).models.list().data
        if not models:
            raise UserError(f"--teacher_model_server_url {public_url(url)}: it serves no model")
        self.model = models[0].id

    def _post(self, url: str, **kwargs: Any) -> dict[str, Any]:
        path = url.removeprefix(f"{self.base_url}/v1")
        with refusals_of(self.base_url):
            found: Any = self.client.post(path, body=kwargs["json"], cast_to=object)
        # other servers accept the request but leave the probabilities out
        if not all(choice.get("prompt_logprobs") for choice in found["choices"]):
            where = public_url(self.base_url)
            raise UserError(f"{where} returns no prompt_logprobs; a server of `vllm serve` does")
        return dict(found)


@contextmanager
def refusals_of(url: str) -> Iterator[None]:
    """Raise a UserError of one line if the server refuses, or if there is none."""
    where = public_url(url)
    try:
        yield
    except openai.APIConnectionError:
        raise UserError(
            f"no server at {where}: `vllm serve TEACHER` starts one, and prints its address"
        ) from None
    except openai.APIStatusError as error:
        message = Secrets(addresses=[url]).message(str(error.message))
        why = " ".join(message.split())[:MESSAGE_LENGTH]
        hint = ""
        if "logprobs" in why:
            hint = "; start it with `vllm serve --max-logprobs -1`, or lower --loss_top_k"
        raise UserError(f"the teacher's server at {where} refuses: {why}{hint}") from None


class ServerTrainer(MixedCompletions, ServerDistillationTrainer):
    """TRL's trainer with a teacher on a server, for any share of the student's own completions.

    The server returns only its most probable tokens.
    """

    def __init__(self, *args: Any, teacher: TeacherServer, **kwargs: Any):
        # the constructor of ServerDistillationTrainer is skipped: it opens TRL's own client
        DistillationTrainer.__init__(self, *args, teacher_model=None, **kwargs)
        self.teacher_client = teacher
        self.loss_top_k = self.args.loss_top_k
        self.loss_add_tail = self.args.loss_add_tail
        self.reverse_kl_top_1_mode = self.args.reverse_kl_top_1_mode

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if not self.model.training:
            return found
        # TRL returns the batch's mean, divided by the number of batches: a short batch would have
        # the weight of a long one. This is its share of the mean over the step's tokens.
        batches = self.current_gradient_accumulation_steps * self.accelerator.num_processes
        share = inputs["completion_mask"].sum() / inputs["num_items_in_batch"].clamp(min=1)
        if return_outputs:
            return found[0] * batches * share, found[1]
        return found * batches * share
