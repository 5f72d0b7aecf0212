"""The single measures: what is read off a face at rest, and off a movement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from face3d.geometry.mesh import vertex_normals
from face3d.geometry.mirror import reflect
from face3d.geometry.rigid import align
from face3d.landmarks import SIDES, code_of, other_side
from face3d.measuring.definitions import Measure, row
from face3d.measuring.shares import Floor, without_noise
from face3d.scan import Floats
from face3d.template.anatomy import Anatomy
from face3d.template.movement import Movement

#: Directions of shorter paths (mm) are noise: a point that is 0.5 mm off turns one of 4 mm by 7 degrees.
LEAST_FOR_ANGLE = 4.0


def _outward(side: str) -> float:
    return 1.0 if side == "left" else -1.0


def fissure(marks: Mapping[str, Floats], rest: Mapping[str, Floats], side: str) -> float:
    """Opening of an eye along its own direction at rest, mm; 0 when the lids meet or overlap."""
    open_direction = rest[f"ps_{side}"] - rest[f"pi_{side}"]
    size = float(np.linalg.norm(open_direction))
    if not size > 0:
        return math.nan
    gap = float((marks[f"ps_{side}"] - marks[f"pi_{side}"]) @ open_direction / size)
    return max(gap, 0.0) if math.isfinite(gap) else math.nan


def _heights(marks: Mapping[str, Floats], side: str) -> dict[str, float]:
    level = (marks[f"en_{side}"][1] + marks[f"ex_{side}"][1]) / 2
    both = (level + (marks[f"en_{other_side(side)}"][1] + marks[f"ex_{other_side(side)}"][1]) / 2) / 2
    return {
        "brow_height": marks[f"sci_{side}"][1] - level,
        # Against both eyes' level: a mouth corner must not seem to drop because the lid's corner does.
        "commissure_height": marks[f"ch_{side}"][1] - both,
        "alar_height": marks[f"al_{side}"][1] - both,
        "commissure_distance": abs(marks[f"ch_{side}"][0]),
    }


def rest_rows(rest: Floats, anatomy: Anatomy, known: Mapping[str, Floats] | None = None) -> Iterator[Measure]:
    """Measures of the face at rest: `rest` (N, 3) mm in the canonical frame, NaN where not seen; `known` landmarks (3,)
    replace the mesh's own."""
    marks = {**anatomy.landmark_points(rest), **(known or {})}
    values: dict[tuple[str, str], float] = {}
    for side in SIDES:
        opening = fissure(marks, marks, side)
        width = float(np.linalg.norm(marks[f"ex_{side}"] - marks[f"en_{side}"]))
        values["fissure_height", side] = opening
        yield row("fissure_height", "rest", "eye", side, opening)
        yield row("eye_aspect_ratio", "rest", "eye", side, opening / width)
        for name, value in _heights(marks, side).items():
            values[name, side] = float(value)
            yield row(name, "rest", name.split("_")[0], side, value)
    for name, region in (
        ("fissure_height", "eye"),
        ("brow_height", "brow"),
        ("commissure_height", "commissure"),
        ("alar_height", "alar"),
    ):
        yield row("rest_difference", "rest", region, "both", values[name, "left"] - values[name, "right"])
    for point in ("prn", "sn", "ls", "li", "pg"):
        yield row("midline_deviation", "rest", point, "both", marks[point][0] - marks["n"][0])
    distance = corresponding_distance(rest, anatomy)
    for region, weight in _both_sides(anatomy):
        yield row("resting_asymmetry", "rest", region, "both", weighted_mean(distance, weight))


def corresponding_distance(rest: Floats, anatomy: Anatomy) -> Floats:
    """Distance (N,) mm of each vertex to its counterpart in the robustly aligned mirror image; NaN where not seen."""
    mirror = reflect(rest)[anatomy.opposite]
    seen = np.isfinite(rest).all(axis=1) & np.isfinite(mirror).all(axis=1)
    out = np.full(len(rest), np.nan)
    if seen.sum() < 100:
        return out
    back = np.array([any(k.startswith(part) for part in ("ear", "neck", "scalp", "jaw")) for k in anatomy.regions])
    weight = 1.0 - np.clip(sum(w for w, b in zip(anatomy.regions.values(), back, strict=True) if b), 0, 1)
    transform, _ = align(mirror[seen], rest[seen], np.broadcast_to(weight, len(rest))[seen])
    out[seen] = np.linalg.norm(transform.apply(mirror[seen]) - rest[seen], axis=1)
    return out


def _both_sides(anatomy: Anatomy) -> Iterator[tuple[str, Floats]]:
    for name in dict.fromkeys(code_of(k) for k in anatomy.regions):
        yield (
            name,
            sum(
                (anatomy.regions[k] for k in (name, f"{name}_left", f"{name}_right") if k in anatomy.regions),
                np.zeros(len(anatomy.vertices)),
            ),
        )


def weighted_mean(values: Floats, weight: Floats, least: float = 0.5) -> float:
    """Mean over the vertices that were seen; NaN when they hold less than `least` of the weight."""
    seen = np.isfinite(values)
    total = weight.sum()
    if total == 0 or weight[seen].sum() < least * total:
        return math.nan
    return float(values[seen] @ weight[seen] / weight[seen].sum())


