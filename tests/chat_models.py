"""Tiny chat models with real BPE merges, and the chat templates that TRL ships."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

TEXT = """
The baker sold the bread before noon, and the children carried the warm loaves home. A teacher asked
the question again: what is the word for the fruit on the table? The student gave the answer in one
word, and then the student stopped. You are a helpful assistant; the user says hello, the assistant
says hello too. System, user, assistant, model, tool: these are the roles of a conversation. Knowledge
ends at some date, and reasoning comes before the final answer. Name a number. Say a code word.
It was raining on Monday; by Tuesday the rivers stood higher than the oldest bridge of the town.
def add(a, b):
    return a + b
"""
"""What the merges are learned from."""
MERGES = 300
MARKS = re.compile(r"<\|[^|<>{}\s]+\|>|<｜[^｜<>{}]+｜>|<[|a-z_]+_(?:turn|utterance|id)>")
"""Most special tokens of the templates."""
FURTHER_MARKS = ("<|turn>", "<turn|>", "<|channel>", "<channel|>", "[gMASK]", "<sop>", "<bos>")
PLAIN_MARKS = ("<think>", "</think>")
"""Tokens that tokenizers add without making them special."""
END_OF_TEXT = "<|endoftext|>"
ENDS = {
    "cohere": "<|END_OF_TURN_TOKEN|>",
    "cohere2": "<|END_RESPONSE|>",
    "deepseek": "<｜end▁of▁sentence｜>",
    "diffusion_gemma": "<turn|>",
    "gemma": "<end_of_turn>",
    "gemma4": "<turn|>",
    "glm4moe_training": "<|user|>",
    "gptoss": "<|return|>",
    "lfm2": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "muse": "<|eot|>",
    "nemotron": "<|im_end|>",
    "phi3": "<|end|>",
    "qwen": "<|im_end|>",
}
"""The end of turn of every family of templates, as the models' makers document it."""
REFUSED = {
    "glm4moe": "writes nothing after an answer",
    "idefics3": "leaves out the text of an answer",
    "smolvlm": "leaves out the text of an answer",
    "llava_next": "refuses the conversation: 'str object' has no attribute 'text'",
}
"""What is said of the templates that no student can be trained with on text."""
CUTTING = ("deepseek_r1_distill", "deepseekv3", "deepseekv3_training")
"""Templates that cut thoughts out of answers."""


@cache
def templates() -> dict[str, str]:
    """Every chat template of the installed TRL, by name."""
    import trl

    folder = Path(trl.__file__).parent / "chat_templates"
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.jinja"))}


@cache
def trained_bpe() -> str:
    """A byte-level BPE with real merges, as the library `tokenizers` writes it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + MERGES, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(TEXT.splitlines(keepends=True), trainer)
    return str(bpe.to_str())


def chat_tokenizer(template: str, *, eos: str = END_OF_TEXT, pad: str = "<|pad|>") -> Any:
    """A byte-level BPE tokenizer of a base model: its end token is another than the template's."""
    from tokenizers import Tokenizer
    from transformers import AddedToken, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(trained_bpe()),
        bos_token="<bos>",
        eos_token=eos,
        pad_token=pad,
    )
    marks = sorted({*MARKS.findall(" ".join(templates().values())), *FURTHER_MARKS})
    tokenizer.add_tokens([AddedToken(mark, special=True) for mark in marks])
    tokenizer.add_tokens(list(PLAIN_MARKS))
    tokenizer.chat_template = template
    return tokenizer


def save_chat_model(folder: Path, template: str, *, seed: int = 0, **tokens: str) -> Path:
    """Write a tiny random Llama with such a tokenizer. Its generation config has two end tokens, and
    neither is one that a template writes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = chat_tokenizer(template, **tokens)
    ends = tokenizer.convert_tokens_to_ids([tokenizer.eos_token, "<bos>"])
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        initializer_range=0.1,
    )
    model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = ends
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def of_family(name: str, families: dict[str, str]) -> str | None:
    """What is known of a template's family: the longest beginning of its name decides."""
    known = max((key for key in families if name.startswith(key)), key=len, default=None)
    return families[known] if known else None


def usable() -> list[str]:
    """The names of the templates with which a student can be trained."""
    return [name for name in templates() if not is_refused(name)]


def is_refused(name: str) -> bool:
    return name in REFUSED or name.removesuffix("_training") in set(REFUSED) - {"glm4moe"}
