"""One subject of a benchmark: drawn from their own random streams, whole in themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from face3d.landmarks import SIDES
from face3d.measuring.scale_estimates import rules
from face3d.reference.scales import REGIONS
from face3d.scan import Floats
from face3d.simulate.definition import frozen_rules
from face3d.simulate.draw import draw_patient, retaken, treated
from face3d.simulate.expressions import BRANCHES, CLOSING
from face3d.simulate.first_people import FIRST_RATERS, first_patient
from face3d.simulate.head import HeadModel
from face3d.simulate.identity import ANCESTRIES
from face3d.simulate.lifelike import lifelike
from face3d.simulate.motion import Motion, move
from face3d.simulate.palsy_units import with_palsy_units
from face3d.simulate.patients import Patient, State, expression_intensities
from face3d.simulate.scanners import draw_skin
from face3d.simulate.skin import Skin
from face3d.simulate.truth import RATERS, Truth, rated, truth_of
from face3d.simulate.waters import with_waters_muscles

if TYPE_CHECKING:
    from face3d.simulate.definition import Definition


#: treatment -> grades and state of those who get it: a face that does not move is reanimated, one that has regrown
#: wrongly gets toxin.
TREATED: Mapping[str, tuple[tuple[int, ...], State | None]] = {
    "reanimation": ((5, 6), "onset"),
    "botulinum": ((2, 3, 4), "recovered"),
}


class Subject:
    """Subject `number` of a benchmark, where patients are treated at a `visit`, "before" or "after". Patient, truth and
    surface are made when they are asked for, and kept."""

    def __init__(self, definition: Definition, number: int, visit: str = "before") -> None:
        self.definition, self.number, self.visit = definition, number, visit
        self.name, self.split = definition.subject(number), definition.split(number)
        self.movement = definition.movement_of(number)

    @cached_property
    def patient(self) -> Patient:
        """The patient on the base head model: what truth is computed on."""
        rng, head = self.own_stream("patient"), self._head("base")
        if self.definition.people == 1:
            return first_patient(rng, head)
        if not self.definition.treatment:
            return draw_patient(rng, head)
        grades, state = TREATED[self.definition.treatment]
        before = draw_patient(rng, head, int(rng.choice(grades)), state=state, pattern="whole")
        if self.visit == "before":
            return before
        after = treated(before, self.definition.treatment, self.own_stream("treatment"))
        return retaken(after, self.own_stream("take after"))

    @cached_property
    def model(self) -> HeadModel:
        """The fine head model: what is scanned is a shape of it."""
        whole = with_palsy_units if self.definition.people == 1 else lifelike
        return whole(self._head("fine"))

    @cached_property
    def truth(self) -> Truth:
        """Everything that is known of the patient's examination."""
        kept = frozen_rules(self.definition.name)
        return truth_of(self.patient, {**rules(exact=True), **kept} if kept else None)

    @cached_property
    def skin(self) -> Skin | None:
        """Their skin, where the benchmark has colour."""
        return draw_skin(self.model, self.own_stream("skin")) if self.definition.color else None

    def own_stream(self, purpose: str) -> Any:
        """The subject's random stream for one purpose: for what stays the same between visits."""
        return self.definition.stream(self.number, purpose)

    def stream(self, purpose: str) -> Any:
        """The visit's random stream for one purpose."""
        return self.own_stream(purpose if self.visit == "before" else f"{purpose} {self.visit}")

    def motion(self, expression: str, fps: float = 60.0) -> Motion:
        """The expression in time, from rest to rest, with the subject's own palsy and blinks."""
        patient = self.patient
        rest, apex, closed = (
            expression_intensities(patient, name) for name in ("rest", expression, "gentle_eye_closure")
        )
        lids = [k for k, unit in enumerate(patient.model.units) if unit in CLOSING]
        blink = []
        for k in range(2):
            only = rest[k].copy()
            only[lids] = closed[k][lids]
            blink.append(only)
        weak = patient.side if patient.side in SIDES else None
        function = sum(patient.branches.values()) / len(patient.branches)
        return move(
            rest,
            apex,
            self.stream(f"motion {expression}"),
            fps=fps,
            blink=(blink[0], blink[1]),
            weak=weak,
            function=function,
        )

    def row(self) -> dict[str, Any]:
        """The subject in the truth table. Numbers are rounded, so that the table is the same on every machine."""
        patient, truth, scales = self.patient, self.truth, self.truth.scales
        first = self.definition.people == 1
        rating = rated(truth, self.stream("rater"), FIRST_RATERS if first else RATERS)
        assert scales.sunnybrook is not None
        assert scales.fngs2 is not None
        visit = {"visit": self.visit} if self.definition.treatment else {}
        ancestry = {f"ancestry_{a}": _round(patient.ancestry.get(a, math.nan)) for a in ANCESTRIES}
        return {
            "subject": self.name,
            **visit,
            "split": self.split,
            "movement": self.movement,
            "side": truth.side,
            "state": truth.state,
            "age_years": round(patient.years, 1),
            "male": int(patient.male > 0.5),
            **({} if first else {"pattern": patient.pattern, **ancestry}),
            "house_brackmann": truth.house_brackmann,
            "severity": _round(truth.severity),
            "sunnybrook": scales.sunnybrook.composite,
            "sunnybrook_resting": scales.sunnybrook.scores.resting,
            "sunnybrook_voluntary": scales.sunnybrook.scores.voluntary,
            "sunnybrook_synkinesis": scales.sunnybrook.scores.synkinesis,
            "fngs2_total": scales.fngs2.total,
            **{f"function_{r}": _round(truth.region_function[r]) for r in REGIONS},
            **{f"branch_{b}": _round(truth.branches[b]) for b in BRANCHES},
            "rater_house_brackmann": rating.house_brackmann,
            "rater_sunnybrook": rating.sunnybrook.composite,
        }

    def vertices(self, expression: str) -> Floats:
        """The surface (V, 3) that is scanned, on `model`, mm, canonical head frame: the truth's own intensities."""
        patient = self.patient
        return self.model.shape(patient.identity, patient.asymmetry, *expression_intensities(patient, expression))

    def _head(self, level: str) -> HeadModel:
        if self.movement == "waters":
            # The same draws at both levels: the muscles are the subject's own.
            return with_waters_muscles(HeadModel.load("a", level), self.own_stream("muscles"))
        return HeadModel.load(self.movement, level)


def _round(value: float) -> float:
    return round(float(value), 4)
