"""The student's trainer: one of TRL's, with the student's card and lineage in the place of its
generic card."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trl import ModelConfig, SFTConfig, SFTTrainer

from datagen import __version__
from datagen.run.folder import write_json
from train.checkpoints import LINEAGE
from train.failures import no_number, refusals

if TYPE_CHECKING:
    from datagen.versions import Version

SHOWN = (
    *(
        "num_train_epochs",
        "max_steps",
        "learning_rate",
        "lr_scheduler_type",
        "warmup_steps",
        "weight_decay",
        "optim",
    ),
    *(
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "max_length",
        "packing",
        "max_grad_norm",
    ),
    *("bf16", "seed", "lmbda", "beta", "temperature", "max_new_tokens", "max_completion_length"),
)
"""Settings that lineage and card state even at their default."""
UNSTATED = (
    *("output_dir", "run_name", "project", "report_to", "use_cpu", "accelerator_config"),
    *(
        "dataloader_num_workers",
        "dataloader_pin_memory",
        "dataloader_persistent_workers",
        "dataloader_prefetch_factor",
    ),
    *("gradient_checkpointing", "include_for_metrics", "debug", "pad_to_multiple_of"),
    *("teacher_model_name_or_path", "teacher_tokenizer_name_or_path", "teacher_model_server_url"),
)
UNSTATED_KINDS = (
    "logging",
    "log_",
    "save_",
    "hub_",
    "push_",
    "eval_",
    "disable_tqdm",
    "dataset_num_proc",
)
"""Settings that change no weight, or that name places on this machine."""
OPENED = {"dtype": "float32", "attn_implementation": None}
"""How the base is opened, with TRL's defaults."""


class Student:
    """What every trainer of TRL's is here. `lineage`: what the student is made from; it becomes
    `lineage.json` and the card, which checkpoints and uploads carry too."""

    args: Any
    model: Any
    state: Any
    _tokenizer: Any
    is_world_process_zero: Any
    save_model: Any
    push_to_hub: Any

    def __init__(self, *args: Any, lineage: dict[str, Any], **kwargs: Any):
        self.lineage = lineage
        super().__init__(*args, **kwargs)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Raises UserError where the loss is no number: every weight would be lost, and the log
        would not say so."""
        loss = super().training_step(*args, **kwargs)  # type: ignore[misc]
        if not math.isfinite(loss.item()):
            raise no_number(self, loss.item(), args[1])
        return loss

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        """Nothing after the last step: resumed from its checkpoint, transformers would take one
        more."""
        if self.state.global_step < self.state.max_steps:
            super()._run_epoch(*args, **kwargs)  # type: ignore[misc]

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """Raises UserError for settings that the optimizer refuses."""
        with refusals(ValueError, TypeError):
            return super().create_optimizer(*args, **kwargs)  # type: ignore[misc]

    def create_scheduler(self, *args: Any, **kwargs: Any) -> Any:
        """Raises UserError for settings that the schedule refuses."""
        with refusals(ValueError, TypeError):
            return super().create_scheduler(*args, **kwargs)  # type: ignore[misc]

    def create_model_card(self, *_: Any, **__: Any) -> None:
        self.describe()

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)  # type: ignore[misc]
        self.describe(output_dir)  # PEFT has written a card of its own

    def describe(self, place: str | None = None) -> None:
        """Write lineage and card as they stand, into the student's folder or one of its
        checkpoints."""
        if self.is_world_process_zero():
            folder = Path(place or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            write_json(
                folder / LINEAGE, self.lineage
            )  # whole at any moment: other processes read it
            (folder / "README.md").write_text(card_of(self.lineage), encoding="utf-8")

    def finish(self) -> None:
        """Save the model. No loss is stated: logged ones are means since the last log or resume,
        not of the weights."""
        self.save_model()
        self.lineage["result"] = {"steps": self.state.global_step}
        self.describe()
        if self.args.push_to_hub:
            self.push_to_hub()

    def end_tokens(self) -> set[int]:
        """Token ids at which the student stops generating."""
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        return {end for end in [*ends, self._tokenizer.eos_token_id] if end is not None}


class StudentTrainer(Student, SFTTrainer):
    """TRL's `SFTTrainer`."""


def lineage_of(
    training: Any, model: ModelConfig, *, base: dict[str, Any], dataset: dict[str, Any]
) -> dict[str, Any]:
    """What the student is made from: base, dataset version and hash, settings. The same command
    gives the same dict."""
    return {
        "format": 1,
        "method": "sft",
        "code_version": __version__,
        "base": base,
        "dataset": dataset,
        "settings": settings_of(training, model),
    }


def dataset_lineage(version: Version, config: str, rows: int) -> dict[str, Any]:
    """A dataset version, the config that was used, and how many rows; of one from the Hub its
    commit."""
    return {
        "name": version.name,
        "version": version.version,
        **({"commit": version.commit} if version.commit else {}),
        "content_sha256": version.content_sha256,
        "config": config,
        "rows": rows,
    }


def settings_of(training: SFTConfig, model: ModelConfig) -> dict[str, Any]:
    """The settings that decide the weights: the usual ones, and every other that is not at its
    default."""
    hidden = {
        k: vars(training)[k] for k in ("eos_token", "pad_token") if k in vars(training)
    }  # to_dict hides tokens
    values = training.to_dict() | hidden
    defaults = {field.name: default_of(field) for field in dataclasses.fields(training)}
    told = {
        k: v for k, v in values.items() if k not in UNSTATED and not k.startswith(UNSTATED_KINDS)
    }
    settings = {k: v for k, v in told.items() if k in SHOWN or v != defaults.get(k, v)}
    if path := settings.get("chat_template_path"):
        settings["chat_template_path"] = content_name(path)
    opened = {k: v for k, v in vars(model).items() if k in OPENED and v != OPENED[k]}
    adapter = {
        k: v
        for k, v in vars(model).items()
        if k.startswith(("lora_", "use_dora", "use_rslora", "load_in_"))
    }
    return {
        **settings,
        **opened,
        "devices": training.world_size,
        **(adapter if model.use_peft else {}),
    }


def content_name(path: str) -> str:
    """What names a file by its content, a folder by its last part, and a place on the Hub as it
    is."""
    place = Path(path)
    if place.is_file():
        return f"sha256:{hashlib.sha256(place.read_bytes()).hexdigest()}"
    return place.resolve().name if place.is_dir() else path


def default_of(field: dataclasses.Field[Any]) -> Any:
    return (
        field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    )


def base_of(model: ModelConfig) -> dict[str, Any]:
    return model_lineage(model.model_name_or_path, model.model_revision)


def model_lineage(name: str, revision: str | None) -> dict[str, Any]:
    """A model's name, and the hash or the revision of its files. Folders are named by their last
    part: lineage holds no machine paths."""
    from datagen.teacher.fingerprint import fingerprint

    folder = Path(name)
    if folder.is_dir():
        return {"name": folder.resolve().name, "fingerprint": fingerprint(folder)}
    return {"name": name, "revision": revision}


def card_of(lineage: dict[str, Any]) -> str:
    """The model card, rendered from the lineage alone."""
    from cards.model import model_card

    return model_card(lineage)
