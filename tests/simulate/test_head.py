"""The head model: exact symmetry, one mesh for every shape, movements that stay on their side."""

from __future__ import annotations

import hashlib
import json
import pickle
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from face3d.errors import SchemaError
from face3d.io import write_scan
from face3d.scan import FaceScan
from face3d.simulate import HeadModel
from face3d.simulate.blendshapes import load_folder
from face3d.simulate.head import reflected
from face3d.simulate.lids import openings, settle_lids

SETS = ("a", "b")
LEVELS = ("base", "fine")


@pytest.fixture(params=[(m, level) for m in SETS for level in LEVELS], ids="-".join)
def model(request: pytest.FixtureRequest) -> HeadModel:
    return HeadModel.load(*request.param)


def _turned(faces: np.ndarray) -> np.ndarray:
    """The faces in a fixed order, each from its smallest vertex on; the winding is kept."""
    turned = np.take_along_axis(faces, (np.argmin(faces, axis=1)[:, None] + np.arange(3)) % 3, axis=1)
    return turned[np.lexsort(turned.T)]


def test_pairing_is_an_involution_that_maps_the_mesh_onto_itself(model: HeadModel) -> None:
    n = len(model.vertices)
    assert np.array_equal(model.opposite[model.opposite], np.arange(n))
    assert np.array_equal(reflected(model.vertices, model.opposite), model.vertices)
    assert np.array_equal(_turned(model.faces), _turned(model.opposite[model.faces][:, ::-1]))


def test_midline_is_in_the_plane(model: HeadModel) -> None:
    middle = model.opposite == np.arange(len(model.vertices))
    assert middle.sum() > 50
    assert np.abs(model.vertices[middle, 0]).max() == 0
    assert np.abs(model.identity[:, middle, 0]).max() == 0


def test_right_movements_are_the_mirror_image_of_the_left(model: HeadModel) -> None:
    assert np.array_equal(reflected(model.left, model.opposite), model.right)
    assert np.allclose(reflected(model.identity, model.opposite), model.identity, atol=0)
    assert np.allclose(reflected(model.asymmetry, model.opposite), -model.asymmetry, atol=1e-12)


def test_swapping_sides_mirrors_the_face(model: HeadModel) -> None:
    rng = np.random.default_rng(3)
    identity, odd = rng.normal(size=len(model.identity)), 0.3 * rng.normal(size=len(model.asymmetry))
    left, right = rng.uniform(0, 1, (2, len(model.units))) * 0.4
    one = model.shape(identity, odd, left, right)
    other = model.shape(identity, -odd, right, left)
    assert np.abs(reflected(one, model.opposite) - other).max() < 1e-9


def test_origin_is_between_the_inner_eye_corners(model: HeadModel) -> None:
    rng = np.random.default_rng(4)
    for _ in range(3):
        points = model.landmark_points(model.shape(identity=rng.normal(size=len(model.identity))))
        middle = (points["en_left"] + points["en_right"]) / 2
        # Stored displacements are rounded to 0.005 mm: a few dozen components move the origin by hundredths at most.
        assert np.abs(middle).max() < 0.1


def test_left_is_the_subjects_left(model: HeadModel) -> None:
    points = model.landmark_points(model.vertices)
    assert all(points[n][0] > 5 for n in points if n.endswith("_left"))
    assert points["prn"][2] > 20
    assert points["g"][1] > 0 > points["gn"][1]


def test_survives_pickling() -> None:
    model = HeadModel.load()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(
        again.shape(left=np.ones(len(model.units)) * 0.2), model.shape(left=np.ones(len(model.units)) * 0.2)
    )
    assert not again.vertices.flags.writeable


def test_fine_level_is_dense_as_a_scan() -> None:
    assert len(HeadModel.load(level="fine").vertices) >= 15_000


@pytest.mark.parametrize(("movement", "unit"), [("a", "eyeBlink"), ("b", "eye-closure")])
def test_lids_meet_but_do_not_cross(movement: str, unit: str) -> None:
    model = HeadModel.load(movement, "fine")
    assert model.eyes is not None
    strong = np.zeros(len(model.units))
    strong[model.unit_index(unit)] = 1.6
    closed, edges = model.shape(left=strong), model.eyes.edges[0]
    assert openings(model.vertices, edges)[1:-1].max() > 8.0
    # Edges stop 0.1 mm apart; the step from column to column leaves a little of that.
    left_open = openings(closed, edges)[1:-1]
    assert left_open.min() > -0.05
    assert left_open[3:-3].max() < 0.4
    assert np.allclose(closed[model.eyes.balls[1]], model.vertices[model.eyes.balls[1]], atol=1e-9)


def test_lids_stay_outside_the_eyeball() -> None:
    model = HeadModel.load("a", "fine")
    assert model.eyes is not None
    edge, center = model.eyes.edges[0], model.eyes.centers[0]
    radius = np.linalg.norm(model.vertices[model.eyes.balls[0]] - center, axis=1)
    assert np.ptp(radius) < 1e-9  # the surface between the lids is the ball
    for strength in (0.3, 0.6, 1.0, 1.5):
        weights = np.zeros(len(model.units))
        weights[model.unit_index("eyeBlink")] = strength
        moved = model.shape(left=weights)
        assert np.linalg.norm(moved[edge.ravel()] - center, axis=1).min() > radius.mean() - 1e-6


