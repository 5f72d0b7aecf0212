"""The inside of a wall is told from the skin, whatever the wall; what is single stays whole."""

import numpy as np
import pytest

from face3d.geometry.clean import clean
from face3d.geometry.inner_skin import inner_skin
from face3d.geometry.mesh import vertex_normals
from face3d.geometry.weld import lonely_edges
from face3d.io import read_scan
from face3d.scan import FaceScan
from face3d.simulate.demo import demo_scan
from face3d.simulate.head import HeadModel


def shell(scan: FaceScan, thickness: float, rim: bool = True, flip: bool = True) -> FaceScan:
    """A scan made ready for printing: its skin again, `thickness` mm further in, joined along the rims or not."""
    v, f, n = scan.vertices, scan.faces, len(scan.vertices)
    faces = [f, (f[:, ::-1] if flip else f) + n]
    if rim:
        triangle, corner = np.nonzero(lonely_edges(f, n))
        a, b = f[triangle, (corner + 1) % 3], f[triangle, (corner + 2) % 3]
        faces += [np.stack([b, a, a + n], axis=1), np.stack([b, a + n, b + n], axis=1)]
    return FaceScan(np.concatenate([v, v - thickness * vertex_normals(v, f)]), np.concatenate(faces))


def found(scan: FaceScan):
    a, b, c = (scan.vertices[scan.faces[:, k]] for k in range(3))
    return inner_skin(scan.vertices, scan.faces, np.cross(b - a, c - a))


@pytest.fixture(scope="module")
def head() -> FaceScan:
    """A head with the inside of its mouth, orbits and nostrils, which double it here and there."""
    return demo_scan()


@pytest.mark.parametrize("level", ["base", "fine"])
def test_a_head_has_one_skin(level: str):
    head = HeadModel.load(level=level)
    assert found(FaceScan(head.vertices, head.faces)) is None


@pytest.mark.parametrize("thickness", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("kind", [{}, {"rim": False}, {"rim": False, "flip": False}])
def test_the_inside_and_the_rim_go_and_nothing_else(head: FaceScan, thickness: float, kind: dict):
    inner = found(shell(head, thickness, **kind))
    assert inner is not None and inner[1] == pytest.approx(thickness, rel=0.05)
    assert np.array_equal(inner[0], np.arange(len(inner[0])) >= len(head.faces))


def test_cleaning_leaves_the_skin_and_says_so(head: FaceScan):
    made = shell(head, 3.0)
    inside_out = made.replace(faces=made.faces[:, ::-1])
    for scan in (made, inside_out):
        cleaned = clean(scan)
        assert np.array_equal(cleaned.scan.vertices, head.vertices) and np.array_equal(cleaned.scan.faces, head.faces)
        assert (cleaned.source[len(head.vertices) :] < 0).all()
        assert "two skins 3.0 mm apart" in " ".join(cleaned.notes)


def test_a_box_is_no_wall():
    """What is thin because it is small, as all of a head read in another unit, has no two skins."""
    x, y, z = np.meshgrid([0.0, 20], [0.0, 15], [0.0, 15], indexing="ij")
    corners = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    assert found(FaceScan(corners, np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]))) is None


def test_real_scans_have_one_skin_and_lose_a_second(shared):
    for path in sorted((shared / "scans").glob("*.obj")):
        scan = clean(read_scan(path)).scan
        assert found(scan) is None, path.name
        inner = found(shell(scan, 3.0, rim=False))
        assert inner is not None, path.name
        assert inner[0][: len(scan.faces)].sum() == 0 and (~inner[0][len(scan.faces) :]).mean() < 0.01, path.name


def test_two_parts_with_nothing_between(head: FaceScan):
    """The middle of what was scanned may be empty."""
    two = FaceScan(
        np.concatenate([head.vertices, head.vertices + np.array([400.0, 0.0, 0.0])]),
        np.concatenate([head.faces, head.faces + len(head.vertices)]),
    )
    assert found(two) is None
    assert found(shell(two, 3.0)) is not None
