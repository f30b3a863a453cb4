"""Build the world's tokenizer: `python -m recipes.microworld.tokenizer OUT`.

It is a byte-level BPE, so it loses nothing of any text. Each word of the world is one token, with
and without a space before it. Each digit is a token of its own. The other tokens are the frequent
pieces of generated documents. All else is spelt in bytes.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import chain
from random import Random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from datagen.microworld.words import LABELS, LETTERS, MATERIALS, NAMES, ORDERS, SIZES, WORDS
from recipes.microworld.documents import KINDS, draw

SPECIAL = ["<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
# A space belongs to the word behind it, so that words in a row need no token for the space.
PIECES = r"'s| ?\p{L}+| ?\d|\n| ?[^\s\p{L}\d]+|\s"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] "
    "+ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build(*, per_kind: int = 3000) -> PreTrainedTokenizerFast:
    """Build the tokenizer from `per_kind` documents of each kind."""
    pieces = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )

    # A piece that occurs less often would be a token that training hardly sees.
    counts = _count(pieces, per_kind)
    frequent = [piece for piece, count in counts.items() if count >= 5 and len(piece) > 1]
    seen = _always() + frequent
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
    """Return the pieces that are tokens whether they are frequent or not."""
    words = [
        *WORDS,
        *LABELS,
        *SIZES,
        *MATERIALS,
        *LETTERS,
        *NAMES,
        *chain.from_iterable(ORDERS.values()),
        *(str(digit) for digit in range(10)),
    ]
    # Byte-level BPE writes a space as "Ġ". Single bytes are in the vocabulary anyway.
    forms = [*words, *("Ġ" + word for word in words)]
    return [form for form in forms if len(form) > 1]


def _count(pieces: pre_tokenizers.PreTokenizer, per_kind: int) -> Counter[str]:
    """Count the pieces of generated documents."""
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
