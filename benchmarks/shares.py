"""Is dead dead, is healthy healthy: shares of movement against their truth, region by region, on every head.

    python benchmarks/shares.py [--fits 2] [--people 6]

Complete palsies, half palsies and healthy people on the embedded head with the movements of two artists and of Waters'
muscles, on the simpop faces under muscles, and on the Vitruvian head of other artists. First on the true vertices, each
expression in a head pose of its own: what is off there is the estimator's. With --fits N also as measured from scans of
N people of each kind and head.

Two kinds of complete palsy: "still" (nothing of the affected side moves by itself) and "dragged" (simulated patients:
the resting face droops, the healthy side pulls the mouth over, lids fall a little when asked to close).
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.measuring.exam_measures import Measures, measure_vertices
from face3d.measuring.scale_estimates import estimate_scales, rules
from face3d.reference.scales import REGIONS
from face3d.scan import Floats
from face3d.simulate import HeadModel, Patient
from face3d.simulate.draw import draw_healthy
from face3d.simulate.expressions import DRIVEN_BY, recipes_for
from face3d.simulate.palsy_units import with_palsy_units
from face3d.simulate.patients import expression_intensities, with_palsy
from face3d.simulate.waters import with_waters_muscles
from other_heads import CHOSEN_ON, FRESH, with_muscles
from shown import Shown
from vitruvian_head import FILE, vitruvian

SEED = 41
KINDS: Mapping[str, float] = {"still": 0.0, "dragged": 0.0, "half": 0.5, "healthy": 1.0}


@dataclass(frozen=True)
class Case:
    """One person: `truth` of every region's movement on `side`; `faces` expression -> (V, 3) mm, the head
    at rest."""

    head: str
    kind: str
    side: str
    model: HeadModel
    faces: Mapping[str, Floats]

    def truth(self, region: str) -> float:
        """NaN for half an orbicularis: how much of the fissure it closes, the lid's own fall aside, is nowhere said."""
        return np.nan if (self.kind, region) == ("half", "eye") else KINDS[self.kind]


def heads(fresh: bool, level: str = "base") -> Iterator[tuple[str, HeadModel, np.random.Generator]]:
    """Without end, in turn: each head with muscles, where it has some, drawn anew."""
    rng = np.random.default_rng([SEED, fresh])
    while True:
        for name in FRESH if fresh else CHOSEN_ON:
            yield "a", HeadModel.load("a", level), rng
            yield "b", HeadModel.load("b", level), rng
            yield "waters", with_waters_muscles(HeadModel.load("a", level), rng), rng
            yield "simpop", with_muscles(name, rng), rng
            if FILE.exists():
                yield "vitruvian", vitruvian(), rng


def cases(people: int, fresh: bool = False, level: str = "base", kinds: Mapping[str, float] = KINDS) -> Iterator[Case]:
    """`people` of each kind on each head."""
    count: dict[str, int] = defaultdict(int)
    for name, model, rng in heads(fresh, level):
        if count[name] >= people:
            return
        count[name] += 1
        person = draw_healthy(rng, with_palsy_units(model))
        person = person.replace(habit={}, effort={})  # whose sides move alike
        side = ("left", "right")[count[name] % 2]
        for kind in kinds:
            yield Case(name, kind, side, person.model, _faces(person, side, kind))


def _faces(person: Patient, side: str, kind: str) -> dict[str, Floats]:
    names = list(recipes_for(person.model))
    if kind == "dragged":
        ill = with_palsy(person, side, 0.0, overaction=0.1)
        return {e: ill.vertices(e) for e in names}
    rest, own = person.vertices("rest"), {}
    # Jaw and gaze are no facial muscle's.
    left_over = np.array([KINDS[kind] if unit in DRIVEN_BY else 1.0 for unit in person.model.units])
    for e in names:
        left, right = expression_intensities(person, e)
        parts = {"left": left, "right": right}
        parts[side] = left_over * parts[side]
        own[e] = person.model.shape(person.identity, person.asymmetry, parts["left"], parts["right"])
    return own | {"rest": rest}


