"""FaceScan: a value that cannot be changed under its holder, and that refuses what cannot be measured."""

import pickle

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import ScanError
from face3d.scan import FaceScan, Texture

VERTICES = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
FACES = np.array([[0, 1, 2], [0, 2, 3]])


def test_arrays_are_private_copies_and_locked():
    mine = VERTICES.copy()
    scan = FaceScan(mine, FACES, {"prn": mine[0]})
    mine[:] = 99.0
    assert scan.vertices[1, 0] == 1.0 and scan.landmarks["prn"][0] == 0.0
    for array in (scan.vertices, scan.faces, scan.landmarks["prn"]):
        with pytest.raises(ValueError):
            array[0] = 5
    with pytest.raises(TypeError):
        scan.landmarks["n"] = mine[0]  # type: ignore[index]


def test_pickling_keeps_everything_and_locks_again():
    texture = Texture(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3, 2)))
    scan = FaceScan(
        VERTICES, FACES, {"prn": VERTICES[1]}, np.zeros((4, 3), np.uint8), texture, "a", "given: mm", ("2 left out",)
    )
    copy = pickle.loads(pickle.dumps(scan))
    assert np.array_equal(copy.vertices, scan.vertices) and np.array_equal(copy.faces, scan.faces)
    assert copy.landmarks.keys() == scan.landmarks.keys() and copy.units_note == "given: mm"
    assert copy.notes == ("2 left out",) == copy.replace(name="b").notes
    arrays = (copy.vertices, copy.faces, copy.colors, copy.texture.image, copy.texture.uv)
    assert not any(array.flags.writeable for array in arrays)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"vertices": np.empty((0, 3))}, "V >= 1"),
        ({"vertices": np.zeros((4, 2))}, "expected (V, 3)"),
        ({"vertices": np.where(np.arange(12).reshape(4, 3) == 4, np.nan, VERTICES)}, "vertex 1"),
        ({"faces": [[0, 1, 4]]}, "vertex 4"),
        ({"faces": [[0, 1, -1]]}, "vertex -1"),
        ({"faces": [[0, 1, 2, 3]]}, "(F, 3)"),
        ({"colors": np.zeros((3, 3), np.uint8)}, "colors"),
        ({"landmarks": {"prn": [0, 0, np.inf]}}, "'prn'"),
    ],
)
def test_unusable_input_is_refused_with_the_place(change, word):
    with pytest.raises(ScanError, match=word.replace("(", r"\(").replace(")", r"\)")):
        FaceScan(**({"vertices": VERTICES, "faces": FACES} | change))


def test_a_rigid_motion_moves_landmarks_with_the_surface():
    motion = RigidTransform.from_components([1, 2, 3], Rotation.from_euler("xyz", [20, 30, 40], degrees=True))
    moved = FaceScan(VERTICES, FACES, {"prn": VERTICES[3]}).moved(motion)
    assert np.array_equal(moved.landmarks["prn"], moved.vertices[3])
    back = moved.moved(motion.inv())
    assert np.abs(back.vertices - VERTICES).max() < 1e-12  # mm; rounding only


def test_a_scan_is_shown_in_a_few_lines_however_large_it_is():
    texture = Texture(np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3, 2)))
    marks = {f"mark {i}": VERTICES[0] for i in range(500)}
    small = FaceScan(
        VERTICES, FACES, marks, np.zeros((4, 3), np.uint8), texture, "<a>", "mm: as given", ("1 left out",)
    )
    shown = repr(small)
    assert shown == (
        "FaceScan('<a>': vertices: 4; triangles: 2; extent: 1.0 x 1.0 x 1.0 mm; units: mm: as given; colours: yes; "
        "texture: yes; landmarks: 500; notes: 1 left out)"
    )
    assert repr(texture) == "Texture(3 x 2 pixels on 2 triangles)"
    table = small._repr_html_()
    assert "<caption>&lt;a&gt;</caption>" in table and "<tr><th>triangles</th><td>2</td></tr>" in table
    vertices = np.random.default_rng(0).normal(size=(50_000, 3))
    vertices[:7] = np.nan
    large = FaceScan(vertices, name="a" * 5000, units_note="b" * 5000, notes=tuple("c" * 5000 for _ in range(5000)))
    assert len(repr(large)) < 2000 and len(large._repr_html_()) < 2500 and "\n" not in repr(large)
    assert "vertices: 50,000, 7 of them without coordinates; triangles: none: a point cloud" in repr(large)
