"""Kinematics against the truth: movements found, their borders, excursion, timing, lag between the sides, blinks.

    python benchmarks/kinematics.py [--people 2] [--seed 7100] [--grades 1 3 5]

Simulated people of every grade make the nine expressions of the protocol in one recording; the template is carried
along exactly and disturbed as tracking disturbs it (tools/true_recordings.py).
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from face3d.exam import EXPRESSIONS
from face3d.landmarks import SIDES
from face3d.scan import Floats
from face3d.sequence.filtering import rate_of_change
from face3d.sequence.kinematics import Kinematics, kinematics
from face3d.sequence.points import Trajectories, trajectories_of
from face3d.sequence.segmentation import LEAST_MM, SAY
from face3d.sequence.tracked import Tracked
from face3d.simulate.draw import draw_patient
from shown import Shown, numbers
from true_examples import carrier
from true_recordings import Made, Recording, disturbed, every, recording, tracked_of

MOVEMENTS = tuple(e for e in EXPRESSIONS if e != "rest")
#: expression -> the point whose way is judged
SHOWN = {
    "brow_raise": "sci",
    "closed_smile": "ch",
    "open_smile": "ch",
    "snarl": "al",
    "lip_pucker": "ch",
    "lower_lip_depression": "lower_lip",
    "cheek_puff": "cheek",
}
#: s from its begin in which a simulated blink is over, and the share of the opening from which on it can be seen.
BLINK_S, VISIBLE = 0.34, 0.15


def sessions(people: int, seed: int, grades: Sequence[int]) -> Iterator[tuple[int, Recording, Tracked]]:
    _, head, _ = carrier()
    for grade in grades:
        for k in range(people):
            rng = np.random.default_rng([seed, grade, k])
            person = draw_patient(rng, head, grade)
            made = recording(person, MOVEMENTS, rng, 60.0)
            yield grade, made, tracked_of(made)


def matched(k: Kinematics, made: Sequence[Made]) -> list[tuple[Made, int | None]]:
    """Each movement made, and the number of the one found that overlaps it most."""
    out = []
    for m in made:
        middle = (min(m.left.start, m.right.start) + max(m.left.end, m.right.end)) / 2
        near = [x for x in k.movements if x.segment.begin < middle < x.segment.end]
        out.append((m, near[0].number if len(near) == 1 else None))
    return out


def true_blinks(made: Recording, exact: Tracked) -> list[tuple[float, dict[str, float], dict[str, float]]]:
    """Blinks that can be seen: when the lids are lowest, their completeness and closing speed by side."""
    seen = trajectories_of(exact)
    index = {n: i for i, n in enumerate(seen.names)}
    assert seen.rest is not None
    out = []
    for begin in made.blinks:
        inside = (made.time >= begin) & (made.time <= begin + BLINK_S)
        times = made.time[inside]
        if len(times) < 5:
            continue
        complete, speed, visible, at = {}, {}, False, float(begin) + 0.1
        for s in SIDES:
            up, low = index[f"ps_{s}"], index[f"pi_{s}"]
            way = seen.rest[up] - seen.rest[low]
            full = float(np.linalg.norm(way))
            opening = np.maximum((seen.points[inside, up] - seen.points[inside, low]) @ way / full, 0.0)
            level = np.interp(times, times[[0, -1]], opening[[0, -1]])
            lowest = int(opening.argmin())
            complete[s] = 1 - opening[lowest] / max(level[lowest], 1e-3)
            speed[s] = float(-rate_of_change(opening, made.fps).min())
            dip = min(opening[0], opening[-1]) - opening[lowest]
            visible |= dip >= VISIBLE * full and level[lowest] >= 0.5 * full
        if visible:
            out.append((at, complete, speed))
    return out


def score(errors: dict[str, list[float]], made: Recording, exact: Tracked, k: Kinematics, truth: Kinematics) -> None:
    fps = k.fps
    pairs = matched(k, made.made)
    true_pairs = dict(zip([id(m) for m, _ in pairs], [n for _, n in matched(truth, made.made)], strict=True))
    errors["found"] += [float(n is not None) for _, n in pairs]
    errors["too many"].append(float(len(k.movements) - sum(n is not None for _, n in pairs)))
    for m, number in pairs:
        true_number = true_pairs[id(m)]
        if number is None or true_number is None:
            continue
        segment, exactly = k.movements[number - 1].segment, truth.movements[true_number - 1].segment
        most = max(c.size for c in exactly.sides.values())
        say = [getattr(m, s) for s in SIDES if exactly.sides[s].size >= max(SAY * most, LEAST_MM)]
        planted = (
            min(t.start for t in say),
            max(t.start + t.onset for t in say),
            min(t.start + t.onset + t.hold for t in say),
            max(t.end for t in say),
        )
        # Lids meet before their muscle has done all that is planted: when they arrive and leave is not known.
        known = ("begin", "end") if segment.lead == "lids" else ("begin", "arrived", "leaves", "end")
        for name, value in zip(("begin", "arrived", "leaves", "end"), planted, strict=True):
            if name in known:
                errors[f"border {name}, s"].append(getattr(segment, name) - value)
        lag = k.value("onset_lag", "face", "both", number)
        errors["lag measured"].append(float(np.isfinite(lag)))
        errors["onset lag, frames"].append(fps * (lag - (m.left.start - m.right.start)))
        if min(c.size for c in exactly.sides.values()) >= 4.0:
            errors["onset lag, both sides 4 mm, frames"].append(fps * (lag - (m.left.start - m.right.start)))
        for s in SIDES if segment.lead == "skin" else ():
            t = k.value("time_to_peak", "face", s, number)
            errors["time to peak, frames"].append(fps * (t - getattr(m, s).onset))
        if m.expression in SHOWN:
            for s in SIDES:
                point = SHOWN[m.expression]
                way = truth_way(exact, f"{point}_{s}", exactly.start, exactly.stop)
                errors["peak, mm"].append(k.value("peak", point, s, number) - float(way.max()))
                for name in ("excursion", "peak_velocity", "path", "time_to_peak", "smoothness"):
                    e = k.value(name, point, s, number) - truth.value(name, point, s, true_number)
                    errors[f"{name}, against the same without noise"].append(e)
    blinks(errors, made, exact, k)


def truth_way(exact: Tracked, name: str, start: int, stop: int) -> Floats:
    seen = _seen(exact)
    k = seen.names.index(name)
    assert seen.rest is not None
    return np.linalg.norm(seen.points[start:stop, k] - seen.rest[k], axis=1)


_kept: dict[int, Trajectories] = {}


def _seen(exact: Tracked) -> Trajectories:
    if id(exact) not in _kept:
        _kept.clear()
        _kept[id(exact)] = trajectories_of(exact)
    return _kept[id(exact)]


def blinks(errors: dict[str, list[float]], made: Recording, exact: Tracked, k: Kinematics) -> None:
    true, found = true_blinks(made, exact), list(k.lids.blinks)
    hits = 0
    for at, complete, speed in true:
        near = [b for b in found if abs(b.time_s - at) < 0.15]
        if not near:
            continue
        hits += 1
        b = min(near, key=lambda one: abs(one.time_s - at))
        found.remove(b)
        for s in SIDES:
            errors["blink completeness"].append(b.completeness[s] - complete[s])
            if np.isfinite(b.speed_mm_s[s]):
                errors["blink speed, relative"].append(b.speed_mm_s[s] / speed[s] - 1)
    errors["blinks true"].append(float(len(true)))
    errors["blinks hit"].append(float(hits))
    errors["blinks false"].append(float(len(found)))


def report(errors: dict[str, list[float]], title: str) -> None:
    n, hit, false = (sum(errors[f"blinks {x}"]) for x in ("true", "hit", "false"))
    found = f"{np.mean(errors['found']):.3f} of {len(errors['found'])}"
    borders = np.concatenate([v for name, v in errors.items() if name.startswith("border")])
    whole = Shown(f"Movements and blinks, {title}", "what", "found")
    whole.row("movements found", found)
    whole.row("movements too many", f"{sum(errors['too many']):g}")
    whole.row("borders within 0.1 s", f"{np.mean(np.abs(borders) <= 0.1):.3f} (unknown {np.isnan(borders).sum()})")
    f1 = 2 * hit / max(n + hit + false, 1)
    whole.row("blinks, F1", f"{f1:.3f} of {n:g} (missed {n - hit:g}, false {false:g})")
    shown = Shown(f"Kinematics, {title}", "error", "n", "bias", "median", "95 %", "most")
    for name, values in errors.items():
        e = np.array(values)[np.isfinite(values)]
        if name in ("found", "too many") or name.startswith("blinks") or not len(e):
            continue
        size = np.abs(e)
        found = [e.mean(), np.median(size), np.quantile(size, 0.95), size.max()]
        shown.row(name, len(e), *numbers(found, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--people", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7100)
    parser.add_argument("--grades", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6])
    a = parser.parse_args()
    total: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for grade, made, exact in sessions(a.people, a.seed, a.grades):
        truth = kinematics(exact)
        for step in (1, 2):
            noisy = disturbed(every(exact, step), np.random.default_rng([a.seed, grade, step]))
            score(total[60 // step], made, exact, kinematics(trajectories_of(noisy)), truth)
        print(f"grade {grade}: {len(exact) / exact.fps:.0f} s", file=sys.stderr, flush=True)
    for fps, errors in sorted(total.items()):
        report(errors, f"{fps} frames a second")


if __name__ == "__main__":
    main()