def exact(case: Case, rng: np.random.Generator) -> Measures:
    """Measured on the true vertices, each expression turned and shifted as heads are."""
    faces = {e: _posed(v, rng) for e, v in case.faces.items() if e != "rest"}
    return measure_vertices(case.faces["rest"], faces, case.model, case.side, case.head)


def _posed(v: Floats, rng: np.random.Generator) -> Floats:
    turn = Rotation.from_rotvec(rng.normal(size=3) * 0.1)
    return RigidTransform.from_components(rng.normal(size=3) * 5, turn).apply(v)


def fitted(case: Case, rng: np.random.Generator) -> Measures:
    """Measured from scans of the faces."""
    from face3d.measuring.examination import measure_fits
    from face3d.simulate.scanners import scan_face
    from face3d.template.exam_fit import fit_seen, see_scan

    scans = {
        e: scan_face(case.model, v, rng, "stereophotogrammetry", points=20_000).scan for e, v in case.faces.items()
    }
    found = fit_seen(list(scans), lambda e: see_scan(scans[e], at_rest=e == "rest"))
    return measure_fits(found.rest, found.movements, found.template, case.side, case.head, None, (), found.marks)


class Table:
    """Shares by kind, head and region."""

    def __init__(self) -> None:
        self.shares: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
        self.grades: dict[tuple[str, str], list[int | None]] = defaultdict(list)
        self.sure: list[float] = []

    def add(self, case: Case, m: Measures, exactly: bool) -> None:
        key = case.kind, case.head
        own = {r.region: r for r in m.rows if r.measure == "function" and r.expression == "all"}
        self.shares[key].append([m.region_function[r] for r in REGIONS])
        for r in REGIONS:
            off, sd = m.region_function[r] - case.truth(r), own[r].uncertainty
            if not exactly and np.isfinite(off + sd):
                self.sure.append(abs(off) / sd)
        self.grades[key].append(estimate_scales(m, rules(exact=exactly)).house_brackmann)

    def print(self, title: str) -> None:
        shown = Shown(title, "kind, head", *REGIONS, "grades")
        for (kind, head), rows in sorted(self.shares.items()):
            v = np.array(rows)
            off = np.abs(v - KINDS[kind])
            off[:, [kind == "half" and r == "eye" for r in REGIONS]] = np.nan
            cells = [f"{_mean(a):.3f} ± {_spread(a):.3f} ({_mean(b):.3f})" for a, b in zip(v.T, off.T, strict=True)]
            shown.row(f"{kind}, {head}", *cells, "".join(str(g or "-") for g in self.grades[kind, head]))
        if self.sure:
            within = np.mean(np.array(self.sure) <= 1.96)
            print(f"\nwithin 1.96 of the uncertainty given: {100 * within:.0f} % of {len(self.sure)}")


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _spread(values: Floats) -> float:
    return float(np.sqrt(_mean((values - _mean(values)) ** 2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--people", type=int, default=6, help="of each kind on each head, true vertices")
    parser.add_argument("--fits", type=int, default=0, help="the same, scanned and fitted; 40 s an exam")
    parser.add_argument("--fresh", action="store_true", help="people and faces that nothing was chosen on")
    a = parser.parse_args()
    rng = np.random.default_rng([SEED, a.fresh, 1])
    table = Table()
    for case in cases(a.people, a.fresh):
        table.add(case, exact(case, rng), exactly=True)
    table.print("True vertices: share, mean ± SD (mean error); House-Brackmann by rule")
    if a.fits:
        scanned = Table()
        for case in cases(a.fits, a.fresh, "fine"):
            scanned.add(case, fitted(case, rng), exactly=False)
        scanned.print("Scanned and fitted: the same")


if __name__ == "__main__":
    main()
