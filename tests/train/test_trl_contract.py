"""What `train.trl` relies on inside of TRL and transformers. When one of these tests fails, TRL has
moved: the message says what it was used for, and `train/trl` is the one place to mend."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from trl import DistillationTrainer, SFTTrainer, TrlParser
from trl.experimental.gold import GOLDTrainer
from trl.experimental.server_distillation import ServerDistillationTrainer
from trl.generation.vllm_client import VLLMClient
from trl.generation.vllm_generation import VLLMGeneration
from trl.kernels import chunked_divergence
from trl.scripts import _hf_argparser
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from trl.trainer.utils import FusedCausalLMOutput

from train.flags import Command, parser_of, sft_config

ROOT = Path(__file__).parent.parent.parent
TRAINERS = (SFTTrainer, DistillationTrainer, GOLDTrainer, ServerDistillationTrainer)

METHODS: list[tuple[Any, str, list[str], str]] = [
    *(
        (trainer, name, arguments, use)
        for trainer in TRAINERS
        for name, arguments, use in (
            ("_run_epoch", ["model", "epoch"], "take no step after the last one when resumed"),
            ("_save", ["output_dir", "state_dict"], "write card and lineage into checkpoints"),
            ("create_model_card", [], "keep TRL's generic card from being written"),
        )
    ),
    (
        SFTTrainer,
        "_prepare_dataset",
        ["dataset", "processing_class", "args"],
        "change rows before they are tokenised, inside of the constructor",
    ),
    (
        SFTTrainer,
        "_set_signature_columns_if_needed",
        [],
        "let the columns of our collators reach them",
    ),
    (
        SFTTrainer,
        "_get_num_items_in_batch",
        ["batch_samples", "device"],
        "count a whole step before its first batch",
    ),
    (
        SFTTrainer,
        "compute_loss",
        ["model", "inputs", "return_outputs", "num_items_in_batch"],
        "hand over a loss of our own",
    ),
    (
        DataCollatorForLanguageModeling,
        "torch_call",
        ["examples"],
        "add masks and stored probabilities to a batch",
    ),
    (
        DistillationTrainer,
        "__init__",
        ["model", "teacher_model", "args"],
        "open a student without the client that ServerDistillationTrainer opens",
    ),
    (
        DistillationTrainer,
        "_generate_and_score_completions",
        ["inputs"],
        "choose whether a step's completions are the student's own",
    ),
    (
        DistillationTrainer,
        "_generate_single_turn",
        ["prompt_ids"],
        "give the dataset's completions in the place of generated ones",
    ),
    (
        DistillationTrainer,
        "_set_signature_columns_if_needed",
        [],
        "keep the completions of the dataset",
    ),
    (
        ServerDistillationTrainer,
        "compute_loss",
        ["model", "inputs", "return_outputs", "num_items_in_batch"],
        "weigh a batch by its tokens",
    ),
    (
        VLLMGeneration,
        "generate",
        ["prompts", "images", "num_generations", "profiler"],
        "let vLLM write the student's completions",
    ),
    (VLLMGeneration, "sync_weights", [], "give vLLM the weights of the step"),
    (VLLMClient, "_post", ["url"], "send TRL's request over another transport"),
    (VLLMClient, "get_sequence_logprobs", [], "ask the server for probabilities"),
    (
        TrlParser,
        "set_defaults_with_config",
        [],
        "read keyword arguments and YAML as defaults of the flags",
    ),
    (
        TrlParser,
        "parse_args_into_dataclasses",
        ["args", "return_remaining_strings", "look_for_args_file"],
        "parse the command line",
    ),
    (_hf_argparser, "string_to_bool", ["v"], "let a switch stand without a value"),
]


@pytest.mark.parametrize(
    ("owner", "name", "arguments", "use"),
    METHODS,
    ids=[f"{owner.__name__.split('.')[-1]}.{name}" for owner, name, *_ in METHODS],
)
def test_a_private_method_is_there(owner: Any, name: str, arguments: list[str], use: str) -> None:
    found = getattr(owner, name, None)
    where = f"{owner.__name__}.{name}, which train.trl uses to {use}"
    assert found is not None, f"TRL has no {where}"
    parameters = inspect.signature(found).parameters
    takes_all = any(
        p.kind is p.VAR_KEYWORD or p.kind is p.VAR_POSITIONAL for p in parameters.values()
    )
    missing = [argument for argument in arguments if argument not in parameters]
    assert takes_all or not missing, f"TRL's {where}, no longer takes {', '.join(missing)}"


ATTRIBUTES: list[tuple[Any, str, str]] = [
    *((trainer, "_metrics", "log the parts of a loss") for trainer in TRAINERS),
    *((trainer, "_tokenizer", "read the tokenizer") for trainer in TRAINERS),
    (ServerDistillationTrainer, "teacher_client", "ask our client"),
    (ServerDistillationTrainer, "loss_top_k", "set how many probabilities are asked for"),
    (ServerDistillationTrainer, "loss_add_tail", "set the tail"),
    (ServerDistillationTrainer, "reverse_kl_top_1_mode", "set which token a reverse KL looks at"),
    (
        ServerDistillationTrainer,
        "current_gradient_accumulation_steps",
        "undo the mean over the batches of a step",
    ),
    (VLLMClient, "base_url", "know the address in TRL's requests"),
]


@pytest.mark.parametrize(
    ("owner", "name", "use"),
    ATTRIBUTES,
    ids=[f"{owner.__name__}.{name}" for owner, name, _ in ATTRIBUTES],
)
def test_a_private_attribute_is_set(owner: Any, name: str, use: str) -> None:
    """The class or one that it inherits from mentions `self.NAME`."""
    sources = [inspect.getsource(kind) for kind in owner.__mro__ if kind is not object]
    used = any(f"self.{name}" in source for source in sources)
    assert used, f"TRL's {owner.__name__} has no {name}, by which train.trl would {use}"


FIELDS = ("log_probs", "entropy", "is_top1", "label_mask")


@pytest.mark.parametrize("field", FIELDS)
def test_the_output_of_the_fused_head_has_the_field(field: str) -> None:
    assert field in FusedCausalLMOutput.__dataclass_fields__, (
        f"TRL's FusedCausalLMOutput has no {field}: train.trl.forward fills it, and hands the loss "
        "over in log_probs"
    )


def test_the_loss_is_the_negative_sum_of_the_log_probabilities() -> None:
    """That is how `AdaptedSftTrainer.loss_from` hands over a scalar."""
    source = inspect.getsource(SFTTrainer.compute_loss)
    for line in ("-outputs.log_probs", "per_token_loss.sum()", "fused_lm_head=True"):
        assert line in source, f"TRL computes its loss otherwise: {line!r} is gone"


def test_a_batch_says_how_many_tokens_are_learned_in_the_whole_step() -> None:
    """`ServerTrainer` divides by it."""
    source = inspect.getsource(DistillationTrainer._generate_and_score_completions)
    for name in ("num_items_in_batch", "completion_mask"):
        assert f'"{name}": {name}' in source, f"TRL's batch has no {name}"
    line = "num_items_in_batch = self.accelerator.gather(loss_mask.sum()).sum()"
    assert line in source, "TRL counts the tokens of a step otherwise"


def test_a_server_s_loss_is_a_mean_over_the_batch() -> None:
    """Divided by the number of batches: `ServerTrainer` undoes both."""
    source = inspect.getsource(ServerDistillationTrainer.compute_loss)
    assert "loss / self.current_gradient_accumulation_steps" in source
    assert "num_items_in_batch=" not in source.partition("):")[2], "TRL counts tokens itself now"


def test_the_divergence_is_computed_in_tiles_of_these_sizes() -> None:
    from train.trl.distillation import TILE

    source = inspect.getsource(chunked_divergence.ChunkedDivergenceFunction)
    for name in TILE:
        assert isinstance(getattr(chunked_divergence, name, None), int), f"TRL has no {name}"
        assert name in source, f"TRL's tiles do not have the size {name}"


def test_the_parser_finds_flags_by_their_words() -> None:
    """`_option_string_actions` gives a flag a second name; `_actions` are all flags."""
    from train.arguments import SftArguments

    parser = parser_of(Command("train sft", SftArguments, sft_config))
    assert (
        parser._option_string_actions["--model"]
        is parser._option_string_actions["--model_name_or_path"]
    )
    assert {"learning_rate", "answer_weight", "use_peft"} <= {a.dest for a in parser._actions}


def test_a_scalar_reaches_the_optimizer_as_it_is(base: Path, store: Path, tmp_path: Path) -> None:
    """Value and gradient of a loss that is handed over, against the same loss alone."""
    from tests.train.test_sft import flags
    from train.sft import build, parse_sft

    trainer = build(*parse_sft(flags(base, store, tmp_path)))
    batch = next(iter(trainer.get_train_dataloader()))

    def scalar(outputs: Any) -> torch.Tensor:
        return 3 * outputs.log_probs.square().mean()

    found = trainer.loss_from(scalar, trainer.model, dict(batch), False)
    found.backward()
    gradients = [p.grad.clone() for p in trainer.model.parameters()]
    trainer.model.zero_grad()
    expected = scalar(trainer.model(**batch, fused_lm_head=True))
    expected.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    for own, parameter in zip(gradients, trainer.model.parameters(), strict=True):
        assert own.allclose(parameter.grad, rtol=1e-5, atol=1e-8)


def private_names(file: Path) -> Iterator[tuple[int, str]]:
    """(line, name) of every private attribute that is read, written or defined."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        name = ""
        if isinstance(node, ast.Attribute):
            name = node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = node.name
        if name.startswith("_") and not name.startswith("__") and name != "_":
            yield node.lineno, name


def test_no_other_file_of_train_touches_a_private_name() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{line} {name}"
        for file in sorted((ROOT / "train").rglob("*.py"))
        if file.parent.name != "trl"
        for line, name in private_names(file)
    ]
    assert not wrong, "\n".join(wrong)
