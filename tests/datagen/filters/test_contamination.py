import json
import random

from datagen.filters.contamination import Benchmarks, load_benchmarks
from tests.datagen.filters.test_novelty import lcs_length

QUESTION = (
    "Mara packs twelve crates of pears each hour and sells half of them at the harbour before noon "
    "every day"
)
KNOWN = Benchmarks([("fruit", 0, "How far is it?"), ("fruit", 1, QUESTION)])


def test_a_question_within_a_prompt_is_met():
    hit = KNOWN.hit(f"Solve this, step by step. {QUESTION.upper()}! How many are left?")
    assert str(hit) == "fruit test row 1 (8-gram 1.00)"


def test_half_of_a_question_is_met_and_less_is_not():
    words = QUESTION.split()  # 20 tokens
    assert KNOWN.hit("Say: " + " ".join(words[:10])).rule == "8-gram"
    assert KNOWN.hit("Say: " + " ".join(words[:9])) is None


def test_a_question_with_words_put_in_is_met_by_its_subsequence():
    words = [w for word in QUESTION.split() for w in (word, "really")]
    hit = KNOWN.hit(" ".join(words))
    assert (hit.rule, hit.row, hit.share) == ("rouge-l", 1, 1.0)


def test_seven_tenths_of_the_words_are_no_hit_and_more_are():
    words = QUESTION.split()
    changed = [word if place % 3 else f"x{place}" for place, word in enumerate(words)]
    changed[0] = words[0]  # 14 of 20 stay
    assert lcs_length(changed, words) == 14
    assert KNOWN.hit(" ".join(changed)) is None
    changed[3] = words[3]
    assert KNOWN.hit(" ".join(changed)).share == 0.75


def test_a_short_question_is_met_by_itself_alone():
    assert KNOWN.hit("how FAR is it").rule == "same"
    assert KNOWN.hit("How far is it? Say it in miles.") is None


def test_nothing_is_met_by_nothing():
    assert KNOWN.hit("") is None
    assert KNOWN.hit("...") is None
    assert Benchmarks([]).hit(QUESTION) is None


def test_the_index_misses_no_subsequence():
    """Against the table of every pair, over random questions and changed copies of them."""
    rng = random.Random(11)
    vocabulary = [f"w{n}" for n in range(40)]
    questions = [rng.choices(vocabulary, k=rng.randint(8, 20)) for _ in range(25)]
    known = Benchmarks([("b", n, " ".join(q)) for n, q in enumerate(questions)], covered=1)
    met = 0
    for _ in range(120):
        text = list(rng.choice(questions))
        for _ in range(rng.randint(1, 8)):
            text[rng.randrange(len(text))] = rng.choice(vocabulary)
        over = any(10 * lcs_length(text, q) > 7 * len(q) for q in questions)
        assert (known.hit(" ".join(text)) is not None) == over
        met += over
    assert 10 < met < 110


def test_chinese():
    known = Benchmarks([("zh", 4, "小明有十二个苹果，他给了小红五个，还剩几个？")])
    assert known.hit("请回答：小明有十二个苹果，他给了小红五个，还剩几个？谢谢").row == 4
    assert known.hit("小明今天去学校的时候忘记带书包了，请写一个故事") is None


def test_suites_are_read_from_their_published_files(tmp_path):
    rows = [{"question": f"{QUESTION} {n}", "answer": "#### 3"} for n in (1, 2)]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    known = load_benchmarks(["gsm8k"], data_root=tmp_path / "test.jsonl")
    assert str(known.hit(f"{QUESTION} 2")) == "gsm8k test row 1 (8-gram 1.00)"


def test_the_options_of_a_question_are_no_part_of_it():
    from datagen.filters.contamination import without_options

    assert without_options(f"{QUESTION}\nOptions:\n(A) one\n(B) two") == QUESTION
    assert without_options("Which one?\nOptions:\n(A) one\n(B) two").endswith("(B) two")
