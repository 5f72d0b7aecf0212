"""Agreement of several raters against published examples; sample sizes against published tables and by simulation."""

import math

import numpy as np
import pytest

from face3d.reference.agreement import icc, weighted_kappa
from face3d.reference.ratings import agreement_weights, fleiss_kappa, gwet_ac
from face3d.reference.sample_size import people_for_change, people_for_icc, people_for_share

#: Counts of Fleiss 1971 as in the encyclopaedia's worked example: 10 subjects, 14 raters, 5 categories; kappa 0.210.
WORKED = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def ratings(counts: list[list[int]]) -> np.ndarray:
    return np.array([np.repeat(np.arange(1, len(row) + 1), row) for row in counts], float)


def test_fleiss_worked_example() -> None:
    assert fleiss_kappa(ratings(WORKED), range(1, 6)).value == pytest.approx(0.210, abs=5e-4)


def test_gwet_worked_by_hand() -> None:
    # 125 cases, two raters: 118 agree on 1, 5 and 2 disagree, none agree on 2 (Gwet 2008): AC1 0.94 where kappa is < 0.
    x = np.array([[1, 1]] * 118 + [[1, 2]] * 5 + [[2, 1]] * 2, float)
    share = (118 + 3.5) / 125
    chance = 2 * share * (1 - share)
    found = gwet_ac(x, (1, 2))
    assert found.value == pytest.approx((118 / 125 - chance) / (1 - chance))
    assert 0.93 < found.value < 0.95
    assert fleiss_kappa(x, (1, 2)).value < 0
    assert found.low < found.value < found.high and found.n == 125


def test_weights_count_steps() -> None:
    w = agreement_weights(6, "quadratic")
    assert (w[0, 0], w[0, 5], w[2, 3]) == (1, 0, pytest.approx(1 - 1 / 25))
    rng = np.random.default_rng(0)
    true = rng.integers(1, 7, 80)
    x = np.clip(true[:, None] + rng.integers(-1, 2, (80, 2)), 1, 6).astype(float)
    plain, weighted = fleiss_kappa(x, range(1, 7)), fleiss_kappa(x, range(1, 7), "quadratic")
    assert weighted.value > plain.value + 0.2  # they differ by a step at most
    # With two raters who use the grades alike it is Cohen's.
    assert weighted.value == pytest.approx(weighted_kappa(x[:, 0], x[:, 1], range(1, 7)).value, abs=0.01)


def test_missing_ratings_leave_the_others_and_perfect_agreement_is_one() -> None:
    x = ratings(WORKED)
    x[0, :3] = np.nan
    assert math.isfinite(fleiss_kappa(x, range(1, 6)).value)
    same = np.tile(np.arange(1, 6, dtype=float)[:, None], (8, 3))
    assert fleiss_kappa(same, range(1, 6)).value == pytest.approx(1) == gwet_ac(same, range(1, 6)).value
    with pytest.raises(ValueError, match=r"\[5.0\] are not among"):
        fleiss_kappa(x, range(1, 5))
    with pytest.raises(ValueError, match="weights"):
        gwet_ac(x, range(1, 6), "cubic")


def test_sizes_of_samples() -> None:
    # Bonett 2002, table 1: ICC 0.8, width 0.2, two raters: 50 + 4 = 55 or so; Faber & Fonseca for paired t: 0.5, 90
    # %: 44.
    assert people_for_icc(0.8, 0.2, 2) == 55
    assert people_for_icc(0.8, 0.2, 5) < people_for_icc(0.8, 0.2, 3) < 55
    assert people_for_change(0.5, 0.9) == 44
    assert people_for_change(-0.5, 0.9) == 44
    assert people_for_share(0.5, 0.1) == 93
    for bad in (lambda: people_for_icc(1.2, 0.1), lambda: people_for_share(0.5, 0), lambda: people_for_change(0)):
        with pytest.raises(ValueError, match="need"):
            bad()


def test_a_planned_icc_is_as_narrow_as_planned() -> None:
    rng = np.random.default_rng(0)
    n = people_for_icc(0.85, 0.15, 3)
    error = math.sqrt(0.15 / 0.85)
    widths = []
    for _ in range(200):
        e = icc(rng.normal(size=(n, 1)) + error * rng.normal(size=(n, 3)), "3,1")
        widths.append(e.high - e.low)
    assert np.mean(widths) == pytest.approx(0.15, rel=0.1)
