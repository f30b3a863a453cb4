"""Reasoning in the local engines: marks that the chat template writes, and marks that are special
tokens."""

import asyncio
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from datagen.errors import UserError
from datagen.teacher import Request, Sampling
from datagen.teacher.chat.options import ChatOptions
from datagen.teacher.chat.reasoning import join_reasoning
from datagen.teacher.local import model as local_model
from datagen.teacher.local.hf import HfTeacher
from datagen.teacher.local.tokenizing import AnswerDecoder, opening_before, tokens_after
from datagen.teacher.local.vllm_arguments import read_completion

OPENS = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: <think>\n{% endif %}"
)
SWITCH = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: "
    "{% if enable_thinking %}<think>\n{% else %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
ASK = Request((("user", "Name a colour."),), sampling=Sampling(temperature=0, max_tokens=40))


@pytest.fixture
def tokenizer(tiny_model):
    return AutoTokenizer.from_pretrained(tiny_model)


def answered(folder, monkeypatch, text, *, template, ended=True, **options):
    """The completion of a model that writes this text, and the prompt that it was given."""
    teacher = HfTeacher(str(folder), name="tiny", chat=ChatOptions(**options))
    teacher.load_tokenizer().chat_template = template
    prompts = []

    def decode(network, ids, mask, rows, **settings):
        prompts.append(teacher.load_tokenizer().decode(ids[0]))
        for row in rows:
            row.tokens = teacher.load_tokenizer()(text, add_special_tokens=False).input_ids
            row.ended = ended

    monkeypatch.setattr(local_model, "decode", decode)

    async def go():
        try:
            return await teacher.complete(ASK)
        finally:
            await teacher.close()

    [completion] = asyncio.run(go())
    return completion, prompts[0]


def test_a_text_begins_in_the_reasoning_that_the_template_opened(tiny_model, monkeypatch):
    text = "Leaves are green.\n</think>\n\nGreen."
    found, prompt = answered(tiny_model, monkeypatch, text, template=OPENS)
    assert prompt.endswith("<think>\n")
    assert (found.reasoning, found.text) == ("Leaves are green.", "Green.")
    # the reasoning is a part of what was generated
    assert found.tokens > len(text) // 8


def test_a_text_that_never_leaves_that_reasoning_has_no_answer(tiny_model, monkeypatch):
    text = "Leaves. The answer is green."
    found, _ = answered(tiny_model, monkeypatch, text, template=OPENS, ended=False)
    assert (found.reasoning, found.text, found.finish_reason) == (text, "", "length")


@pytest.mark.parametrize(
    ("thinking", "end"), [(True, "<think>\n"), (False, "<think>\n\n</think>\n\n")]
)
def test_thinking_is_switched_by_the_template(tiny_model, monkeypatch, thinking, end):
    found, prompt = answered(tiny_model, monkeypatch, "Green.", template=SWITCH, thinking=thinking)
    assert prompt.endswith(end)
    assert found.text == ("" if thinking else "Green.")


def test_a_variable_that_the_template_lacks_is_refused(tiny_model, monkeypatch):
    with pytest.raises(UserError, match="has no 'depth'"):
        answered(tiny_model, monkeypatch, "x", template=SWITCH, variables={"depth": 1})


def test_marks_that_are_special_tokens_stay_in_the_text(tokenizer):
    words = ["[THINK]", "[/THINK]", "<|end_of_turn|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": words})
    tokens = tokenizer("[THINK]aa[/THINK]bb<|end_of_turn|>", add_special_tokens=False).input_ids
    assert "THINK" not in tokenizer.decode(tokens, skip_special_tokens=True)
    [text] = AnswerDecoder(tokenizer).decode([tokens])
    assert text.replace(" ", "") == "[THINK]aa[/THINK]bb"


def test_without_such_marks_texts_are_decoded_as_ever(tokenizer):
    answers = [tokenizer(text).input_ids for text in ("What is 3 + 4?", "a  b", "")]
    expected = tokenizer.batch_decode(answers, skip_special_tokens=True)
    assert AnswerDecoder(tokenizer).decode(answers) == expected


def test_what_is_scored_opens_its_reasoning_once(tokenizer):
    opened = tokenizer("Name a colour. <think>\n", add_special_tokens=False).input_ids
    assert opening_before(tokenizer, opened) == "<think>"
    bare = tokenizer("Name a colour.", add_special_tokens=False).input_ids
    text = "<think>\nLeaves.\n</think>\n\nGreen."
    assert tokenizer.decode(tokens_after(tokenizer, bare, text)).startswith("<think>")
    assert tokenizer.decode(tokens_after(tokenizer, opened, text)).startswith("Leaves.")


def test_a_choice_of_vllm_is_split():
    class Choice:
        token_ids = (1, 2, 3)
        cumulative_logprob = -3.0
        finish_reason = "stop"

    found = read_completion(Choice(), "<think>Leaves.</think>Green.", 5, Sampling(logprobs=True))
    assert (found.reasoning, found.text, found.tokens) == ("Leaves.", "Green.", 3)
    assert found.mean_logprob == -1.0


def test_joined_reasoning_passes_through_the_template_of_qwen3(tokenizer):
    trl = pytest.importorskip("trl")
    template = Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja"
    text = join_reasoning("Leaves.\n\nGrass.", "Green.")
    turns = [{"role": "user", "content": "Colour?"}, {"role": "assistant", "content": text}]
    tokenizer.chat_template = template.read_text()
    assert text in tokenizer.apply_chat_template(turns, tokenize=False)
