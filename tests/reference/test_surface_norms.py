"""Norms of the surface distance: quoted as published, and only for exactly the same quantity."""

import pytest

from face3d.reference.norms import surface_norm


def test_taylor_2014_as_published():
    norm = surface_norm("face", "both", "face", "surface distance")
    assert norm is not None
    assert (norm.mean, norm.sd, norm.n) == (0.6253, 0.16, 350)
    assert norm.z(0.6253) == 0.0 and norm.z(0.7853) == pytest.approx(1.0) and norm.z(0.4653) == pytest.approx(-1.0)
    assert norm.range_text == "0.31-0.94"
    for word in ("3dMD", "healthy adults", "without a midplane", "Taylor", "10.1597/13-353", "crop"):
        assert word in norm.text


@pytest.mark.parametrize(
    "other",
    [
        ("face", "left", "face", "surface distance"),
        ("face", "both", "face", "asymmetry"),
        ("upper third", "both", "trigeminal third", "surface distance"),
    ],
)
def test_no_norm_for_anything_else(other):
    assert surface_norm(*other) is None
