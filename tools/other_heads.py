"""Another head model than the embedded one: the simpop faces of `../shared/scans` under Waters muscles drawn anew.

Neither their identities nor their mesh nor their movements are the template's. They share MeshMonk's topology, which
is symmetric, so what is true at every vertex is known. Their eyes and mouths are closed surfaces: no lid moves and no
mouth opens, and the numbers at the lids say little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform

from face3d.geometry.rigid import laid_on
from face3d.io import read_scan
from face3d.landmarking.detect import detect_landmarks
from face3d.scan import FaceScan, Floats, Ints
from face3d.simulate import HeadModel
from face3d.simulate.head import Landmark, reflected
from face3d.simulate.subdivision import loop_subdivision
from face3d.simulate.waters import with_waters_muscles
from face3d.template.fit import fit_template

SCANS = Path(__file__).parents[2] / "shared" / "scans"
#: Parameters were chosen on the first three; figures of the last two are fresh.
CHOSEN_ON, FRESH = ("simpop_01", "simpop_13", "simpop_36"), ("simpop_07", "simpop_22")


@lru_cache(maxsize=8)
def other_head(name: str) -> HeadModel:
    """One simpop face as a head model, see `as_head`."""
    meshmonk = read_scan(SCANS / "meshmonk_template.obj").vertices
    return as_head(read_scan(SCANS / f"{name}.obj"), _mirrored(meshmonk))


def _mirrored(v: Floats) -> Ints:
    return np.asarray(KDTree(v * (-1.0, 1.0, 1.0)).query(v)[1], np.int64)


def as_head(scan: FaceScan, opposite: Ints) -> HeadModel:
    """One face, and the mirror-image vertex of each of its own, as a head model: its symmetric part, its own asymmetry
    as the one mode of asymmetry, units that do not move yet; regions and landmarks from the template laid on it."""
    found = detect_landmarks(scan)
    rough = fit_template(scan, found.landmarks, found.confidence, found.dense).to_head
    v = _on_its_plane(rough.apply(scan.vertices), opposite)
    symmetric = (v + reflected(v, opposite)) / 2
    marks = {k: rough.apply(p) for k, p in found.landmarks.items()}
    fit = fit_template(FaceScan(symmetric, scan.faces, name=scan.name), marks)
    t, at = fit.template, fit.to_head.apply(symmetric)
    near = np.asarray(KDTree(fit.vertices_mm).query(at)[1], np.int64)
    regions = {k: (w[near] + w[t.opposite][near][opposite]) / 2 for k, w in t.regions.items()}
    average = HeadModel.load("a")
    points = average.landmark_points(average.vertices)
    beside = np.asarray(KDTree(t.vertices).query(np.array(list(points.values())))[1], np.int64)
    points = {k: p + (fit.vertices_mm - t.vertices)[b] for (k, p), b in zip(points.items(), beside, strict=True)}
    still = np.zeros((len(average.units), *v.shape))
    return HeadModel(
        vertices=symmetric,
        faces=scan.faces,
        opposite=opposite,
        identity=np.zeros((1, *v.shape)),
        asymmetry=(v - symmetric)[None],
        units=average.units,
        left=still,
        right=still,
        regions=regions,
        landmarks=_landmarks(points | t.landmark_points(fit.vertices_mm), at, opposite),
    )


def with_muscles(name: str, rng: np.random.Generator) -> HeadModel:
    """The face with one person's muscles, once subdivided."""
    return subdivided(with_waters_muscles(other_head(name), rng))


def subdivided(head: HeadModel) -> HeadModel:
    """A head model with four times the triangles."""
    finer = loop_subdivision(head.faces, len(head.vertices), head.opposite)
    left = finer.apply(head.left)
    return replace(
        head,
        vertices=finer.apply(head.vertices),
        faces=finer.faces,
        opposite=finer.opposite,
        identity=finer.apply(head.identity),
        asymmetry=finer.apply(head.asymmetry),
        left=left,
        right=reflected(left, finer.opposite),
        regions={k: finer.apply(w[:, None])[:, 0] for k, w in head.regions.items()},
    )


def _on_its_plane(v: Floats, opposite: Ints) -> Floats:
    """The face turned rigidly until its mirror plane, by correspondence, is x = 0."""
    start = v
    for _ in range(5):
        half: RigidTransform = laid_on(start, (v + reflected(v, opposite)) / 2, np.ones(len(v)))
        v = half.apply(start)
    return v


def _landmarks(points: Mapping[str, Floats], v: Floats, opposite: Ints) -> dict[str, Landmark]:
    """Landmark -> three vertices near it, alike on both sides."""
    out: dict[str, Landmark] = {}
    middle = np.flatnonzero(opposite == np.arange(len(v)))
    for name, p in points.items():
        code, _, side = name.partition("_")
        if side == "right":
            continue
        if side == "left":
            far, ids = KDTree(v).query(p, k=3)
            ids, share = np.asarray(ids), 1.0 / np.maximum(far, 0.1)
            weights = tuple((share / share.sum()).tolist())
            out[name] = (tuple(ids.tolist()), weights)
            out[f"{code}_right"] = (tuple(opposite[ids].tolist()), weights)
        else:
            k = int(middle[np.linalg.norm(v[middle] - p, axis=1).argmin()])
            out[name] = ((k, k, k), (1.0, 0.0, 0.0))
    return out
