"""The colour scale: fixed, symmetric, readable without colour vision, honest about its ends."""

import numpy as np
import pytest

from face3d.geometry.colors import ABOVE, ASYMMETRY, BELOW, CHANGE, MOVEMENT, SURFACE, UNMEASURED, Scale, hex_of


def lightness(color: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB colours 0..255 (IEC 61966-2-1)."""
    c = np.asarray(color, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


def test_the_colour_of_a_distance_depends_on_nothing_else() -> None:
    assert np.array_equal(SURFACE.colors([1.0, -2.0])[0], SURFACE.colors([1.0, 0.0, 300.0])[0])


def test_zero_is_lightest_and_lightness_falls_to_both_ends_alike() -> None:
    mm = np.linspace(0, SURFACE.high, 41)
    outside, inside = lightness(SURFACE.colors(mm)), lightness(SURFACE.colors(-mm))
    assert (np.diff(outside) < 0).all() and (np.diff(inside) < 0).all()
    # Equal distances look equally strong: within 12 of 100 steps of lightness, both ways.
    assert np.abs(outside - inside).max() < 12


@pytest.mark.parametrize("lost", ["red", "green"])
def test_inside_and_outside_differ_without_red_or_green_cones(lost: str) -> None:
    """Dichromats as in Vienot, Brettel and Mollon 1999: red and green fall together, blue against the rest remains."""
    to_lms = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
    without = {
        "red": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
        "green": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
    }[lost]
    seen = np.linalg.inv(to_lms) @ without @ to_lms
    for mm in (1.0, 2.0, 4.0):
        pair = (SURFACE.colors([mm, -mm]) / 255) ** 2.2 @ seen.T
        blueness = pair[:, 2] - pair[:, 0]
        assert blueness[1] - blueness[0] > 0.2


def test_beyond_the_limits_and_unmeasured_have_colours_of_their_own() -> None:
    end = SURFACE.colors([SURFACE.high, -SURFACE.high])
    above, below, unmeasured = SURFACE.colors([SURFACE.high + 0.01, -SURFACE.high - 0.01, np.nan])
    assert tuple(above) == ABOVE and tuple(below) == BELOW and tuple(unmeasured) == UNMEASURED
    assert np.abs(above - end[0]).max() > 30 and np.abs(below - end[1]).max() > 30


@pytest.mark.parametrize("scale", [ASYMMETRY, MOVEMENT])
def test_lengths_darken_evenly_and_saturate_in_another_hue(scale: Scale) -> None:
    mm = np.linspace(0, scale.high, 41)
    assert (np.diff(lightness(scale.colors(mm))) < 0).all()
    end, beyond, unmeasured = scale.colors([scale.high, scale.high + 0.01, np.nan])
    assert np.abs(beyond - end).max() > 30 and tuple(unmeasured) == UNMEASURED


def test_contour_lines_end_where_the_scales_do() -> None:
    for scale in (SURFACE, ASYMMETRY, MOVEMENT, CHANGE):
        assert scale.high % scale.contour == 0 and scale.low % scale.contour == 0


def test_hex() -> None:
    assert hex_of([255, 0, 16.4]) == "#ff0010"
