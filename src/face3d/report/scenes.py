"""What the rotatable views of the pages show: of one scan, of an exam, of two visits, of a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.spatial import KDTree

from face3d.geometry.colors import ASYMMETRY, ATTRIBUTION, CHANGE, MOVEMENT, SURFACE
from face3d.geometry.elements import grid_cells
from face3d.geometry.mesh import vertex_areas
from face3d.geometry.skin_tone import vertex_colors
from face3d.geometry.weld import first_of_equal
from face3d.report.faces import filled
from face3d.report.frame import spoken
from face3d.report.pictures import CENTRE, Drawn
from face3d.report.viewer import COLOUR, Layer, Scene, Source, State
from face3d.scan import FaceScan, Floats, Ints
from face3d.template.anatomy import Anatomy

if TYPE_CHECKING:
    from face3d.grading.explanation import Explanation
    from face3d.measuring.analysis import Analysis
    from face3d.report.faces import Faces
    from face3d.sequence.stored import Stored
    from face3d.sequence.tracked import Tracked

#: A page shows no more vertices of a scan: its colours stay as fine as a screen's pixels, and it opens within 2 s.
MOST_VERTICES = 20_000
#: mm: half of what lies between two places at which the networks look.
_SPREAD_MM = 3.5
#: Frames of a recording that a page holds: five megabytes of it.
MOST_FRAMES = 60
#: mm around the middle of the face: shoulders and chairs are left out.
_REACH = 190.0

_ASYMMETRY = Layer(
    "asymmetry",
    "asymmetry",
    ASYMMETRY,
    "How far a place lies from where the same place on the other side, mirrored, would put it; sliding counts. Both "
    "halves show the same: the map never says which side is affected.",
)
_SURFACE = Layer(
    "surface",
    "surface distance",
    SURFACE,
    "To the closest point of the mirror image: orange outside of it, blue inside. Blind to skin that slides along the "
    "surface.",
)
_MOVEMENT = Layer(
    "movement", "movement from rest", MOVEMENT, "How far each place moved from rest, head motion removed."
)
_ATTRIBUTION = Layer(
    "attribution",
    "what made the grade",
    ATTRIBUTION,
    "What the networks’ severity of {:.0f} % is made of, place by place: in hundredths of movement lost on each square "
    "centimetre, against a face of which both sides do what the healthy side does. Orange: adds to it; blue: takes "
    "away. It says what the networks looked at, not where the nerve is ill.",
    "% per cm²",
)


#: What is to be done with corrected landmarks.
_AGAIN = "{} The numbers of this page do not know of the corrections."
_AGAIN_SCAN = _AGAIN.format("Then measure again with the saved file: face3d analyze SCAN --landmarks FILE.")
_AGAIN_EXAM = _AGAIN.format(
    "Put each saved file beside its scan, under this name, or name it in exam.json under landmarks; then run face3d "
    "exam again."
)


def scan_scene(analysis: Analysis, drawn: Drawn) -> Scene:
    """One scan with its two distances, on its own surface, thinned to `MOST_VERTICES`."""
    of, count = _cells(drawn.surface.vertices)
    inside = of >= 0

    def mean(values: Floats) -> Floats:
        known = inside & np.isfinite(values)
        number = np.bincount(of[known], minlength=count)
        with np.errstate(invalid="ignore"):
            return np.bincount(of[known], values[known], count) / np.where(number, number, np.nan)

    vertices = np.stack([mean(drawn.surface.vertices[:, k]) for k in range(3)], axis=1)
    faces = of[drawn.surface.faces]
    a, b, c = faces.T
    faces = faces[(faces >= 0).all(axis=1) & (a != b) & (b != c) & (c != a)]
    faces = faces[first_of_equal(np.sort(faces, axis=1)) == np.arange(len(faces))]
    values = {"surface": mean(analysis.signed_surface_distance_mm[drawn.source])}
    layers = [_SURFACE]
    if analysis.correspondence is not None and analysis.correspondence.map is not None:
        values["asymmetry"] = mean(analysis.asymmetry_mm[drawn.source])
        layers.insert(0, _ASYMMETRY)
    colors = None
    seen = vertex_colors(analysis.scan)
    if seen is not None:
        seen = seen[drawn.source]
        colors = np.stack([mean(seen[:, k]) for k in range(3)], axis=1)
        layers.append(Layer(COLOUR, "colour as scanned", None))
    subunits = [r for r in analysis.face_regions if r.definition == "subunit"]
    weights = np.stack([mean(np.asarray(r.weight, np.float64)[drawn.source]) for r in subunits], axis=1)
    marks = {name: analysis.head.apply(point) for name, point in analysis.landmarks.items()}
    source = Source(analysis.scan.name, analysis.head.inv(), tuple(n for n in analysis.scan.landmarks if n in marks))
    fewer = "" if count == len(of) else f", shown with {count:,} of its {len(analysis.scan.vertices):,} vertices"
    return Scene(
        f"The scan’s own surface{fewer}",
        faces,
        (State("", vertices, values, marks, source=source),),
        ((0,),),
        tuple(layers),
        ("", *(f"{spoken(r.name)}, {r.side}" for r in subunits)),
        _largest(weights),
        colors,
        again=_AGAIN_SCAN,
    )


def _cells(vertices: Floats) -> tuple[Ints, int]:
    """Which vertex of the thinned surface stands for each, -1 out of reach, and how many there are."""
    near = np.flatnonzero(np.linalg.norm(vertices - CENTRE, axis=1) < _REACH)
    of = np.full(len(vertices), -1, np.int64)
    if len(near) <= MOST_VERTICES:
        of[near] = np.arange(len(near))
        return of, len(near)
    size = 1.0
    while True:
        cells, count = grid_cells(vertices[near], size)
        if count <= MOST_VERTICES:
            of[near] = cells
            return of, count
        size *= max(1.05, np.sqrt(count / MOST_VERTICES))


def _largest(weights: Floats) -> Ints:
    """(V,) 1 + the region of the largest weight (V, R), 0 where none holds half of the vertex."""
    weights = np.nan_to_num(weights)
    return np.where(weights.max(axis=1, initial=0.0) >= 0.5, 1 + weights.argmax(axis=1), 0)


def exam_scene(faces: Faces, why: Explanation | None = None) -> Scene:
    """Rest beside each expression, on the template, with movement and asymmetry, and what made the grade (`why`)."""
    t = faces.template
    shown = list(faces.displacements)
    names = ("rest", *shown)
    states = tuple(_state(spoken(e), *faces.whole(e), faces, e) for e in names)
    layers = [_MOVEMENT, _ASYMMETRY]
    if why is not None:
        made = _per_cm2(t, why.attribution)
        states = tuple(
            replace(
                s, values={**s.values, "attribution": np.where(np.isfinite(s.values["asymmetry"]), made[e], np.nan)}
            )
            for s, e in zip(states, names, strict=True)
        )
        layers.append(replace(_ATTRIBUTION, note=_ATTRIBUTION.note.format(100 * why.value)))
    expressions = tuple(range(1, len(names))) or (0,)
    first = shown.index("open_smile") if "open_smile" in shown else 0
    return _scene(t, states, ((0,), expressions), tuple(layers), first=first, again=_AGAIN_EXAM)


def _per_cm2(t: Anatomy, amounts: Mapping[str, Floats]) -> dict[str, Floats]:
    """Amounts (N,) at vertices as hundredths on each square centimetre there, without the steps between the places at
    which networks look."""
    tree = KDTree(t.vertices)
    near = tree.sparse_distance_matrix(tree, 3 * _SPREAD_MM, output_type="coo_matrix")
    weight = sp.csr_matrix((np.exp(-0.5 * (near.data / _SPREAD_MM) ** 2), (near.row, near.col)), near.shape)
    weight.setdiag(1.0)
    cm2 = weight @ vertex_areas(FaceScan(t.vertices, t.faces)) / 100.0
    return {name: 100.0 * (weight @ values) / cm2 for name, values in amounts.items()}


def compare_scene(before: Faces, after: Faces, visits: tuple[str, str]) -> Scene:
    """Both visits' faces beside each other; the difference is drawn on both, at the same anatomical places."""
    t = before.template
    names = ["rest", *(e for e in before.displacements if e in after.displacements)]
    plain = {
        visit: [_state(f"{visit}: {spoken(e)}", *faces.whole(e), faces, e) for e in names]
        for visit, faces in zip(visits, (before, after), strict=True)
    }
    changes = [_change(a, b) for a, b in zip(*plain.values(), strict=True)]
    states = [
        replace(state, values={**state.values, **change})
        for shown in plain.values()
        for state, change in zip(shown, changes, strict=True)
    ]
    n = len(names)
    layers = (
        Layer(
            "change",
            "change of movement",
            CHANGE,
            f"Orange: the place moves further at {visits[1]} than at {visits[0]}; blue: less far. The same difference "
            "is drawn on both faces, at the same anatomical places.",
        ),
        _MOVEMENT,
        _ASYMMETRY,
        Layer(
            "asymmetry_change",
            "change of asymmetry",
            CHANGE,
            f"Blue: less asymmetric at {visits[1]} than at {visits[0]}; orange: more.",
        ),
    )
    first = names.index("open_smile") if "open_smile" in names else n - 1
    return _scene(t, tuple(states), (tuple(range(n)), tuple(range(n, 2 * n))), layers, first=first)


