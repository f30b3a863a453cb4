"""Reasoning and answer told apart: every form that models and servers write, and hostile texts."""

import time

import pytest

from datagen.teacher.chat.reasoning import (
    MOST_MARKS,
    join_reasoning,
    opening_at_end,
    split_reasoning,
)

GREEN = "Leaves are green."


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("Green.", "", "Green."),
        ("  Green.\n", "", "  Green.\n"),
        (f"<think>\n{GREEN}\n</think>\n\nGreen.", GREEN, "Green."),
        (f"\n <think>{GREEN}</think>Green.\n", GREEN, "Green."),
        (f"<think>\n\n{GREEN}\n\nYes.\n\n</think>\n\n\nGreen.", f"{GREEN}\n\nYes.", "Green."),
        (f"<Think>{GREEN}</THINK> Green.", GREEN, "Green."),
        (f"<thinking>{GREEN}</thinking>\nGreen.", GREEN, "Green."),
        (f"<thought>{GREEN}</thought>\nGreen.", GREEN, "Green."),
        (f"<seed:think>{GREEN}</seed:think>Green.", GREEN, "Green."),
        (f"[THINK]{GREEN}[/THINK]Green.", GREEN, "Green."),
        (f"◁think▷{GREEN}◁/think▷Green.", GREEN, "Green."),
        (f"<|begin_of_thought|>\n\n{GREEN}\n\n<|end_of_thought|>\n\nGreen.", GREEN, "Green."),
        (
            f"<|begin_of_thought|>{GREEN}<|end_of_thought|>\n"
            "<|begin_of_solution|>\nGreen.\n<|end_of_solution|>",
            GREEN,
            "Green.",
        ),
        (
            f"<|START_THINKING|>{GREEN}<|END_THINKING|><|START_RESPONSE|>Green.<|END_RESPONSE|>",
            GREEN,
            "Green.",
        ),
        (f"<|channel>thought\n{GREEN}\n<channel|>Green.", GREEN, "Green."),
        (
            f"<|channel|>analysis<|message|>{GREEN}<|end|><|start|>assistant"
            "<|channel|>final<|message|>Green.",
            GREEN,
            "Green.",
        ),
        (f"<think>{GREEN}</think>\n<answer>Green.</answer>", GREEN, "Green."),
        # the chat template wrote the opening mark
        (f"{GREEN}</think>\n\nGreen.", GREEN, "Green."),
        (f"{GREEN}[/THINK]Green.", GREEN, "Green."),
        ("</think>\n\nGreen.", "", "Green."),
        ("\n\n</think>\n\nGreen.", "", "Green."),
        # an empty block, as a template writes it where thinking is off
        ("<think>\n\n</think>\n\nGreen.", "", "Green."),
        ("<think></think>Green.", "", "Green."),
        # cut off: no answer, whatever was said
        (f"<think>\n{GREEN} So", f"{GREEN} So", ""),
        ("Green.\n<think>\nOr is it", "Green.\n\nOr is it", ""),
        (f"<think>{GREEN}</think>\nGreen?<think>No", f"{GREEN}\n\nGreen?\n\nNo", ""),
        (f"<think>{GREEN}</think>", GREEN, ""),
        (f"<think>{GREEN} The answer is green.</thinking>", None, ""),
        # several blocks, and marks that come twice
        ("<think>a</think>One.<think>b</think>Two.", "a\n\nb", "One.\n\nTwo."),
        ("<think>\n<think>\na</think>Green.", "a", "Green."),
        ("a</think>b</think>Green.", "a\n\nb", "Green."),
        ("Well.\n<think>a</think>\nGreen.", "a", "Well.\n\nGreen."),
        # code in the reasoning, left open
        ("<think>```py\nx = 1\n</think>\n```py\ny\n```", "```py\nx = 1", "```py\ny\n```"),
        ("<think>End with `</think>` then.</think>Green.", "End with `</think>` then.", "Green."),
        ('He said "green"</think>"Green" it is.', 'He said "green"', '"Green" it is.'),
    ],
)
def test_a_text_with_marks_has_two_parts(text, reasoning, answer):
    found = split_reasoning(text)
    assert found[1] == answer
    assert reasoning is None or found[0] == reasoning


