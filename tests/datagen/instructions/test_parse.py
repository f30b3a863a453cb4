"""What teachers write, and what is read from it."""

import re

import pytest

from datagen.instructions.self_instruct.parse import (
    begins_with,
    blocks,
    fields,
    input_first,
    items,
    output_first,
)
from datagen.sources.tasks import Instance


def test_a_numbered_list_with_talk_around_it_and_items_of_several_lines():
    text = (
        "Sure, here are three:\n\n1. Name a river\n   in Asia.\n2) Write 3. on a "
        "card.\n3、给这首诗起一个题目。"
    )
    assert items(text) == ["Name a river in Asia.", "Write 3. on a card.", "给这首诗起一个题目。"]


def test_a_number_out_of_turn_belongs_to_its_item():
    text = "4. Follow these steps:\n1. mix\n2. bake\n5. Name a cake."
    assert items(text) == ["Follow these steps: 1. mix 2. bake", "Name a cake."]


def test_items_as_a_template_writes_them():
    pattern = re.compile(r"^Task (\d{1,3}):", re.MULTILINE)
    assert items("Task 5: one\nTask 6: two\n\nTask 7:", pattern) == ["one", "two", ""]
    assert items("Task 5: one\nTask 5: two\nTask 9: three", pattern) == ["one", "two", "three"]
    assert items("no list at all", pattern) == []


def test_fields_end_where_the_next_label_begins():
    text = "Of course!\nInput: a line\nand another\n**Output:** yes: no\nOutputs: not a label"
    assert fields(text) == [
        ("input", "a line\nand another"),
        ("output", "yes: no\nOutputs: not a label"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Output: 4", [Instance("", "4")]),
        (
            "Input: 2 2\nOutput: 4\nInput: 3 3\nOutput: 6",
            [Instance("2 2", "4"), Instance("3 3", "6")],
        ),
        (
            "Example 1\nInput: 2\nOutput: 4\n\nExample 2:\nOutput: 6",
            [Instance("2", "4"), Instance("", "6")],
        ),
        ("Input: <noinput>\nOutput: 4", [Instance("", "4")]),
        ("输入：三只猫\n输出：3", [Instance("三只猫", "3")]),
        ("Input: left open", []),
        ("just an answer", []),
    ],
)
def test_input_first(text, expected):
    assert input_first(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Class label: good\nInput: I like it\nClass label: bad\nInput: no",
            [("I like it", "good"), ("no", "bad")],
        ),
        ("Class label: good", [("", "good")]),
        ("类别标签：正面\n输入：很好", [("很好", "正面")]),
        ("Input: first\nClass label: late", [("", "late")]),
    ],
)
def test_output_first(text, expected):
    assert output_first(text) == [Instance(*pair) for pair in expected]


def test_blocks_parted_by_hashes_or_by_the_next_instruction():
    text = "4. Instruction: Add.\n4. Input: 1 1\n4. Output: 2\n###\n"
    text += "5. Instruction: Name a bird.\nOutput: Crow\nInstruction: Go."
    assert blocks(text) == [
        {"instruction": "Add.", "input": "1 1", "output": "2"},
        {"instruction": "Name a bird.", "output": "Crow"},
        {"instruction": "Go."},
    ]


def test_a_yes_is_a_word_of_its_own():
    words = ("Yes", "是")
    assert [begins_with(text, words) for text in (" Yes", "**yes**, it is", "是的", "YES.")] == [
        True
    ] * 4
    assert [begins_with(text, words) for text in ("Yesterday", "No, yes", "", "不是")] == [
        False
    ] * 4


@pytest.mark.parametrize(
    "piece",
    ["\n", " ", "1. ", "\n1.", "Input:", "\nInput: ", "*", "\n###", "\n \t" * 3, "{a", "例 "],
)
def test_long_hostile_answers_are_read_to_the_end(piece):
    text = piece * 100_000
    for read in (items, fields, input_first, output_first, blocks):
        assert isinstance(read(text), list)
    begins_with(text, ("yes",))