def _change(before: State, after: State) -> dict[str, Floats]:
    pairs = {"movement": "change", "asymmetry": "asymmetry_change"}
    return {new: after.values[old] - before.values[old] for old, new in pairs.items() if old in before.values}


def frames_scene(
    template: Anatomy,
    rest: Floats,
    frames: Sequence[Floats],
    times_s: Sequence[float],
    seen: Sequence[np.ndarray] | None = None,
    first: int = 0,
) -> Scene:
    """A recording on the template: `rest` (N, 3) beside `frames` (N, 3) each, mm, on a slider with `times_s`; `seen`
    (N,) what each frame shows, else what is not NaN in it. It plays as fast as it was recorded; `first` is shown at
    first."""
    states = [State("rest", filled(rest, template.vertices))]
    for k, (frame, time) in enumerate(zip(frames, times_s, strict=True)):
        moved = _length(frame - rest)
        if seen is not None:
            moved = np.where(seen[k], moved, np.nan)
        words = f"{time:.2f} s"
        states.append(State(words, filled(frame, states[0].vertices), {"movement": moved}, {}, words, time_s=time))
    pause = 1000.0 * (times_s[-1] - times_s[0]) / max(len(times_s) - 1, 1) if len(times_s) > 1 else 100.0
    panes = ((0,), tuple(range(1, len(states))))
    return _scene(template, tuple(states), panes, (_MOVEMENT,), pause=max(pause, 20.0), first=first)


