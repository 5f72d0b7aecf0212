"""Why a grade is what it is: what each place of the face, in each movement, added to the answer.

Integrated gradients (Sundararajan 2017) along the straight way from a *symmetric twin* of the exam, whose affected side
does exactly what the healthy side does, to the exam itself. So attributions say what the difference between the sides
contributed, place by place, and they add up to the answer's distance from the twin's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import KDTree

from face3d.extras import require
from face3d.grading.example import MOVEMENTS, SCANS, Example, mirrored
from face3d.grading.grades import Grade, shipped_grader
from face3d.grading.grid import MARKS, Grid, grid_of
from face3d.reference.scales import REGIONS
from face3d.scan import Floats
from face3d.template.template import FaceTemplate
from face3d.threads import one_torch_thread
from face3d.values import Value

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor


#: Steps of the integral: with these the parts add up to the whole within a hundredth.
STEPS = 48
#: Functions of the rule and of the network further apart than this disagree.
APART = 0.15
HEADS = ("severity", "composite", *(f"function_{r}" for r in REGIONS))


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Value):
    """Of the answer `head` (one of `HEADS`): its `value`, the `baseline` of the symmetric twin, and what made the
    difference. `attribution` "rest" or movement -> (V,) at the template's vertices, in the answer's unit, adding up to
    value - baseline but for `unexplained`; `nodes` (10, N) the same at the grid's nodes, in the order of `SCANS`.
    `regions` table: expression, region, side, attribution. `measures` table: region, network, rule, agree."""

    head: str
    value: float
    baseline: float
    attribution: Mapping[str, Floats]
    nodes: Floats
    unexplained: float
    regions: pd.DataFrame
    measures: pd.DataFrame

    def by_expression(self) -> dict[str, float]:
        """What each expression added, the largest first."""
        total = {name: float(values.sum()) for name, values in self.attribution.items()}
        return dict(sorted(total.items(), key=lambda item: -abs(item[1])))

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it, without the values at single vertices."""
        return {
            "head": self.head,
            "value": self.value,
            "symmetric_twin": self.baseline,
            "unexplained": self.unexplained,
            "by_expression": self.by_expression(),
            "by_region": self.regions.head(20).to_dict("records"),
            "beside_rules": [
                {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}
                for row in self.measures.to_dict("records")
            ],
        }

    def to_text(self, most: int = 6) -> str:
        """A summary for the terminal."""
        lines = [f"{self.head} {self.value:.2f}, of which {self.value - self.baseline:+.2f} by what the sides differ:"]
        for row in self.regions.head(most).to_dict("records"):
            where = [str(row[k]).replace("_", " ") for k in ("expression", "region", "side")]
            lines.append(f"  {row['attribution']:+.3f}  {', '.join(where)}")
        apart = [str(r["region"]).replace("_", " ") for r in self.measures.to_dict("records") if r["agree"] is False]
        lines.append(f"networks and rules disagree on: {', '.join(apart) or 'no region'}")
        return "\n".join(lines)


def explained(g: Grade, head: str = "severity") -> Explanation:
    """Explains one answer of a grade. Raises `ValueError` for an unknown head."""
    if head not in HEADS:
        raise ValueError(f"head {head!r}; known are {', '.join(HEADS)}")
    grid = grid_of(FaceTemplate.load())
    example = g.example
    side = g.side if g.side != "none" else None
    twin = symmetric_twin(example, grid, side)
    with one_torch_thread():
        nodes, value, baseline = attributions(shipped_grader(), example, twin, grid, head, g.side)
    spread = {name: grid.gather.T @ nodes[k] for k, name in enumerate(SCANS)}
    return Explanation(
        head,
        value,
        baseline,
        MappingProxyType(spread),
        nodes,
        value - baseline - float(nodes.sum()),
        _by_region(nodes, grid),
        _beside_rules(g),
    )


def symmetric_twin(example: Example, grid: Grid, affected: str | None) -> Example:
    """The exam as if the affected side did, and looked, as the healthy side does; None: both as their mean."""
    mirror = mirrored(example, grid)
    n, k = len(grid.nodes), grid.pairs
    codes = sum(name.endswith("_left") for name in MARKS)
    # Share that the exam itself has in its twin: all of the healthy side, half of the midline, none of the rest.
    own = {None: (0.5, 0.5), "left": (0.0, 1.0), "right": (1.0, 0.0)}[affected]
    on_nodes = np.r_[np.full(k, own[0]), np.full(k, own[1]), np.full(n - 2 * k, 0.5)][:, None]
    on_marks = np.r_[np.full(codes, own[0]), np.full(codes, own[1]), np.full(len(MARKS) - 2 * codes, 0.5)][:, None]
    shares = {
        "rest": on_nodes,
        "normals": on_nodes,
        "moves": on_nodes,
        "marks": on_marks,
        "mark_moves": on_marks,
        "units": np.array(own),
        "units_se": np.array(own),
    }
    mixed = {}
    for name, share in shares.items():
        here, there = getattr(example, name), getattr(mirror, name)
        # What only one side shows stays as it is: nothing is known of a difference there.
        there = np.where(np.isfinite(there), there, here)
        mixed[name] = np.where(np.isfinite(here), share * np.nan_to_num(here) + (1 - share) * there, here)
    return replace(example, **mixed)


