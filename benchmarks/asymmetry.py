"""Asymmetry through correspondence beside the peers', four ways; see the head of each table for what it shows.

    python benchmarks/asymmetry.py [--faces 8] [--seed 60100] [--peers 3] [--sets a,b,w,s,n,c,r,u]

(a) simulated patients of the fitted movement set; (b) patients whose movements another author modelled, and (w) whose
movements are Waters muscles drawn anew for each person, both fitted with the first set only; (s) faces of another
model under such muscles, and (c) the scans of `../shared/scans`, where they are: distance to the scan, and agreement
with the correspondence that the simpop faces share. (n) the symmetry plane of palsied and healthy faces with natural
asymmetry; (r) repeatability; (u) movement units of each side, with a rest scan, so fitted with both authors' units as
exams are. Palsied faces in expression and healthy, exactly symmetric faces in expression; seeds that no parameter was
chosen on. Landmarks are found automatically. Ratios are estimated over true where the truth exceeds 2 mm. A set
followed by + has vertex colours.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from face3d.errors import Face3DError
from face3d.geometry.distance import mirror_distance
from face3d.geometry.superimpose import SymmetryPlane
from face3d.landmarking.detect import detect_landmarks
from face3d.landmarking.placing import placed
from face3d.landmarking.pose import refined_frame
from face3d.scan import FaceScan, Floats
from face3d.simulate import HeadModel, draw_healthy, draw_patient, draw_skin, expression_intensities, scan_face
from face3d.simulate.scanners.simulated import SimulatedScan
from face3d.simulate.truth import asymmetry_vectors
from face3d.simulate.waters import with_waters_muscles
from face3d.template.action_units import action_units
from face3d.template.asymmetry import asymmetry_map, carried
from face3d.template.exam_fit import Fitted, fit_expression, fit_rest, see_scan
from face3d.template.fit import TemplateFit, fit_template
from face3d.template.midplane import Midplane, midplane
from face3d.template.quality import fit_quality
from shown import Shown, number, numbers

if TYPE_CHECKING:
    import pandas as pd

EXPRESSIONS = (
    "open_smile",
    "brow_raise",
    "tight_eye_closure",
    "snarl",
    "lip_pucker",
    "lower_lip_depression",
    "closed_smile",
)
PARTS = {"mouth": ("commissure",), "brow": ("brow",), "lids": ("upper_lid", "lower_lid")}
NOT_FACE = ("ear", "neck", "scalp", "eyeball", "mouth_inside")
TRUE = SymmetryPlane(np.array([1.0, 0, 0]), np.zeros(3))
SCANS = Path(__file__).parents[2] / "shared" / "scans"


def case(
    kind: str, seed: int, sick: bool, natural: bool = False
) -> tuple[SimulatedScan, Floats, dict[str, np.ndarray]]:
    """A scan in the head model's frame, the true asymmetry (V, 3) at its vertices, and masks of parts of the face;
    healthy faces are made exactly symmetric unless `natural`."""
    rng = np.random.default_rng(seed)
    expression = EXPRESSIONS[seed % len(EXPRESSIONS)]
    if kind[0] == "s":
        from other_heads import FRESH, with_muscles

        model = with_muscles(FRESH[seed % len(FRESH)], rng)
    else:
        model = HeadModel.load("b" if kind[0] == "b" else "a", "fine")
        model = with_waters_muscles(model, rng) if kind[0] == "w" else model
    person = draw_patient(rng, model, int(rng.integers(3, 7))) if sick else draw_healthy(rng, model)
    if kind[0] == "s":  # one face has one asymmetry: its own
        person = person.replace(asymmetry=np.ones(1))
    person = person if sick or natural else person.replace(asymmetry=np.zeros(len(model.asymmetry)))
    shape = person.vertices(expression)
    if not sick and not natural:
        shape = (shape + shape[model.opposite] * (-1.0, 1.0, 1.0)) / 2
    skin = draw_skin(model, rng) if kind.endswith("+") else None
    scan = scan_face(model, shape, rng, points=15_000, noise_mm=(0.2, 0.0), pose=False, skin=skin)
    none = np.zeros(len(model.vertices))
    masks = {"face": scan.carry(sum((model.regions.get(k, none) for k in _sided(NOT_FACE)), none)) < 0.5}
    for name, parts in PARTS.items():
        masks[name] = scan.carry(sum((model.regions[k] for k in _sided(parts)), none)) > 0.5
    return scan, scan.carry(asymmetry_vectors(model, shape)), masks


def _sided(parts: Sequence[str]) -> list[str]:
    return [f"{part}_{side}" for part in parts for side in ("left", "right")]


def laid(scan: FaceScan, movement: str = "a") -> tuple[TemplateFit, Midplane, float]:
    """The template on a scan, in the head frame of the symmetry plane, that plane, and the CPU seconds of the fit."""
    at = placed(scan).superimposed()
    found = at.found
    assert at.laid is not None and at.head is not None
    start = time.process_time()
    fit = fit_template(at.cleaned.scan, found.landmarks, found.confidence, found.dense, movement=movement)
    seconds = time.process_time() - start
    middle = midplane(at.laid, fit.in_frame(at.head))
    head = refined_frame(found.frame, found.landmarks, middle.plane.normal, middle.plane.point)
    return fit.in_frame(head), middle, seconds


def ours(scan: FaceScan, movement: str) -> tuple[Floats, float]:
    fit, _, seconds = laid(scan, movement)
    start = time.process_time()
    values, _ = carried(fit, scan, asymmetry_map(fit).vectors_mm)
    return np.linalg.norm(values, axis=1), seconds + time.process_time() - start


def closest_point(scan: FaceScan) -> tuple[Floats, float]:
    """With the true plane."""
    start = time.process_time()
    return mirror_distance(scan, TRUE).distance_mm, time.process_time() - start


def meshmonk(scan: FaceScan) -> tuple[Floats, float]:
    """Mirror image to original by pyramid registration, with the true plane."""
    import meshmonk  # pyright: ignore[reportMissingImports] a peer, of the extra `bench`

    start = time.process_time()
    flip = np.array([-1.0, 1.0, 1.0])
    v, f = scan.vertices.astype(np.float32), scan.faces.astype(np.int32)
    mirror, turned = (v * flip).astype(np.float32), np.ascontiguousarray(f[:, ::-1])
    ones = np.ones(len(v), np.float32)
    found = meshmonk.pyramid_register(
        floating_features=meshmonk.features_from_vertices(mirror, turned),
        target_features=meshmonk.features_from_vertices(v, f),
        floating_faces=turned,
        target_faces=f,
        floating_flags=ones,
        target_flags=ones,
    )
    # Vertex i of the mirror image is vertex i, mirrored; where it lands is the opposite place of i.
    landed = found.aligned_features[:, :3].astype(np.float64)
    return np.linalg.norm(landed - mirror, axis=1), time.process_time() - start


def _cpd(scan: FaceScan, register: Callable[[Floats, Floats], Floats]) -> tuple[Floats, float]:
    """Mirror image to original by coherent point drift, with the true plane, in units of the scan's own spread."""
    start = time.process_time()
    mirror, size = scan.vertices * (-1.0, 1.0, 1.0), float(scan.vertices.std())
    landed = size * register(scan.vertices / size, mirror / size)
    return np.linalg.norm(landed - mirror, axis=1), time.process_time() - start


