import random
from fractions import Fraction

import pytest

from datagen.errors import UserError
from datagen.filters import novelty
from datagen.filters.novelty import Novelty
from datagen.filters.tokens import tokens


def lcs_length(a, b):
    """The textbook table."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
            )
    return table[-1][-1]


def rouge_l(a, b):
    """From precision and recall, as Lin (2004) defines it, in fractions."""
    common = lcs_length(a, b)
    if not common:
        return Fraction(0)
    precision, recall = Fraction(common, len(a)), Fraction(common, len(b))
    return 2 * precision * recall / (precision + recall)


def greedy(texts, threshold, alphabet="ascii"):
    """The pass over a list, a pair at a time."""
    admitted, novel = [], []
    for text in texts:
        words = tokens(text, alphabet)
        novel.append(bool(words) and all(rouge_l(words, other) <= threshold for other in admitted))
        if novel[-1]:
            admitted.append(words)
    return novel


def varied(rng, count, *, vocabulary, longest, join=" "):
    """Random texts, and copies of them with a few words changed, taken out or doubled."""
    texts = []
    for _ in range(count):
        words = [rng.choice(vocabulary) for _ in range(rng.randint(1, longest))]
        if texts and rng.random() < 0.6:
            words = rng.choice(texts).split(join) if join else list(rng.choice(texts))
            for _ in range(rng.randint(0, max(1, len(words) // 2))):
                place = rng.randrange(len(words))
                words[place : place + 1] = rng.choice(
                    [[], [rng.choice(vocabulary)], [words[place]] * 2]
                )
                words = words or [vocabulary[0]]
        texts.append(join.join(words))
    return texts


@pytest.mark.parametrize("threshold", ["0.7", "0.5", "1/3", "0.95"])
@pytest.mark.parametrize("words", [4, 30, 400])
def test_the_batch_decides_as_the_definition_does(threshold, words, monkeypatch):
    monkeypatch.setattr(novelty, "BLOCK", 32)  # several blocks
    rng = random.Random(f"{threshold}:{words}")
    texts = varied(rng, 150, vocabulary=[f"w{n}" for n in range(words)], longest=14)
    wanted = greedy(texts, Fraction(threshold))
    assert Novelty(Fraction(threshold)).admit_all(texts) == wanted
    assert 0 < sum(wanted) < len(texts)


@pytest.mark.parametrize("neighbours", [0, 3])
def test_one_at_a_time_decides_as_the_batch(neighbours):
    texts = varied(random.Random(5), 120, vocabulary=[f"w{n}" for n in range(30)], longest=12)
    pool = Novelty(neighbours=neighbours)
    assert [
        pool.admit(text, str(place)).novel for place, text in enumerate(texts)
    ] == Novelty().admit_all(texts)


def test_chinese_characters_are_tokens():
    texts = varied(
        random.Random(2),
        120,
        vocabulary=list("写一首关于春天的诗歌请把这个句子翻译成英文"),
        longest=16,
        join="",
    )
    wanted = greedy(texts, Fraction("0.7"), "unicode")
    assert Novelty(alphabet="unicode").admit_all(texts) == wanted
    assert 0 < sum(wanted) < len(texts)


def test_long_texts_decide_as_the_definition_does():
    texts = varied(random.Random(9), 40, vocabulary=[f"w{n}" for n in range(60)], longest=200)
    assert Novelty().admit_all(texts) == greedy(texts, Fraction("0.7"))


@pytest.mark.parametrize(
    ("known", "text", "novel"),
    [
        ("a b c d e f g x y z", "a b c d e f g p q r", True),  # 2·7/20 is 0.7, which passes
        ("a b c d e f g h y z", "a b c d e f g h q r", False),  # 0.8
        ("a b c d e f g x y", "a b c d e f g p q r s", True),  # 14/20 with other lengths
        ("a b c d e f g x", "a b c d e f g p q r s", False),  # 14/19
        ("a b c", "c b a", True),  # the same words, LCS 1
        ("Write a POEM!", "write, a poem", False),
    ],
)
def test_the_threshold_itself_passes(known, text, novel):
    assert Novelty().admit_all([known, text]) == [True, novel]
    for neighbours in (0, 1):
        pool = Novelty(0.7, neighbours=neighbours)
        pool.add(known, "known")
        assert pool.compare(text).novel is novel


def pair(common, left, right):
    """Two texts of `left` and `right` tokens that begin with `common` equal ones and share no
    other."""
    shared = [f"s{k}" for k in range(common)]
    return [
        " ".join(shared + [f"{name}{k}" for k in range(n - common)])
        for name, n in (("a", left), ("b", right))
    ]


def test_every_tie_is_met_exactly():
    """2·LCS/(n + m) = 0.7 for every size up to 40: in floating point some of them are over it."""
    for total in range(20, 81, 20):
        common = total * 7 // 20
        for left in range(common + 1, total - common):
            assert Novelty().admit_all(pair(common, left, total - left)) == [True, True]
            assert Novelty().admit_all(pair(common + 1, left, total - left)) == [True, False]


def test_the_nearest_are_the_nearest_of_all():
    rng = random.Random(3)
    texts = varied(rng, 80, vocabulary=[f"w{n}" for n in range(20)], longest=10)
    pool = Novelty(neighbours=5)
    for place, text in enumerate(texts):
        pool.add(text, f"id{place}")
    for text in varied(rng, 20, vocabulary=[f"w{n}" for n in range(20)], longest=10):
        scores = [float(rouge_l(tokens(text), tokens(other))) for other in texts]
        order = sorted(range(len(texts)), key=lambda place: (-scores[place], place))[:5]
        verdict = pool.compare(text)
        assert [name for _, name in verdict.nearest] == [f"id{place}" for place in order]
        assert [score for score, _ in verdict.nearest] == pytest.approx(
            [scores[place] for place in order], abs=1e-12
        )
        assert verdict.similarity == verdict.nearest[0][0]


def test_without_neighbours_a_similar_text_names_what_it_met():
    pool = Novelty()
    pool.add("Name three primary colours of light.", "colours")
    assert pool.compare("Name the three primary colours of light!").nearest == (
        (pytest.approx(12 / 13), "colours"),
    )
    assert pool.compare("Sort a list of integers in place.").nearest == ()


@pytest.mark.parametrize("text", ["写一首诗", "   ", "", "?!…"])
def test_what_leaves_no_token_is_neither_novel_nor_similar(text):
    pool = Novelty()
    pool.add("Write a poem.", "poem")
    verdict = pool.admit(text, "new")
    assert (verdict.novel, verdict.reason, len(pool)) == (False, "untokenisable", 1)
    assert Novelty().admit_all([text, text]) == [False, False]


def test_a_text_in_another_script_is_judged_by_the_other_alphabet():
    pool = Novelty(alphabet="unicode")
    assert pool.admit("写一首诗", "1").novel
    assert pool.admit("写一首诗。", "2").reason == "similar"
    assert pool.admit("翻译这句话", "3").novel


def test_tokens():
    assert tokens("Don't_stop: Café №5!") == ["don", "t", "stop", "caf", "5"]
    assert tokens("Don't_stop: CAFÉ №5!", "unicode") == ["don", "t", "stop", "café", "no5"]
    assert tokens("我在2024年学Python。カタカナ", "unicode") == [
        *"我在",
        "2024",
        *"年学",
        "python",
        *"カタカナ",
    ]
    assert tokens("हिन्दी भाषा", "unicode") == ["हिन्दी", "भाषा"]
    with pytest.raises(UserError, match="there are ascii, unicode"):
        tokens("", "latin")


def test_a_saved_pool_goes_on_where_it_was(tmp_path):
    texts = varied(random.Random(4), 100, vocabulary=[f"w{n}" for n in range(25)], longest=12)
    whole, half = Novelty(neighbours=2), Novelty(neighbours=2)
    decisions = [whole.admit(text, str(place)) for place, text in enumerate(texts)]
    for place, text in enumerate(texts[:50]):
        half.admit(text, str(place))
    half.save(tmp_path / "pool.jsonl")
    again = Novelty.load(tmp_path / "pool.jsonl")
    assert (again.threshold, again.alphabet, again.neighbours) == (Fraction(7, 10), "ascii", 2)
    assert [
        again.admit(text, str(place)) for place, text in enumerate(texts) if place >= 50
    ] == decisions[50:]


def test_the_pool_file_is_plain_json_lines(tmp_path):
    pool = Novelty(alphabet="unicode")
    pool.add('Zeile\nmit "Zeichen" 诗', "a")
    pool.save(tmp_path / "pool.jsonl")
    assert (tmp_path / "pool.jsonl").read_text(encoding="utf-8").splitlines() == [
        '{"threshold": "7/10", "alphabet": "unicode", "neighbours": 0}',
        '{"id": "a", "text": "Zeile\\nmit \\"Zeichen\\" 诗"}',
    ]


@pytest.mark.parametrize("content", ["", "no json\n", '{"id": "a", "text": "b"}\n'])
def test_a_file_that_is_no_pool(tmp_path, content):
    (tmp_path / "pool.jsonl").write_text(content)
    with pytest.raises(UserError, match=r"pool\.jsonl is no saved novelty pool"):
        Novelty.load(tmp_path / "pool.jsonl")


def test_one_pair_can_repeat_a_word_often():
    texts = ["the " * 50 + "cat", "the " * 50 + "dog", "the " * 20 + "cat", "cat"]
    assert Novelty().admit_all(texts) == greedy(texts, Fraction("0.7"))


@pytest.mark.parametrize("threshold", [0, -1, 1.5])
def test_a_threshold_out_of_range(threshold):
    with pytest.raises(UserError, match="above 0 and at most 1"):
        Novelty(threshold)
