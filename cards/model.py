"""The model card of a student, rendered from its lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cards.render import render
from datagen.records.names import public_name

LOSSES = {
    "sft_weight": "cross-entropy of the completion's tokens",
    "kd_weight": "divergence from the teacher's stored probabilities",
    "divergence": "which divergence",
    "lmbda": "share of sequences that the student wrote itself",
    "beta": "interpolation of the generalised Jensen-Shannon divergence",
    "temperature": "temperature of the distributions",
    "answer_weight": "tokens of the answer, against all others of the completion",
    "label_weight": "the direct answer as a task of its own, against the rationale",
    "counterfactual_weight": "answers that wrong rationales end with, against the right rationales",
    "consistency_weight": "divergence between what two rationales of a question make of its answer",
    "contrast_weight": "contrast between a right rationale and wrong ones",
    "preference_weight": "divergence between teacher's and student's preference among "
    "demonstrations",
    "lm_weight": "language modelling of the prompts",
    "demonstration_weight": "outputs of the demonstrations in the prompt, each given those "
    "before it",
}
"""Settings that make the loss, and what each of them weighs. The lineage of a newer student has the
sentences of its losses under `losses`. For older students they are here."""


def model_card(lineage: Mapping[str, Any]) -> str:
    """Return the README.md of a student.

    A base or a teacher that is a folder is named without its path.

    Args:
        lineage: the JSON object of the lineage (`datagen.records.student`). It needs base, dataset
            and settings.
    """
    method = lineage.get("method", "sft")
    settings = lineage["settings"]
    base = public_name(lineage["base"]["name"])
    dataset = lineage["dataset"]
    sentences = LOSSES | lineage.get("losses", {})
    # a mixture has parts, and several of them may be of one dataset
    header = {
        "library_name": "transformers",
        "base_model": base,
        "datasets": list(dict.fromkeys(part["name"] for part in dataset.get("parts", [dataset]))),
        "tags": ["distillation", "trl", method],
        "pipeline_tag": "text-generation",
    }

    return render(
        "model.md",
        header=header,
        method=method,
        base=base,
        dataset=dataset,
        teacher=public_name(lineage["teacher"]["name"]) if lineage.get("teacher") else None,
        losses={
            name: (text, settings[name])
            for name, text in sentences.items()
            if settings.get(name) is not None
        },
        settings={name: value for name, value in settings.items() if name not in sentences},
        retention=lineage.get("retention") or [],
        interval=interval,
    )


def interval(model: Mapping[str, Any], measure: str) -> str:
    """Return `0.430 [0.360, 0.500]`, or nothing if it was not measured."""
    found = model.get(measure)
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]" if found else ""
