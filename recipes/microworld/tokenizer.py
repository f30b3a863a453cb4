"""Build the world's tokenizer: `python -m recipes.microworld.tokenizer OUT`.

A byte-level BPE, so lossless on any text, in which every word of the world is one token, with and
without the space before it. Digits stand alone. The vocabulary is counted on generated documents;
all else is spelt in bytes."""

from __future__ import annotations

import sys
from collections import Counter
from random import Random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from datagen.microworld.words import LABELS, LETTERS, MATERIALS, NAMES, ORDERS, SIZES, WORDS
from recipes.microworld.documents import KINDS, draw

SPECIAL = ["<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
PIECES = r"'s| ?\p{L}+| ?\d|\n| ?[^\s\p{L}\d]+|\s"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build(*, per_kind: int = 3000) -> PreTrainedTokenizerFast:
    """The tokenizer, from `per_kind` documents of each kind."""
    pieces = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    seen = _always() + [
        piece for piece, count in _count(pieces, per_kind).items() if count >= 5 and len(piece) > 1
    ]
    tokens = dict.fromkeys(
        [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), *sorted(set(seen))]
    )
    tokenizer = Tokenizer(
        models.BPE({token: i for i, token in enumerate(tokens)}, [], ignore_merges=True)
    )
    tokenizer.pre_tokenizer = pieces
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        extra_special_tokens=SPECIAL[1:4],
        padding_side="left",
        model_max_length=512,
        clean_up_tokenization_spaces=False,
        chat_template=TEMPLATE,
    )


def _always() -> list[str]:
    words = [
        *WORDS,
        *LABELS,
        *SIZES,
        *MATERIALS,
        *LETTERS,
        *NAMES,
        *(word for order in ORDERS.values() for word in order),
    ]
    digits = [str(digit) for digit in range(10)]
    return [form for word in [*words, *digits] for form in (word, "Ġ" + word) if len(form) > 1]


def _count(pieces: pre_tokenizers.PreTokenizer, per_kind: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for kind in KINDS:
        rng = Random(f"0:tokenizer:{kind}")
        for _ in range(per_kind):
            for text, _ in draw(rng, kind):
                if text not in SPECIAL:
                    counts.update(piece for piece, _ in pieces.pre_tokenize_str(text))
    return counts


if __name__ == "__main__":
    build().save_pretrained(sys.argv[1])