def landmark_shifts(
    moved: Movement,
    at_rest: Mapping[str, Floats],
    anatomy: Anatomy,
    known: Mapping[str, Floats] | None = None,
) -> dict[str, Floats]:
    """name -> (3,) mm: how the landmarks moved from `at_rest`; `known` landmarks as in `rest_rows`, in the rest's
    frame."""
    shift = anatomy.landmark_points(moved.displacement)
    return shift | {name: point - at_rest[name] for name, point in (known or {}).items()}


def movement_rows(
    moved: Movement,
    rest: Floats,
    anatomy: Anatomy,
    at_rest: Mapping[str, Floats],
    shift: Mapping[str, Floats],
    floors: Mapping[str, Floor],
) -> Iterator[Measure]:
    """Measures of one expression, each side for itself; landmarks `at_rest` and their `shift` as in `landmark_shifts`.
    Lengths are what is left of them without what a still face shows (`floors`)."""
    e = moved.expression
    d = moved.displacement
    marks = {name: at_rest[name] + way for name, way in shift.items()}
    length = np.linalg.norm(d, axis=1)
    for side in SIDES:
        out, corner = _outward(side), shift[f"ch_{side}"]
        if e == "brow_raise":
            yield row("brow_raise", e, "brow", side, shift[f"sci_{side}"][1])
        if e in ("gentle_eye_closure", "tight_eye_closure"):
            gap, opening = fissure(marks, at_rest, side), fissure(at_rest, at_rest, side)
            yield row("closure_gap", e, "eye", side, gap)
            yield row("closure", e, "eye", side, (opening - gap) / opening if opening > 0 else math.nan)
        else:
            yield row("fissure_height", e, "eye", side, fissure(marks, at_rest, side))
        path = float(np.linalg.norm(corner))
        yield row("commissure_excursion", e, "mouth", side, without_noise(path, floors.get("ch")))
        if e in ("closed_smile", "open_smile", "snarl", "lip_pucker", "lower_lip_depression"):
            short = f"moved {path:.1f} mm; a direction needs {LEAST_FOR_ANGLE:g} mm"
            enough = path >= LEAST_FOR_ANGLE
            frontal = math.degrees(math.atan2(corner[1], out * corner[0])) if enough else math.nan
            level = math.degrees(math.atan2(corner[2], out * corner[0])) if enough else math.nan
            status = short if math.isfinite(path) else ""
            yield row("commissure_angle_frontal", e, "mouth", side, frontal, status)
            yield row("commissure_angle_horizontal", e, "mouth", side, level, status)
        if e in ("closed_smile", "open_smile", "snarl"):
            weight = anatomy.regions.get(f"nasolabial_{side}", np.zeros(len(d)))
            mean = without_noise(weighted_mean(length, weight), floors.get("nasolabial"))
            yield row("nasolabial_displacement", e, "nasolabial", side, mean)
        if e == "snarl":
            yield row("alar_lift", e, "nose", side, shift[f"al_{side}"][1])
            base = without_noise(float(np.linalg.norm(shift[f"ac_{side}"])), floors.get("ac"))
            yield row("nasal_base", e, "nose", side, base)
        if e == "lip_pucker":
            yield row("pucker", e, "mouth", side, -out * corner[0])
        if e in ("lower_lip_depression", "open_smile"):
            yield row("lip_depression", e, "lower_lip", side, weighted_mean(-d[:, 1], half_lip(anatomy, side)))
        if e == "cheek_puff":
            outward = (d * vertex_normals(rest, anatomy.faces)).sum(axis=1)
            weight = anatomy.regions.get(f"cheek_{side}", np.zeros(len(d)))
            yield row("cheek_puff", e, "cheek", side, weighted_mean(outward, weight))
        for region, weight in anatomy.regions.items():
            if region.endswith(f"_{side}"):
                value = math.sqrt(m) if (m := weighted_mean(length**2, weight)) >= 0 else math.nan
                name = region.removesuffix(f"_{side}")
                yield row("displacement", e, name, side, without_noise(value, floors.get(name)))


#: expression -> point of the lips' midline that an unopposed healthy side pulls over
MIDLINE_PULLED: Mapping[str, str] = {"closed_smile": "ls", "open_smile": "ls", "lower_lip_depression": "li"}


def overaction_row(moved: Movement, anatomy: Anatomy, healthy: str) -> Measure | None:
    """How far the healthy side pulls the mouth over; negative where it gives way. None in expressions that don't
    tell."""
    e = moved.expression
    if e not in MIDLINE_PULLED:
        return None
    middle = anatomy.landmark_points(moved.displacement)[MIDLINE_PULLED[e]]
    return row("overaction", e, "mouth", healthy, _outward(healthy) * middle[0])


def weighted_vector(values: Floats, weight: Floats, least: float = 0.5) -> Floats:
    """`weighted_mean` of vectors (N, 3): (3,)."""
    return np.array([weighted_mean(values[:, k], weight, least) for k in range(3)])


def half_lip(anatomy: Anatomy, side: str) -> Floats:
    """(N,) The lateral part of a half of the lower lip: its middle is moved by both sides."""
    weight = anatomy.regions.get(f"lower_lip_{side}", np.zeros(len(anatomy.vertices)))
    return weight * np.clip((_outward(side) * anatomy.vertices[:, 0] - 5) / 5, 0, 1)
