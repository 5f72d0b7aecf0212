"""Pictures show what was measured, where it is, and the subject's left on the right."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from face3d.geometry.colors import SURFACE, UNMEASURED
from face3d.geometry.views import Surface
from face3d.measuring.analysis import Analysis
from face3d.report.pictures import DIRECTIONS, Picture, map_pictures, pictures_of, plain_picture


def pixels(picture: Picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB"), float)


@pytest.fixture(scope="module")
def pictures(dome: Analysis) -> dict[str, np.ndarray]:
    """The map of the dome, as if nothing had been measured above the eyes."""
    surface = Surface(dome.scan.vertices, dome.scan.faces)
    values = np.where(dome.scan.vertices[:, 1] > 0, np.nan, dome.signed_surface_distance_mm)
    return {picture.name: pixels(picture) for picture in map_pictures(surface, [(values, SURFACE)])[0]}


def test_a_bump_on_the_left_is_orange_on_the_right_of_the_front_view(pictures: dict[str, np.ndarray]) -> None:
    front = pictures["front"]
    orange = front[..., 0] - front[..., 2] > 60
    blue = front[..., 2] - front[..., 0] > 60
    middle = front.shape[1] / 2
    # 45 mm of a picture 190 mm wide; the bump is 20 mm across.
    expected = 45 / 190 * front.shape[1]
    assert abs(np.median(np.nonzero(orange)[1]) - middle - expected) < 10
    assert abs(np.median(np.nonzero(blue)[1]) - middle + expected) < 10


def test_every_direction_is_drawn_and_profiles_look_to_their_own_side(pictures: dict[str, np.ndarray]) -> None:
    assert set(pictures) == set(DIRECTIONS)
    left, right = (np.nonzero(pictures[name].min(axis=-1) < 250)[1] for name in ("left profile", "right profile"))
    width = pictures["left profile"].shape[1]
    # Seen from the subject's left the face looks to the left of the picture.
    assert left.max() < 0.75 * width and right.min() > 0.25 * width
    assert np.isclose(left.min() + right.max(), width, atol=3)


def test_what_was_not_measured_is_grey(pictures: dict[str, np.ndarray]) -> None:
    front = pictures["front"]
    spot = front[front.shape[0] // 4, front.shape[1] // 2]  # 30 mm above the eyes
    assert np.ptp(spot) <= 6 and spot.max() < max(UNMEASURED) + 5


def test_landmarks_are_dots_on_the_plain_picture(dome: Analysis) -> None:
    surface = Surface(dome.scan.vertices, dome.scan.faces)
    bare, dotted = (
        pixels(plain_picture(surface, marks)) for marks in ({}, {"prn": [0.0, -38.0, 30.0], "hidden": [0, -38, -200]})
    )
    changed = np.nonzero(np.abs(bare - dotted).max(axis=-1) > 40)
    # (-38 mm) is 8 mm below the middle (-30 mm), in a picture 250 mm high.
    assert abs(np.mean(changed[0]) - (0.5 + 8 / 250) * bare.shape[0]) < 2
    assert abs(np.mean(changed[1]) - 0.5 * bare.shape[1]) < 2


def test_a_scan_wound_the_wrong_way_round_is_drawn_as_bright(dome: Analysis) -> None:
    turned = replace(dome, scan=dome.scan.replace(faces=dome.scan.faces[:, ::-1]))
    bright, same = (pixels(pictures_of(a).surface_distance[2]) for a in (dome, turned))
    assert np.abs(bright - same).mean() < 1.0
