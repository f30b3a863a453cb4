"""Magpie on a real model, small enough to be trained here: what it writes when only the template is
given."""

import asyncio
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datagen.errors import UserError
from datagen.instructions.magpie.chat_template import user_turn
from datagen.instructions.magpie.command import MagpieSettings, run_magpie
from datagen.instructions.magpie.generate import indices, unfit
from datagen.instructions.overlap import overlap
from datagen.teacher import Completion
from datagen.teacher.local.hf import HfTeacher
from tests.tiny import save_tiny_model

CHATS = [("Say hi.", "Hi."), ("2+2?", "4."), ("Name me:", "Bo."), ("Sing.", "I am sorry.")]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A tiny model that has learnt four chats by heart, the user's turns too."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = save_tiny_model(tmp_path_factory.mktemp("magpie") / "model", context=64)
    tokenizer, net = (
        AutoTokenizer.from_pretrained(folder),
        AutoModelForCausalLM.from_pretrained(folder),
    )
    texts = [f"<|user|>{asked}<|end|><|assistant|>{said}<|end|>" for asked, said in CHATS]
    rows = tokenizer(texts, padding=True, padding_side="right", return_tensors="pt")
    labels = rows.input_ids.masked_fill(rows.attention_mask == 0, -100)
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for _ in range(150):
        loss = net(**rows, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss < 0.2  # the choice of the chat is all that is left open
    net.save_pretrained(folder)
    return folder


def run(model: Path, out: Path, **settings) -> tuple[list[dict], list[dict]]:
    values = {"target": 2, "max_tokens": 24, "patience": 60, **settings}
    try:
        run_magpie(MagpieSettings(teacher=f"hf:{model}", out=out, **values))
    finally:
        tables = [
            pq.read_table(out / f"{name}.parquet").to_pylist()
            for name in ("instructions", "rejected")
        ]
    return tables[0], tables[1]


def test_the_model_asks_itself_and_answers(model, tmp_path):
    accepted, rejected = run(model, tmp_path / "run")
    assert len(accepted) == 2
    assert {row["instruction"]: row["output"] for row in accepted}.items() <= dict(CHATS).items()
    assert {row["prompt"][0]["role"] for row in accepted} == {"user"}
    for row in rejected:
        if row["instruction"] == "Name me:":
            assert (row["reason"], row["completion"]) == ("trailing_colon", [])
        if row["instruction"] == "Sing.":
            assert row["reason"] == "refusal"


def test_concurrency_changes_no_byte(model, tmp_path):
    for name, concurrency in (("one", 1), ("many", 64)):
        run(model, tmp_path / name, concurrency=concurrency)
    for name in ("instructions", "rejected"):
        one, many = ((tmp_path / run / f"{name}.parquet").read_bytes() for run in ("one", "many"))
        assert one == many


def test_a_target_out_of_reach_ends_with_what_there_is(model, tmp_path):
    with pytest.raises(UserError, match=r"2 of 50 rows: 60 instructions in a row were rejected"):
        run(model, tmp_path / "run", target=50)
    rejected = pq.read_table(tmp_path / "run" / "rejected.parquet").to_pylist()
    assert {"duplicate", "trailing_colon", "refusal"} <= {row["reason"] for row in rejected}
    assert [row["reason"] for row in rejected].count("duplicate") > 10


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ("Name me:", "stop", "trailing_colon"),
        ("翻译：", "stop", "trailing_colon"),
        ("At 10:30, where?", "stop", None),
        ("Name me", "length", "truncated"),
        (" \n", "stop", "empty"),
    ],
)
def test_instructions_that_are_unfit(text, finish, reason):
    assert unfit(Completion(text, finish)) == reason


class Tokenizer:
    """As much of a tokenizer as a chat template needs."""

    bos_token, bos_token_id = "<s>", 1

    def __init__(self, template, adds_bos=True):
        self.chat_template, self.adds_bos = template, adds_bos

    def __call__(self, text):
        return type("Encoding", (), {"input_ids": [1] * self.adds_bos})

    def apply_chat_template(self, messages, *, tokenize, add_generation_prompt):
        from jinja2 import Template

        return Template(self.chat_template).render(
            messages=messages, bos_token=self.bos_token, add_generation_prompt=add_generation_prompt
        )


CHATML = (
    "<|im_start|>system\nBe kind.<|im_end|>\n"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INST = "{{ bos_token }}{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}"
BARE = (
    "{{ bos_token }}{% for m in messages %}<User>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<Assistant>{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "turn"),
    [
        (CHATML, ("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n", "<|im_end|>")),
        (INST, ("[INST] ", "[/INST]")),
        (BARE, ("<User>", "<Assistant>")),
    ],
)
def test_the_pre_query_template_is_what_stands_before_the_users_words(template, turn):
    assert user_turn(Tokenizer(template)) == turn


def test_a_first_token_stays_where_the_tokenizer_adds_none():
    assert user_turn(Tokenizer(INST, adds_bos=False))[0] == "<s>[INST] "


def test_the_text_encodes_to_the_tokens_of_the_chat(model):
    teacher = HfTeacher(str(model), name="tiny")
    before, behind = user_turn(teacher.load_tokenizer())
    chat = teacher.load_tokenizer().apply_chat_template(
        [{"role": "user", "content": "Say hi."}], return_dict=False
    )
    assert teacher.load_tokenizer()(f"{before}Say hi.{behind}").input_ids == chat


def test_who_has_no_template_is_told(model, tmp_path):
    with pytest.raises(UserError, match=r"which openai:gpt hides: use micro, hf:NAME"):
        run_magpie(MagpieSettings(target=1, teacher="openai:gpt"))
    for template in (None, "", "{{ messages[0].content }}"):
        with pytest.raises(UserError, match=r"chat template"):
            user_turn(Tokenizer(template))


def test_results_come_in_order_and_the_rest_is_stopped():
    under_way = set()

    async def make(index):
        under_way.add(index)
        try:
            await asyncio.sleep(0.01 * (5 - index % 5))
        finally:
            under_way.discard(index)
        return index

    async def go():
        found, most = [], 0
        stream = overlap(indices(), make, most=3)
        async for index in stream:
            found.append(index)
            most = max(most, len(under_way))
            if index == 11:
                break
        await stream.aclose()
        return found, most

    found, most = asyncio.run(go())
    assert found == list(range(12))
    assert 1 <= most <= 3
    assert not under_way
