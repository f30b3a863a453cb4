"""One question to its rows, with scripted chains served over HTTP."""

import asyncio
from collections import Counter

import pytest

from datagen.errors import UserError
from datagen.rationales.generate import distil
from datagen.rationales.prompts import Prompts, read_shots
from datagen.rationales.settings import RationaleSettings
from datagen.schema import Accepted
from datagen.suites import Question, Suite
from datagen.teacher import connect
from tests.datagen.endpoint import Endpoint, Served

SUITE = Suite("mine", "number")
QUESTION = Question("q1", "How many wheels have 2 cars and a bicycle?", "10", "number")
RIGHT = "Two cars: 2 * 4 = 8. With the bicycle 8 + 2 = 10. The answer is 10."
RIGHT_OTHERWISE = "The bicycle has 2. 2 + 4 = 6 and 6 + 4 = 10. The answer is 10."
RIGHT_REWORDED = "Cars: 2 * 4 = 8. Adding the bike, 8 + 2 = 10. The answer is 10."
WRONG = "2 * 4 = 8 and 8 + 1 = 9. The answer is 9."
LOST = "I would rather not say."


class Script(Endpoint):
    """Sample i of any prompt is the i-th text; a hinted prompt gets `hinted`."""

    def __init__(self, texts, hinted=(), lengths=()):
        super().__init__()
        self.texts, self.hinted, self.lengths = texts, hinted, lengths

    def reply(self, body, fault):
        prompt = body["messages"][-1]["content"]
        texts = self.hinted if "known to be" in prompt else self.texts
        indices = range(body["seed"], body["seed"] + body["n"])
        return {
            "choices": [
                {
                    "index": k,
                    "finish_reason": "length" if i in self.lengths else "stop",
                    "message": {"role": "assistant", "content": texts[i]},
                    "logprobs": {"content": [{"logprob": -1.0 - i}, {"logprob": -1.0 - i}]},
                }
                for k, i in enumerate(indices)
            ]
        }


def run(monkeypatch, script, question=QUESTION, **settings):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    values = {"source": "mine", "samples": len(script.texts), **settings}

    async def go():
        teacher = connect("openai:arith")
        try:
            return await distil(
                question, teacher, prompts=Prompts(SUITE), settings=RationaleSettings(**values)
            )
        finally:
            await teacher.close()

    with Served(script) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        return asyncio.run(go())


def verdicts(outcomes):
    """ "keep" or the reason, per chain."""
    chains = [o for o in outcomes if not (isinstance(o, Accepted) and o.config == "answers")]
    return ["keep" if isinstance(o, Accepted) else o.reason for o in chains]


def without_gold(question=QUESTION):
    return Question(question.id, question.question, None, question.answer_type)


def test_with_gold_the_correct_chains_stay(monkeypatch):
    outcomes = run(monkeypatch, Script([WRONG, WRONG, RIGHT, LOST]))
    assert verdicts(outcomes) == ["wrong", "wrong", "keep", "unextractable"]
    row = outcomes[2].row
    assert row["completion"] == [{"role": "assistant", "content": RIGHT}]
    assert row["prompt"][0]["content"].startswith(QUESTION.question)
    assert (row["answer"], row["gold"], row["correct"], row["votes"], row["samples"]) == (
        "10",
        "10",
        True,
        1,
        4,
    )
    assert row["agreement"] == 0.5  # the majority, 9, has two of four


def test_without_gold_the_majority_stays_when_it_is_large_enough(monkeypatch):
    script = Script([WRONG, RIGHT, RIGHT_OTHERWISE, LOST])
    assert verdicts(run(monkeypatch, script, without_gold())) == [
        "minority",
        "keep",
        "keep",
        "unextractable",
    ]
    script = Script([WRONG, RIGHT, RIGHT_OTHERWISE, LOST, LOST])
    assert set(verdicts(run(monkeypatch, script, without_gold()))) == {
        "low_agreement",
        "unextractable",
    }
    script = Script([WRONG, RIGHT, RIGHT_OTHERWISE, LOST, LOST])
    kept = verdicts(run(monkeypatch, script, without_gold(), min_agreement=0.4))
    assert kept == ["minority", "keep", "keep", "unextractable", "unextractable"]


def test_a_tie_is_named_and_kept_by_neither(monkeypatch):
    outcomes = run(monkeypatch, Script([WRONG, RIGHT]), without_gold())
    assert verdicts(outcomes) == ["tied", "tied"]
    assert all(o.row["tied"] for o in outcomes)


def test_weighted_votes_follow_the_probability_of_the_chains(monkeypatch):
    script = Script([WRONG, RIGHT, RIGHT_OTHERWISE])  # e^-1 for 9 against e^-2 + e^-3 for 10
    assert verdicts(run(monkeypatch, script, without_gold(), weighted=True)) == [
        "keep",
        "minority",
        "minority",
    ]
    assert script.bodies[0]["logprobs"] is True


