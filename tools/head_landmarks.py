"""Where the landmarks lie on MakeHuman's base head. Build time only.

Points that sit on an edge loop of the mesh (lid margins, vermilion, profile) are its vertices; the others are given in
millimetres of MakeHuman's body frame, read off renderings, and projected on the surface.
"""

from __future__ import annotations

import numpy as np

from face3d.landmarks import NAMES, opposite_name
from face3d.scan import Floats
from head_mesh import Cut

Mark = tuple[list[int], list[float]]

VERTEX = {
    "tr": 983,
    "g": 234,
    "n": 132,
    "prn": 297,
    "c": 307,
    "sn": 317,
    "ls": 455,
    "li": 492,
    "sl": 724,
    "pg": 5162,
    "gn": 5296,
    "en_left": 6850,
    "ex_left": 6805,
    "ps_left": 6785,
    "ch_left": 7249,
    "cph_left": 7215,
    "al_left": 11669,
}
BETWEEN = {"sto": (474, 494)}  # the lips' facing edges: half way
POINT = {
    "mb_left": (12.0, 743.0, 150.0),
    "sci_left": (34.0, 747.5, 143.0),
    "lb_left": (50.0, 741.0, 128.0),
    "ac_left": (17.5, 685.0, 148.0),
    "t_left": (70.0, 712.0, 40.0),
    "go_left": (58.0, 655.0, 60.0),
    "zy_left": (66.0, 708.0, 80.0),
    "ft_left": (56.0, 765.0, 105.0),
}
LOWER_LID = 13370  # lower lid's edge, middle row, under the pupil


def place_landmarks(cut: Cut, at: Floats) -> dict[str, Mark]:
    """Landmark -> (three vertex numbers, three weights). `at` (V, 3) mm: the cut in MakeHuman's frame."""
    import trimesh

    number = {int(i): k for k, i in enumerate(cut.ids) if i >= 0}
    marks: dict[str, Mark] = {name: ([number[i]] * 3, [1.0, 0.0, 0.0]) for name, i in VERTEX.items()}
    for name, (a, b) in BETWEEN.items():
        marks[name] = ([number[a], number[b], number[b]], [0.5, 0.5, 0.0])
    marks["pi_left"] = ([number[LOWER_LID]] * 3, [1.0, 0.0, 0.0])
    triangles = at[cut.faces]
    for name, point in POINT.items():
        closest = trimesh.triangles.closest_point(triangles, np.tile(point, (len(triangles), 1)))
        k = int(np.argmin(np.linalg.norm(closest - point, axis=1)))
        weights = trimesh.triangles.points_to_barycentric(triangles[k : k + 1], closest[k : k + 1])[0]
        weights = np.clip(weights, 0, None)
        marks[name] = (cut.faces[k].tolist(), (weights / weights.sum()).tolist())
    for name in [m for m in marks if m.endswith("_left")]:
        ids, weights = marks[name]
        marks[opposite_name(name)] = (cut.opposite[ids].tolist(), weights)
    return {name: marks[name] for name in NAMES if name in marks}