def rust_cpd(scan: FaceScan) -> tuple[Floats, float]:
    import rustcpd  # pyright: ignore[reportMissingImports] a peer, of the extra `bench`

    how = {**CPD, "low_rank": 300, "low_rank_method": "pivoted_cholesky", "k": 10}
    return _cpd(scan, lambda x, y: rustcpd.register_deformable(x, y, **how).points)


def bio_cpd(scan: FaceScan) -> tuple[Floats, float]:
    import biocpd  # pyright: ignore[reportMissingImports] a peer, of the extra `bench`

    return _cpd(scan, lambda x, y: biocpd.DeformableRegistration(X=x, Y=y, **CPD).register()[0])


#: How coherent point drift is called: the width of its smoothness, of the scan's spread (SD of coordinates), and its
#: weight, chosen in its favour on a face of another seed.
CPD: dict[str, Any] = {"beta": 0.2, "alpha": 3.0, "max_iterations": 60}
PEERS = {"closest point": closest_point, "meshmonk": meshmonk, "rustcpd": rust_cpd, "biocpd": bio_cpd}


def simulated(kind: str, faces: int, seed: int, peers: int) -> None:
    titles = {
        "a": "(a) the fitted movements",
        "b": "(b) another author's movements",
        "w": "(w) Waters muscles",
        "s": "(s) Waters muscles on faces of another model",
    }
    colored = ", with vertex colours" if kind.endswith("+") else ""
    keys = ("error", "r", "slope", "mouth", "brow", "lids", "false", "seconds")
    title = f"{titles[kind[0]]}{colored}: {faces} palsied faces, {max(faces // 2, 2)} healthy; median"
    shown = Shown(title, "method", *keys[:-1], "CPU s", "n", "failed")
    rows: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for k in range(faces + max(faces // 2, 2)):
        sick = k < faces
        scan, truth, masks = case(kind, seed + k + (0 if sick else 500), sick)
        methods = {"face3d": lambda s: ours(s, "a")}
        if k < peers or (not sick and k < faces + -(-peers // 2)):
            methods |= PEERS
        for name, method in methods.items():
            try:
                found, seconds = method(scan.scan)
            except Face3DError as error:
                print(f"{name}, seed {seed + k}: {error}", file=sys.stderr)
                rows[name]["failed"].append(1.0)
                continue
            told = compared(found, np.linalg.norm(truth, axis=1), masks, sick)
            for key, value in {**told, "seconds": seconds}.items():
                rows[name][key].append(value)
    for name, row in rows.items():
        cells = numbers([float(np.nanmedian(row[k])) if row[k] else np.nan for k in keys])
        shown.row(name, *cells, len(row["error"]), len(row["failed"]))


def compared(found: Floats, true: Floats, masks: dict[str, np.ndarray], sick: bool) -> dict[str, float]:
    known = masks["face"] & np.isfinite(found) & np.isfinite(true)
    if not sick:
        return {"false": float(found[known].mean())}
    f, t = found[known], true[known]
    out = {
        "error": float(np.abs(f - t).mean()),
        "r": float(np.corrcoef(f, t)[0, 1]),
        "slope": float((f * t).sum() / (t * t).sum()),
    }
    for name in PARTS:
        at = known & masks[name] & (true > 2.0)
        if at.sum() > 30:
            out[name] = float(found[at].mean() / true[at].mean())
    return out


def natural(faces: int, seed: int) -> None:
    """The symmetry plane, x = 0 of the head model, by either kind of evidence alone and as it is used."""
    title = f"(n) symmetry plane, {faces} faces each: off the true one by degrees, mm at the chin; median, worst"
    shown = Shown(title, "faces", "surface", "corresponding", "used")
    chin = np.array([0.0, -100.0, 17.0])
    for kind in "abws" if SCANS.exists() else "abw":
        for sick in (False, True):
            off: dict[str, list[tuple[float, float]]] = defaultdict(list)
            for k in range(faces):
                scan, _, _ = case(kind, seed + 1000 + k, sick, natural=True)
                _, middle, _ = laid(scan.scan)
                assert middle.corresponding is not None
                for name, plane in (
                    ("surface", middle.surface),
                    ("corresponding", middle.corresponding),
                    ("used", middle.plane),
                ):
                    off[name].append((plane.angle_to(TRUE), abs(float(plane.height(chin)))))
            pairs_of = {name: np.array(pairs) for name, pairs in off.items()}
            cells = (
                f"{np.median(x[:, 0]):.2f}, {x[:, 0].max():.2f} deg; {np.median(x[:, 1]):.2f}, {x[:, 1].max():.2f} mm"
                for x in pairs_of.values()
            )
            shown.row(f"{kind}, {'palsied' if sick else 'healthy'}", *cells)


def repeated(people: int, seed: int) -> None:
    """One face scanned twice: another pose, triangulation, noise and crop."""
    apart, change, at = [], [], []
    for k in range(people):
        rng = np.random.default_rng(seed + k)
        model = HeadModel.load("a" if k % 2 else "b", "fine")
        shape = draw_patient(rng, model).vertices(EXPRESSIONS[k % len(EXPRESSIONS)])
        places, rms = [], []
        for _ in range(2):
            sim = scan_face(model, shape, rng, points=15_000)
            fit, _, _ = laid(sim.scan)
            values = asymmetry_map(fit)
            rms.append(np.where(np.isfinite(values.magnitude_mm), values.magnitude_mm, 0.0))
            places.append(
                np.where(fit.valid[:, None], (sim.pose.inv() * fit.to_head.inv()).apply(fit.vertices_mm), np.nan)
            )
        both = (rms[0] > 0) & (rms[1] > 0)
        one, two = (float(np.sqrt((r[both] ** 2).mean())) for r in rms)
        change.append(one - two)
        at.append(one)
        apart.append(float(np.nanmedian(np.linalg.norm(places[0] - places[1], axis=1))))
    print(
        f"\n(r) {people} faces scanned twice: whole-face RMS asymmetry (median {np.median(at):.2f} mm) differs by SD "
        f"{np.sqrt(np.mean(np.square(change))):.3f} mm; the same place lies {np.median(apart):.2f} mm apart (median; "
        f"worst face {max(apart):.2f})"
    )


#: movement of set "b" -> the fitted units that show it
MAPPED = {
    "eyebrows-up": ("browInnerUp", "browOuterUp"),
    "eye-closure": ("eyeBlink",),
    "nose-elevation": ("noseSneer",),
    "mouth-corner-puller": ("mouthSmile",),
    "mouth-pursing": ("mouthPucker",),
}
_MAIN = ("browInnerUp", "browOuterUp", "eyeBlink", "noseSneer", "mouthSmile", "mouthPucker", "mouthLowerDown")


def units(people: int, seed: int) -> None:
    """Intensities of each side against the truth, from the same person's rest scan on."""
    for kind, wanted in (("a", {u: (u,) for u in _MAIN}), ("b", MAPPED)):
        pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
        cross: list[float] = []
        for k in range(people):
            rng = np.random.default_rng(seed + k)
            person = draw_patient(rng, HeadModel.load(kind, "fine"), int(rng.integers(2, 7)))
            model = person.model
            still = expression_intensities(person, "rest")
            rest = _fit_of(person.vertices("rest"), model, rng, None)
            for name in ("brow_raise", "open_smile", "snarl", "lip_pucker", "gentle_eye_closure"):
                table = _units_of(person.vertices(name), model, rng, rest)
                for side, now, before in zip(
                    ("left", "right"), expression_intensities(person, name), still, strict=True
                ):
                    for unit, own in wanted.items():
                        at = model.units.index(unit)
                        pairs[unit].append((float(now[at] - before[at]), float(table.loc[list(own), side].mean())))
            # One side moves, the other does nothing at all.
            unit = list(wanted)[k % len(wanted)]
            alone = np.zeros(len(model.units))
            alone[model.units.index(unit)] = 0.8
            table = _units_of(
                model.shape(person.identity, person.asymmetry, alone + still[0], still[1]), model, rng, rest
            )
            moved = float(table.loc[list(wanted[unit]), "left"].mean())
            cross.append(float(table.loc[list(wanted[unit]), "right"].mean()) / max(moved, 0.1))
        r = {u: float(np.corrcoef(np.array(p).T)[0, 1]) for u, p in pairs.items() if np.std([t for t, _ in p]) > 0.05}
        every = np.concatenate([np.array(p) for p in pairs.values()])
        print(
            f"\n(u) units, movements of set {kind}, {people} people: r over all {np.corrcoef(every.T)[0, 1]:.2f}; "
            f"{', '.join(f'{u} {x:.2f}' for u, x in r.items())}; the still side shows {np.median(cross):.3f} of the "
            "moved one (median)",
            flush=True,
        )


def _fit_of(shape: Floats, model: HeadModel, rng: np.random.Generator, rest: Fitted | None) -> Fitted:
    seen = see_scan(scan_face(model, shape, rng, points=15_000).scan, at_rest=rest is None)
    return fit_rest(seen) if rest is None else fit_expression(seen, rest)


def _units_of(shape: Floats, model: HeadModel, rng: np.random.Generator, rest: Fitted) -> pd.DataFrame:
    return action_units(_fit_of(shape, model, rng, rest).fit).set_index("unit")


def real() -> None:
    from face3d.geometry.clean import clean
    from face3d.io import read_scan

    title = "(c) scans: mean distance of the template to the scan, mm; share of the template on the scan; quality"
    shown = Shown(title, "scan", "mm", "share", "quality")
    fits: dict[str, tuple[TemplateFit, FaceScan]] = {}
    for path in sorted(SCANS.glob("*.obj")):
        scan = clean(read_scan(path)).scan
        found = detect_landmarks(scan)
        fit = fit_template(scan, found.landmarks, found.confidence, found.dense)
        quality = fit_quality(fit)
        shown.row(
            path.stem,
            number(float(np.nanmean(np.abs(fit.residual_mm))), 3),
            number(1 - quality.uncovered),
            quality.light,
        )
        fits[path.stem] = fit, scan
    names = [n for n in fits if n.startswith("simpop") and len(fits[n][1].vertices) == 7160]
    off = []
    for one in names:
        fit, scan = fits[one]
        for other in names:
            if other != one:
                there, code = carried(fit, scan, fits[other][0].vertices_mm)
                target = fits[other][0].to_head.apply(fits[other][1].vertices)
                off.append(np.linalg.norm(there - target, axis=1)[code == 0])
    if off:
        every = np.concatenate(off)
        print(
            f"simpop pairs, distance to the shared topology's own correspondence: median {np.median(every):.2f} mm, "
            f"p95 {np.quantile(every, 0.95):.2f} mm"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=8)
    parser.add_argument("--seed", type=int, default=60100)
    parser.add_argument("--peers", type=int, default=3, help="on how many palsied faces the peers run")
    parser.add_argument("--sets", default="a,b,w,s,n,c,r,u")
    options = parser.parse_args()
    for kind in options.sets.split(","):
        if kind[0] in "sc" and not SCANS.exists():
            print(f"\n({kind}) skipped: {SCANS} is not there")
        elif kind == "c":
            real()
        elif kind == "n":
            natural(options.faces, options.seed)
        elif kind == "r":
            repeated(options.faces, options.seed)
        elif kind == "u":
            units(options.faces, options.seed)
        else:
            simulated(kind, options.faces, options.seed, options.peers)


if __name__ == "__main__":
    main()
