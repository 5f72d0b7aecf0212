"""From raw scans to measures: simulated scans in poses of their own, landmarks found automatically."""

from pathlib import Path

import numpy as np
import pytest

from face3d.errors import Face3DError, LandmarkError, SchemaError
from face3d.exam import Exam
from face3d.geometry.clean import Cleaned
from face3d.io.sequence_file import SequenceFile
from face3d.landmarking import placing
from face3d.landmarking.detect import Detection
from face3d.landmarking.scene import face_of
from face3d.measuring.examination import measure, measure_fitted
from face3d.scan import FaceScan
from face3d.simulate.head import HeadModel
from face3d.simulate.scanners import scan_face
from face3d.template.exam_fit import fit_exam
from palsy import face

MODEL = HeadModel.load(level="fine")


def exam_of(function: float, expressions: tuple[str, ...], affected: str = "right", seed: int = 5) -> Exam:
    rng = np.random.default_rng(seed)
    rest, moved = face(MODEL, rng, function, affected, posed=False)
    faces = {"rest": rest, **{e: moved[e] for e in expressions}}
    return Exam("p", {e: scan_face(MODEL, v, rng, points=8000).scan for e, v in faces.items()})


def plane() -> FaceScan:
    x, y = (a.ravel() for a in np.meshgrid(np.arange(40.0), np.arange(40.0)))
    i = np.arange(39 * 40).reshape(39, 40)[:, :-1].ravel()
    faces = np.concatenate([np.stack([i, i + 1, i + 40], 1), np.stack([i + 1, i + 41, i + 40], 1)])
    return FaceScan(np.stack([3 * x, 4 * y, 0 * x], 1), faces, name="plane")


def with_crumb(scan: FaceScan, crumb: FaceScan) -> FaceScan:
    """The scan, and something of the crumb's shape a tenth its size beside it."""
    return scan.replace(
        vertices=np.concatenate([scan.vertices, scan.vertices.max(axis=0) + 20.0 + 0.1 * crumb.vertices]),
        faces=np.concatenate([scan.faces, crumb.faces + len(scan.vertices)]),
        landmarks={},
        colors=None,
        texture=None,
    )


def test_from_raw_scans_to_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    exam = exam_of(0.2, ("open_smile",))
    exam = exam.replace(scans={**exam.scans, "snarl": plane()}, sequences={"lip_pucker": SequenceFile(Path("pucker"))})
    exam = exam.replace(scans={**exam.scans, "rest": with_crumb(exam.scans["rest"], plane())})
    looked = face_of

    def no_face_in_a_plane(cleaned: Cleaned, debug_picture: Path | None) -> tuple[Cleaned, Detection]:
        if cleaned.scan.name == "plane":  # looking everywhere for a face that is not there takes its time
            raise LandmarkError("plane: no face found")
        return looked(cleaned, debug_picture)

    monkeypatch.setattr(placing, "face_of", no_face_in_a_plane)
    heard: list[str] = []
    fitted = fit_exam(exam, heard.append)
    assert sorted(heard) == ["open_smile", "rest", "snarl"]
    m = measure_fitted(exam, fitted)
    assert any(note == "snarl: left out: plane: no face found" for note in m.notes)
    assert "rest: 1 separate parts of 1.8 cm2 in all were dropped" in m.notes
    assert any(note.startswith("lip_pucker: the sequence is not measured here") for note in m.notes)
    assert list(m.movements) == ["open_smile"]
    assert m.affected_side == "right"
    # What a smile at a fifth of the healthy side must not be taken for: nearly healthy.
    assert m.region_function["mouth"] < 0.6
    rest, moved = face(MODEL, np.random.default_rng(5), 0.2, "right", posed=False)
    path = MODEL.landmark_points(moved["open_smile"])["ch_left"] - MODEL.landmark_points(rest)["ch_left"]
    assert m.value("commissure_excursion", "open_smile", "left") == pytest.approx(np.linalg.norm(path), rel=0.25)
    assert np.isfinite(m.value("fissure_height", "rest", "left"))
    with pytest.raises(SchemaError, match="sideways"):
        measure_fitted(exam, fitted, "sideways")


@pytest.mark.slow
def test_an_exam_without_a_face_at_rest_is_refused() -> None:
    with pytest.raises(Face3DError):
        measure(Exam("p", {"rest": plane()}))
