"""Networks and rules heard together: who is right more often counts more, and disagreement is doubt."""

from __future__ import annotations

import numpy as np
import pytest

from face3d.grading.heads import CUTS
from face3d.grading.pool import Pool, Said

N = 600


def exams(networks_sd: float, rules_sd: float, seed: int = 0) -> tuple[Said, np.ndarray, np.ndarray, np.ndarray]:
    """What both say of exams whose grade and function are known."""
    rng = np.random.default_rng(seed)
    severity = rng.uniform(0, 1, N)
    function = rng.uniform(0, 1, (N, 5))
    said = Said(
        severity + rng.normal(0, networks_sd, N),
        function + rng.normal(0, networks_sd, (N, 5)),
        severity + rng.normal(0, rules_sd, N),
        function + rng.normal(0, rules_sd, (N, 5)),
    )
    return said, 1 + (severity[:, None] >= CUTS).sum(axis=1), severity, function


@pytest.fixture
def plain() -> Pool:
    return Pool(0.25, np.full(5, 0.5), np.array(CUTS), np.array([0.02, 0.3]))


def test_the_surer_of_the_two_counts_more():
    """Two independent errors of SD a and b: the best weight of the second is a^2 / (a^2 + b^2)."""
    for networks, rules in ((0.02, 0.06), (0.06, 0.02)):
        pool = Pool.learned(*exams(networks, rules), CUTS)
        best = networks**2 / (networks**2 + rules**2)
        assert pool.weight == pytest.approx(best, abs=0.05)
        assert pool.function == pytest.approx(np.full(5, best), abs=0.05)


def test_together_they_grade_better_than_either():
    pool = Pool.learned(*exams(0.05, 0.05), CUTS)
    said, grades, _, _ = exams(0.05, 0.05, seed=1)
    right = np.mean(1 + pool.probabilities(said).argmax(axis=1) == grades)
    alone = [np.mean(1 + (s[:, None] >= CUTS).sum(axis=1) == grades) for s in (said.severity, said.rules)]
    assert right > max(alone)


def test_cut_points_follow_a_bias():
    said, *truth = exams(0.03, 0.03)
    biased = Said(said.severity - 0.01, said.function, said.rules - 0.01, said.rules_function)
    assert Pool.learned(biased, *truth, CUTS).cuts.mean() < np.mean(CUTS) - 0.003


def test_disagreement_is_doubt(plain: Pool):
    one = Said(*(np.full(s, 0.4) for s in (2, (2, 5))), np.array([0.4, 0.7]), np.full((2, 5), 0.4))
    scale = plain.scale(one)
    assert scale[0] == pytest.approx(0.02)
    assert scale[1] == pytest.approx(np.hypot(0.02, 0.3 * 0.3))
    assert plain.probabilities(one).max(axis=1)[1] < plain.probabilities(one).max(axis=1)[0]


def test_where_rules_say_nothing_the_networks_speak_alone(plain: Pool):
    said = Said(np.array([0.4]), np.full((1, 5), 0.3), np.array([np.nan]), np.full((1, 5), np.nan))
    assert plain.severity(said) == pytest.approx([0.4])
    assert plain.functions(said) == pytest.approx(np.full((1, 5), 0.3))
    assert np.isfinite(plain.probabilities(said)).all()


def test_probabilities_are_probabilities(plain: Pool):
    p = plain.probabilities(exams(0.1, 0.1)[0])
    assert p.shape == (N, 6)
    assert p.sum(axis=1) == pytest.approx(np.ones(N))
