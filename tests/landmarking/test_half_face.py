"""The half-face network: its arithmetic against scipy, its peaks against planted ones, its marks against the truth."""

import json
from importlib import resources

import numpy as np
import pytest
from scipy.signal import correlate2d
from scipy.spatial.transform import RigidTransform

from face3d.errors import WeightsError
from face3d.geometry.views import Surface
from face3d.landmarking import half_face as refine
from face3d.landmarking.half_face import (
    MARKS,
    PAIRED_MARKS,
    HalfFaceNetwork,
    Marked,
    channels,
    foremost,
    half_view,
    marked,
    network,
    peaks,
    settled,
)
from face3d.landmarks import opposite_name
from face3d.simulate.head import HeadModel


def test_convolution_is_a_correlation_with_zero_padding():
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(3, 11, 9)), rng.normal(size=(2, 3, 3, 3)), rng.normal(size=2)
    expected = [sum(correlate2d(x[c], w[o, c], mode="same") for c in range(3)) + b[o] for o in range(2)]
    weights = {"a.weight": w, "a.bias": b}
    assert np.allclose(refine._conv(x, weights, "a", rectify=False), expected)
    assert np.allclose(refine._conv(x, weights, "a", 2), np.maximum(np.array(expected)[:, ::2, ::2], 0))


def test_channels_of_a_tilted_plane():
    y, x = np.mgrid[:64, :48].astype(float)
    picture, base = channels(0.5 * x - 0.25 * y)
    normal = np.array([-0.5, -0.25, 1.0]) / np.sqrt(1 + 0.5**2 + 0.25**2)  # right, up, to the viewer
    inner = np.s_[:, 16:-16, 16:-16]  # beyond the reach of the blur's edge
    assert np.allclose(picture[:3][inner], normal[:, None, None], atol=1e-6)
    assert np.allclose(picture[3][inner[1:]], 0, atol=1e-6) and (picture[4] == 1).all()
    assert np.allclose(base[inner[1:]], (0.5 * x - 0.25 * y)[inner[1:]], atol=1e-6)


def test_unmeasured_pixels_are_marked_and_nothing_lies_off_the_scan():
    depth = np.zeros((64, 48))
    depth[30:33, 20:23] = np.nan
    depth[:, 40:] = np.nan
    picture, base = channels(depth)
    assert (picture[4, 31, 20:23] == 0).all() and picture[2, 31, 21] == pytest.approx(
        1.0
    )  # bridged: a normal, unmeasured
    assert (picture[:, :, 43:] == 0).all() and np.isnan(base[:, 43:]).all()


def bumps(*at: tuple[float, float, float]) -> np.ndarray:
    """One mark's maps: log-probability bumps of 2 pixels at (x, y, height); it stands out by 1.5 everywhere."""
    yy, xx = np.mgrid[:88, :48]
    heat = np.logaddexp.reduce([h - ((2 * xx + 0.5 - x) ** 2 + (2 * yy + 0.5 - y) ** 2) / 8 for x, y, h in at])
    return np.stack([heat, np.full_like(heat, 1.5)])


def test_a_peak_is_found_between_the_cells():
    places, sure = peaks(bumps((41.3, 77.9, 0.0)), np.full((1, 2), np.nan))
    assert np.allclose(places[0], [41.3, 77.9, 1.5], atol=0.05)  # the window of 3 cells cuts the tails a little
    assert 0.95 < sure[0] <= 1.0


def test_the_detector_decides_between_lookalikes_but_does_not_draw_them():
    maps = bumps((30.0, 40.0, 0.0), (60.0, 100.0, 1.0))
    places, sure = peaks(maps, np.array([[33.0, 44.0]]))
    assert np.allclose(places[0, :2], [30.0, 40.0], atol=0.1)
    assert sure[0] == pytest.approx(1 / (1 + np.e), abs=0.05)
    assert np.allclose(peaks(maps, np.full((1, 2), np.nan))[0][0, :2], [60.0, 100.0], atol=0.1)


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return HeadModel.load("b", "fine")  # movements that the network was not trained on


