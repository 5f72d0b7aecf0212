"""Named regions of the head model as soft vertex weights, one a side. Build time only."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import KDTree

from face3d.scan import Floats
from head_mesh import Cut

SOFT = 2.0  # mm over which neighbouring regions pass into each other
MIDDLE = 2.0  # mm either side of the midline, likewise
# Left half, MakeHuman's base, (x, y) mm seen from the front: every vertex goes to the nearest seed along the surface.
SEEDS = {
    "forehead": [(0, 765), (0, 790), (15, 765), (30, 768), (15, 790), (32, 790), (45, 775)],
    "brow": [(4, 745), (12, 744), (22, 748), (32, 750), (42, 747), (50, 742)],
    "temple": [(58, 755), (62, 740), (60, 775), (66, 725)],
    "scalp": [(0, 830), (40, 825), (68, 790), (72, 750), (0, 848)],
    "upper_lid": [(22, 733), (26, 736), (31, 737), (37, 736), (42, 733)],
    "lower_lid": [(22, 723), (26, 721), (31, 720), (37, 721), (42, 724)],
    "nose": [(0, 722), (0, 705), (0, 690), (8, 712), (9, 700), (13, 691), (6, 684), (15, 687)],
    "nasolabial": [(22, 692), (26, 684), (30, 675), (34, 666)],
    "cheek": [(35, 703), (48, 703), (42, 690), (52, 685), (43, 672), (60, 705)],
    "upper_lip": [(0, 667), (8, 670), (16, 668), (0, 674), (8, 676), (17, 673), (12, 664), (21, 664)],
    "lower_lip": [(0, 655), (8, 655), (15, 656), (0, 650), (10, 650), (19, 654)],
    "commissure": [(25, 661), (28, 662), (28, 658)],
    "chin": [(0, 640), (12, 640), (0, 628), (12, 626), (22, 635), (0, 618)],
    "jaw": [(40, 645), (52, 662), (60, 680), (30, 628)],
    "neck": [(0, 605), (20, 605), (40, 620), (0, 585), (50, 640), (62, 665)],
    "ear": [(76, 720), (80, 735), (72, 700), (82, 728)],
}


def paint_regions(cut: Cut, at: Floats) -> dict[str, Floats]:
    """Region -> (V,) weights 0..1 that add up to 1 at every vertex; `at` (V, 3) mm in MakeHuman's frame."""
    n = len(at)
    edges = np.vstack([cut.faces[:, [0, 1]], cut.faces[:, [1, 2]], cut.faces[:, [2, 0]]])
    length = np.linalg.norm(at[edges[:, 0]] - at[edges[:, 1]], axis=1)
    graph = sp.csr_array((length, (edges[:, 0], edges[:, 1])), shape=(n, n))
    inside = np.zeros(n, bool)
    inside[cut.mouth] = True
    eyes = np.r_[cut.eye_left, cut.opposite[cut.eye_left]]
    inside[eyes] = True
    seen = np.flatnonzero(~inside & (at[:, 2] > 0))
    tree = KDTree(at[seen][:, :2])
    distance = []
    for seeds in SEEDS.values():
        found = []
        for seed in seeds:
            near = seen[tree.query(seed, k=4)[1]]
            found.append(int(near[np.argmax(at[near, 2] - 3 * np.linalg.norm(at[near, :2] - seed, axis=1))]))
        both = np.unique(np.r_[found, cut.opposite[found]])
        distance.append(dijkstra(graph, directed=False, indices=both, min_only=True))
    d = np.array(distance)
    w = np.exp(-(d - d.min(axis=0)) / SOFT)
    w = w / w.sum(axis=0)
    w = (w + w[:, cut.opposite]) / 2
    w[:, inside] = 0
    left = np.clip(at[:, 0] / (2 * MIDDLE) + 0.5, 0, 1)
    painted = {}
    for name, weights in zip(SEEDS, w, strict=True):
        painted[f"{name}_left"] = weights * left
        painted[f"{name}_right"] = weights * (1 - left)
    ball = np.zeros(n)
    ball[cut.eye_left] = 1
    painted["eyeball_left"], painted["eyeball_right"] = ball, ball[cut.opposite]
    mouth = np.zeros(n)
    mouth[cut.mouth] = 1
    painted["mouth_inside_left"], painted["mouth_inside_right"] = mouth * left, mouth * (1 - left)
    return painted
