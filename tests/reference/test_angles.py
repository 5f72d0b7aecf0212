"""Degrees on their circle; other units as they are."""

import numpy as np
import pytest

from face3d.reference.angles import beside, gathered, turned


def test_differences_take_the_short_way_round() -> None:
    assert turned(358, "deg") == -2
    assert turned(-358, "deg") == 2
    assert turned(90, "deg") == 90
    assert turned(358, "mm") == 358


def test_second_values_lie_beside_the_first() -> None:
    assert beside([-179, 10], [179, 12], "deg") == pytest.approx([181, 10])
    assert beside([-179, 10], [179, 12], "mm") == pytest.approx([-179, 10])


@pytest.mark.parametrize("about", [0, 90, 180, -91])
def test_gathered_values_have_the_mean_and_spread_of_the_directions(about: float) -> None:
    x = np.random.default_rng(0).normal(0, 10, 200)
    written = (x + about + 180) % 360 - 180
    together = gathered(written, "deg")
    assert together.std() == pytest.approx(x.std(), abs=1e-9)
    assert turned(together.mean() - about - x.mean(), "deg") == pytest.approx(0, abs=1e-9)
    assert gathered(written, "mm") == pytest.approx(written)
    assert np.isnan(gathered([np.nan, 1.0], "deg")).tolist() == [True, False]
