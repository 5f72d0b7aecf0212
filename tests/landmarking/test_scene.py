"""The face is found in whatever was scanned with it, and measured as if it had been alone."""

from pathlib import Path

import numpy as np
import pytest
from scenes import WALL, body, ellipsoid, moved, person, plane, together
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import NoFaceError
from face3d.geometry.clean import clean
from face3d.landmarking.face_landmarker import Detector
from face3d.landmarking.placing import Placed, placed
from face3d.measuring.analysis import analyze
from face3d.scan import FaceScan

POSE = RigidTransform.from_components([300, -500, 800], Rotation.from_euler("yxz", [150, 40, -100], degrees=True))


@pytest.fixture(scope="module")
def one() -> FaceScan:
    return person(3)


@pytest.fixture(scope="module")
def alone(one: FaceScan) -> Placed:
    at = placed(one)
    assert at.notes == () and at.cleaned.scan is not one and len(at.cleaned.kept) == len(one.vertices)
    return at


def off(at: Placed, alone: Placed, pose: RigidTransform | None = None) -> float:
    """mm, the median distance of its landmarks from those of the face scanned alone."""
    there = {k: p if pose is None else pose.inv().apply(p) for k, p in at.found.landmarks.items()}
    return float(np.median([np.linalg.norm(there[k] - p) for k, p in alone.found.landmarks.items() if k in there]))


SCENES = {
    "wall": (plane(*WALL),),
    "body": (body(),),
    "body before a wall": (body(), plane((0, -700, -600), (2500, 0, 0), (0, 2200, 0))),
    "table": (plane((0, -260, 0), (0, 0, 1500), (1500, 0, 0)),),
}


@pytest.mark.parametrize("name", SCENES)
def test_beside_much_else(one: FaceScan, alone: Placed, name: str):
    scene = together(one, *SCENES[name])
    at = placed(scene.moved(POSE))
    assert off(at, alone, POSE) < 0.5
    count = len(one.vertices)
    assert (at.cleaned.source[:count] >= 0).mean() > 0.99 and (at.cleaned.source[count:] >= 0).mean() < 0.2
    assert "were left out: beyond 230 mm of the head's middle" in " ".join(at.notes)
    assert not any("inwards" in note for note in at.notes)


def test_a_depth_camera_sees_the_wall_as_well(one: FaceScan, alone: Placed):
    """A cloud without triangles, its points 4 mm apart on the face."""
    rng = np.random.default_rng(0)
    points = together(one, plane(*WALL, step=10.0)).vertices
    cloud = FaceScan(points + rng.normal(0, 0.4, points.shape), name="cloud")
    at = placed(cloud)
    assert off(at, alone) < 2.0
    assert len(at.cleaned.scan.vertices) < 1.01 * len(one.vertices)


def test_wound_inwards_before_a_wall(one: FaceScan, alone: Placed):
    scene = together(one, plane(*WALL))
    at = placed(scene.replace(faces=scene.faces[:, ::-1]))
    assert off(at, alone) < 0.5 and "all triangles faced inwards and were turned" in at.notes


def _front(scan: FaceScan) -> FaceScan:
    return scan.replace(faces=scan.faces[scan.vertices[scan.faces].mean(axis=1)[:, 2] > -80.0])


def test_of_two_faces_the_one_with_most_points_is_measured(one: FaceScan, alone: Placed):
    fewer = _front(person(5, 0.9))
    for shift, yaw in (((260.0, -20.0, 0.0), 0.0), ((-150.0, -80.0, 60.0), 40.0)):
        at = placed(together(moved(fewer, shift, yaw), one))
        said = next(note for note in at.notes if note.startswith("CAUTION"))
        assert "2 faces were seen; the one at (" in said
        assert off(at, alone) < 0.5
        assert (at.cleaned.source[-len(one.vertices) :] >= 0).mean() > 0.98


def test_landmarks_by_hand_say_which_face(one: FaceScan):
    """Even of the smaller one; and in a scene they are where the head is looked for."""
    other = moved(person(5, 0.9), (300, 0, 0))
    marks = {k: p for k, p in placed(other).found.landmarks.items() if k.split("_")[0] in ("en", "ex", "prn", "ch")}
    for scene in (together(one, other), together(one, other, plane(*WALL))):
        at = placed(scene.replace(landmarks=marks))
        assert np.linalg.norm(at.cleaned.scan.vertices.mean(axis=0) - other.vertices.mean(axis=0)) < 40.0
        assert all(np.array_equal(at.found.landmarks[k], p) for k, p in marks.items())


def test_the_numbers_are_those_of_the_face_alone(one: FaceScan):
    bare = analyze(one)
    count = len(one.vertices)
    for beside in (moved(_front(person(5)), (270, 0, 0)), plane(*WALL)):
        a = analyze(together(one, beside))
        assert a.surface_distance_mm.shape == (len(a.scan.vertices),) and np.isnan(a.surface_distance_mm[count:]).all()
        assert a.whole_face.rms_mm == pytest.approx(bare.whole_face.rms_mm, rel=0.01)
        both = np.isfinite(a.asymmetry_mm[:count]) & np.isfinite(bare.asymmetry_mm)
        assert both.mean() > 0.95 * np.isfinite(bare.asymmetry_mm).mean()
        assert np.median(np.abs(a.asymmetry_mm[:count] - bare.asymmetry_mm)[both]) < 0.1


def test_a_scene_without_a_face_says_what_to_do(tmp_path: Path):
    with pytest.raises(NoFaceError, match=r"no face found in \d+ places.*crop the scan to the head") as error:
        placed(together(ellipsoid((0, 0, 0), (150, 160, 140)), plane(*WALL)), tmp_path / "new" / "views.png")
    assert "views.png" in str(error.value)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["views.png"]


def test_one_face_alone_is_looked_at_once(one: FaceScan, monkeypatch: pytest.MonkeyPatch):
    started = []
    start = Detector.__enter__
    monkeypatch.setattr(Detector, "__enter__", lambda self: started.append(1) or start(self))
    placed(one)
    assert len(started) == 1


def test_real_scans_are_left_as_they_are(shared):
    from face3d.io import read_scan
    from face3d.landmarking.detect import detect_landmarks

    for name in ("james.obj", "demoface_10k.obj", "simpop_01.obj"):
        scan = read_scan(shared / "scans" / name)
        cleaned = clean(scan)
        at, found = placed(scan), detect_landmarks(cleaned.scan)
        assert np.array_equal(at.cleaned.kept, cleaned.kept) and at.notes == (*cleaned.notes, *found.notes)
        assert all(np.array_equal(at.found.landmarks[k], p) for k, p in found.landmarks.items())
