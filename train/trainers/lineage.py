"""What a student is made from, for `lineage.json`: base, data, settings."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen import __version__

if TYPE_CHECKING:
    from trl import ModelConfig, SFTConfig

STATED = (
    *("num_train_epochs", "max_steps", "learning_rate", "lr_scheduler_type", "warmup_steps"),
    *("weight_decay", "optim", "per_device_train_batch_size", "gradient_accumulation_steps"),
    *("max_length", "packing", "max_grad_norm", "bf16", "seed"),
    *("lmbda", "beta", "temperature", "max_completion_length"),
)
"""Settings that lineage and card always state, even at their default."""
UNSTATED = (
    *("output_dir", "run_name", "project", "report_to", "use_cpu", "accelerator_config"),
    *("dataloader_num_workers", "dataloader_pin_memory", "dataloader_persistent_workers"),
    *("dataloader_prefetch_factor", "gradient_checkpointing", "include_for_metrics", "debug"),
    *("pad_to_multiple_of", "teacher_model_name_or_path", "teacher_tokenizer_name_or_path"),
    "teacher_model_server_url",
)
"""Settings that do not change the weights, or that contain paths or addresses of this machine."""
UNSTATED_PREFIXES = (
    *("logging", "log_", "save_", "hub_", "push_", "eval_"),
    *("disable_tqdm", "dataset_num_proc"),
)
"""Prefixes of further settings of that kind."""
FLAG_OF = {"max_completion_length": "max_new_tokens"}
"""TRL's names of settings whose flags have another name: lineage and card state the flag."""
OPENED = {"dtype": "float32", "attn_implementation": None}
"""TRL's defaults for opening the base. Only other values are stated."""
ADAPTER_PREFIXES = ("lora_", "use_dora", "use_rslora", "load_in_")
"""Prefixes of the settings of an adapter."""


def lineage_of(
    training: Any, model: ModelConfig, *, base: dict[str, Any], dataset: dict[str, Any]
) -> dict[str, Any]:
    """Return what the student is made from; the same command gives the same dict.

    Args:
        training: TRL's settings.
        model: TRL's settings of the base and the adapter.
        base: name and hash of the base.
        dataset: name, version and hash of the data.
    """
    return {
        "format": 1,
        "method": "sft",
        "code_version": __version__,
        "base": base,
        "dataset": dataset,
        "settings": settings_of(training, model),
    }


def settings_of(training: SFTConfig, model: ModelConfig) -> dict[str, Any]:
    """Return the settings that decide the weights.

    They are the usual ones (`STATED`), and all that differ from their default.
    """
    values = training.to_dict() | hidden_settings(training)
    defaults = {field.name: default_of(field) for field in dataclasses.fields(training)}
    deciding = {name: value for name, value in values.items() if may_change_weights(name)}
    settings = {
        FLAG_OF.get(name, name): value
        for name, value in deciding.items()
        if name in STATED or value != defaults.get(name, value)
    }
    # the template decides the weights, but its path means nothing on other machines
    if path := settings.get("chat_template_path"):
        settings["chat_template_path"] = content_name(path)

    own = vars(model)
    opened = {name: own[name] for name in own if name in OPENED and own[name] != OPENED[name]}
    adapter = {name: own[name] for name in own if name.startswith(ADAPTER_PREFIXES)}
    return {
        **settings,
        **opened,
        "devices": training.world_size,
        **(adapter if model.use_peft else {}),
    }


def may_change_weights(name: str) -> bool:
    """Return whether a setting may change the weights."""
    return name not in UNSTATED and not name.startswith(UNSTATED_PREFIXES)


def hidden_settings(training: Any) -> dict[str, Any]:
    """Return the settings that `to_dict` hides because their names look like those of secrets."""
    return {k: vars(training)[k] for k in ("eos_token", "pad_token") if k in vars(training)}


def content_name(path: str) -> str:
    """Return a name without a path of this machine.

    A file is named by the hash of its content, a folder by its last part. A place on the Hub stays
    as it is.
    """
    place = Path(path)
    if place.is_file():
        return f"sha256:{hashlib.sha256(place.read_bytes()).hexdigest()}"
    return place.resolve().name if place.is_dir() else path


def default_of(field: dataclasses.Field[Any]) -> Any:
    """Return the default of a setting."""
    if field.default_factory is dataclasses.MISSING:
        return field.default
    return field.default_factory()


def base_of(model: ModelConfig) -> dict[str, Any]:
    """Return the entry of the base in the lineage."""
    return model_lineage(model.model_name_or_path, model.model_revision)


def model_lineage(name: str, revision: str | None) -> dict[str, Any]:
    """Return a model's name, and the hash or the revision of its files.

    A folder is named by its last part, because a lineage must not contain local paths.
    """
    from datagen.teacher.fingerprint import fingerprint

    # the files of a folder may change, so they are hashed; on the Hub the revision identifies them
    folder = Path(name)
    if folder.is_dir():
        return {"name": folder.resolve().name, "fingerprint": fingerprint(folder)}
    return {"name": name, "revision": revision}


def card_of(lineage: dict[str, Any]) -> str:
    """Return the model card, rendered from the lineage alone."""
    from cards.model import model_card

    return model_card(lineage)
