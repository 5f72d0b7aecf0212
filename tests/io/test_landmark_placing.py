"""Landmarks belong to the scan they are given for: in its unit, its frame, and on its skin."""

import json

import numpy as np
import pytest

from face3d.errors import LandmarkError
from face3d.io import read_landmarks, read_scan, write_scan
from face3d.io.landmark_files import Marks
from face3d.io.landmark_placing import placed
from face3d.landmarks import NAMES
from face3d.scan import FaceScan


def head(step=2.0):
    """A dome of 160 x 200 mm in the place of a face, its origin on the skin, and ten landmarks on it."""
    x, y = np.meshgrid(np.arange(-80, 81, step), np.arange(-120, 81, step))

    def height(x, y):
        return -0.006 * x**2 - 0.003 * y**2 + 12 * np.exp(-((x / 12) ** 2) - ((y + 35) / 18) ** 2)

    at = np.arange(x.size).reshape(x.shape)
    quads = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], -1).reshape(-1, 4)
    vertices = np.column_stack([x.ravel(), y.ravel(), height(x, y).ravel()])
    names = {
        "en_left": (17, 0),
        "en_right": (-17, 0),
        "ex_left": (46, -2),
        "ex_right": (-46, -2),
        "n": (0, 6),
        "prn": (0, -36),
        "ch_left": (26, -68),
        "ch_right": (-26, -68),
        "gn": (0, -110),
        "sn": (0, -50),
    }
    marks = {k: np.array([a, b, height(float(a), float(b))]) for k, (a, b) in names.items()}
    return FaceScan(vertices, np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])), marks


SCAN, MARKS = head()


def in_unit(tmp_path, mm):
    """The dome as a file in a unit of so many millimetres."""
    return write_scan(tmp_path / "a.ply", SCAN.replace(vertices=SCAN.vertices / mm, name="a.ply"))


def scaled(factor):
    return {name: (point * factor).tolist() for name, point in MARKS.items()}


def slicer(path, marks, unit=None):
    points = [{"label": name, "position": list(point)} for name, point in marks.items()]
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": points}
    path.write_text(json.dumps({"markups": [markup | ({} if unit is None else {"coordinateUnits": unit})]}))
    return path


def table(path, marks, unit=""):
    rows = [f"{name},{x!r},{y!r},{z!r}" for name, (x, y, z) in marks.items()]
    path.write_text("\n".join([f"name,x{unit},y{unit},z{unit}", *rows]) + "\n")
    return path


def check(scan):
    assert {k: v.round(6).tolist() for k, v in scan.landmarks.items()} == {
        k: v.round(6).tolist() for k, v in MARKS.items()
    }


@pytest.mark.parametrize(("unit", "mm"), [("mm", 1.0), ("cm", 10.0), ("m", 1000.0)])
def test_units(tmp_path, unit, mm):
    """A file's own word on its unit counts, whatever the scan is in; without one, it is in the scan's unit."""
    path = in_unit(tmp_path, mm)
    for units in ("auto", unit):
        for own, factor in (("mm", 1.0), ("cm", 10.0), ("m", 1000.0), ("um", 1e-3)):
            check(read_scan(path, units, slicer(tmp_path / "a.mrk.json", scaled(1 / factor), own)))
            check(read_scan(path, units, table(tmp_path / "a.csv", scaled(1 / factor), f" [{own}]")))
        check(read_scan(path, units, table(tmp_path / "a.csv", scaled(1 / mm))))
        check(read_scan(path, units, scaled(1 / mm)))
        # Slicer calls a mesh's numbers mm whatever they are: then the landmarks are where they lie on the skin.
        for said in ("mm", None, ["mm", "UCUM", "millimeter"]):
            check(read_scan(path, units, slicer(tmp_path / "a.mrk.json", scaled(1 / mm), said)))
    archive = write_scan(tmp_path / "a.npz", SCAN)  # ours is in mm
    check(read_scan(archive, landmarks=table(tmp_path / "a.csv", scaled(1 / mm), f" [{unit}]")))


@pytest.mark.parametrize("factor", [1e-3, 0.1, 10.0, 1e3])
def test_contradicted_units_are_refused(tmp_path, factor):
    """Even where the scan's origin lies on the skin, so that a set that has shrunk to it lies there as well."""
    path = in_unit(tmp_path, 1.0)
    message = r"a\.ply: .*(do not lie on the scan|lie within .* of each other|mm apart).*they do lie on it"
    for landmarks in (
        scaled(factor),
        table(tmp_path / "a.csv", scaled(factor)),
        table(tmp_path / "b.csv", scaled(factor), "_mm"),
        slicer(tmp_path / "a.mrk.json", scaled(factor), "mm"),
        slicer(tmp_path / "b.mrk.json", scaled(factor * 1e-3), "m"),
    ):
        with pytest.raises(LandmarkError, match=message):
            read_scan(path, landmarks=landmarks)