@pytest.mark.parametrize(
    "text",
    [
        "Put `<think>` first and `</think>` last.",
        'The parser looks for "</think>" in the reply.',
        "text.split('</think>')[1]",
        "The tag “<think>” opens it.",
        "prompt += '<think>\\n'",
        "Like this:\n```\n<think>\nsteps\n</think>\nanswer\n```\nThat is all.",
        "```xml\n<think>steps</think>\n```",
        "Write ```<think>``` there.",
        "I think, therefore I am. <b>Thinking</b> helps.",
        "if (a < think && b > c) return;",
    ],
)
def test_a_text_about_the_marks_stays_whole(text):
    assert split_reasoning(text) == ("", text)


@pytest.mark.parametrize(
    "text",
    [
        "The tag </think> closes the block.",
        "Some models write <think> before their reasoning.",
        "Reasoning ends with </think>.",
        "Both <think> and </think> are tags.",
        "<think> and </think> are tags.",
        "```\nx = 1\ngreen</think>\nGreen.\n```",
        "<think>a</think>b" * MOST_MARKS,
    ],
)
def test_where_the_answer_cannot_be_told_there_is_none(text):
    """Half of a text would be learned as if it were an answer."""
    assert split_reasoning(text)[1] == ""
    assert split_reasoning(text)[0]


@pytest.mark.parametrize(
    ("content", "field", "expected"),
    [
        ("Green.", None, ("", "Green.")),
        ("Green.", "", ("", "Green.")),
        ("Green.", f"\n{GREEN}\n", (GREEN, "Green.")),
        ("", GREEN, (GREEN, "")),
        ("Green.", f"<think>{GREEN}</think>", (GREEN, "Green.")),
        (f"<think>{GREEN}</think>Green.", GREEN, (GREEN, "Green.")),
        ("<think>More.</think>Green.", GREEN, (f"{GREEN}\n\nMore.", "Green.")),
    ],
)
def test_a_field_for_the_reasoning_comes_first(content, field, expected):
    assert split_reasoning(content, field) == expected


@pytest.mark.parametrize("answer", ["Green.", "```\ncode\n```", "Use `</think>` there."])
@pytest.mark.parametrize("reasoning", [GREEN, "One.\n\nTwo.", ""])
def test_what_is_joined_can_be_split_again(reasoning, answer):
    assert split_reasoning(join_reasoning(reasoning, answer)) == (reasoning, answer)


def test_joined_reasoning_without_an_answer_stays_open():
    assert split_reasoning(join_reasoning(GREEN, "")) == (GREEN, "")
    assert "</think>" not in join_reasoning(GREEN, "")


@pytest.mark.parametrize(
    ("prompt", "opening"),
    [
        ("<|assistant|>\n<think>\n", "<think>"),
        ("[/INST][THINK]", "[THINK]"),
        ("<|assistant|>\n<think>\n\n</think>\n\n", ""),
        ("Say <think> aloud. <|assistant|>", ""),
        ("", ""),
    ],
)
def test_a_prompt_that_ends_in_an_opening_mark(prompt, opening):
    assert opening_at_end(prompt) == opening


@pytest.mark.parametrize(
    "unit",
    [
        "<think>",
        "</think>",
        "`<think>` ",
        "```\n",
        '"<think>',
        "\\n",
        "think ",
        "`",
        "< think ",
        "\n```",
    ],
)
def test_no_text_takes_long(unit):
    text = unit * (400_000 // len(unit)) + "</think>"
    started = time.process_time()
    split_reasoning(text)
    assert time.process_time() - started < 2


def test_the_form_of_joined_reasoning_is_the_one_that_trl_rewards():
    rewards = pytest.importorskip("trl.rewards")
    joined = [{"content": join_reasoning("One.\n\nTwo.", "Green.")}]
    assert rewards.think_format_reward([joined]) == [1.0]
