"""The embedded examples, made anew at each call and always the same: a patient examined twice, a recorded smile of
theirs, and one scan of another person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.exam import EXPRESSIONS, Exam
from face3d.io.sequence import Frame, Sequence
from face3d.scan import FaceScan
from face3d.simulate.draw import retaken
from face3d.simulate.patients import Patient
from face3d.simulate.subjects import Subject

#: Any other seed gives another person; the share of the movement that is left on the right is what the demo is about.
SEED, LEFT_OVER = 20, 0.15


def demo_scan() -> FaceScan:
    """One scan of 15,500 vertices, mm, in a pose as scanners deliver them; made anew at each call, always the same."""
    from face3d.simulate import HeadModel

    head = HeadModel.load(level="fine")
    rng = np.random.default_rng(SEED)
    smile = np.zeros(len(head.units))
    smile[head.unit_index(*(u for u in head.units if "smile" in u.lower()))] = 0.8
    vertices = head.shape(
        identity=0.8 * rng.standard_normal(len(head.identity)),
        asymmetry=0.7 * rng.standard_normal(len(head.asymmetry)),
        left=smile,
        right=LEFT_OVER * smile,
    )
    pose = RigidTransform.from_components(
        [40.0, -15.0, 900.0], Rotation.from_euler("yxz", [160, 12, -20], degrees=True)
    )
    return FaceScan(pose.apply(vertices), head.faces, name="demo smile", units_note="mm: simulated")


#: Which of the simulated people of that seed: a palsy of the left side, House-Brackmann IV, years after its onset, with
#: synkinesis.
PATIENT = 4


@dataclass(frozen=True, eq=False)
class SimulatedSource:
    """A scan of the demo's patient, made when it is asked for."""

    subject: Subject
    expression: str

    def read(self, texture: bool = False) -> FaceScan:
        """The scan as a stereophotogrammetric scanner delivers it, mm; it has no texture."""
        from face3d.simulate.scanners import scan_face

        subject, rng = self.subject, self.subject.stream(f"scan {self.expression}")
        vertices, points = subject.vertices(self.expression), subject.definition.points
        seen = scan_face(subject.model, vertices, rng, subject.definition.scanner, points=points).scan
        return seen.replace(name=f"demo {self.expression}", landmarks={})


class _Later(Subject):
    """The same patient at another visit: `REGAINED` of what the nerve had lost has come back, and of the droop gone."""

    @cached_property
    def patient(self) -> Patient:
        first = Subject(self.definition, self.number).patient
        branches = {name: share + REGAINED * (1.0 - share) for name, share in first.branches.items()}
        better = first.replace(branches=branches, droop=(1.0 - REGAINED) * first.droop)
        return retaken(better, self.own_stream("take after"))


#: Of the movement lost at the first visit, the share that is back at the second.
REGAINED = 0.5
#: Frames a second of the recorded smile.
FPS = 30.0


def demo_patient(visit: str = "before") -> Subject:
    """The demo's patient at the visit "before" or "after", with all that is true of them."""
    from face3d.simulate.definition import Definition

    definition = Definition(name="demo", seed=SEED, points=15_000, people=1)
    return Subject(definition, PATIENT) if visit == "before" else _Later(definition, PATIENT, visit)


def demo_exam(visit: str = "before") -> Exam:
    """An examination of the ten expressions, 15,000 vertices each, of a simulated patient; "after": of the same one,
    partly recovered."""
    subject = demo_patient(visit)
    scans = {expression: SimulatedSource(subject, expression) for expression in EXPRESSIONS}
    clinical = {"age_years": round(subject.patient.years, 1)}
    return Exam("demo", scans, visit=visit, device="simulated stereophotogrammetry", clinical=clinical)


def demo_recording() -> Sequence:
    """The same patient's smile at the first visit, from rest to rest, 30 frames a second, as a tracker of fixed
    topology writes it."""
    from face3d.simulate.scanners import scan_face

    subject = demo_patient()
    patient, motion = subject.patient, subject.motion("open_smile", FPS)

    def read(start: int) -> Iterator[Frame]:
        rng, bias = subject.stream("frames open_smile"), int(subject.own_stream("tracker").integers(2**31))
        for k, shape in enumerate(motion.shapes(subject.model, patient.identity, patient.asymmetry)):
            seen = scan_face(subject.model, shape, rng, "fixed_mesh", bias_seed=bias, pose=motion.head[k]).scan
            if k >= start:
                yield Frame(k, float(motion.time[k]), seen.replace(landmarks={}))

    return Sequence("demo smile", FPS, read, motion.time, same_topology=True)