def attributions(
    networks: Any, example: Example, twin: Example, grid: Grid, head: str, side: str, steps: int = STEPS
) -> tuple[Floats, float, float]:
    """(10, N) what each node added at rest and in each movement; the answer for the exam and for its twin. Landmarks
    count at their nearest node, movement units where they move the template. Mean over the networks."""
    require("captum")
    import torch
    from captum.attr import IntegratedGradients

    from face3d.grading.networks import batch_of

    here, there = batch_of([example], points=False), batch_of([twin], points=False)
    # What the networks do not look at adds nothing.
    names = [name for name in ("rest", "moves", "marks", "mark_moves", "units") if name in networks[0].uses]
    shapes = {name: tuple(here[name].shape[1:]) for name in ("rest", "moves", "marks", "mark_moves", "units")}
    total: dict[str, Floats] = {name: np.zeros(shape) for name, shape in shapes.items()}
    values = np.zeros(2)
    for network in networks:

        def answer(*inputs: Tensor, network: Any = network) -> Tensor:
            batch = {k: v.expand(len(inputs[0]), *v.shape[1:]) for k, v in here.items()}
            return _answer(network(batch | dict(zip(names, inputs, strict=True))), head, side)

        ends = tuple(tuple(batch[k] for k in names) for batch in (here, there))
        found = IntegratedGradients(answer).attribute(ends[0], ends[1], n_steps=steps, internal_batch_size=steps)
        for name, tensor in zip(names, found, strict=True):
            total[name] += tensor[0].detach().numpy().astype(np.float64) / len(networks)
        with torch.no_grad():
            values += [float(answer(*end)) / len(networks) for end in ends]
    out = np.zeros((len(SCANS), len(grid.nodes)))
    out[0] += total["rest"].sum(-1)
    out[1:] += total["moves"].sum(-1)
    at = _nodes_of_marks(grid)
    np.add.at(out[0], at, total["marks"].sum(-1))
    for k in range(len(MOVEMENTS)):
        np.add.at(out[1 + k], at, total["mark_moves"][k].sum(-1))
    left, right = _nodes_of_units(grid)
    out += total["units"][..., 0] @ left + total["units"][..., 1] @ right
    return out, float(values[0]), float(values[1])


def _answer(said: Any, head: str, side: str) -> Tensor:
    """(B,) one answer of the networks; the function of a region on the affected side, or on the weaker one."""
    if head in ("severity", "composite"):
        return getattr(said, head)
    both = said.function[:, :, REGIONS.index(head.removeprefix("function_"))]
    return both.amin(dim=1) if side == "none" else both[:, ("left", "right").index(side)]


def _nodes_of_marks(grid: Grid) -> np.ndarray:
    template = FaceTemplate.load()
    at = template.landmark_points(template.vertices)
    return np.asarray(KDTree(grid.positions).query(np.array([at[name] for name in MARKS]))[1])


def _nodes_of_units(grid: Grid) -> tuple[Floats, Floats]:
    """(U, N) share of each unit's movement energy at each node, left and right."""
    template = FaceTemplate.load()
    out = []
    for fields in (template.left, template.right):
        energy = (fields[:, grid.nodes] ** 2).sum(axis=2).astype(np.float64)
        out.append(energy / np.maximum(energy.sum(axis=1, keepdims=True), 1e-12))
    return out[0], out[1]


def _by_region(nodes: Floats, grid: Grid) -> pd.DataFrame:
    import pandas as pd

    share = grid.regions / np.maximum(grid.regions.sum(axis=1, keepdims=True), 1e-12)
    k = grid.pairs
    sides = {"left": slice(0, k), "right": slice(k, 2 * k), "midline": slice(2 * k, None)}
    rows = [
        (name, region, side, float(nodes[e, where] @ share[where, r]))
        for e, name in enumerate(SCANS)
        for r, region in enumerate(grid.region_names)
        for side, where in sides.items()
    ]
    table = pd.DataFrame(rows, columns=["expression", "region", "side", "attribution"])
    return table.sort_values("attribution", key=np.abs, ascending=False, kind="stable", ignore_index=True)


def _beside_rules(g: Grade) -> pd.DataFrame:
    """What the rules measured of each region beside what the networks say."""
    import pandas as pd

    rule = (g.example.rules or {}).get("region_function", (np.nan,) * len(REGIONS))
    rows = []
    for region, share in zip(REGIONS, rule, strict=True):
        share = np.nan if share is None else float(share)
        network = g.region_function[region]
        rows.append((region, network, share, bool(abs(network - share) <= APART) if np.isfinite(share) else None))
    return pd.DataFrame(rows, columns=["region", "network", "rule", "agree"])


def deletion_curve(
    networks: Any, example: Example, twin: Example, grid: Grid, order: Floats, head: str, side: str, parts: int = 20
) -> Floats:
    """(parts + 1,) the answer as the places with the largest `order` (10, N) are replaced by the twin's, a `parts`-th
    at a time: the sooner it falls to the twin's, the better the order. Landmarks and units go with their nearest
    places. (Petsiuk 2018; run from twin to exam it is the insertion curve.)"""
    import torch

    from face3d.grading.networks import batch_of, mean_outputs

    here, there = batch_of([example], points=False), batch_of([twin], points=False)
    rank = np.empty(order.size, int)
    rank[np.argsort(-order.ravel(), kind="stable")] = np.arange(order.size)
    rank = rank.reshape(order.shape)
    at = _nodes_of_marks(grid)
    homes = np.stack([energy.argmax(axis=1) for energy in _nodes_of_units(grid)], axis=1)  # (U, 2)
    answers = []
    for k in range(parts + 1):
        gone = torch.tensor(rank < round(order.size * k / parts))
        where = {
            "rest": gone[:1].T,
            "moves": gone[1:, :, None],
            "marks": gone[0, at][:, None],
            "mark_moves": gone[1:][:, at, None],
            "units": gone[:, homes],
        }
        batch = dict(here)
        for name, mask in where.items():
            batch[name] = torch.where(mask[None], there[name], here[name])
        with torch.no_grad():
            answers.append(float(_answer(mean_outputs([n(batch) for n in networks]), head, side)))
    return np.array(answers)
