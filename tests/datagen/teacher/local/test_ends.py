"""The tokens at which the local engines stop: of the chat template, the tokenizer and the generation
config."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from datagen.teacher import Request, Sampling
from datagen.teacher.chat.template import end_tokens, stop_tokens
from datagen.teacher.local.vllm import VllmTeacher
from datagen.teacher.local.vllm_arguments import sampling_params
from datagen.teacher.spec import TeacherSpec
from tests.chat_models import chat_tokenizer

TURNS = "{% for m in messages %}<|start|>{{ m.role }}|{{ m.content }}"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return chat_tokenizer("")


@pytest.mark.parametrize(
    ("behind", "expected"),
    [
        ("<|end|>\n{% endfor %}", ["<|end|>"]),
        ("\n\nEnd.<|end|>{% endfor %}<|endoftext|>", ["<|end|>", "<|endoftext|>"]),
        ("{% endfor %}{{ eos_token }}", ["<|endoftext|>"]),
        ("</think>{% endfor %}", ["</think>"]),
        ("</turn>{% endfor %}", []),
        ("{% endfor %}", []),
    ],
)
def test_the_special_tokens_behind_an_answer(
    tokenizer: Any, behind: str, expected: list[str]
) -> None:
    tokenizer.chat_template = TURNS + behind
    assert tokenizer.convert_ids_to_tokens(end_tokens(tokenizer)) == expected


@pytest.mark.parametrize(
    ("template", "listed", "expected"),
    [
        (f"{TURNS}<|end|>{{% endfor %}}", [5, 6], {"<|end|>", "<|endoftext|>", 5, 6}),
        (f"{TURNS}<|end|>{{% endfor %}}", 5, {"<|end|>", "<|endoftext|>", 5}),
        (f"{TURNS}<|end|><|eot|>{{% endfor %}}", None, {"<|end|>", "<|endoftext|>"}),
        ("{{ raise_exception('no') }}", None, {"<|endoftext|>"}),
        (None, None, {"<|endoftext|>"}),
    ],
    ids=["list", "one", "two behind", "refuses", "no template"],
)
def test_all_that_end_an_answer(
    tokenizer: Any, template: str | None, listed: Any, expected: set[Any]
) -> None:
    tokenizer.chat_template = template
    config = SimpleNamespace(eos_token_id=listed)
    ids = {
        end if isinstance(end, int) else tokenizer.convert_tokens_to_ids(end) for end in expected
    }
    assert stop_tokens(tokenizer, config) == ids


def test_vllm_is_given_the_ends_that_it_does_not_read_itself(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """vLLM reads the generation config alone."""
    tokenizer.chat_template = f"{TURNS}<|end|>{{% endfor %}}"
    kinds = SimpleNamespace(RequestOutputKind=SimpleNamespace(FINAL_ONLY=0))
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=dict))
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", kinds)
    teacher = VllmTeacher(TeacherSpec.of_model("vllm:somewhere/model"))
    monkeypatch.setattr(teacher, "load_tokenizer", lambda: tokenizer)
    request = Request("Name a sea.", sampling=Sampling(max_tokens=9))
    found = sampling_params(request, 100, teacher._ends)
    ends = tokenizer.convert_tokens_to_ids(["<|end|>", "<|endoftext|>"])
    assert found["stop_token_ids"] == sorted(ends)
