"""The embedded examples, made anew at each call and always the same: an examination, and one scan of another person."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.spatial.transform import RigidTransform, Rotation

from face3d.exam import EXPRESSIONS, Exam
from face3d.scan import FaceScan
from face3d.simulate.subjects import Subject

#: Any other seed gives another person; the share of the movement that is left on the right is what the demo is about.
SEED, LEFT_OVER = 20, 0.15


def demo_scan() -> FaceScan:
    """One scan of 15,500 vertices, mm, in a pose as scanners deliver them; made anew at each call, always the same."""
    import numpy as np

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


def demo_exam() -> Exam:
    """An examination of the ten expressions, 15,000 vertices each, of a simulated patient."""
    from face3d.simulate.definition import Definition

    subject = Subject(Definition(name="demo", seed=SEED, points=15_000, people=1), PATIENT)
    scans = {expression: SimulatedSource(subject, expression) for expression in EXPRESSIONS}
    clinical = {"age_years": round(subject.patient.years, 1)}
    return Exam("demo", scans, device="simulated stereophotogrammetry", clinical=clinical)
