"""A laboratory's own head model: a folder of OBJ files of one topology.

    neutral.obj                  the face at rest
    identity_*.obj               other people (or one person's shape parameters), whole faces, 1 SD from neutral
    <unit>_L.obj, <unit>_R.obj   a movement of the subject's left and right side, whole faces at full strength
    <unit>.obj                   a movement of both sides; parted at the midline
    landmarks.json               name -> vertex number, or [[three vertex numbers], [three weights]]
    regions.json (optional)      name_left, name_right -> list of V weights 0..1
    pairs.json (optional)        list of V: each vertex's mirror-image vertex

Faces look along +z, +y is up, +x is the subject's left. Units named as ARKit names them (browInnerUp, eyeBlink,
mouthSmile, ...) make simulated patients; others make shapes only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial import KDTree

from face3d.errors import SchemaError
from face3d.landmarks import NAMES, opposite_name
from face3d.scan import Floats, Ints
from face3d.simulate.head import HeadModel, Landmark, reflected

#: A vertex farther than this from any mirrored vertex has no counterpart: the topology is not symmetric. mm.
PAIR_LIMIT = 5.0
#: mm either side of the midline in which a movement of both sides passes from one side's field to the other's.
SPLIT = 16.0


def load_folder(path: str | Path, units: str = "auto") -> HeadModel:
    """The model in a folder laid out as above. Raises `SchemaError` naming the file that does not fit the others."""
    from face3d.io import read_scan

    folder = Path(path)
    if not (folder / "neutral.obj").is_file():
        raise SchemaError(f"{folder}: no neutral.obj; a model folder holds neutral.obj, identity_*.obj, unit_L/_R.obj")
    neutral = read_scan(folder / "neutral.obj", units=units)
    scale = neutral.units_note.split(":")[0]  # as found for the neutral face, so that all files are read alike
    shapes: dict[str, Floats] = {}
    for file in sorted(folder.glob("*.obj")):
        if file.stem != "neutral":
            shape = read_scan(file, units=scale).vertices
            if shape.shape != neutral.vertices.shape:
                raise SchemaError(
                    f"{file}: {len(shape)} vertices, neutral.obj has {len(neutral.vertices)}; "
                    "all files must have one topology, in one vertex order"
                )
            shapes[file.stem] = shape - neutral.vertices
    given = _json(folder / "landmarks.json")
    landmarks = {name: _landmark(name, at, len(neutral.vertices)) for name, at in given.items() if name in NAMES}
    vertices = neutral.vertices - _origin(neutral.vertices, landmarks)
    pairs = _json(folder / "pairs.json")
    opposite = np.array(pairs, np.int64) if pairs else find_pairs(vertices)
    if opposite.shape != (len(vertices),) or not np.array_equal(opposite[opposite], np.arange(len(vertices))):
        raise SchemaError(f"{folder}: vertex pairs are not each other's; give pairs.json, each vertex's mirror image")
    vertices = (vertices + reflected(vertices, opposite)) / 2
    zero = np.zeros((0, len(vertices), 3))
    people = [d for name, d in shapes.items() if name.startswith("identity")]
    even = [(d + reflected(d, opposite)) / 2 for d in people]
    odd = [(d - reflected(d, opposite)) / 2 for d in people]
    odd = [d for d in odd if np.abs(d).max() > 0.01]
    left = _left_fields({k: d for k, d in shapes.items() if not k.startswith("identity")}, vertices, opposite, folder)
    fields = np.stack(list(left.values())) if left else zero
    own = _json(folder / "regions.json")
    regions = {k: np.asarray(w, np.float64) for k, w in own.items()}
    if not regions and len(landmarks) >= 8:
        regions = borrowed_regions(vertices, opposite, landmarks)
    return HeadModel(
        vertices=vertices,
        faces=neutral.faces,
        opposite=opposite,
        identity=np.stack(even) if even else zero,
        asymmetry=np.stack(odd) if odd else zero,
        units=tuple(left),
        left=fields,
        right=reflected(fields, opposite),
        regions=regions,
        landmarks=landmarks,
    )


def find_pairs(vertices: Floats) -> Ints:
    """Each vertex's mirror-image vertex (V,) by position. Raises `SchemaError` when the mesh is not a symmetric one."""
    distance, nearest = KDTree(vertices).query(vertices * [-1.0, 1.0, 1.0])
    other = np.asarray(nearest, np.int64)
    mutual = other[other] == np.arange(len(vertices))
    if distance.max() > PAIR_LIMIT or not mutual.all():
        bad = int(np.argmax(np.where(mutual, distance, np.inf)))
        raise SchemaError(
            f"vertex {bad} has no mirror image: the nearest vertex is {distance[bad]:.2f} mm from where it should be "
            f"({PAIR_LIMIT:g} mm allowed) or has another counterpart; centre the model on x = 0 or give pairs.json"
        )
    return other


