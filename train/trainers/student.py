"""The student's trainer: one of TRL's, which writes our card and lineage instead of TRL's card."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from datagen.run.folder import write_json
from train.trainers.checkpoints import LINEAGE
from train.trainers.failures import not_finite, refusals
from train.trainers.lineage import card_of
from train.trainers.stopping import set_end_of_turn, set_stop_tokens
from train.trl.trainers import AdaptedSftTrainer, AdaptedTrainer

NO_PROBABILITIES = "probability tensor contains"
"""How torch says that it cannot sample, because probabilities are not finite."""


class StudentMixin(AdaptedTrainer):
    """What is added to every trainer of TRL.

    `lineage` says what the student is made from. It becomes `lineage.json` and the card, which
    checkpoints and uploads carry too.
    """

    model: Any
    is_world_process_zero: Any
    save_model: Any
    push_to_hub: Any

    def __init__(self, *args: Any, lineage: dict[str, Any], **kwargs: Any):
        self.lineage = lineage
        super().__init__(*args, **kwargs)
        # TRL may have taken over the template of another model
        set_end_of_turn(self.tokenizer, getattr(self.args, "eos_token", None))
        self.stop_at(set_stop_tokens(self.model, self.tokenizer))
        stopping = {"eos_token": self.tokenizer.eos_token}
        self.lineage = {**lineage, "settings": {**lineage["settings"], **stopping}}

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Take a step and check its loss.

        Raises:
            UserError: the loss is not finite. All weights would become NaN, and the log would not
                say so.
        """
        try:
            loss = super().training_step(*args, **kwargs)  # type: ignore[misc]
        except RuntimeError as error:
            # `train gkd` samples before it computes a loss
            if NO_PROBABILITIES in str(error):
                raise not_finite(self, math.nan, args[1]) from error
            raise
        if not math.isfinite(loss.item()):
            raise not_finite(self, loss.item(), args[1])
        return loss

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """Make the optimizer, with a UserError for settings that it refuses."""
        with refusals(ValueError, TypeError):
            return super().create_optimizer(*args, **kwargs)  # type: ignore[misc]

    def create_scheduler(self, *args: Any, **kwargs: Any) -> Any:
        """Make the schedule, with a UserError for settings that it refuses."""
        with refusals(ValueError, TypeError):
            return super().create_scheduler(*args, **kwargs)  # type: ignore[misc]

    def describe(self, folder: str | None = None) -> None:
        """Write the current lineage and card into the student's folder or a checkpoint."""
        if self.is_world_process_zero():
            place = Path(folder or self.args.output_dir)
            place.mkdir(parents=True, exist_ok=True)
            # `write_json` replaces the file in one move: other processes may read it meanwhile
            write_json(place / LINEAGE, self.lineage)
            (place / "README.md").write_text(card_of(self.lineage), encoding="utf-8")

    def save_student(self) -> None:
        """Save the finished student, and push it if `--push_to_hub` is set.

        The lineage states no loss. The losses in the log are means since the last log line or
        resume, so they do not describe the final weights.
        """
        self.save_model()
        self.lineage["result"] = {"steps": self.state.global_step}
        self.describe()
        if self.args.push_to_hub:
            self.push_to_hub()


class StudentTrainer(StudentMixin, AdaptedSftTrainer):
    """TRL's `SFTTrainer`, whose loss is the mean over the completion's tokens."""
