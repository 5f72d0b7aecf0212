"""Results to export, made from planted measures and the template, without fitting anything."""

from pathlib import Path

import numpy as np

from face3d.exam import Grades
from face3d.measuring.exam_measures import Measures, measure_vertices
from face3d.report.faces import Faces
from face3d.report.folder import FACES
from face3d.report.outputs import write_exam
from face3d.simulate.head import HeadModel
from face3d.template.template import FaceTemplate
from palsy import face

MODEL = HeadModel.load()


def measures(subject: str = "p017", visit: str = "pre", function: float = 0.4) -> Measures:
    rest, moved = face(MODEL, np.random.default_rng(1), function, "left", synkinesis=0.3)
    return measure_vertices(rest, moved, MODEL, None, subject, visit)


def faces(seed: int = 1) -> Faces:
    """The template, a little like somebody, who smiles on the right."""
    t, rng = FaceTemplate.load(), np.random.default_rng(seed)
    rest = t.vertices * rng.uniform(0.95, 1.05, 3) + 0.02 * rng.standard_normal(t.vertices.shape)
    rest[:40] = np.nan  # not seen
    smile = np.zeros_like(rest)
    smile[:, 1] = 5.0 * (rest[:, 0] < -20.0)
    return Faces(t, rest, {"open_smile": smile}, {"rest": {"prn": t.landmark_points(t.vertices)["prn"]}})


def exam_result(folder: Path, subject: str = "p017", visit: str = "pre") -> Path:
    write_exam(measures(subject, visit), folder, Grades(house_brackmann=4, rater="Dr Rater"))
    (folder / FACES).write_bytes(faces().to_bytes())
    return folder
