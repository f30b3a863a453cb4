"""The student's trainer: one of TRL's, with the student's card and lineage in the place of its generic card."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trl import ModelConfig, SFTConfig, SFTTrainer

from datagen import __version__
from datagen.errors import UserError
from datagen.run_folder import differences
from train.failures import damaged, no_number, whole_checkpoints

if TYPE_CHECKING:
    from datagen.publish import Version

LINEAGE = "lineage.json"
SHOWN = (
    *("num_train_epochs", "max_steps", "learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay", "optim"),
    *("per_device_train_batch_size", "gradient_accumulation_steps", "max_length", "packing", "max_grad_norm"),
    *("bf16", "seed", "lmbda", "beta", "temperature", "max_new_tokens", "max_completion_length"),
)
"""Settings that lineage and card state even at their default."""
UNSTATED = (
    *("output_dir", "run_name", "project", "report_to", "use_cpu", "accelerator_config", "model_init_kwargs"),
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
    "dataloader_",
    "dataset_num_proc",
)
"""Settings that change no weight, or that name places on this machine."""


class Student:
    """What every trainer of TRL's is here. `lineage`: what the student is made from; it becomes `lineage.json` and the
    card, which checkpoints and uploads carry too."""

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
        """Raises UserError where the loss is no number: every weight would be lost, and the log would not say so."""
        loss = super().training_step(*args, **kwargs)  # type: ignore[misc]
        if not math.isfinite(loss.item()):
            raise no_number(self, loss.item(), args[1])
        return loss

    def create_model_card(self, *_: Any, **__: Any) -> None:
        self.describe()

    def describe(self) -> None:
        """Write lineage and card as they stand."""
        if self.is_world_process_zero():
            folder = Path(self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / LINEAGE).write_text(
                json.dumps(self.lineage, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
            )
            (folder / "README.md").write_text(card_of(self.lineage), encoding="utf-8")

    def finish(self) -> None:
        """Save the model. No loss is stated: logged ones are means since the last log or resume, not of the weights."""
        self.lineage["result"] = {"steps": self.state.global_step}
        self.describe()
        self.save_model()
        if self.args.push_to_hub:
            self.push_to_hub()

    def end_tokens(self) -> set[int]:
        """Token ids at which the student stops generating."""
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        return {end for end in [*ends, self._tokenizer.eos_token_id] if end is not None}


class StudentTrainer(Student, SFTTrainer):
    """TRL's `SFTTrainer`."""


def lineage_of(training: Any, model: ModelConfig, *, base: dict[str, Any], dataset: dict[str, Any]) -> dict[str, Any]:
    """What the student is made from: base, dataset version and hash, settings. The same command gives the same dict."""
    return {
        "format": 1,
        "method": "sft",
        "code_version": __version__,
        "base": base,
        "dataset": dataset,
        "settings": settings_of(training, model),
    }


def dataset_lineage(version: Version, config: str, rows: int) -> dict[str, Any]:
    """A dataset version, the config that was used, and how many rows; of one from the Hub its commit."""
    return {
        "name": version.name,
        "version": version.version,
        **({"commit": version.commit} if version.commit else {}),
        "content_sha256": version.content_sha256,
        "config": config,
        "rows": rows,
    }


def settings_of(training: SFTConfig, model: ModelConfig) -> dict[str, Any]:
    """The settings that decide the weights: the usual ones, and every other that is not at its default."""
    hidden = {k: vars(training)[k] for k in ("eos_token", "pad_token") if k in vars(training)}  # to_dict hides tokens
    values = training.to_dict() | hidden
    defaults = {field.name: default_of(field) for field in dataclasses.fields(training)}
    told = {k: v for k, v in values.items() if k not in UNSTATED and not k.startswith(UNSTATED_KINDS)}
    settings = {k: v for k, v in told.items() if k in SHOWN or v != defaults.get(k, v)}
    adapter = {k: v for k, v in vars(model).items() if k.startswith(("lora_", "use_dora", "use_rslora", "load_in_"))}
    return {**settings, "devices": training.world_size, **(adapter if model.use_peft else {})}


def default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def base_of(model: ModelConfig) -> dict[str, Any]:
    return model_lineage(model.model_name_or_path, model.model_revision)


def model_lineage(name: str, revision: str | None) -> dict[str, Any]:
    """A model's name, and the hash or the revision of its files. Folders are named by their last part: lineage holds
    no machine paths."""
    from datagen.teacher.hf import fingerprint

    folder = Path(name)
    if folder.is_dir():
        return {"name": folder.resolve().name, "fingerprint": fingerprint(folder)}
    return {"name": name, "revision": revision}


def last_checkpoint(folder: Path, lineage: dict[str, Any]) -> str | None:
    """The newest checkpoint that was written to its end, or None. Raises UserError where it belongs to another
    training, or was damaged since."""
    whole = whole_checkpoints(folder)
    if not whole:
        return None
    try:
        before = json.loads((folder / LINEAGE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    before.pop("result", None)
    differs = differences(before, json.loads(json.dumps(lineage)))
    if differs:
        raise UserError(
            f"{folder} holds checkpoints of another training ({'; '.join(differs)}): take another --output_dir"
        )
    if file := damaged(whole[-1]):
        raise UserError(
            f"{whole[-1]}: {file} is damaged; remove this checkpoint, and the same command goes on from the one before"
        )
    return str(whole[-1])


def card_of(lineage: dict[str, Any]) -> str:
    """The model card, rendered from the lineage alone."""
    from cards.model import model_card

    return model_card(lineage)
