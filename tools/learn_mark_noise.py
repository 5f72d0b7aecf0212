"""Learns by how much a landmark's displacement from rest is off, name by name and for each dense point.

    python tools/learn_mark_noise.py [--people 3] [--seed 8000]

Simulated people of movement sets a, b and of muscles in the protocol's expressions, and people of the Vitruvian head
in whole expressions and single movements (where it is there); landmarks found automatically on scans, their way from
rest against the true way of the same places. Each domain counts alike: of each the 68th percentile of the error over
1.88, which is the SD an axis if errors are Gaussian in three directions. Writes src/face3d/data/mark_noise.json.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from expression_sets import HEAD, WHOLE, Person, simulated_person, vitruvian, vitruvian_person
from face3d.geometry.rays import RayScene
from face3d.landmarks import code_of
from face3d.scan import Floats
from face3d.template.exam_fit import fit_rest, see_scan
from face3d.template.marks import places

FILE = Path(__file__).parents[1] / "src/face3d/data/mark_noise.json"
#: The 68th percentile of the length of three Gaussians of SD 1. SD of what no domain shows.
QUANTILE, OF_LENGTH, UNKNOWN = 0.68, 1.88, 99.0
#: Single movements of the Vitruvian head a person.
SINGLES = 8


def errors(person: Person) -> tuple[list[str], Floats]:
    """Names of landmarks, and (E, L, 3) by how much the way of each, then of each dense point, is off; NaN unknown."""
    seen = see_scan(person.rest_scan.scan, at_rest=True)
    rest = fit_rest(seen).fit
    t = rest.template
    at_rest = person.rest_scan.pose.inv().apply(rest.to_head.inv().apply(rest.vertices_mm))
    hit = RayScene(person.rest, person.faces).closest(at_rest)
    ids, weights = places(t)
    names = list(t.landmarks)

    def true(shape: Floats) -> Floats:
        on = np.einsum("nk,nki->ni", hit.weights, shape[person.faces[hit.faces]])
        return np.einsum("lk,lki->li", weights, on[ids])

    def found(marks: Mapping[str, Floats], dense: Floats) -> Floats:
        named = [marks.get(name, np.full(3, np.nan)) for name in names]
        return np.concatenate([named, dense])

    def placed(points: Floats, scan) -> Floats:
        known = np.asarray(np.isfinite(points).all(axis=1))
        return np.where(known[:, None], scan.pose.inv().apply(np.where(known[:, None], points, 0.0)), np.nan)

    before = placed(found(seen.found.landmarks, seen.found.dense), person.rest_scan)
    off = []
    for shape, scan in person.expressions.values():
        here = see_scan(scan.scan).found
        way = placed(found(here.landmarks, here.dense), scan) - before
        off.append(way - (true(shape) - true(person.rest)))
    return names, np.array(off)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--seed", type=int, default=8000)
    a = parser.parse_args()
    everybody = [simulated_person(kind, a.seed + k) for kind in ("a", "b", "muscles") for k in range(a.people)]
    if HEAD.exists():
        for k in range(a.people):
            rng = np.random.default_rng(a.seed + k)
            single = rng.choice([m for m in sorted(vitruvian().movements) if m not in WHOLE], SINGLES, replace=False)
            chosen = [(str(m), float(rng.choice([0.5, 1.0]))) for m in single]
            everybody.append(vitruvian_person(a.seed + k, [*((m, 1.0) for m in WHOLE), *chosen]))
    else:
        print(f"without the Vitruvian head: {HEAD} is not there")
    names: list[str] = []
    domains: dict[str, list[Floats]] = defaultdict(list)
    for person in everybody:
        names, off = errors(person)
        domains[person.domain].append(np.linalg.norm(off, axis=2))
        print(person.name, flush=True)
    sds = []
    for lengths in (np.concatenate(parts) for parts in domains.values()):
        known = np.isfinite(lengths).any(axis=0)
        sds.append(np.full(lengths.shape[1], np.nan))
        sds[-1][known] = np.nanquantile(lengths[:, known], QUANTILE, axis=0) / OF_LENGTH
    each = np.array(sds)
    sd = np.full(each.shape[1], UNKNOWN)
    known = np.isfinite(each).any(axis=0)
    sd[known] = np.nanmean(each[:, known], axis=0)
    sides: dict[str, list[float]] = defaultdict(list)
    for name, value in zip(names, sd[: len(names)], strict=True):
        sides[code_of(name)].append(float(value))
    learned = {
        "what": "What the way of a landmark from rest is uncertain by, mm an axis",
        "made_by": f"tools/learn_mark_noise.py --people {a.people} --seed {a.seed}; domains {', '.join(domains)}",
        "named": {
            code: round(float(np.mean(values)), 2) for code, values in sorted(sides.items()) if max(values) < UNKNOWN
        },
        "dense": [round(float(value), 2) for value in sd[len(names) :]],
    }
    FILE.write_text(json.dumps(learned) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
