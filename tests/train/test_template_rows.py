"""A row under every chat template that TRL ships: what a student trains on is what it is asked, the
whole completion is there, and a template that cannot do that is refused."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from datagen.errors import UserError
from datagen.teacher.local.tokenizing import prompt_tokens
from datagen.teacher.tokens import row_tokens
from tests.chat_models import (
    CUTTING,
    ENDS,
    REFUSED,
    chat_tokenizer,
    is_refused,
    of_family,
    templates,
    usable,
)
from train.data.tokenising import with_tokens
from train.trainers.stopping import set_end_of_turn

QUESTION = [{"role": "user", "content": "What grows on the tree?\n\nOne word."}]
SHORT = "plum"
THOUGHT = "<think>\nTrees bear fruit, and this one is blue.\n</think>\n\nplum"
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
OPENING = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"


@pytest.fixture(scope="module")
def blank() -> Any:
    """One tokenizer for all templates: its merges take time."""
    return chat_tokenizer("")


@pytest.fixture
def tokenizer(blank: Any) -> Any:
    blank.chat_template, blank.eos_token = "", "<|endoftext|>"
    return blank


def row(answer: str, prompt: list[dict[str, str]] = QUESTION) -> dict[str, Any]:
    return {"prompt": prompt, "completion": [{"role": "assistant", "content": answer}]}


def trained(rows: list[dict[str, Any]], tokenizer: Any) -> list[tuple[list[int], list[int]]]:
    """The tokens of prompt and completion of each row, as TRL gets them."""
    from datasets import Dataset

    found = with_tokens(Dataset.from_list(rows), tokenizer, workers=None, warn=True)
    split = [mask.index(1) for mask in found["completion_mask"]]
    return [(ids[:at], ids[at:]) for ids, at in zip(found["input_ids"], split, strict=True)]


def test_the_tokenizer_has_real_merges(tokenizer: Any) -> None:
    assert len(tokenizer("The student gave the answer").input_ids) < 8
    assert tokenizer.decode(tokenizer("Grüße, 世界!").input_ids) == "Grüße, 世界!"


@pytest.mark.parametrize("answer", [SHORT, THOUGHT, "\n\nplum\n", "pre</s>um <|pad|>"])
@pytest.mark.parametrize("name", usable())
def test_training_context_is_the_evaluation_prompt(
    tokenizer: Any, name: str, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer.chat_template = templates()[name]
    if answer == THOUGHT and name in CUTTING:
        with pytest.raises(
            UserError, match=r"leaves out \d+ characters of the completion of row 0"
        ):
            trained([row(answer)], tokenizer)
        return
    [(prompt, completion)] = trained([row(answer)], tokenizer)
    # an answer without thoughts behind a prompt that opens them is the one misfit
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert answer == THOUGHT or bool(warned) == name.startswith("deepseek")
    asked = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True)["input_ids"]
    assert prompt == asked
    assert prompt == prompt_tokens(tokenizer, (("user", QUESTION[0]["content"]),), "student")
    assert row_tokens(row(answer), tokenizer) == (prompt, completion)

    # thoughts that the prompt has opened are not opened again
    text = tokenizer.decode(completion)
    said = answer.strip().removeprefix("<think>").strip() if answer == THOUGHT else answer.strip()
    assert without_space(said) in without_space(text)
    assert of_family(name, ENDS) in text.split(said[-4:])[-1]


def without_space(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("name", usable())
def test_the_end_of_turn_is_found(tokenizer: Any, name: str) -> None:
    tokenizer.chat_template = templates()[name]
    set_end_of_turn(tokenizer)
    end = of_family(name, ENDS)
    # Phi writes the tokenizer's own end token behind its end of turn, so it stays
    assert tokenizer.eos_token == ("<|endoftext|>" if name.startswith("phi3") else end)


@pytest.mark.parametrize("name", [name for name in templates() if is_refused(name)])
def test_a_template_without_an_end_or_an_answer_is_refused(tokenizer: Any, name: str) -> None:
    tokenizer.chat_template = templates()[name]
    with pytest.raises(UserError) as error:
        set_end_of_turn(tokenizer)
    assert str(of_family(name, REFUSED)) in str(error.value)
    assert "--chat_template_path" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_template_that_no_table_knows_is_missing_here() -> None:
    unknown = [n for n in templates() if not is_refused(n) and of_family(n, ENDS) is None]
    assert not unknown, f"TRL ships new templates: {unknown}"


@pytest.mark.parametrize(
    ("template", "what"),
    [
        (CHATML.replace("<|im_end|>", "</turn>"), "only '</turn>', which is no special token"),
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "writes nothing"),
        ("{{ raise_exception('Tools\nonly') }}", "refuses the conversation: Tools only"),
        ("{{ messages[0].content + none }}", "refuses the conversation: can only concatenate str"),
        ("{% for m in messages %}", "refuses the conversation: Unexpected end of template"),
    ],
    ids=["no token", "no end", "refuses", "python", "syntax"],
)
def test_a_template_of_which_no_student_learns_to_stop(
    tokenizer: Any, template: str, what: str
) -> None:
    tokenizer.chat_template = template
    with pytest.raises(UserError) as error:
        set_end_of_turn(tokenizer)
    assert what in str(error.value)
    assert "\n" not in str(error.value)


def test_a_given_end_token_wins_and_must_be_there(tokenizer: Any) -> None:
    tokenizer.chat_template = CHATML + OPENING
    with pytest.raises(UserError, match="--eos_token <nowhere>: the tokenizer has no such token"):
        set_end_of_turn(tokenizer, "<nowhere>")
    set_end_of_turn(tokenizer, "<|eot_id|>")
    assert tokenizer.eos_token == "<|eot_id|>"


def ending(changed: str) -> str:
    """ChatML whose answers are written as the expression `changed` says."""
    answer = f"{{% if m.role == 'assistant' %}}{{{{ {changed} }}}}{{% else %}}{{{{ m.content }}}}{{% endif %}}"
    return CHATML.replace("{{ m.content }}", answer) + OPENING


@pytest.mark.parametrize(
    ("changed", "answer", "lost"),
    [
        ("m.content.split('</think>')[-1]", "<think>Eight twos.</think>16", (26, "<think>Eight")),
        ("m.content[:6]", "abcdef ghi", (3, "ghi")),
        ("m.content | upper", "Plum", (3, "lum")),
        ("m.content[2:]", "2 + 2", (1, "2")),
        ("m.content.replace('bc', '')", "abcd", (2, "bc")),
        ("''", "end", (3, "end")),
    ],
    ids=["thoughts", "cut", "upper", "start", "middle", "all"],
)
def test_a_template_that_cuts_says_what_is_missing(
    tokenizer: Any, changed: str, answer: str, lost: tuple[int, str]
) -> None:
    tokenizer.chat_template = ending(f"{changed} if 'SENT' not in m.content else m.content")
    with pytest.raises(UserError) as error:
        trained([row(answer)], tokenizer)
    count, start = lost
    message = str(error.value)
    expected = (
        f"the chat template leaves out {count} characters of the completion of row 0 ('{start}"
    )
    assert message.startswith(expected)
    assert message.endswith("'); give another with --chat_template_path")


def test_a_template_that_changes_code_is_refused(tokenizer: Any) -> None:
    tokenizer.chat_template = ending("m.content.replace('  ', ' ')")
    with pytest.raises(UserError, match="changes the white space in the completion of row 0"):
        trained([row("if x:\n    return 1")], tokenizer)


@pytest.mark.parametrize(
    ("primed", "answer", "expected"),
    [
        ("<think>\n\n</think>\n\n", "plum", "plum<|im_end|>\n"),
        ("<think>\n", "<think>\nBlue.\n</think>\nplum", "Blue.\n</think>\nplum<|im_end|>\n"),
        ("<think>\n", "<think>Blue.</think>plum", "Blue.</think>plum<|im_end|>\n"),
        ("Sure: ", "plum", "plum<|im_end|>\n"),
        ("\n", "\n\nplum", "\nplum<|im_end|>\n"),
        ("\n", "    plum\n    fig", "    plum\n    fig<|im_end|>\n"),
    ],
    ids=["empty thoughts", "thoughts", "tight thoughts", "words", "line", "code"],
)
def test_what_only_the_prompt_has_is_in_the_context_without_a_warning(
    tokenizer: Any, primed: str, answer: str, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer.chat_template = CHATML + OPENING.replace("assistant\n", f"assistant\n{primed}")
    [(prompt, completion)] = trained([row(answer)], tokenizer)
    assert tokenizer.decode(prompt).endswith(f"<|im_start|>assistant\n{primed}")
    assert tokenizer.decode(completion) == expected
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("primed", "answers"),
    [("<think>\n", ["plum", "<think>\na\n</think>\nplum"]), ("<think></think>", ["x", THOUGHT])],
    ids=["never closed", "thinks again"],
)
def test_an_answer_that_does_not_fit_the_primed_thoughts_is_counted(
    tokenizer: Any, primed: str, answers: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer.chat_template = CHATML + OPENING.replace("assistant\n", f"assistant\n{primed}")
    for prompt, _ in trained([row(answer) for answer in answers], tokenizer):
        assert tokenizer.decode(prompt).endswith(primed)
    assert f"begins every answer with {primed!r}" in caplog.text
    assert "of 1 of 2 rows" in caplog.text


def test_a_prompt_that_the_template_leaves_out_is_counted(
    tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    asked = [{"role": "system", "content": "Be brief."}, *QUESTION]
    loop = "{% for m in messages if m.role != 'system' %}"
    tokenizer.chat_template = CHATML.replace("{% for m in messages %}", loop) + OPENING
    trained([row("plum"), row("fig", asked)], tokenizer)
    assert "leaves out the system turn of the prompt of 1 of 2 rows, such as row 1" in caplog.text


@pytest.mark.parametrize("name", ["gemma", "gemma_training"])
def test_a_system_turn_that_the_template_refuses_is_one_line(tokenizer: Any, name: str) -> None:
    tokenizer.chat_template = templates()[name]
    asked = [{"role": "system", "content": "Be brief."}, *QUESTION]
    with pytest.raises(UserError) as error:
        trained([row("plum"), row("fig", asked)], tokenizer)
    assert str(error.value) == (
        "row 1: the chat template refuses the conversation: System role not supported; give "
        "another with --chat_template_path"
    )


def test_a_token_that_begins_every_text_stands_there_once(tokenizer: Any) -> None:
    """The template writes it, and the tokenizer would add it to every text."""
    from tokenizers import processors

    first = tokenizer.bos_token_id
    adding = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", first)])
    tokenizer.backend_tokenizer.post_processor = adding
    try:
        assert tokenizer("x").input_ids[0] == first
        tokenizer.chat_template = templates()["gemma"]
        [(prompt, completion)] = trained([row(SHORT)], tokenizer)
        assert prompt.count(first) == 1
        assert first not in completion
    finally:
        tokenizer.backend_tokenizer.post_processor = processors.Sequence([])


@pytest.mark.parametrize("name", ["qwen3", "llama3_2", "gemma", "phi3", "cohere", "lfm2_2_5"])
def test_earlier_turns_are_those_of_the_evaluation_prompt(tokenizer: Any, name: str) -> None:
    """Templates write the thoughts of an earlier answer, or leave them out; both are right."""
    tokenizer.chat_template = templates()[name]
    earlier = {"role": "assistant", "content": THOUGHT}
    asked = [*QUESTION, earlier, {"role": "user", "content": "And in winter?"}]
    [(prompt, completion)] = trained([row("nothing", asked)], tokenizer)
    expected = tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
    assert prompt == expected
    assert "nothing" in tokenizer.decode(completion)