def test_settling_an_open_eye_changes_nothing() -> None:
    model = HeadModel.load("a")
    assert model.eyes is not None
    again = settle_lids(model.eyes, model.vertices, model.vertices, model.eyes.centers)
    assert np.abs(again - model.vertices).max() < 1e-9


def test_regions_share_out_the_whole_surface() -> None:
    model = HeadModel.load("a")
    total = np.sum(list(model.regions.values()), axis=0)
    # Weights are stored in 255ths: a vertex on the border of many regions is off by a few of those.
    assert np.abs(total - 1).max() < 0.02
    for name, weight in model.regions.items():
        assert weight.min() >= 0
        assert weight.max() > 0.9, name
        twin = name.replace("_left", "_right") if "_left" in name else name.replace("_right", "_left")
        assert np.allclose(weight, model.regions[twin][model.opposite], atol=1e-9)


def _write_folder(folder: Path, model: HeadModel, units: tuple[str, ...]) -> None:
    def put(name: str, vertices: np.ndarray) -> None:
        write_scan(folder / f"{name}.obj", FaceScan(vertices, model.faces))

    put("neutral", model.vertices)
    put("identity_1", model.vertices + model.identity[0])
    put("identity_2", model.vertices + model.identity[1] + 0.5 * model.asymmetry[0])
    for unit in units:
        k = int(model.unit_index(unit)[0])
        put(f"{unit}_L", model.vertices + model.left[k])
        put(f"{unit}_R", model.vertices + model.right[k])
    put(
        "jawOpen",
        model.vertices + model.left[model.unit_index("jawOpen")[0]] + model.right[model.unit_index("jawOpen")[0]],
    )
    marks = {name: [list(ids), list(w)] for name, (ids, w) in model.landmarks.items()}
    (folder / "landmarks.json").write_text(json.dumps(marks))


def test_a_folder_of_blendshapes_is_a_head_model(tmp_path: Path) -> None:
    model = HeadModel.load("a")
    _write_folder(tmp_path, model, ("mouthSmile", "eyeBlink", "browInnerUp"))
    own = load_folder(tmp_path)
    assert np.allclose(own.vertices, model.vertices, atol=1e-3)
    assert np.array_equal(own.opposite, model.opposite)
    assert set(own.units) == {"mouthSmile", "eyeBlink", "browInnerUp", "jawOpen"}
    smile = own.left[own.unit_index("mouthSmile")[0]]
    assert np.allclose(smile, model.left[model.unit_index("mouthSmile")[0]], atol=1e-3)
    assert np.allclose(own.identity[0], model.identity[0], atol=1e-3)
    assert np.allclose(own.asymmetry[0], 0.5 * model.asymmetry[0], atol=1e-3)
    jaw = own.unit_index("jawOpen")[0]
    whole = model.left[model.unit_index("jawOpen")[0]] + model.right[model.unit_index("jawOpen")[0]]
    assert np.allclose(own.left[jaw] + own.right[jaw], whole, atol=1e-3)
    # Regions come from the embedded head through the landmarks: here the same head.
    same = np.corrcoef(own.regions["cheek_left"], model.regions["cheek_left"])[0, 1]
    assert same > 0.98


def test_a_folder_that_does_not_fit_names_the_file(tmp_path: Path) -> None:
    model = HeadModel.load("a")
    with pytest.raises(SchemaError, match=r"neutral\.obj"):
        load_folder(tmp_path)
    _write_folder(tmp_path, model, ("mouthSmile",))
    (tmp_path / "mouthSmile_R.obj").unlink()
    with pytest.raises(SchemaError, match=r"mouthSmile_R\.obj"):
        load_folder(tmp_path)
    write_scan(tmp_path / "mouthSmile_R.obj", FaceScan(model.vertices[:-3]))
    with pytest.raises(SchemaError, match="one topology"):
        load_folder(tmp_path)


def test_the_model_file_is_the_one_that_its_note_describes() -> None:
    data = files("face3d").joinpath("data")
    note = json.loads(data.joinpath("head.json").read_text())
    raw = data.joinpath("head.npz").read_bytes()
    assert hashlib.sha256(raw).hexdigest() == note["sha256"]
    assert len(raw) < 8e6
    assert note["licence"] == "CC0-1.0"
    assert "CC0" in data.joinpath(note["licence_file"]).read_text()
    model = HeadModel.load()
    assert (len(model.identity), len(model.asymmetry)) == (note["identity_components"], note["asymmetry_modes"])
    assert note["identity_variance_kept"] >= 0.99


def test_models_that_there_are_not_are_named() -> None:
    with pytest.raises(ValueError, match="movement 'c', level 'base'; known are"):
        HeadModel.load("c")