@pytest.mark.parametrize("step", [1.0, 5.0, 20.0])
def test_distance_is_to_the_surface(step):
    """However far apart the vertices are: on coarse meshes a point amid a triangle is 10 mm from every vertex."""
    scan, _ = head(step)
    faces = scan.vertices[scan.faces]
    weights = np.random.default_rng(0).dirichlet(np.ones(3), len(faces))
    inside = np.einsum("fc,fcx->fx", weights, faces)
    normal = np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    names = [name for name in NAMES if name[:3] not in ("en_", "ex_", "ch_")]  # whose widths are looked at
    some = np.linspace(0, len(faces) - 1, len(names)).astype(int)
    on = Marks(dict(zip(names, inside[some], strict=True)))
    found, notes = placed("a", scan.vertices, scan.faces, on, 1.0)
    assert list(found) == names and not notes
    for off, fits in ((1.9, True), (2.2, False)):
        lifted = Marks(dict(zip(names, inside[some] + off * normal[some], strict=True)))
        if fits:
            placed("a", scan.vertices, scan.faces, lifted, 1.0)
        else:
            with pytest.raises(LandmarkError, match=r"half of them are 2\.\d+ mm off the skin or more"):
                placed("a", scan.vertices, scan.faces, lifted, 1.0)


def test_points_over_holes_are_named_not_refused():
    """Two of ten over a hole of 30 mm; points that a crop cut off, ears and jaw, do not count against the others."""
    centre = SCAN.vertices[SCAN.faces].mean(axis=1)
    hole = np.linalg.norm(centre - MARKS["ch_left"], axis=1) < 15
    hole |= np.linalg.norm(centre - MARKS["gn"], axis=1) < 15
    faces = SCAN.faces[~hole]
    found, notes = placed("a", SCAN.vertices, faces, Marks(MARKS), 1.0)
    assert set(found) == set(MARKS)
    assert len(notes) == 1 and "ch_left 14 mm" in notes[0] and "gn 14 mm" in notes[0] and "prn" not in notes[0]
    cut = {
        f"{code}_{side}": [x, -40.0, -60.0]
        for code in ("t", "go", "zy")
        for side, x in (("left", 120), ("right", -120))
    }
    found, notes = placed("a", SCAN.vertices, SCAN.faces, Marks(MARKS | cut), 1.0)
    assert set(found) == {*MARKS, *cut} and all(name in notes[0] for name in cut)
    # The distance of points that nothing is measured with says nothing.
    far = {f"semi {i}": np.array([500.0, i, 0.0]) for i in range(50)}
    assert placed("a", SCAN.vertices, SCAN.faces, Marks(MARKS | far), 1.0)[1] == ()


def test_clouds_and_points_that_were_not_seen():
    """A cloud's gaps are allowed for; rows without coordinates and vertices that no triangle uses are no skin."""
    cloud, marks = head(5.0)
    cloud_marks = {k: v + np.array([2.5, 2.5, 0]) for k, v in marks.items()}
    assert not placed("a", cloud.vertices, np.empty((0, 3), np.int64), Marks(cloud_marks), 1.0)[1]
    unseen = np.concatenate([cloud.vertices, np.full((10, 3), np.nan)])
    assert not placed("a", unseen, np.empty((0, 3), np.int64), Marks(cloud_marks), 1.0)[1]
    shifted = {k: v + np.array([0, 0, 15.0]) for k, v in marks.items()}
    stray = np.concatenate([cloud.vertices, np.array(list(shifted.values()))])
    with pytest.raises(LandmarkError, match="do not lie on the scan"):
        placed("a", stray, cloud.faces, Marks(shifted), 1.0)


def moved(marks):
    """What a set may be off by: the other of Slicer's frames, and 15 mm along each axis."""
    yield "ras", {k: v * [-1, -1, 1] for k, v in marks.items()}
    for axis in range(3):
        for way in (15.0, -15.0):
            yield f"{way} along {axis}", {k: v + way * np.eye(3)[axis] for k, v in marks.items()}


def real_sets(shared):
    folder = shared / "scans"
    yield folder / "james.obj", read_landmarks(folder / "james.ljson")
    names = ["ex_right", "ex_left", "prn", "ch_right", "ch_left"]
    yield folder / "demoface_10k.obj", read_landmarks(folder / "demoface_landmarks.csv", names=names)
    from face3d.landmarking.detect import detect_landmarks

    for name in ("simpop_01.obj", "james.obj", "demoface_10k.obj"):
        yield folder / name, dict(detect_landmarks(read_scan(folder / name)).landmarks)


def test_real_faces(shared):
    """Sets placed by hand, and detected ones: right as they are and under 2 mm of noise, not in RAS or 15 mm off."""
    rng = np.random.default_rng(0)
    for path, marks in real_sets(shared):
        read_scan(path, landmarks=marks)
        noisy = {k: v + rng.normal(size=3) * 2 / np.sqrt(3) for k, v in marks.items()}
        read_scan(path, landmarks=noisy)
        for what, wrong in moved(marks):
            with pytest.raises(LandmarkError, match="do not lie on the scan"):
                read_scan(path, landmarks=wrong)
                pytest.fail(f"{path.name}: {what} passes")
        with pytest.raises(LandmarkError, match=r"With x and y negated \(RAS for LPS\) they do lie on it"):
            read_scan(path, landmarks={k: v * [-1, -1, 1] for k, v in marks.items()})
