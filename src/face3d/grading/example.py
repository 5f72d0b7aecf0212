"""An examination as a network sees it: small arrays of fixed shape, with what is known of its grade.

Made once for each exam (`example_of`), stored beside it or in a folder of its own, and streamed from disk; what was
not scanned or not seen is NaN. Everything is in the rest scan's canonical head frame, mm, with the head's own motion
taken out on the region that is stable in each expression; of raw points, by `face3d.learn.point_networks.raw_scans`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d.exam import EXPRESSIONS
from face3d.grading.grid import MARKS, Grid, grid_of
from face3d.landmarks import SIDES, opposite_name, other_side
from face3d.reference.eface import EfaceItems
from face3d.reference.scales import REGIONS
from face3d.scan import Floats
from face3d.values import Value

if TYPE_CHECKING:
    from face3d.exam import Grades
    from face3d.measuring.definitions import Measure
    from face3d.measuring.exam_measures import Measures
    from face3d.template.exam_fit import FittedExam
    from face3d.template.movement import Movement
    from face3d.template.template import FaceTemplate

#: All scans of the protocol, rest first, and those that show a movement.
SCANS = tuple(EXPRESSIONS)
MOVEMENTS = SCANS[1:]
#: Points kept of each raw scan, evenly spread over the face by farthest-point sampling; networks take fewer of them.
POINTS = 1024
#: What can be said of the side of a palsy, in the order of the networks' answers.
LABELLED_SIDES = (*SIDES, "none")
EFACE = tuple(f.name for f in fields(EfaceItems))
#: How labels say the eye at rest; stands on the card of graders taught so. Others were taught the other way round.
FISSURE = "0 wide, 200 narrow"


@dataclass(frozen=True)
class Labels:
    """What is known of an exam: `house_brackmann` 1..6 by movement, or a clinician's, `descriptive` 1..6, `side`
    "left", "right", "none", `severity` 0..1, `region_function` (5,) of `REGIONS`, `resting` (3,) eye, nasolabial,
    mouth, `voluntary` (5,) 1..5 and `synkinesis` (5,) 0..3 of the Sunnybrook form, `composite`, `eface` (15,). None
    or NaN where nobody said."""

    house_brackmann: int | None = None
    side: str | None = None
    severity: float = np.nan
    region_function: tuple[float, ...] = (np.nan,) * 5
    resting: tuple[float, ...] = (np.nan,) * 3
    voluntary: tuple[float, ...] = (np.nan,) * 5
    synkinesis: tuple[float, ...] = (np.nan,) * 5
    composite: float = np.nan
    eface: tuple[float, ...] = (np.nan,) * len(EFACE)
    descriptive: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Example(Value):
    """One exam. N nodes of the template grid, L detected landmarks (`MARKS`), U movement units of the ARKit-named set,
    E = 9 movements.

    `rest` (N, 3), `normals` (N, 3) of the face at rest; `moves` (E, N, 3) rest to expression; `marks` (L, 3) detected
    at rest, `mark_moves` (E, L, 3); `units` (1 + E, U, 2) left and right intensities, `units_se` the same; `quality`
    (1 + E, Q) the fits' numbers (`template.quality`); `points` (1 + E, POINTS, 6) raw points and normals. `measures`
    name -> value, without regard to which side is affected; `facts` what it comes from (subject, scanner, ...);
    `rules` what published rules make of the measures (`measuring.scale_estimates`), with the side found by measuring.
    """

    rest: Floats
    normals: Floats
    moves: Floats
    marks: Floats
    mark_moves: Floats
    units: Floats
    units_se: Floats
    quality: Floats
    points: Floats
    measures: Mapping[str, float]
    labels: Labels = Labels()
    facts: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """Who was examined, as `facts` has it; empty where it says nothing."""
        return str(self.facts.get("subject", ""))

    @property
    def shown(self) -> np.ndarray:
        """(1 + E,) bool: which scans of the protocol there are."""
        return np.asarray(np.isfinite(self.quality).any(axis=1))

    def without(self, expressions: Sequence[str]) -> Example:
        """The same exam as if some expressions had not been scanned."""
        gone = [SCANS.index(e) for e in expressions]
        if 0 in gone:
            raise ValueError("rest cannot be left out: every movement is measured from it")
        changed = {}
        for name in ("moves", "mark_moves", "units", "units_se", "quality", "points"):
            array = getattr(self, name).copy()
            array[[g - 1 for g in gone] if name in ("moves", "mark_moves") else gone] = np.nan
            changed[name] = array
        kept = {k: v for k, v in self.measures.items() if k.split("|")[1] not in expressions}
        return replace(self, measures=kept, rules={}, **changed)  # rules had seen all expressions


ARRAYS = ("rest", "normals", "moves", "marks", "mark_moves", "units", "units_se", "quality", "points")
_FLIP = np.array([-1.0, 1.0, 1.0])


def mirrored(example: Example, grid: Grid) -> Example:
    """The mirror image of the exam: sides swap in all that has one. Measures by side swap their names."""
    marks = np.array([MARKS.index(opposite_name(name)) for name in MARKS])
    points = example.points * np.tile(_FLIP, 2)
    side, by_rule = (other_side(s) if s in SIDES else s for s in (example.labels.side, example.rules.get("side")))
    return replace(
        example,
        rest=example.rest[grid.opposite] * _FLIP,
        normals=example.normals[grid.opposite] * _FLIP,
        moves=example.moves[:, grid.opposite] * _FLIP,
        marks=example.marks[marks] * _FLIP,
        mark_moves=example.mark_moves[:, marks] * _FLIP,
        units=example.units[..., ::-1],
        units_se=example.units_se[..., ::-1],
        points=points,
        measures={_swapped(k): v for k, v in example.measures.items()},
        labels=replace(example.labels, side=side),
        rules=example.rules and {**example.rules, "side": by_rule},
    )


def _swapped(key: str) -> str:
    """The key of a measure, with the other side."""
    rest, _, side = key.rpartition("|")
    return f"{rest}|{other_side(side)}" if side in SIDES else key


def example_of(
    fitted: FittedExam,
    measures: Measures | None = None,
    labels: Labels | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Example:
    """A fitted exam as an example. Where an expression's stable region was not seen its movement is NaN. `measures` of
    the exam, by default with the affected side found by measuring, give the rules' part; the points of raw scans, at
    which the shipped networks do not look, are left out (`learn.example_files.example_with_points`)."""
    from face3d.measuring.examination import measure_fits
    from face3d.template.action_units import named_units

    template = fitted.template
    u = len(named_units(fitted.fits["rest"])[0])
    units, units_se = np.full((1 + len(MOVEMENTS), u, 2), np.nan), np.full((1 + len(MOVEMENTS), u, 2), np.nan)
    quality = np.full((1 + len(MOVEMENTS), len(fitted.quality["rest"].numbers)), np.nan)
    for k, name in enumerate(SCANS):
        if name in fitted.fits:
            _, left, right, left_se, right_se = named_units(fitted.fits[name])
            units[k], units_se[k] = np.stack([left, right], axis=1), np.stack([left_se, right_se], axis=1)
            quality[k] = fitted.quality[name].numbers
    bilateral = "both" in ((labels or Labels()).side, (facts or {}).get("affected_side"))
    side = "both" if bilateral else None
    m = measures or measure_fits(fitted.rest, fitted.movements, template, side, marks=fitted.marks)
    marks = {name: moved.to_rest.apply(_marks(fitted.marks[name])) for name, moved in fitted.movements.items()}
    marks["rest"] = _marks(fitted.marks["rest"])
    example = assembled(template, fitted.rest, fitted.movements, marks, m, quality)
    return replace(example, units=units, units_se=units_se, labels=labels or Labels(), facts=dict(facts or {}))


def assembled(
    template: FaceTemplate,
    rest: Floats,
    movements: Mapping[str, Movement],
    marks: Mapping[str, Floats],
    measures: Measures,
    quality: Floats,
) -> Example:
    """An example from the template at rest (N, 3), its `movements`, scan -> `marks` (L, 3) laid to rest and `quality`
    (1 + E, Q); without movement units, raw points, labels and facts."""
    from face3d.geometry.mesh import vertex_normals
    from face3d.template.action_units import unit_names

    grid, e = grid_of(template), len(MOVEMENTS)
    none = np.full((1 + e, len(unit_names(template)), 2), np.nan)
    moves, mark_moves = np.full((e, len(grid.nodes), 3), np.nan), np.full((e, len(MARKS), 3), np.nan)
    for k, name in enumerate(MOVEMENTS):
        if name in movements:
            moves[k] = grid.means(movements[name].displacement)
            mark_moves[k] = marks[name] - marks["rest"]
    return Example(
        grid.means(rest),
        grid.means(vertex_normals(rest, template.faces)),
        moves,
        marks["rest"],
        mark_moves,
        none,
        none,
        quality,
        np.full((1 + e, POINTS, 6), np.nan),
        {f"{r.measure}|{r.expression}|{r.region}|{r.side}": float(r.value) for r in _by_no_side(measures)},
        rules=_rules(measures),
    )


def _by_no_side(m: Measures) -> Iterable[Measure]:
    """The rows with neither side taken for the affected one."""
    from face3d.measuring.smile_thirds import DISTANCES

    if m.observed is None:
        return m.rows
    return (*m.observed.measures("none", sure=True).rows, *(r for r in m.rows if r.measure in DISTANCES))


def _rules(m: Measures) -> dict[str, Any]:
    from face3d.measuring.scale_estimates import estimate_scales

    scales = estimate_scales(m)
    composite = scales.sunnybrook.composite if scales.sunnybrook is not None else np.nan
    return {
        "house_brackmann": scales.house_brackmann,
        "descriptive": scales.descriptive,
        "severity": m.severity,
        "side": m.affected_side,
        "region_function": tuple(m.region_function[r] for r in REGIONS),
        "composite": composite if np.isfinite(composite) else None,
    }


def _marks(found: Mapping[str, Floats]) -> Floats:
    return np.array([found.get(name, np.full(3, np.nan)) for name in MARKS])


def labels_of(grades: Grades | None, affected_side: str | None = None) -> Labels:
    """What a clinician entered, as labels."""
    if grades is None:
        return Labels(side=affected_side)
    s = grades.sunnybrook
    return Labels(
        grades.house_brackmann,
        affected_side,
        resting=(np.nan,) * 3 if s is None else (s.eye, _known(s.nasolabial), s.mouth),
        voluntary=(np.nan,) * 5 if s is None else tuple(s.voluntary),
        synkinesis=(np.nan,) * 5 if s is None else tuple(s.synkinesis),
        composite=float(s.composite) if s is not None else _known(grades.sunnybrook_composite),
        eface=(np.nan,) * len(EFACE) if grades.eface is None else tuple(asdict(grades.eface).values()),
        descriptive=grades.house_brackmann,
    )


def _known(number: float | None) -> float:
    return np.nan if number is None else float(number)
