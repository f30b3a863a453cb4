"""Every rule with an instruction that it catches and a near miss that it lets through."""

import pytest

from datagen.instructions.self_instruct.rules import broken_rule, rules
from datagen.prompts.language import language

BLOCKED = ("image", "images", "map", "go to", "draw", "图片", "PPT")
STARTS = ("Write a program", "编写程序")
ENGLISH, CHINESE, MICRO = (
    rules(language(name), blocked=BLOCKED, starts=STARTS) for name in ("en", "zh", "micro")
)


@pytest.mark.parametrize(
    ("asked", "reason", "caught", "near_miss"),
    [
        (ENGLISH, "too_short", "Name a bird.", "Name a blue bird."),
        (ENGLISH, "too_long", "word " * 151, "word " * 150),
        (ENGLISH, "blocked_word", "Describe what the image shows.", "Imagine what the sea shows."),
        (ENGLISH, "blocked_word", "Tell me where to Go To next.", "Tell me to go there now."),
        (
            ENGLISH,
            "blocked_word",
            "Find a town on the Map, then rest.",
            "Name the roadmap of a firm.",
        ),
        (
            ENGLISH,
            "blocked_start",
            "write a program that sorts numbers.",
            "Explain how to write a program.",
        ),
        (ENGLISH, "punctuation_start", '"Hello" is said to whom?', 'Who says "Hello" to whom?'),
        (ENGLISH, "non_ascii_start", "Été means what in English?", "What does été mean here?"),
        (
            ENGLISH,
            "template_leftover",
            "Instruction: name four rivers.",
            "The instruction: name four rivers.",
        ),
        (
            ENGLISH,
            "template_leftover",
            "12. Name four rivers of Asia.",
            "12 rivers of Asia, please.",
        ),
        (ENGLISH, "template_leftover", "Task 9: name four rivers.", "Task 9 people with a song."),
        (
            ENGLISH,
            "template_leftover",
            "Answer {instruction} in two lines.",
            "Answer {1, 2} in two lines.",
        ),
        (
            ENGLISH,
            "template_leftover",
            "Name two rivers. ### 5. Name a hill.",
            "The ftse fell ### points, why?",
        ),
        (
            ENGLISH,
            "template_leftover",
            "Name two big rivers. <noinput>",
            "Name two big rivers. <b>",
        ),
        (CHINESE, "too_short", "讲个笑话。", "讲一个笑话。"),
        (CHINESE, "too_long", "字" * 301, "字" * 300),
        (CHINESE, "blocked_word", "请描述这张图片的内容。", "请描述这张试卷的内容。"),
        (CHINESE, "blocked_word", "请做一份PPT介绍长城。", "请做一份PPTX介绍长城。"),
        (CHINESE, "blocked_start", "编写程序计算平均数。", "说明怎样编写程序。"),
        (CHINESE, "punctuation_start", "“你好”用英语怎么说？", "用英语怎么说“你好”？"),
        (MICRO, "too_short", "Reverse", "Reverse it"),
    ],
)
def test_each_rule_catches_and_lets_a_near_miss_through(asked, reason, caught, near_miss):
    assert broken_rule(caught.strip(), asked) == reason
    assert broken_rule(near_miss.strip(), asked) is None


def test_chinese_may_start_outside_ascii_and_english_may_not():
    assert broken_rule("请用三句话介绍你的家乡。", CHINESE) is None
    assert "non_ascii_start" not in {broken_rule("Name four rivers of Asia.", ENGLISH)}
    assert broken_rule("请 用 三 句 话", ENGLISH) == "non_ascii_start"


def test_an_empty_instruction_is_too_short():
    assert broken_rule("", ENGLISH) == "too_short"
