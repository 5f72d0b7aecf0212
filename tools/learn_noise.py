"""Learns what a still face seems to move: the noise floor of every region, rest against rest.

    python tools/learn_noise.py --subjects 8 --repeats 2

Data: simulated subjects of a seed of their own, a third each with the movements of author a, author b and Waters'
muscles (they move nothing here), half of them with a palsy's rest; each scanned at rest `1 + repeats` times by
stereophotogrammetry (20,000 points) in another pose, triangulation and noise. Repeats are fitted as expressions are,
from the first scan on, and measured as expressions are: aligned on what is stable in each expression, corrected as
`measuring.corrections` does. Writes src/face3d/data/noise_floors.json. What was fitted is kept in --fits, for another
start.
"""

from __future__ import annotations

import argparse
import json
import pickle
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from face3d.errors import RegistrationError
from face3d.io.write import write_bytes
from face3d.landmarks import SIDES, code_of
from face3d.measuring.corrections import anchored, lid_points, lids, restored, tip_points
from face3d.measuring.protocol import FULL
from face3d.measuring.readings import fissure, weighted_mean
from face3d.measuring.sides import paired
from face3d.simulate.scanners import scan_face
from face3d.template.exam_fit import fit_seen, see_scan
from face3d.template.movement import movement
from face3d.template.template import FaceTemplate
from seen_exams import patient_of

SEED = 17
FILE = Path(__file__).parents[1] / "src/face3d/data/noise_floors.json"
#: Landmarks at which paths are read, and the expression in which they are.
MARKS = {"ch": "open_smile", "sci": "brow_raise", "al": "snarl", "ac": "snarl"}
#: Alignments that differ; a region of the mesh is read in all of them.
ALIGNED = ("brow_raise", "gentle_eye_closure", "open_smile", "snarl")
#: Values beyond so many robust standard deviations are failures of a fit, not noise.
FAILED = 5.0


def fits(folder: Path, subjects: int, repeats: int) -> Iterator[tuple]:
    """Of each subject the rest, the repeats (N, 3) mm by name, and the landmarks of all."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(subjects):
        file = folder / f"still_{k:03d}.pkl"
        if not file.exists():
            patient, _ = patient_of(SEED, 4 * k + k % 4)
            rng = np.random.default_rng([SEED, k])
            names = ["rest", *(f"again{i}" for i in range(repeats))]
            face = patient.vertices("rest")
            scans = {
                name: scan_face(patient.model, face, rng, "stereophotogrammetry", points=20_000).scan for name in names
            }
            found = fit_seen(names, lambda name, scans=scans: see_scan(scans[name], at_rest=name == "rest"))
            marks = {name: {m: np.array(p) for m, p in points.items()} for name, points in found.marks.items()}
            again = {name: np.array(v) for name, v in found.expressions.items()}
            write_bytes(file, pickle.dumps((np.array(found.rest), again, marks)))
            print(file.name, flush=True)
        yield pickle.loads(file.read_bytes())


def learn(folder: Path, subjects: int, repeats: int) -> dict[str, dict[str, float]]:
    """Floor of each functional region, region of the mesh, landmark, and of the fissure."""
    template, weigh = FaceTemplate.load(), lids()
    energy: dict[str, list[float]] = defaultdict(list)
    alike: dict[str, list[float]] = defaultdict(list)
    for rest, again, marks in fits(folder, subjects, repeats):
        at_rest = template.landmark_points(rest)
        for name, vertices in again.items():
            moves = {}
            for e in sorted({e for shown in FULL.values() for e in shown} | {*ALIGNED}):
                try:
                    moved = movement(e, rest, vertices, template)
                except RegistrationError:
                    continue
                moves[e] = restored(anchored(moved, rest, template, marks["rest"], marks[name]), template)
            for region, shown in FULL.items():
                pair = paired(template, moves[shown[0]].displacement, region) if shown[0] in moves else None
                if pair is None:
                    continue
                for side in SIDES:
                    energy[region].append(pair.rms(side) ** 2)
                    alike[region].append(float(((pair.weight @ pair.side(side)) ** 2).sum()))
            for e in sorted(set(ALIGNED) & set(moves)):
                squared = (moves[e].displacement ** 2).sum(axis=1)
                for region, weight in template.regions.items():
                    if (code := code_of(region)) not in FULL:
                        energy[code].append(weighted_mean(squared, weight))
            for code, e in MARKS.items():
                if e in moves:
                    shift = template.landmark_points(moves[e].displacement)
                    tips = tip_points(moves[e], at_rest, template)
                    for key in (f"{code}_{s}" for s in SIDES):
                        way = tips[key] - at_rest[key] if key in tips else shift[key]
                        energy[code].append(float(way @ way))
            if weigh is not None and "gentle_eye_closure" in moves:
                moved = moves["gentle_eye_closure"]
                open_as = {**at_rest, **lid_points(at_rest, marks["rest"], at_rest, weigh)}
                seen = {m: moved.to_rest.apply(p) for m, p in marks[name].items()}
                shown = template.landmark_points(rest + moved.displacement)
                now = {**shown, **lid_points(shown, seen, open_as, weigh)}
                energy["fissure"] += [(fissure(now, open_as, s) - fissure(open_as, open_as, s)) ** 2 for s in SIDES]
    out = {}
    for name, values in sorted(energy.items()):
        squares = np.array([v for v in values if np.isfinite(v)])
        usual = squares <= (FAILED * 1.4826) ** 2 * np.median(squares)
        places = 1.0
        if name in alike:
            places = max(float(squares[usual].mean() / np.array(alike[name])[np.isfinite(values)][usual].mean()), 1.0)
        out[name] = {"rms": round(float(np.sqrt(squares[usual].mean())), 3), "places": round(places, 2)}
        print(f"{name:<16}{out[name]['rms']:>8.3f} mm{places:>8.2f} places, {(~usual).sum()} of {len(usual)} left out")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--fits", type=Path, default=Path("still"))
    parser.add_argument("--subjects", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=2)
    a = parser.parse_args()
    floors = learn(a.fits, a.subjects, a.repeats)
    note = (
        f"rest against rest: {a.subjects} simulated subjects, {1 + a.repeats} scans each, stereophotogrammetry, 20,000 "
        f"points; root mean square over places, sides and people; over {FAILED:g} robust SD left out; "
        "tools/learn_noise.py"
    )
    FILE.write_text(json.dumps({"note": note, "floors": floors}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