def test_gold_can_be_ignored_and_the_filter_switched_off(monkeypatch):
    script = [WRONG, WRONG, RIGHT, LOST]
    outcomes = run(monkeypatch, Script(script), keep_by="majority")
    assert verdicts(outcomes) == ["keep", "redundant", "minority", "unextractable"]
    assert outcomes[0].row["correct"] is False
    assert verdicts(run(monkeypatch, Script(script), keep_by="none"))[2] == "keep"


def test_a_chain_that_was_cut_off_never_trains_a_student(monkeypatch):
    assert verdicts(run(monkeypatch, Script([RIGHT, RIGHT_OTHERWISE], lengths={0}))) == [
        "truncated",
        "keep",
    ]


def test_an_empty_chain_is_a_reason_of_its_own(monkeypatch):
    assert verdicts(run(monkeypatch, Script(["", RIGHT]))) == ["empty", "keep"]


def test_best_is_the_most_probable_and_diverse_takes_new_calculations_first(monkeypatch):
    script = [RIGHT, RIGHT_REWORDED, RIGHT_OTHERWISE]
    assert verdicts(run(monkeypatch, Script(script), keep="best")) == [
        "keep",
        "redundant",
        "redundant",
    ]
    assert verdicts(run(monkeypatch, Script(script), keep="diverse", diverse=2)) == [
        "keep",
        "redundant",
        "keep",
    ]
    assert verdicts(run(monkeypatch, Script(script), keep="diverse", diverse=5)) == ["keep"] * 3


def test_what_no_chain_solved_is_asked_again_with_the_answer_and_kept_without_it(monkeypatch):
    outcomes = run(monkeypatch, Script([WRONG, WRONG], hinted=[RIGHT, WRONG]), hints=2)
    assert verdicts(outcomes) == ["wrong", "wrong", "keep", "wrong"]
    row = outcomes[2].row
    assert row["hinted"] is True
    assert "10" not in row["prompt"][0]["content"]
    assert row["samples"] == 2
    untouched = Script([WRONG, RIGHT], hinted=[RIGHT, RIGHT])
    assert verdicts(run(monkeypatch, untouched, hints=2)) == ["wrong", "keep"]
    assert len(untouched.bodies) == 1


def test_the_answers_only_row_asks_directly_and_gives_the_answer_alone(monkeypatch):
    *_, last = run(monkeypatch, Script([RIGHT, WRONG]))
    assert last.config == "answers"
    assert last.row["completion"] == [{"role": "assistant", "content": "The answer is 10."}]
    assert "step by step" not in last.row["prompt"][0]["content"]
    assert not any(isinstance(o, Accepted) for o in run(monkeypatch, Script([WRONG, LOST])))


def test_adaptive_sampling_stops_where_drawing_one_by_one_would(monkeypatch):
    texts = [RIGHT, RIGHT, WRONG, RIGHT, LOST, RIGHT, RIGHT, RIGHT, WRONG, RIGHT, RIGHT, RIGHT]
    script = Script(texts)
    outcomes = run(monkeypatch, script, without_gold(), adaptive=0.95)
    counts, expected = Counter(), 0
    for text in texts:  # P(p1 > p2) by brute force: integrate Beta(v1 + 1, v2 + 1) above one half
        expected += 1
        counts.update({"10"} if text == RIGHT else {"9"} if text == WRONG else set())
        v1, v2 = ([n for _, n in counts.most_common(2)] + [0, 0])[:2]
        grid = [(k + 0.5) / 4000 for k in range(4000)]
        density = [p**v1 * (1 - p) ** v2 for p in grid]
        if sum(density[2000:]) / sum(density) >= 0.95:
            break
    assert outcomes[0].row["samples"] == expected < len(texts)
    assert [body["seed"] for body in script.bodies] == sorted(
        {body["seed"] for body in script.bodies}
    )


def test_example_chains_stand_before_the_question_in_both_styles(tmp_path):
    file = tmp_path / "shots.jsonl"
    file.write_text('{"question": "1 + 1?", "rationale": "1 + 1 = 2. The answer is 2."}\n')
    shots = read_shots(file, SUITE)
    chat = Prompts(SUITE, "chat", shots).ask(QUESTION)
    assert [role for role, _ in chat] == ["user", "assistant", "user"]
    plain = Prompts(SUITE, "plain", shots)
    assert plain.ask(QUESTION).count("\nA:") == 2
    assert plain.ask(QUESTION).endswith("\nA:")
    assert plain.stop == ("\n\nQ:",)
    file.write_text('{"question": "1 + 1?"}\n')
    with pytest.raises(
        UserError, match=r"line 1: an example chain needs 'rationale'; the columns are: question"
    ):
        read_shots(file, SUITE)


@pytest.mark.parametrize(
    ("flag", "value"),
    [("samples", 0), ("temperature", -1), ("top_p", 0), ("adaptive", 0.3), ("concurrency", 0)],
)
def test_settings_out_of_range_are_refused(flag, value):
    with pytest.raises(UserError, match=f"--{flag} {value}: must be"):
        RationaleSettings(source="gsm8k", **{flag: value})
