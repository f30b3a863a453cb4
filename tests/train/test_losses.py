"""Every loss against a plain loop written from its formula, in float64."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from train import losses
from train.losses.divergences import DIVERGENCES

B, T, V = 3, 5, 7
KINDS = sorted(DIVERGENCES)
TEMPERATURES = (1.0, 2.5)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def softmax(row: list[float], temperature: float = 1.0) -> list[float]:
    weights = [math.exp(x / temperature) for x in row]
    return [w / sum(weights) for w in weights]


def kl(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a)


def mixture(p: list[float], q: list[float], share: float) -> list[float]:
    return [share * a + (1 - share) * b for a, b in zip(p, q, strict=True)]


BY_HAND: dict[str, Callable[[list[float], list[float]], float]] = {
    "forward_kl": kl,
    "reverse_kl": lambda t, s: kl(s, t),
    "jsd": lambda t, s: 0.5 * kl(t, mixture(t, s, 0.5)) + 0.5 * kl(s, mixture(t, s, 0.5)),
    "skewed_kl": lambda t, s: kl(t, mixture(t, s, 0.1)),
    "total_variation": lambda t, s: sum(abs(a - b) for a, b in zip(t, s, strict=True)) / 2,
}

MASK = torch.tensor([[0, 1, 1, 0, 1], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=torch.bool)
OTHER = torch.tensor([[1, 0, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 1, 0]], dtype=torch.bool)
PLACES = [(b, t) for b in range(B) for t in range(T) if MASK[b, t]]
OTHERS = [(b, t) for b in range(B) for t in range(T) if OTHER[b, t]]
TOKENS = torch.tensor([[0, 3, 6, 1, 2], [5, 5, 0, 2, 1], [4, 3, 2, 1, 0]])
CORRECT = torch.tensor([[1, 0, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 1, 0]], dtype=torch.bool)
THERE = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 1, 0, 1]], dtype=torch.bool)
IDS = normal(B, T, V, seed=9).argsort(-1)[..., :4]


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def mean_nll(values: Tensor, places: list[tuple[int, int]]) -> float:
    return -mean([values[place].item() for place in places])


def mean_divergence(student: Tensor, teacher: Tensor, kind: str, temperature: float) -> Tensor:
    """What `train kd` makes of full distributions: the divergence part of `mixed`, alone."""
    values = losses.divergence(teacher, student, kind, temperature=temperature)
    return losses.mixed(torch.zeros_like(values), values, MASK, sft_weight=0, kd_weight=1)


def mean_topk_divergence(
    student: Tensor, ids: Tensor, stored: tuple[Tensor, Tensor], kind: str, temperature: float
) -> Tensor:
    """The same of what a dataset stores."""
    values = losses.topk_divergence(student, ids, *stored, kind=kind, temperature=temperature)
    return losses.mixed(torch.zeros_like(values), values, MASK, sft_weight=0, kd_weight=1)


def test_tokens_have_the_logarithm_of_their_softmax() -> None:
    logits = normal(B, T, V)
    found = losses.token_log_probs(logits, TOKENS)
    for b in range(B):
        for t in range(T):
            expected = math.log(softmax(logits[b, t].tolist())[int(TOKENS[b, t])])
            assert found[b, t].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_rationale_and_answer_are_normalised_apart(alpha: float) -> None:
    log_probs = normal(B, T)
    parts = [losses.nll(log_probs, mask) for mask in (MASK, OTHER)]
    found = losses.rationale_answer(*parts, alpha)
    expected = (1 - alpha) * mean_nll(log_probs, PLACES) + alpha * mean_nll(log_probs, OTHERS)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_an_alpha_outside_of_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha is 1\.5"):
        losses.rationale_answer(torch.tensor(1.0), torch.tensor(1.0), 1.5)


def test_two_tasks_and_counterfactuals() -> None:
    first, second = normal(B, T), normal(B, T, seed=1)
    a, b = mean_nll(first, PLACES), mean_nll(second, OTHERS)
    parts = losses.nll(first, MASK), losses.nll(second, OTHER)
    two = losses.distilling_step_by_step(rationale=parts[1], label=parts[0], alpha=0.2)
    assert two.item() == pytest.approx(0.2 * a + 0.8 * b, rel=1e-12)
    scott = losses.counterfactual(factual=parts[0], counterfactual=parts[1], weight=0.3)
    assert scott.item() == pytest.approx(0.7 * a + 0.3 * b, rel=1e-12)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_divergence_of_full_distributions(kind: str, temperature: float) -> None:
    student, teacher = normal(B, T, V), normal(B, T, V, seed=1)
    found = mean_divergence(student, teacher, kind, temperature)
    at = [[softmax(x[place].tolist(), temperature) for x in (teacher, student)] for place in PLACES]
    expected = temperature**2 * mean([BY_HAND[kind](*both) for both in at])
    assert found.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_an_impossible_token_leaves_values_and_gradients_finite(kind: str) -> None:
    teacher, student = normal(B, V), normal(B, V, seed=1).requires_grad_()
    teacher[:, 0] = -math.inf
    found = losses.divergence(teacher, student, kind).sum()
    found.backward()
    assert math.isfinite(found.item())
    assert student.grad.isfinite().all()


@pytest.mark.parametrize("beta", [0.1, 0.9])
def test_generalised_jsd(beta: float) -> None:
    teacher, student = (normal(V, seed=seed).log_softmax(-1) for seed in (0, 1))
    t, s = teacher.exp().tolist(), student.exp().tolist()
    expected = beta * kl(t, mixture(t, s, beta)) + (1 - beta) * kl(s, mixture(t, s, beta))
    assert losses.jsd(teacher, student, beta=beta).item() == pytest.approx(expected, rel=1e-10)


def test_generalised_jsd_tends_to_both_kl_at_its_ends() -> None:
    """GKD (arXiv 2306.13649, section 2): JSD(β)/β → KL(T‖S) as β → 0, and its mirror image."""
    teacher, student = (normal(V, seed=seed).log_softmax(-1) for seed in (0, 1))
    t, s = teacher.exp().tolist(), student.exp().tolist()
    assert losses.jsd(teacher, student, beta=1e-6).item() / 1e-6 == pytest.approx(
        kl(t, s), rel=1e-4
    )
    assert losses.jsd(teacher, student, beta=1 - 1e-6).item() / 1e-6 == pytest.approx(
        kl(s, t), rel=1e-4
    )
    for beta in (0.0, 1.0):
        with pytest.raises(ValueError, match="forward_kl and reverse_kl"):
            losses.jsd(teacher, student, beta=beta)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("kind", KINDS)
def test_stored_tokens_and_one_bucket_for_the_rest(kind: str, temperature: float) -> None:
    """In a loop: both sides joined to K+1 outcomes, tempered, compared."""
    student, teacher = normal(B, T, V), normal(B, T, V, seed=1)
    logprobs, tail = topk_of(teacher, IDS)
    found = mean_topk_divergence(student, IDS, (logprobs, tail), kind, temperature)
    at = []
    for place in PLACES:
        both = []
        for logits in (teacher, student):
            p = softmax(logits[place].tolist())
            kept = [p[i] for i in IDS[place].tolist()]
            joined = [x ** (1 / temperature) for x in [*kept, 1 - sum(kept)]]
            both.append([x / sum(joined) for x in joined])
        at.append(BY_HAND[kind](*both))
    assert found.item() == pytest.approx(temperature**2 * mean(at), rel=1e-9)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("kind", KINDS)
def test_all_tokens_stored_are_the_full_distribution(kind: str, temperature: float) -> None:
    """Value and gradient, in the limit K = V, whatever the order of the ids."""
    teacher, ids = normal(B, T, V, seed=1), normal(B, T, V, seed=2).argsort(-1)
    logprobs, tail = topk_of(teacher, ids)
    found, full = normal(B, T, V).requires_grad_(), normal(B, T, V).requires_grad_()
    a = mean_topk_divergence(found, ids, (logprobs, tail), kind, temperature)
    b = mean_divergence(full, teacher, kind, temperature)
    a.backward()
    b.backward()
    assert a.item() == pytest.approx(b.item(), rel=1e-9)
    assert torch.allclose(found.grad, full.grad, rtol=1e-7, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_outcomes_are_closer_never_farther(kind: str) -> None:
    """The data-processing inequality: what was joined is compared no more, so K = 1, 2, … climbs to
    the full one."""
    student, teacher = normal(B, T, V), normal(B, T, V, seed=1)
    ids = teacher.argsort(-1, descending=True)
    found = [
        losses.topk_divergence(student, ids[..., :k], *topk_of(teacher, ids[..., :k]), kind=kind)
        for k in range(1, V + 1)
    ]
    assert all((more - less > -1e-12).all() for less, more in itertools.pairwise(found))
    assert (found[-1] - found[0] > 1e-3).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_tail_of_no_mass_is_finite_in_single_precision(kind: str) -> None:
    """As stored: 16-bit log-probabilities, a tail rounded to 0; a student that is sure, and one
    that is not."""
    for scale in (60.0, 1.0):
        logits = (normal(1, 40) * scale).float().requires_grad_()
        ids = logits.detach().topk(4).indices
        logprobs = normal(1, 4, seed=3).log_softmax(-1).half().float()
        found = losses.topk_divergence(logits, ids, logprobs, torch.zeros(1), kind=kind).sum()
        found.backward()
        assert math.isfinite(found.item())
        assert logits.grad.isfinite().all()


def test_the_sampled_token_estimates_without_bias() -> None:
    """All V outcomes of one draw, weighted by their probability: KL itself, and both gradients."""
    teacher, one = normal(V, seed=1).log_softmax(-1), torch.ones(1, dtype=torch.bool)
    student, copy = normal(V).requires_grad_(), normal(V).requires_grad_()
    estimates, surrogates = [], []
    for v in range(V):
        drawn = student.log_softmax(-1)[v : v + 1], teacher[v : v + 1]
        estimates.append(teacher[v].exp() * losses.sampled_forward_kl(*drawn, one))
        surrogates.append(
            student.log_softmax(-1)[v].exp().detach() * losses.sampled_reverse_kl(*drawn, one)
        )
    for kind, of_draws in (("forward_kl", sum(estimates)), ("reverse_kl", sum(surrogates))):
        exact = losses.divergence(teacher, copy, kind)
        if kind == "forward_kl":
            assert of_draws.item() == pytest.approx(exact.item(), rel=1e-10)
        found = torch.autograd.grad(of_draws, student, retain_graph=True)[0]
        assert torch.allclose(found, torch.autograd.grad(exact, copy)[0], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_consistency_is_symmetric_kl_on_the_answer(temperature: float) -> None:
    first, second = normal(B, T, V), normal(B, T, V, seed=1)
    pairs = [[softmax(x[place].tolist(), temperature) for x in (first, second)] for place in PLACES]
    expected = temperature**2 * mean([(kl(p, q) + kl(q, p)) / 2 for p, q in pairs])
    assert losses.consistency(first, second, MASK, temperature=temperature).item() == pytest.approx(
        expected, rel=1e-10
    )
    assert losses.consistency(first, first, MASK).item() == pytest.approx(0, abs=1e-12)


def test_contrast_sets_each_right_rationale_against_all_wrong_ones() -> None:
    scores, tau = normal(B, T), 0.7
    of_questions = []
    for q in range(B):
        there = [c for c in range(T) if THERE[q, c]]
        right, wrong = ([c for c in there if bool(CORRECT[q, c]) == kind] for kind in (True, False))
        if right and wrong:  # the second question has no wrong one
            e = {c: math.exp(scores[q, c].item() / tau) for c in there}
            of_questions.append(
                mean([-math.log(e[p] / (e[p] + sum(e[n] for n in wrong))) for p in right])
            )
    assert len(of_questions) == 2
    found = losses.contrast(scores, correct=CORRECT, mask=THERE, temperature=tau)
    assert found.item() == pytest.approx(mean(of_questions), rel=1e-10)


def test_likelihood_is_normalised_by_length() -> None:
    log_probs = normal(B, T)
    found = losses.mean_log_likelihood(log_probs, MASK)
    for b in range(B):
        expected = mean([log_probs[b, t].item() for t in range(T) if MASK[b, t]])
        assert found[b].item() == pytest.approx(expected, rel=1e-12)


def test_preference_is_kl_between_standardised_scores() -> None:
    student, teacher, tau = normal(B, T), normal(B, T, seed=1), 0.5
    mask = THERE.clone()
    mask[1, 2] = False  # two candidates are left: the query does not count
    of_queries = []
    for q in (0, 2):
        there = [c for c in range(T) if mask[q, c]]
        both = []
        for scores in (teacher, student):
            values = [scores[q, c].item() for c in there]
            deviation = math.sqrt(mean([(v - mean(values)) ** 2 for v in values]))
            both.append(softmax([(v - mean(values)) / deviation for v in values], tau))
        of_queries.append(kl(*both))
    found = losses.preference(student, teacher, mask, temperature=tau)
    assert found.item() == pytest.approx(mean(of_queries), rel=1e-8)
    assert losses.preference(3 * teacher + 1, teacher, mask).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_in_context_distillation_adds_the_language_model_loss(temperature: float) -> None:
    student, teacher = normal(B, T, V), normal(B, T, V, seed=1)

    def part(places: list[tuple[int, int]]) -> float:
        hard = mean([-math.log(softmax(student[p].tolist())[int(TOKENS[p])]) for p in places])
        soft = mean(
            [kl(*(softmax(x[p].tolist(), temperature) for x in (teacher, student))) for p in places]
        )
        return 0.6 * hard + 0.4 * temperature**2 * soft

    found = losses.in_context(
        losses.token_log_probs(student, TOKENS),
        losses.divergence(teacher, student, temperature=temperature),
        target=MASK,
        text=OTHER,
        sft_weight=0.6,
        kd_weight=0.4,
        lm_weight=0.25,
    )
    assert found.item() == pytest.approx(part(PLACES) + 0.25 * part(OTHERS), rel=1e-10)


def topk_of(teacher: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """What a dataset stores of a teacher: log-probabilities at the ids, and the mass of the
    rest."""
    logprobs = teacher.log_softmax(-1)
    rest = logprobs.exp().scatter(-1, ids, 0).sum(-1)
    return logprobs.gather(-1, ids), rest


def test_a_batch_of_padding_alone_is_0() -> None:
    """With a gradient of 0, not of 0/0."""
    x = normal(B, T).requires_grad_()
    found = losses.nll(x, torch.zeros_like(MASK))
    found.backward()
    assert found.item() == 0
    assert (x.grad == 0).all()


def test_the_parts_of_a_step_add_up_to_the_whole() -> None:
    """Every loss of a batch, with the counts of the step: row by row it sums to the step's loss."""
    x, logits, more = normal(B, T), normal(B, T, V), normal(B, T, V, seed=1)
    tokens, questions, queries = MASK.sum(), torch.tensor(2), torch.tensor(3)

    def weighed(row: slice, count: Any) -> Tensor:
        values = losses.divergence(more[row], logits[row])
        return losses.mixed(x[row], values, MASK[row], sft_weight=0.3, kd_weight=0.7, count=count)

    def both(row: slice, counts: Any) -> Tensor:
        values = losses.divergence(more[row], logits[row])
        masks = {"target": MASK[row], "text": OTHER[row]}
        return losses.in_context(x[row], values, **masks, lm_weight=0.5, counts=counts)

    def right(row: slice, count: Any) -> Tensor:
        return losses.contrast(x[row], correct=CORRECT[row], mask=THERE[row], count=count)

    ways: list[tuple[Callable[[slice, Any], Tensor], Any, Any]] = [
        (lambda row, count: losses.nll(x[row], MASK[row], count), None, tokens),
        (weighed, None, tokens),
        (both, (None, None), (tokens, OTHER.sum())),
        (
            lambda row, n: losses.consistency(logits[row], more[row], MASK[row], count=n),
            None,
            tokens,
        ),
        (right, None, questions),
        (lambda row, n: losses.preference(x[row], -x[row], THERE[row], count=n), None, queries),
    ]
    for loss, alone, count in ways:
        whole = loss(slice(None), alone).item()
        parts = [loss(slice(row, row + 1), count).item() for row in range(B)]
        assert sum(parts) == pytest.approx(whole, rel=1e-12)
