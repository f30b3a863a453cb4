"""The table of the suites.

The ids of ChilleD/* and lukaemon/bbh were seen in public pages and code. The other ids on the Hub
are believed to be right, but none was downloaded when this was written.

Some benchmarks were published as one file: AddSub, MultiArith, SVAMP, StrategyQA of BIG-bench and
last letters. This file is the split "test". Some copies on the Hub cut it into train and test,
which are joined again here, so that scores compare with published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LETS_THINK = "Let's think step by step."
"""The trigger of Zero-shot-CoT, arXiv 2205.11916."""

THREE_SPLITS = ("train", "validation", "test")

BBH_ANSWERS = {
    "boolean_expressions": "yesno",
    "causal_judgement": "yesno",
    "date_understanding": "choice",
    "disambiguation_qa": "choice",
    "dyck_languages": "text",
    "formal_fallacies": "yesno",
    "geometric_shapes": "choice",
    "hyperbaton": "choice",
    "logical_deduction_five_objects": "choice",
    "logical_deduction_seven_objects": "choice",
    "logical_deduction_three_objects": "choice",
    "movie_recommendation": "choice",
    "multistep_arithmetic_two": "number",
    "navigate": "yesno",
    "object_counting": "number",
    "penguins_in_a_table": "choice",
    "reasoning_about_colored_objects": "choice",
    "ruin_names": "choice",
    "salient_translation_error_detection": "choice",
    "snarks": "choice",
    "sports_understanding": "yesno",
    "temporal_sequences": "choice",
    "tracking_shuffled_objects_five_objects": "choice",
    "tracking_shuffled_objects_seven_objects": "choice",
    "tracking_shuffled_objects_three_objects": "choice",
    "web_of_lies": "yesno",
    "word_sorting": "text",
}
BBH_TASKS = tuple(BBH_ANSWERS)
BBH_WORDS = {"boolean_expressions": ("True", "False"), "formal_fallacies": ("valid", "invalid")}
"""The yes/no tasks that answer in other words, the affirmative first."""

MADE = "made by datagen.microworld, Apache-2.0"
OPERATIONS = (1, 2, 3, 4)
"""Numbers of operations in the micro-world's instructions. Its teacher was trained on up to three,
so four test whether it generalises."""
SHOTS = (0, 1, 2, 4, 8, 16)
"""Numbers of demonstrations before a query of the micro-world's rules. Episodes of the training
have up to 23 demonstrations."""


@dataclass(frozen=True)
class Suite:
    """A benchmark, or a user's own questions: `Suite("mine", "number")`."""

    name: str
    answer_type: str
    hub: str = ""
    """The id of the dataset on the Hub. Empty if there is none."""
    config: str | None = None
    revision: str | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    """For each split here, the name of the split on the Hub."""
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each split, the paths below a data root where its published file can lie. The first one
    that exists is read."""
    row: str = ""
    """The function of `datagen.suites.rows` that reads a record."""
    trigger: str = LETS_THINK
    """The request to reason, after the question."""
    words: tuple[str, ...] = ()
    """The two answers of a yes/no suite that uses other words, the affirmative first."""
    tolerance: float = 0
    """Two numbers are the same answer if they differ by at most this."""
    bare: bool = False
    """Whether the question is the whole prompt and the completion is the whole answer. Such a suite
    asks for no reasoning."""
    source: str = ""
    """The paper, and the licence if it is known for certain."""


def _bbh(task: str) -> Suite:
    """Return the suite of a task of BIG-bench Hard."""
    return Suite(
        f"bbh/{task}",
        BBH_ANSWERS[task],
        hub="lukaemon/bbh",
        config=task,
        splits={"test": "test"},
        files={"test": (f"bbh/{task}.json", f"{task}.json")},
        row="bbh",
        words=BBH_WORDS.get(task, ()),
        source="arXiv 2210.09261, MIT",
    )


def _one_file(
    name: str, answer_type: str, *, original: str, row: str, source: str, hub: str = ""
) -> Suite:
    """Return the suite of a benchmark that was published as one file."""
    # Gold answers such as 9.43 are sums of floats in these files (arXiv 2205.11916).
    tolerance = 1e-6 if name in ("addsub", "svamp") else 0
    return Suite(
        name,
        answer_type,
        hub=hub,
        splits={"test": "train+test"} if hub else {},
        files={"test": (f"cot_suites/{name}.json", f"{name}/{original}", f"{name}.json", original)},
        row=row,
        tolerance=tolerance,
        source=source,
    )


_SUITES = (
    Suite(
        "gsm8k",
        "number",
        hub="openai/gsm8k",
        config="main",
        splits={"train": "train", "test": "test"},
        files={split: (f"gsm8k/{split}.jsonl", f"{split}.jsonl") for split in ("train", "test")},
        row="gsm8k",
        source="arXiv 2110.14168, MIT",
    ),
    Suite(
        "mathqa",
        "choice",
        hub="allenai/math_qa",
        # The main branch holds a script, which `datasets` no longer runs. This branch should hold
        # the rows as Parquet; it was not tried.
        revision="refs/convert/parquet",
        splits={split: split for split in THREE_SPLITS},
        files={
            "train": ("mathqa/train.json", "MathQA/train.json", "train.json"),
            "validation": ("mathqa/dev.json", "MathQA/dev.json", "dev.json"),
            "test": ("mathqa/test.json", "MathQA/test.json", "test.json"),
        },
        row="mathqa",
        source="arXiv 1905.13319, Apache-2.0",
    ),
    Suite(
        "aqua",
        "choice",
        hub="deepmind/aqua_rat",
        config="raw",
        splits={split: split for split in THREE_SPLITS},
        files={
            "train": (
                "cot_suites/aqua_train.json",
                "aqua/train.json",
                "aqua_train.json",
                "train.json",
            ),
            "validation": (
                "cot_suites/aqua_dev.json",
                "aqua/dev.json",
                "aqua_dev.json",
                "dev.json",
            ),
            "test": ("cot_suites/aqua_test.json", "aqua/test.json", "aqua_test.json", "test.json"),
        },
        row="aqua",
        source="arXiv 1705.04146, Apache-2.0",
    ),
    Suite(
        "commonsenseqa",
        "choice",
        hub="tau/commonsense_qa",
        splits={split: split for split in THREE_SPLITS},
        files={
            "train": (
                "commonsenseqa/train_rand_split.jsonl",
                "commonsenseqa_train.jsonl",
                "train_rand_split.jsonl",
            ),
            "validation": (
                "cot_suites/commonsenseqa_dev.jsonl",
                "commonsenseqa/dev_rand_split.jsonl",
                "commonsenseqa_dev.jsonl",
                "dev_rand_split.jsonl",
            ),
            "test": (
                "commonsenseqa/test_rand_split_no_answers.jsonl",
                "test_rand_split_no_answers.jsonl",
            ),
        },
        row="commonsenseqa",
        source="arXiv 1811.00937, MIT",
    ),
    _one_file(
        "addsub", "number", original="AddSub.json", row="mawps", source="Hosseini et al. 2014"
    ),
    _one_file(
        "multiarith",
        "number",
        original="MultiArith.json",
        hub="ChilleD/MultiArith",
        row="mawps",
        source="Roy and Roth 2015, CC BY 4.0",
    ),
    _one_file(
        "svamp",
        "number",
        original="SVAMP.json",
        hub="ChilleD/SVAMP",
        row="svamp",
        source="arXiv 2103.07191, MIT",
    ),
    _one_file(
        "strategyqa",
        "yesno",
        original="task.json",
        hub="ChilleD/StrategyQA",
        row="strategyqa",
        source="arXiv 2101.02235, MIT",
    ),
    _one_file(
        "last_letters",
        "text",
        original="last_letters.json",
        hub="ChilleD/LastLetterConcat",
        row="question_answer",
        source="task arXiv 2201.11903, file arXiv 2205.11916",
    ),
    Suite("microworld", "number", source=MADE),
    *(Suite(f"microworld/instructions-{n}", "text", bare=True, source=MADE) for n in OPERATIONS),
    *(Suite(f"microworld/in-context-{k}", "text", bare=True, source=MADE) for k in SHOTS),
    *(_bbh(task) for task in BBH_TASKS),
)
SUITES: Mapping[str, Suite] = {suite.name: suite for suite in _SUITES}
