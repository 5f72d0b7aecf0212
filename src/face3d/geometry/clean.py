"""Taking out what is no skin: stray points, spikes, fragments, doubled triangles; with the way back to the input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from face3d.errors import ScanError
from face3d.geometry.inner_skin import inner_skin
from face3d.geometry.mesh import at_corners, cross, edges_from_first, lengths, scan_normals
from face3d.geometry.thin import Thinned, thinned
from face3d.geometry.weld import first_of_equal, touching, welded
from face3d.geometry.winding import CLEAR, against, outward
from face3d.scan import FaceScan, Floats, Ints, missing_note
from face3d.values import Value, locked

# A vertex is a spike when it stands off the middle of its neighbours by this many times their own spread, and by this
# much at all. On a smooth surface the first number is below 1, on its rim about 1, on the tip of a coarse nose 2.
SPIKE_RATIO = 3.0
SPIKE_MM = 2.0
# A separate part is never dropped when it is this large beside the largest, or at all (half of a child's face from
# chin to brow): it may be the face itself, beside a body or a wall.
LARGE_PART = 0.1
FACE_MM2 = 4000.0
# A surface whose largest part is less than this share of it has fallen to pieces.
SHARE_OF_LARGEST = 0.05
# Smaller parts stay when they are of the size of an eyelid at least and close to the large ones (eyeballs, teeth, a
# cheek cut off by a hole); the rest is hair, noise and background.
SMALL_PART_MM2 = 100.0
SMALL_PART_GAP_MM = 10.0
TURNED = "all triangles faced inwards and were turned"
# Stray points of a cloud: this many times as far from their 8th neighbour as is usual in that cloud.
STRAY_RATIO = 6.0
_STRAY_NEIGHBOURS = 8
# Cleaning that takes more than this share of the surface is said first and loudly, and refused when it takes the most.
MUCH_LOST, MOST_LOST = 0.1, 0.5
_TRIANGLES = 600_000  # at once
_GAP_POINTS = 100_000  # enough to find a gap of 10 mm on a surface of half a square metre


@dataclass(frozen=True, eq=False, repr=False)
class Cleaned(Value):
    """A cleaned scan and how it hangs together with the scan it came from.

    `kept` (V',) int64: the input vertex that each vertex is; `source` (V,) int64: for each input vertex the vertex of
    `scan` at its place (its own, or the one it was welded to), -1 where it was dropped; `notes`: what was done.
    """

    scan: FaceScan
    kept: Ints
    source: Ints
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", locked(self.kept, np.int64))
        object.__setattr__(self, "source", locked(self.source, np.int64))

    @cached_property
    def thin(self) -> Thinned:
        """The scan as it is looked at and superimposed: with fewer vertices where it has very many."""
        return thinned(self.scan)

    @cached_property
    def normals(self) -> Floats:
        """(V', 3) unit, outward; of a scan that is thinned, those of its cells."""
        normals = scan_normals(self.thin.scan)
        return normals if self.thin.of is None else normals[self.thin.of]

    def spread(self, values: ArrayLike) -> Floats:
        """Values (V', ...) at the cleaned vertices as (V, ...) at the input's, NaN where a vertex was dropped."""
        inner = np.asarray(values, np.float64)
        if len(inner) != len(self.kept):
            raise ValueError(f"{len(inner)} values for {len(self.kept)} vertices")
        out = np.full((len(self.source), *inner.shape[1:]), np.nan)
        present = self.source >= 0
        out[present] = inner[self.source[present]]
        return out

    def then(self, step: Cleaned) -> Cleaned:
        """This, and then `step` on its scan, as one."""
        source = np.where(self.source >= 0, step.source[self.source], -1)
        return Cleaned(step.scan, self.kept[step.kept], source, tuple(dict.fromkeys(self.notes + step.notes)))


def clean(scan: FaceScan) -> Cleaned:
    """The scan without what is no surface of a face. Deterministic; vertices keep their order.

    Points at one place are welded (`weld.welded`: STL files and texture seams double them), triangles without area or
    there twice go, those wound against their neighbours are turned, spikes go with their triangles, small or distant
    separate parts, the inner skin of a wall, and points that no triangle uses. The winding is turned outwards when the
    surface faces inwards as a whole. In point clouds, doubled and stray points go, and so do points without
    coordinates. The notes begin with the scan's own. Raises `ScanError` when nothing is left, or less than half.
    """
    notes = list(scan.notes)
    present = scan.present
    if not present.all():
        notes.append(missing_note(present))
        seen = _subset(scan, present, np.arange(len(present)), scan.faces, np.arange(len(scan.faces)), notes)
        return seen.then(clean(seen.scan))
    first = welded(scan.vertices, scan.faces)
    doubled = int((first != np.arange(len(first))).sum())
    if doubled:
        notes.append(f"{doubled} vertices at the place of another were welded to it")
    if not len(scan.faces):
        keep = first == np.arange(len(first))
        stays = _not_stray(scan.vertices[keep], notes)
        _said_if_much(scan.name, 1.0 - stays.mean(), "points", notes)
        keep[keep] = stays
        return _subset(scan, keep, first, np.empty((0, 3), np.int64), np.empty(0, np.int64), notes)
    faces, which = first[scan.faces] if doubled else scan.faces, np.arange(len(scan.faces))
    vector, degenerate = _area_vectors(scan.vertices, faces)
    if degenerate.any():
        notes.append(f"{int(degenerate.sum())} triangles without area were dropped")
        faces, vector, which = _those(~degenerate, faces, vector, which)
    once = first_of_equal(np.sort(faces, axis=1)) == np.arange(len(faces))
    if not once.all():
        notes.append(f"{int((~once).sum())} triangles were there twice")
        faces, vector, which = _those(once, faces, vector, which)
    turned = against(scan.vertices, faces, vector)
    if turned.any():
        notes.append(f"{int(turned.sum())} triangles were wound against their neighbours and turned")
        faces, vector = np.where(turned[:, None], faces[:, ::-1], faces), np.where(turned[:, None], -vector, vector)
    if (walls := inner_skin(scan.vertices, faces, vector)) is not None:
        inner, thickness = walls
        if not inner.any():
            raise ScanError(
                f"{scan.name}: the surface has two skins {thickness:.1f} mm apart that cannot be told apart; keep the "
                "outer one only"
            )
        notes.append(
            f"two skins {thickness:.1f} mm apart, as made for printing: the inner one ({int(inner.sum())} triangles) "
            "was left out, the outer one is measured"
        )
        faces, vector, which, turned = _those(~inner, faces, vector, which, turned)
    whole = lengths(vector).sum()
    smooth = _not_spiked(scan.vertices, faces, vector, notes)
    faces, vector, which, turned = _those(smooth, faces, vector, which, turned)
    part = _face_parts(scan.name, scan.vertices, faces, lengths(vector) / 2.0, notes)
    faces, vector, which, turned, part = _those(part >= 0, faces, vector, which, turned, part)
    if not len(which):
        raise ScanError(f"{scan.name}: no triangle with an area is left ({'; '.join(notes)}); is it a scan?")
    _said_if_much(scan.name, 1.0 - lengths(vector).sum() / whole, "surface", notes)
    keep = np.zeros(len(scan.vertices), bool)
    keep[faces] = True
    unused = np.ones(len(scan.vertices), bool)
    unused[scan.faces] = False
    if unused.any():
        notes.append(f"{int(unused.sum())} points that no triangle uses were dropped")
    if outward(scan.vertices, faces, vector, part)[0] < -CLEAR:
        notes.append(TURNED)
        faces, turned = faces[:, ::-1], ~turned
    return _subset(scan, keep, first, faces, which, notes, turned)


def crop(scan: FaceScan, mask: ArrayLike) -> Cleaned:
    """The part of the scan whose vertices are set in `mask` (V,) bool; triangles that reach out of it go.

    Raises `ScanError` when nothing is left.
    """
    inside = np.asarray(mask, bool)
    if inside.shape != (len(scan.vertices),):
        raise ValueError(f"the mask has shape {inside.shape}; expected ({len(scan.vertices)},)")
    which = np.flatnonzero(inside[scan.faces].all(axis=1)) if len(scan.faces) else np.empty(0, np.int64)
    keep = inside
    if len(scan.faces):
        keep = np.zeros(len(inside), bool)
        keep[scan.faces[which]] = True
    return _subset(scan, keep, np.arange(len(inside)), scan.faces[which], which, ["cropped"])


def crop_sphere(scan: FaceScan, centre: ArrayLike, radius: float) -> Cleaned:
    """The part of the scan within `radius` mm of `centre` (3,) mm. Raises `ScanError` when nothing is left."""
    distance = np.linalg.norm(scan.vertices - np.asarray(centre, np.float64), axis=1)
    return crop(scan, distance <= radius)


def _subset(
    scan: FaceScan,
    keep: NDArray[np.bool_],
    first: Ints,
    faces: Ints,
    which: Ints,
    notes: list[str],
    turned: NDArray[np.bool_] | None = None,
) -> Cleaned:
    """The vertices `keep`, and `faces` (numbered as the input, from its triangles `which`, some of them `turned`)."""
    kept = np.flatnonzero(keep)
    if not len(kept):
        raise ScanError(f"{scan.name}: nothing of the scan is left ({'; '.join(notes)})")
    number = np.full(len(scan.vertices), -1, np.int64)
    number[kept] = np.arange(len(kept))
    texture = scan.texture
    if texture is not None:
        uv = texture.uv[which]
        if turned is not None:
            uv[turned] = uv[turned][:, ::-1]
        texture = type(texture)(texture.image, uv)
    part = scan.replace(
        vertices=scan.vertices[kept],
        faces=number[faces],
        colors=None if scan.colors is None else scan.colors[kept],
        texture=texture,
    )
    return Cleaned(part, kept, number[first], tuple(notes))


def _those(stay: NDArray[np.bool_], *arrays: NDArray) -> tuple[NDArray, ...]:
    """The rows that `stay` of each array, without a copy where all do."""
    return arrays if stay.all() else tuple(a[stay] for a in arrays)


def _area_vectors(vertices: Floats, faces: Ints) -> tuple[Floats, NDArray[np.bool_]]:
    """Twice each triangle's area along its normal (F, 3), and which triangles have none but for rounding."""
    vector, degenerate = np.empty((len(faces), 3)), np.empty(len(faces), bool)
    for part in (slice(k, k + _TRIANGLES) for k in range(0, len(faces), _TRIANGLES)):
        u, v = edges_from_first(vertices, faces[part])
        vector[part] = cross(u, v)
        size = np.einsum("ij,ij->i", u, u) + np.einsum("ij,ij->i", v, v)
        degenerate[part] = ~(lengths(vector[part]) > 1e-9 * size)
    return vector, degenerate


def _not_spiked(vertices: Floats, faces: Ints, vector: Floats, notes: list[str]) -> NDArray[np.bool_]:
    """Which triangles touch no spike."""
    here = np.ones(len(faces), bool)
    count = 0
    for _ in range(2 if len(faces) else 0):  # a second time for spikes side by side, which hide each other a little
        spike = _spikes(vertices, *_those(here, faces, vector))
        if not len(spike):
            break
        count += len(spike)
        spiked = np.zeros(len(vertices), bool)
        spiked[spike] = True
        here &= ~touching(faces, spiked)
    if count:
        notes.append(f"{count} spikes were cut off")
    return here


def _spikes(vertices: Floats, faces: Ints, vector: Floats) -> Ints:
    """Vertices that stand off the middle of their neighbours, along the normal of the ring that these form."""
    n = len(vertices)
    degree = np.bincount(faces.ravel(), minlength=n)
    # The sum of its triangles' corners counts an inner vertex' neighbours twice, and itself once a triangle.
    total = np.zeros((n, 3))
    for part in (faces[k : k + _TRIANGLES] for k in range(0, len(faces), _TRIANGLES)):
        total += at_corners(part, vertices[part[:, 0]] + vertices[part[:, 1]] + vertices[part[:, 2]], n)
    middle = (total / np.maximum(degree, 1)[:, None] - vertices) / 2.0
    far = (lengths(vertices - middle) > SPIKE_MM) & (degree >= 3)
    touched = np.flatnonzero(touching(faces, far))
    if not len(touched):
        return touched
    corner, near = faces[touched], np.repeat(vector[touched], 3, axis=0)
    tail, after, before = corner.ravel(), corner[:, [1, 2, 0]].ravel(), corner[:, [2, 0, 1]].ravel()
    # Around an inner vertex each neighbour comes once after and once before it. The triangles' area vectors then add up
    # to that of the ring of neighbours, wherever the vertex itself stands.
    inner = np.bincount(tail, after, n) == np.bincount(tail, before, n)
    ring = np.column_stack([np.bincount(tail, near[:, i], n) for i in range(3)])
    spread = np.bincount(tail, lengths(vertices[after] - middle[tail]), n) / np.maximum(degree, 1)
    height = np.abs(np.einsum("ij,ij->i", vertices - middle, ring))
    return np.flatnonzero(
        far & inner & (height > np.maximum(SPIKE_MM, SPIKE_RATIO * spread) * np.linalg.norm(ring, axis=1))
    )


def _face_parts(name: str, vertices: Floats, faces: Ints, areas: Floats, notes: list[str]) -> Ints:
    """The separate part that each triangle is of, -1 where that is none of the face."""
    if not len(faces):
        return np.zeros(0, np.int64)
    n = len(vertices)
    tail, head = faces[:, :2].ravel(), faces[:, 1:].ravel()
    graph = csr_matrix((np.ones(len(tail), np.int8), (tail, head)), (n, n))
    _, label = connected_components(graph, directed=False)
    of_face = label[faces[:, 0]]
    area = np.bincount(of_face, areas, int(label.max()) + 1)
    if area.max() < SHARE_OF_LARGEST * area.sum():
        raise ScanError(
            f"{name}: the surface lies in {int((area > 0).sum())} separate parts, the largest "
            f"{area.max() / area.sum():.1%} of it: its triangles do not meet at their corners; merge close vertices "
            "(MeshLab: Merge Close Vertices) first"
        )
    large = area >= np.minimum(LARGE_PART * area.max(), FACE_MM2)
    stays = large.copy()
    candidates = np.flatnonzero(~large & (area >= SMALL_PART_MM2))
    if len(candidates):
        body = np.flatnonzero(large[label])
        tree = KDTree(vertices[body[:: max(1, len(body) // _GAP_POINTS)]])
        members = np.flatnonzero(np.isin(label, candidates))
        near, _ = tree.query(vertices[members], distance_upper_bound=SMALL_PART_GAP_MM)
        stays[label[members[np.isfinite(near)]]] = True
    dropped = ~stays & (area > 0)
    if dropped.any():
        notes.append(f"{int(dropped.sum())} separate parts of {area[dropped].sum() / 100:.2g} cm2 in all were dropped")
    return np.where(stays[of_face], of_face, -1)


def _said_if_much(name: str, lost: float, what: str, notes: list[str]) -> None:
    """Cleaning takes crumbs; where it takes more of the `what`, the reader must know, and most of it is no crumb."""
    if lost > MOST_LOST:
        raise ScanError(
            f"{name}: cleaning would take {lost:.0%} of the {what}, at most {MOST_LOST:.0%} may go "
            f"({'; '.join(notes)}); crop it to the head, or mend it (MeshLab: Merge Close Vertices) first"
        )
    if lost > MUCH_LOST:
        notes.insert(0, f"CAUTION: cleaning took {lost:.0%} of the {what}; look whether the face is whole")


def _not_stray(points: Floats, notes: list[str]) -> NDArray[np.bool_]:
    """Which points of a cloud have neighbours as most points have."""
    if len(points) <= _STRAY_NEIGHBOURS:
        return np.ones(len(points), bool)
    distance = KDTree(points).query(points, _STRAY_NEIGHBOURS + 1)[0][:, -1]
    stays = distance <= STRAY_RATIO * np.median(distance)
    if not stays.all():
        notes.append(f"{int((~stays).sum())} stray points were dropped")
    return stays