def face(model: HeadModel, seed: int, left: dict[str, float], right: dict[str, float]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sides = [np.array([side.get(unit, 0.0) for unit in model.units]) for side in (left, right)]
    return model.shape(rng.normal(size=len(model.identity)), 0.5 * rng.normal(size=len(model.asymmetry)), *sides)


def size(marks: dict[str, np.ndarray]) -> float:
    return float(np.linalg.norm(marks["ex_left"] - marks["ex_right"])) / 88.9


def test_views_of_the_two_halves_mirror_each_other():
    left, right = (half_view(RigidTransform.identity(), 1.1, side) for side in ("left", "right"))
    grid = left.grid()[:, ::-1] * [-1, 1, 1]
    assert np.allclose(right.grid(), grid, atol=1e-9)


def test_the_mirrored_face_gives_the_mirrored_landmarks(model: HeadModel):
    v = face(model, 3, {"mouth-corner-puller": 1.0, "eye-closure": 0.5}, {})
    scale, still = size(model.landmark_points(v)), RigidTransform.identity()
    one = marked(Surface(v, model.faces), still, scale, {})
    two = marked(Surface(v * [-1, 1, 1], model.faces[:, ::-1]), still, scale, {})
    assert set(one.points) == {
        name for m in MARKS for name in ([f"{m}_left", f"{m}_right"] if m in PAIRED_MARKS else [m])
    }
    for name, point in one.points.items():
        # By construction but for single-precision rays.
        assert np.allclose(two.points[opposite_name(name)], point * [-1, 1, 1], atol=0.02), name


def test_landmarks_of_unseen_movements_lie_within_a_millimetre_an_axis(model: HeadModel):
    smile = {"mouth-corner-puller": 1.0, "mouth-open": 0.3}
    closure, snarl = {"eye-closure": 1.0, "eyebrows-down": 0.4}, {"nose-elevation": 1.0, "mouth-upward-retraction": 0.5}
    errors: dict[str, list[np.ndarray]] = {"fine": [], "brow": []}
    for seed, (left, right) in enumerate([(smile, {}), ({}, closure), (snarl, {}), (closure, smile)]):
        v = face(model, 70 + seed, left, right)
        truth = model.landmark_points(v)
        found = marked(Surface(v, model.faces), RigidTransform.identity(), size(truth), {})
        for name, point in found.points.items():
            code = name.split("_")[0]
            if code not in ("g", "sl", "pg", "gn"):
                errors["brow" if code in ("mb", "sci", "lb") else "fine"].append(np.abs(point - truth[name]))
    assert (np.median(errors["fine"], axis=0) < 1.0).all()
    assert (np.median(errors["brow"], axis=0) < 2.0).all()


def test_lip_edges_are_settled_between_detector_and_network():
    net = Marked({"li": np.array([0.0, -10.0, 0.0]), "sn": np.array([0.0, 5.0, 0.0])}, {"li": 0.8, "sn": 0.8})
    both = settled(net, {"li": np.zeros(3), "sn": np.zeros(3)})
    assert np.allclose(both.points["li"], [0.0, -10.0 / 17.0, 0.0])  # twice the 5 mm apart: 1 / (1 + 2^4)
    assert np.array_equal(both.points["sn"], net.points["sn"]) and both.confidence["sn"] == 0.8
    assert both.confidence["li"] == pytest.approx(0.8 * (0.5 + 0.5 / 17.0))


def test_the_tip_of_a_bump_is_found_from_nearby():
    y, x = np.mgrid[-30:30.01, -30:30.01]
    z = 20.0 * np.exp(-((x - 1.3) ** 2 + (y + 2.2) ** 2) / 200.0)
    i = np.arange(x.size).reshape(x.shape)
    a, b, c, d = i[:-1, :-1].ravel(), i[:-1, 1:].ravel(), i[1:, 1:].ravel(), i[1:, :-1].ravel()
    surface = Surface(
        np.stack([x, y, z], -1).reshape(-1, 3), np.vstack([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    )
    tip = foremost(surface, RigidTransform.identity(), np.array([5.0, 3.0, 0.0]))
    assert tip is not None
    assert np.allclose(tip[:2], [1.3, -2.2], atol=0.1)
    assert 19.0 < tip[2] <= 20.0  # the smoothing over 1.5 mm takes 20 x 1.5^2 / 100 = 0.45 mm off the top
    assert foremost(surface, RigidTransform.identity(), np.array([22.0, 20.0, 0.0])) is None  # only a slope there


@pytest.mark.parametrize("seed", [5, 6])
def test_a_dropped_corner_keeps_its_difference(model: HeadModel, seed: int):
    v = face(model, seed, {}, {})
    marks = model.landmark_points(v)
    # A paralysed corner: 6 mm lower and 3 mm towards the middle, fading over 18 mm.
    fall = np.exp(-((np.linalg.norm(v - marks["ch_right"], axis=1) / 18.0) ** 2))[:, None] * [3.0, -6.0, 0.0]
    v = v + fall
    truth = model.landmark_points(v)
    found = marked(Surface(v, model.faces), RigidTransform.identity(), size(truth), {}).points
    flip = np.array([-1.0, 1.0, 1.0])
    true, kept = (m["ch_left"] - m["ch_right"] * flip for m in (truth, found))
    assert (
        true @ kept / (true @ true) > 0.85
    )  # of one face; the median over many is published in benchmarks/landmarks.py


def test_altered_weights_are_refused(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(resources, "files", lambda package: tmp_path)
    with pytest.raises(WeightsError, match="cannot be read"):
        network.__wrapped__()
    (tmp_path / "data" / "half_face.npz").write_bytes(b"nothing")
    (tmp_path / "data" / "half_face.json").write_text(json.dumps({"sha256": "0" * 64}))
    with pytest.raises(WeightsError, match="SHA-256"):
        network.__wrapped__()
    assert isinstance(network(), HalfFaceNetwork)
