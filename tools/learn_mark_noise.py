"""Learns by how much a landmark's displacement from rest is off, name by name and for each dense point.

    python tools/learn_mark_noise.py [--people 3] [--seed 8000]

Simulated people of movement sets a, b and of muscles in the protocol's expressions, and people of the Vitruvian head
in whole expressions and single movements (where it is there); landmarks found automatically on scans, their way from
rest against the true way of the same places. What a way is uncertain by has two parts: one that is always there, and
one that grows with the way (a detector may see half of a raised brow). Each domain counts alike: of each the 68th
percentile of the error over 1.88, which is the SD an axis if errors are Gaussian in three directions. Writes
src/face3d/data/mark_noise.json.
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
#: mm: ways up to the first tell what is uncertain without one, ways from the second on what grows with them; of fewer
#: than so many nothing is said.
SHORT, LONG, LEAST = 1.5, 4.0, 6


def errors(person: Person) -> tuple[list[str], Floats, Floats]:
    """Names of landmarks, and (E, L) by how many mm the way of each, then of each dense point, is off (NaN unknown),
    and how long it truly is."""
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
    off, long = [], []
    for shape, scan in person.expressions.values():
        here = see_scan(scan.scan).found
        way = placed(found(here.landmarks, here.dense), scan) - before
        truly = true(shape) - true(person.rest)
        off.append(np.linalg.norm(way - truly, axis=1))
        long.append(np.linalg.norm(truly, axis=1))
    return names, np.array(off), np.array(long)


def parts(off: Floats, long: Floats) -> tuple[Floats, Floats]:
    """(L,) what ways of a domain are uncertain by, mm an axis, and what grows with them, mm an axis and mm of way; NaN
    where too few of them are short, or long."""
    always, growing = np.full((2, off.shape[1]), np.nan)
    for k in range(off.shape[1]):
        known = np.isfinite(off[:, k])
        short, far = known & (long[:, k] < SHORT), known & (long[:, k] > LONG)
        if short.sum() >= LEAST:
            always[k] = np.quantile(off[short, k], QUANTILE) / OF_LENGTH
        if far.sum() >= LEAST and np.isfinite(always[k]):
            beyond = np.sqrt(np.maximum(off[far, k] ** 2 - (OF_LENGTH * always[k]) ** 2, 0.0))
            growing[k] = np.quantile(beyond / long[far, k], QUANTILE) / OF_LENGTH
    return always, growing


def _mean(domains: Floats) -> Floats:
    """(L,) over the domains that know, NaN where none does."""
    known = np.isfinite(domains)
    total = np.where(known, domains, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


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
    domains: dict[str, list[tuple[Floats, Floats]]] = defaultdict(list)
    for person in everybody:
        names, off, long = errors(person)
        domains[person.domain].append((off, long))
        print(person.name, flush=True)
    learnt = [parts(*(np.concatenate(part) for part in zip(*of, strict=True))) for of in domains.values()]
    always, growing = (_mean(np.array(part)) for part in zip(*learnt, strict=True))
    # Points that hardly ever go far take what is usual.
    growing = np.where(np.isfinite(growing), growing, np.nanmedian(growing))
    always = np.where(np.isfinite(always), always, UNKNOWN)
    sides: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for k, name in enumerate(names):
        sides[code_of(name)].append((float(always[k]), float(growing[k])))
    learned = {
        "what": "What the way of a landmark from rest is uncertain by, mm an axis: always, and more for each mm of way",
        "made_by": f"tools/learn_mark_noise.py --people {a.people} --seed {a.seed}; domains {', '.join(domains)}",
        "named": {
            code: np.mean(values, axis=0).round(2).tolist()
            for code, values in sorted(sides.items())
            if max(values)[0] < UNKNOWN
        },
        "dense": np.stack([always, growing], axis=1)[len(names) :].round(2).tolist(),
    }
    FILE.write_text(json.dumps(learned) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
