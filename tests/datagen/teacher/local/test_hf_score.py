"""Scoring with a shared prefix: against one forward at a time; and kept by the journal."""

import asyncio
import random
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from datagen.teacher import TeacherError
from datagen.teacher.journal import JournaledTeacher
from datagen.teacher.local.hf import HfTeacher
from datagen.teacher.local.prefix import shared_prefix


@pytest.fixture(scope="module")
def plain(tiny_model):
    """Log-probabilities by one unbatched forward a token."""
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(tiny_model).eval(),
        AutoTokenizer.from_pretrained(tiny_model),
    )

    def score(prompt, continuation):
        ids, found = tokenizer(prompt).input_ids, []
        for token in tokenizer(continuation).input_ids:
            with torch.inference_mode():
                found.append(model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[token].item())
            ids = [*ids, token]
        return found

    return score


def score_many(folder, *groups, journal=None, **kwargs):
    """Each group's scores, and (tokens asked, tokens computed)."""

    async def go():
        engine = HfTeacher(str(folder), name="tiny", **kwargs)
        teacher = JournaledTeacher(engine, journal) if journal else engine
        try:
            found = await asyncio.gather(*(teacher.score_many(group) for group in groups))
            await engine.open()  # what the journal holds needs no model
            return found, (engine.model.tokens_asked, engine.model.tokens_computed)
        finally:
            await teacher.close()

    return asyncio.run(go())


BEGIN = "Input: 3 apples\nOutput: 5\n\n"
GROUPS = {
    "one beginning": [
        (f"{BEGIN}{middle} ->", " gold") for middle in ("a", "b b", "Input: 7 pears")
    ],
    "one prompt, several continuations": [
        (f"{BEGIN}x ->", answer) for answer in (" yes", " no", " perhaps", "")
    ],
    "a prompt that another begins with": [
        ("Tom", " has"),
        ("Tom has", " 3"),
        ("Tom has 3", " pears"),
    ],
    "nothing in common": [("a", " b"), ("the longest of them all", " ends"), ("zz", " top")],
    "equal pairs": [("Tom has", " 3")] * 2,
    "a single pair": [("Tom has 3", " apples")],
}


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("rows", [256, 2])
def test_a_shared_prefix_changes_no_log_probability(tiny_model, plain, group, rows):
    [found], _ = score_many(tiny_model, group, batch_rows=rows)
    for (prompt, continuation), scores in zip(group, found, strict=True):
        assert scores == pytest.approx(plain(prompt, continuation), abs=1e-4)


def test_a_shared_prefix_is_computed_once(tiny_model):
    group = [("0123456789" + tail, "xy") for tail in ("ab", "cd", "efg")]
    _, (asked, computed) = score_many(tiny_model, group)
    assert asked == 14 + 14 + 15
    assert computed == asked - 2 * 10


def test_pairs_do_not_depend_on_what_else_is_asked(tiny_model):
    groups = list(GROUPS.values())
    together, _ = score_many(tiny_model, *groups)
    assert [score_many(tiny_model, group)[0][0] for group in groups] == together


def test_a_pair_beyond_the_context_fails(tiny_model):
    with pytest.raises(TeacherError, match="130 tokens, the context is 128"):
        score_many(tiny_model, [("a", "b"), ("x" * 100, "y" * 30)])


def test_the_shared_prefix_is_the_longest():
    rng = random.Random(0)
    for _ in range(200):
        sequences = [
            [rng.randrange(2) for _ in range(rng.randrange(6))] for _ in range(rng.randrange(2, 5))
        ]
        expected = max(
            n
            for n in range(7)
            if len({(*s[:n], n > len(s)) for s in sequences}) == 1
            and n <= len(min(sequences, key=len))
        )
        assert shared_prefix(sequences) == sequences[0][:expected]


def test_a_restarted_journal_scores_nothing_again(tiny_model, tmp_path):
    folder, groups = tmp_path / "model", [GROUPS["one beginning"], GROUPS["nothing in common"]]
    shutil.copytree(tiny_model, folder)
    first, cost = score_many(folder, *groups, groups[0], journal=tmp_path / "j")
    again, nothing = score_many(folder, *groups, groups[0], journal=tmp_path / "j")
    assert again == first
    assert nothing == (0, 0)
    _, alone = score_many(folder, *groups)
    assert cost == alone  # equal pairs under way at the same time went through the model once
    _, more = score_many(folder, groups[0][:2], journal=tmp_path / "j")
    assert more[0] > 0
