"""What the scans of an exam say of themselves goes on with the fits; a scan in another size is named or left out."""

from dataclasses import replace

import numpy as np
import pytest

from face3d.errors import ScanError
from face3d.scan import FaceScan
from face3d.simulate.head import HeadModel
from face3d.template.exam_fit import SeenScan, fit_seen, see_scan
from face3d.template.identity import LEFT_OUT


@pytest.fixture(scope="module")
def head() -> FaceScan:
    model = HeadModel.load("a", "fine")
    return FaceScan(model.vertices, model.faces, name="head.ply")


def test_notes_and_sizes_of_the_scans(head: FaceScan) -> None:
    def see(expression: str) -> SeenScan:
        factor = {"closed_smile": 1.02, "snarl": 0.88}.get(expression, 1.0)
        scan = head.replace(vertices=head.vertices * factor, name=f"{expression}.ply")
        seen = see_scan(scan, at_rest=expression == "rest")
        return replace(seen, notes=(*seen.notes, f"seen as {expression}"))

    fitted = fit_seen(("rest", "closed_smile", "snarl"), see)
    assert list(fitted.expressions) == ["closed_smile"]
    left_out = next(note for note in fitted.notes if note.startswith(f"snarl: {LEFT_OUT}: snarl.ply: "))
    assert "the face is 0.88 times as large as in the rest scan" in left_out and "--units, --scale" in left_out
    assert {"rest: seen as rest", "closed_smile: seen as closed_smile"} <= set(fitted.notes)


def test_landmarks_given_by_hand_are_checked_in_exams(head: FaceScan) -> None:
    prn = HeadModel.load("a", "fine").landmark_points(head.vertices)["prn"]
    notes = see_scan(head.replace(landmarks={"prn": prn + np.array([0, 12, 0]), "F-1": prn})).notes
    assert any(note.startswith("prn, given by hand, lies") for note in notes)
    assert any("nothing uses them: F-1" in note for note in notes)


def test_a_rest_scan_of_nobodys_size_is_refused(head: FaceScan) -> None:
    with pytest.raises(ScanError, match=r"head\.ply: the face has .*--scale"):
        see_scan(head.replace(vertices=head.vertices * 0.55), at_rest=True)
