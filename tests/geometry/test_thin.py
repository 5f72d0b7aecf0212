"""A thinned scan stands for all of its vertices."""

import numpy as np

from face3d.geometry.clean import clean
from face3d.geometry.distance import MEASURED, mirror_distance
from face3d.geometry.mesh import vertex_normals
from face3d.geometry.superimpose import SymmetryPlane
from face3d.geometry.thin import CELL, MOST, Thinned, thinned
from face3d.scan import FaceScan

X = SymmetryPlane(np.array([1.0, 0.0, 0.0]), np.zeros(3))


def dome(n: int = 360, colors: bool = False) -> FaceScan:
    """A dome of 130 mm with a lump on its left, `n` x `n` vertices."""
    x, y = np.meshgrid(np.linspace(-65, 65, n), np.linspace(-65, 65, n))
    z = 60 - (x**2 + y**2) / 140 + 4 * np.exp(-((x - 30) ** 2 + y**2) / 200)
    at = np.arange(x.size).reshape(x.shape)
    quad = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], -1).reshape(-1, 4)
    faces = np.concatenate([quad[:, :3], quad[:, [0, 2, 3]]])
    shade = np.repeat((100 + x).astype(np.uint8).reshape(-1, 1), 3, axis=1) if colors else None
    return FaceScan(np.column_stack([x.ravel(), y.ravel(), z.ravel()]), faces, colors=shade)


def test_few_vertices_stay_as_they_are():
    small, cloud = dome(200), FaceScan(dome().vertices)
    assert len(cloud.vertices) > MOST > len(small.vertices)
    assert thinned(small).scan is small and thinned(small).of is None and thinned(cloud).scan is cloud


def test_each_vertex_has_its_cell():
    scan = dome(colors=True)
    thin = thinned(scan)
    assert thin.of is not None and len(thin.scan.vertices) < 0.5 * len(scan.vertices)
    beside = thin.scan.vertices[thin.of] - scan.vertices
    assert np.linalg.norm(beside, axis=1).max() < np.sqrt(3) * CELL
    along = np.einsum("ij,ij->i", beside, vertex_normals(scan.vertices, scan.faces))
    assert np.abs(along).max() < 0.02  # mm: the means lie on the surface
    assert thin.scan.colors is not None and np.abs(thin.scan.colors[:, 0] - 100.0 - thin.scan.vertices[:, 0]).max() < 3
    normals = vertex_normals(thin.scan.vertices, thin.scan.faces)
    assert (normals[:, 2] > 0.3).all()
    assert np.array_equal(clean(scan).thin.of, thin.of)


def test_distances_are_those_of_all_vertices():
    scan = dome()
    found, exact = mirror_distance(scan, X), mirror_distance(scan, X, thin=Thinned(scan))
    assert len(found.reason) == len(scan.vertices) and (found.reason != exact.reason).mean() < 0.005
    both = (found.reason == MEASURED) & (exact.reason == MEASURED)
    assert both.mean() > 0.95 and np.abs(exact.signed_mm[both]).max() > 3.0
    both &= (np.abs(scan.vertices[:, :2]) < 63.0).all(axis=1)  # on the rim a cell's mean lies half a cell within
    off = np.abs(found.signed_mm - exact.signed_mm)[both]
    assert np.median(off) < 0.002 and off.max() < 0.05  # mm