def borrowed_regions(vertices: Floats, opposite: Ints, landmarks: dict[str, Landmark]) -> dict[str, Floats]:
    """The embedded head's regions, carried over by a thin-plate warp through the common landmarks."""
    head = HeadModel.load()
    ours = head.landmark_points(head.vertices)
    names = [name for name in landmarks if name in ours]
    theirs = np.array([np.asarray(landmarks[n][1]) @ vertices[list(landmarks[n][0])] for n in names])
    warp = RBFInterpolator(np.array([ours[n] for n in names]), theirs, kernel="thin_plate_spline", smoothing=1.0)
    _, near = KDTree(warp(head.vertices)).query(vertices)
    out = {name: weight[near] for name, weight in head.regions.items()}
    mirror = {k: opposite_name(k) for k in out}
    return {k: (w + out[mirror[k]][opposite]) / 2 for k, w in out.items()}


def _left_fields(shapes: dict[str, Floats], vertices: Floats, opposite: Ints, folder: Path) -> dict[str, Floats]:
    fields: dict[str, Floats] = {}
    t = np.clip(vertices[:, :1] / (2 * SPLIT) + 0.5, 0, 1)
    share = t * t * (3 - 2 * t)
    for name, move in shapes.items():
        if name.endswith("_L"):
            other = shapes.get(f"{name[:-2]}_R")
            if other is None:
                raise SchemaError(f"{folder / name}.obj: no {name[:-2]}_R.obj beside it")
            fields[name[:-2]] = (move + reflected(other, opposite)) / 2
        elif name.endswith("_R"):
            if f"{name[:-2]}_L" not in shapes:
                raise SchemaError(f"{folder / name}.obj: no {name[:-2]}_L.obj beside it")
        else:
            fields[name] = (move + reflected(move, opposite)) / 2 * share
    return fields


def _origin(vertices: Floats, landmarks: dict[str, Landmark]) -> Floats:
    """Between the inner eye corners where these are known; x stays on the mesh's own middle."""
    x = (vertices[:, 0].min() + vertices[:, 0].max()) / 2
    if "en_left" not in landmarks or "en_right" not in landmarks:
        return np.array([x, 0.0, 0.0])
    en = [np.asarray(landmarks[n][1]) @ vertices[list(landmarks[n][0])] for n in ("en_left", "en_right")]
    return (en[0] + en[1]) / 2


def _landmark(name: str, at: Any, count: int) -> Landmark:
    ids, weights = ([at] * 3, [1.0, 0.0, 0.0]) if isinstance(at, int) else at
    if len(ids) != 3 or len(weights) != 3 or min(ids) < 0 or max(ids) >= count:
        raise SchemaError(f"landmarks.json: {name}: {at}; expected a vertex number, or three and three weights")
    a, b, c = (int(i) for i in ids)
    u, v, w = (float(x) for x in weights)
    return (a, b, c), (u, v, w)


def _json(path: Path) -> Any:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SchemaError(f"{path}: not JSON: {error}") from None
