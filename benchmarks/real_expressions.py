"""How well the fit follows people's expressions, from rest on, on heads of several origins; domains kept apart.

    python benchmarks/real_expressions.py [--people 2] [--every 8] [--seed 70500] [--folder FOLDER ...]

Every template vertex that lies on a person's true surface at rest has a true way from there; what the fit of the
expression's scan is off it, mm: median over the face, mean over the lips, mouth corners, li and pg, and the share of
movement beyond 4 mm that is kept. Landmarks are found automatically; "detector" is what they are off by themselves.
Vitruvian: its whole expressions, and every `--every`-th of all its movements at 0.5 and 1.0; see
`tools/expression_sets.py` for the domains, and for how a FOLDER of other people's expressions looks. Worst cases are
named, refusals counted. The fit's numbers were chosen on people of other seeds, of the Vitruvian head as well.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from expression_sets import HEAD, WHOLE, Person, simulated_person, stored_people, vitruvian, vitruvian_person
from face3d.errors import Face3DError
from face3d.geometry.rays import RayScene
from face3d.scan import Floats
from face3d.template.exam_fit import fit_expression, fit_rest, see_scan
from shown import Shown, numbers

#: mm: a template vertex further off the true surface at rest has no true way.
ON_SURFACE, MOVED = 2.0, 4.0
KEYS = ("median", "lips", "ch", "li", "pg", "kept", "detector ch", "detector li", "detector pg", "CPU s")


def followed(person: Person) -> Iterator[tuple[str, dict[str, float] | str]]:
    """Expression -> what the fit is off (`KEYS`), or why it was refused."""
    seen = see_scan(person.rest_scan.scan, at_rest=True)
    rest = fit_rest(seen)
    t = rest.fit.template
    at_rest = person.rest_scan.pose.inv().apply(rest.fit.to_head.inv().apply(rest.fit.vertices_mm))
    hit = RayScene(person.rest, person.faces).closest(at_rest)
    near = np.linalg.norm(hit.points - at_rest, axis=1) < ON_SURFACE
    lips = near * sum(t.regions[f"{lip}_lip_{side}"] for lip in ("upper", "lower") for side in ("left", "right"))

    def true(shape: Floats) -> Floats:
        return np.einsum("nk,nki->ni", hit.weights, shape[person.faces[hit.faces]])

    still = true(person.rest)
    for name, (shape, scan) in person.expressions.items():
        try:
            found = see_scan(scan.scan)
            start = time.process_time()
            fitted = fit_expression(found, rest).fit
            seconds = time.process_time() - start
        except Face3DError as error:
            yield name, str(error)
            continue
        back = scan.pose.inv()
        at, way = back.apply(fitted.to_head.inv().apply(fitted.vertices_mm)), true(shape) - still
        good = fitted.valid & rest.fit.valid & near
        off = np.linalg.norm(at - still - way, axis=1)
        large = good & (np.linalg.norm(way, axis=1) > MOVED)
        points, truth, before = (t.landmark_points(v) for v in (at, still + way, still))

        def mark(*names: str, a=points, b=truth) -> float:
            return float(np.mean([np.linalg.norm(a[n] - b[n]) for n in names]))

        def detected(*names: str, marks=found.found.landmarks, back=back, truth=truth, before=before) -> float:
            first = seen.found.landmarks
            steps = [
                back.apply(marks[n]) - person.rest_scan.pose.inv().apply(first[n]) - truth[n] + before[n]
                for n in names
                if n in marks and n in first
            ]
            return float(np.mean([np.linalg.norm(s) for s in steps])) if steps else np.nan

        numbers = (
            float(np.median(off[good])),
            float(off @ lips / lips.sum()),
            mark("ch_left", "ch_right"),
            mark("li"),
            mark("pg"),
            float(((at - still) * way)[large].sum() / (way[large] ** 2).sum()) if large.sum() > 20 else np.nan,
            detected("ch_left", "ch_right"),
            detected("li"),
            detected("pg"),
            seconds,
        )
        yield name, dict(zip(KEYS, numbers, strict=True))


def report(shown: Shown, domain: str, people: Iterable[Person]) -> None:
    """One line of means, the worst three by the lips' error, and what was refused."""
    rows, refused = [], []
    for person in people:
        try:
            for name, found in followed(person):
                if isinstance(found, str):
                    refused.append(f"{person.name}, {name}: {found}")
                else:
                    rows.append((f"{person.name}, {name}", found))
        except Face3DError as error:
            refused.append(f"{person.name}, rest: {error}")
    if rows:
        means = numbers([float(np.nanmean([r[k] for _, r in rows])) for k in KEYS])
        worst = sorted(rows, key=lambda r: -r[1]["lips"])[:3]
        said = "; ".join(f"{name} (lips {r['lips']:.1f} mm)" for name, r in worst)
        shown.row(domain, len(rows), *means, len(refused), said)
    for line in refused:
        print(f"refused: {line}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=2)
    parser.add_argument("--every", type=int, default=8, help="how many of the Vitruvian head's movements are left out")
    parser.add_argument("--seed", type=int, default=70500)
    parser.add_argument("--folder", type=Path, action="append", default=[])
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.people)
    title = f"Expressions followed, {options.people} people of each kind, seed {options.seed}; mm"
    shown = Shown(title, "domain", "n", *KEYS, "refused", "worst")
    if HEAD.exists():
        report(shown, "Vitruvian, whole", (vitruvian_person(s, [(name, 1.0) for name in WHOLE]) for s in seeds))
        every = sorted(vitruvian().movements)
        for amount in (0.5, 1.0):
            people = (
                vitruvian_person(
                    s + 100, [(n, amount) for n in every[(s - options.seed) % options.every :: options.every]]
                )
                for s in seeds
            )
            report(shown, f"Vitruvian, parts {amount:g}", people)
    else:
        print(f"Vitruvian: skipped, {HEAD} is not there")
    for kind in ("a", "b", "muscles"):
        report(shown, kind, (simulated_person(kind, s) for s in seeds))
    for folder in options.folder:
        report(shown, folder.name, stored_people(folder, options.seed))


if __name__ == "__main__":
    main()
