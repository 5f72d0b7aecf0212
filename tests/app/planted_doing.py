"""Exams whose measuring is left out: planted faces, and from there on all as it is (results, pages, comparisons)."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
from doing import measured as in_a_moment
from scipy.spatial.transform import RigidTransform

from face3d.app.work import measured as as_it_is
from face3d.batch.item import Measured, Outcome, Task, run
from face3d.errors import OutputError
from face3d.measuring.exam_measures import measure_vertices
from face3d.report.exam_page import exam_page
from face3d.report.exam_result import exam_result
from face3d.report.faces import Faces
from face3d.report.folder import FACES, MEASURES, REPORT, RESULT
from face3d.report.scenes import exam_scene
from face3d.report.viewer import Source
from face3d.template.template import FaceTemplate
from palsy import ASKED

#: While this file lies beside the app's folder, its disk is full.
FULL = "full"
_open = Path.open


def _opened(self: Path, *args: object, **more: object):
    is_full = self.name.startswith("upload-") and (self.parents[2].parent / FULL).exists()
    return _open(Path("/dev/full"), "wb") if is_full else _open(self, *args, **more)  # type: ignore[arg-type]


Path.open = _opened  # type: ignore[method-assign]


def measured(task: Task, path: Path, build: Path) -> Measured:
    if (Path(task.out).parents[1] / FULL).exists():
        raise OutputError(f"{build}: cannot be written: {os.strerror(errno.ENOSPC)}")  # as `report.folder.filled` does
    if task.item.kind == "comparison":
        return as_it_is(task, path, build)
    said = json.loads(path.read_text())
    if not said["subject"].startswith("face"):  # nobody looks at this one
        return in_a_moment(task, path, build)
    template = FaceTemplate.load()
    function = 0.8 if said.get("visit") == "post" else 0.3
    rest, moved = template.vertices, {}
    for expression, asked in ASKED.items():
        strength = np.zeros(len(template.units))
        for unit, value in asked.items():
            strength[template.units.index(unit)] = value
        moved[expression] = rest + np.tensordot(strength, function * template.left + template.right, 1)
    m = measure_vertices(rest, moved, template, "left", said["subject"], said.get("visit"))
    displacements = {e: v.displacement for e, v in m.movements.items()}
    source = Source("rest.ply", RigidTransform.identity())
    faces = Faces(template, rest, displacements, {"rest": template.landmark_points(rest)}, {"rest": source})
    (build / FACES).write_bytes(faces.to_bytes())
    page = exam_page(exam_result(m), scene=exam_scene(faces))
    row = {"subject": said["subject"], "visit": said.get("visit") or "", "date": said.get("date")}
    return Measured(row, {RESULT: exam_result(m).to_json(), MEASURES: m.table.to_csv(index=False), REPORT: page})


def work(task: Task) -> Outcome:
    return run(task, measured)
