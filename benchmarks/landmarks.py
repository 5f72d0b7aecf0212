"""How well landmarks are found: against truth on simulated palsied faces, against hand on real scans, in any pose.

    python benchmarks/landmarks.py [--faces 40] [--rotations 100] [--scans ../shared/scans]

The simulated faces move by the second movement set, which the landmark network was not trained on, and their seeds are
used nowhere else. "detector" is MediaPipe voted over views, what `face3d` starts from; "face3d" is what it returns.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import LandmarkError
from face3d.io import read_scan
from face3d.landmarking.detect import Detection, detect_landmarks, named_points
from face3d.landmarking.pose import head_frame
from face3d.scan import FaceScan, Floats
from face3d.simulate.head import HeadModel
from face3d.simulate.scanners import scan_stereophotogrammetry
from shown import Shown, numbers

GROUPS = {
    "lids": ("ps", "pi"),
    "canthi": ("en", "ex"),
    "commissures": ("ch",),
    "nose": ("n", "prn", "c", "sn", "al", "ac"),
    "lips": ("ls", "sto", "li", "cph"),
    "brows": ("mb", "sci", "lb"),
    "chin": ("sl", "pg", "gn"),
}
EXPRESSIONS: dict[str, dict[str, float]] = {
    "rest": {},
    "brow raise": {"eyebrows-up": 1.0},
    "tight closure": {"eye-closure": 0.9, "eyebrows-down": 0.4},
    "closed smile": {"mouth-corner-puller": 0.9},
    "open smile": {"mouth-corner-puller": 1.0, "mouth-open": 0.3},
    "snarl": {"nose-elevation": 1.0, "mouth-upward-retraction": 0.6},
    "pucker": {"mouth-pursing": 1.0},
    "lower lip": {"mouth-depression-retraction": 1.0},
}
#: Hand-placed points of james.ljson that are landmarks of ours as well. Its order is the file's own: outline, right
#: eye ("leye", the picture's left), left eye, right brow, nose, left brow, mouth.
JAMES = {
    "ex_right": 17,
    "en_right": 20,
    "en_left": 23,
    "ex_left": 26,
    "prn": 37,
    "sn": 40,
    "ch_right": 48,
    "ch_left": 54,
    "ls": 51,
    "li": 57,
    "mb_right": 33,
    "mb_left": 43,
}
#: demoface_landmarks.csv: its first two points lie at the inner corners of the eyes.
DEMOFACE = ("en_right", "en_left", "prn", "ch_right", "ch_left")


def palsied_faces(count: int, seed: int) -> list[tuple[FaceScan, dict[str, Floats], RigidTransform]]:
    """(scan named by its expression, true landmarks, scan coordinates -> head frame): one side weak."""
    rng, model, made = np.random.default_rng(seed), HeadModel.load("b", "fine"), []
    for i in range(count):
        expression, chosen = list(EXPRESSIONS.items())[i % len(EXPRESSIONS)]
        strong = np.array([chosen.get(unit, 0.0) for unit in model.units]) * rng.uniform(0.7, 1.0)
        weak = strong * rng.choice([0.0, 0.2, 0.4, 0.6])
        left, right = (strong, weak) if rng.random() < 0.5 else (weak, strong)
        shape = model.shape(
            rng.normal(size=len(model.identity)), 0.5 * rng.normal(size=len(model.asymmetry)), left, right
        )
        marks = model.landmark_points(shape)
        scan = scan_stereophotogrammetry(shape, model.faces, rng, points=15_000, landmarks=marks)
        made.append((scan.scan.replace(name=expression), dict(scan.landmarks), scan.pose.inv()))
    return made


def corner_difference(marks: Mapping[str, Floats]) -> Floats:
    """How the left mouth corner lies otherwise than the mirrored right one, head frame."""
    return marks["ch_left"] - marks["ch_right"] * [-1.0, 1.0, 1.0]


def against_truth(count: int, seed: int) -> None:
    errors: dict[str, dict[str, list[Floats]]] = {"detector": {}, "face3d": {}}
    corners: dict[str, list[tuple[Floats, Floats]]] = {"detector": [], "face3d": []}
    smiling: list[bool] = []
    seconds, lost = [], 0
    for scan, truth, to_head in palsied_faces(count, seed):
        start = time.process_time()
        try:
            found: Detection = detect_landmarks(scan)
        except LandmarkError as error:
            print(error)
            lost += 1
            continue
        seconds.append(time.process_time() - start)
        smiling.append("smile" in scan.name)
        both = {"detector": named_points(found.dense, found.dense_confidence)[0], "face3d": found.landmarks}
        true = {name: to_head.apply(point) for name, point in truth.items()}
        for who, marks in both.items():
            here = {name: to_head.apply(point) for name, point in marks.items() if name in true}
            for name, point in here.items():
                errors[who].setdefault(name.split("_")[0], []).append(point - true[name])
            corners[who].append((corner_difference(true), corner_difference(here)))
    print(f"\n{lost} of {count} not found, median {np.median(seconds):.2f} CPU s a scan")
    title = (
        f"Landmarks, {count} palsied faces in expression (unseen movements), seed {seed}: median error in x / y / z, mm"
    )
    shown = Shown(f"{title} (90th percentile of the distance)", "where", *errors, "bias")
    for group, codes in GROUPS.items():
        row = []
        for who in errors:
            e = np.concatenate([errors[who][code] for code in codes if code in errors[who]])
            each = " / ".join(f"{m:.2f}" for m in np.median(np.abs(e), axis=0))
            row.append(f"{each} ({np.quantile(np.linalg.norm(e, axis=1), 0.9):.1f})")
        shown.row(group, *row)
    for code in (code for codes in GROUPS.values() for code in codes):
        each = " / ".join(f"{m:.2f}" for m in np.median(np.abs(errors["face3d"][code]), axis=0))
        bias = " / ".join(f"{m:+.2f}" for m in np.median(errors["face3d"][code], axis=0))
        shown.row(code, "", each, bias)
    shown = Shown("Difference of the mouth corners kept", "whose, where", "median", "10th percentile", "faces, 2 mm")
    for who, pairs in corners.items():
        true, kept = np.array(pairs).transpose(1, 0, 2)
        large = np.linalg.norm(true, axis=1) > 2.0
        share = (true * kept).sum(axis=1) / (true**2).sum(axis=1)
        for what, which in (("in smiles", large & smiling), ("in all expressions", large)):
            kept_by = [f"{np.median(share[which]):.0%}", f"{np.quantile(share[which], 0.1):.0%}"]
            shown.row(f"{who}, {what}", *kept_by, which.sum())


def in_any_pose(scans: list[Path], rotations: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    title = f"{rotations} random rotations of each real scan: largest departure from the result in its own pose"
    shown = Shown(title, "scan", "frame, degrees", "frame, mm", "landmarks, mm", "median of the largest", "not found")
    for path in scans:
        scan = read_scan(path)
        own = detect_landmarks(scan)
        frame = head_frame(own.landmarks)
        turn_error, shift_error, worst = [0.0], [0.0], [0.0]
        failed = 0
        for rotation in Rotation.random(rotations, rng=rng):
            motion = RigidTransform.from_components(rng.uniform(-300, 300, 3), rotation)
            try:
                found = detect_landmarks(scan.moved(motion))
            except LandmarkError:
                failed += 1
                continue
            back = {name: motion.inv().apply(point) for name, point in found.landmarks.items()}
            change = head_frame(back) * frame.inv()
            turn_error.append(float(np.degrees(change.rotation.magnitude())))
            shift_error.append(float(np.linalg.norm(change.translation)))
            worst.append(max(float(np.linalg.norm(back[n] - p)) for n, p in own.landmarks.items()))
        found = [max(turn_error), max(shift_error), max(worst), float(np.median(worst))]
        shown.row(path.stem, *numbers(found), failed)


def against_hand(scans: Path) -> None:
    shown = Shown("Distance to points placed by hand, mm", "scan, point", "detector", "face3d")
    james = json.loads((scans / "james.ljson").read_text())["groups"]["LJSON"]["landmarks"]["points"]
    by_hand = {"james.obj": {name: np.array(james[i], float) for name, i in JAMES.items()}}
    demo = np.loadtxt(scans / "demoface_landmarks.csv", delimiter=",")
    by_hand["demoface_10k.obj"] = dict(zip(DEMOFACE, demo, strict=True))
    for name, truth in by_hand.items():
        found = detect_landmarks(read_scan(scans / name))
        first = named_points(found.dense, found.dense_confidence)[0]
        for k, p in truth.items():
            if k in first:
                off = [float(np.linalg.norm(first[k] - p)), float(np.linalg.norm(found.landmarks[k] - p))]
                shown.row(f"{name}, {k}", *numbers(off, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--faces", type=int, default=40)
    parser.add_argument("--rotations", type=int, default=100)
    parser.add_argument("--seed", type=int, default=90_210)
    parser.add_argument("--scans", type=Path, default=Path(__file__).parents[2] / "shared" / "scans")
    args = parser.parse_args()
    against_truth(args.faces, args.seed)
    if not args.scans.is_dir():
        print(f"\n{args.scans}: no real scans here, that part is skipped")
        return
    against_hand(args.scans)
    in_any_pose(sorted(args.scans.glob("*.obj")), args.rotations, args.seed)


if __name__ == "__main__":
    main()