def recording_scene(tracked: Tracked | Stored, apexes: Sequence[int]) -> Scene | None:
    """A tracked recording, in `MOST_FRAMES` frames that were not lost, spread over its time, those of full movement
    (`apexes`, frame numbers, the first shown at first) among them; None where all are lost."""
    there = np.flatnonzero(~tracked.lost)
    if not len(there):
        return None
    chosen = there[np.unique(np.rint(np.linspace(0, len(there) - 1, MOST_FRAMES)).astype(int))]
    for apex in apexes:
        if not tracked.lost[apex]:
            chosen[np.abs(chosen - apex).argmin()] = apex
    chosen = np.unique(chosen)
    first = int(np.abs(chosen - apexes[0]).argmin()) if len(apexes) else 0
    vertices, valid = tracked.some(chosen)
    frames = list(vertices.astype(np.float64))
    times = tracked.times_s[chosen].tolist()
    return frames_scene(tracked.template, tracked.rest_mm, frames, times, list(valid), first)


def _scene(
    t: Anatomy,
    states: tuple[State, ...],
    panes: tuple[tuple[int, ...], ...],
    layers: tuple[Layer, ...],
    first: int = 0,
    pause: float | None = None,
    again: str = "",
) -> Scene:
    regions = {name: np.asarray(weight) for name, weight in t.regions.items()}
    weights = np.stack(list(regions.values()), axis=1)
    what = f"The same {len(t.vertices):,} anatomical places on every face: the template, laid on each scan"
    names = tuple(_place(name) for name in regions)
    of = _largest(weights)
    return Scene(what, np.asarray(t.faces), states, panes, layers, ("", *names), of, None, pause, first, again)


def _place(region: str) -> str:
    """upper_lid_left -> "upper lid, left"."""
    name, _, side = region.rpartition("_")
    return f"{spoken(name)}, {side}" if side in ("left", "right") and name else spoken(region)


def _state(name: str, vertices: Floats, moved: Floats | None, faces: Faces, expression: str) -> State:
    t = faces.template
    values = {"asymmetry": _asymmetry(t, vertices)}
    seen = np.asarray(np.isfinite(faces.rest).all(axis=1))
    if moved is not None:
        values["movement"] = _length(moved)
        seen = seen & np.asarray(np.isfinite(moved).all(axis=1))
    values["asymmetry"] = np.where(seen & seen[t.opposite], values["asymmetry"], np.nan)
    marks, source = faces.marks.get(expression, {}), faces.sources.get(expression)
    return State(name, vertices, values, marks, spoken(expression), source)


def _length(vectors: Floats) -> Floats:
    return np.linalg.norm(np.asarray(vectors, np.float64), axis=1)


def _asymmetry(t: Anatomy, vertices: Floats) -> Floats:
    """(N,) mm between each place and the mirrored opposite one, about x = 0."""
    return _length(vertices - vertices[t.opposite] * np.array([-1.0, 1.0, 1.0]))
