"""Patients' own scores are kept as entered, and refused where they can't be."""

import pytest

from face3d.reference.questionnaires import Questionnaires


def test_scores_within_their_ranges_are_kept() -> None:
    q = Questionnaires(face_total=58.3, fdi_physical=-25, fdi_social=100, saq=20)
    assert (q.face_total, q.fdi_physical, q.saq, q.face_social) == (58.3, -25, 20, None)


@pytest.mark.parametrize("wrong", [{"face_total": 101}, {"fdi_physical": -26}, {"saq": 19}, {"face_eye_comfort": -1}])
def test_scores_that_there_are_not_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=f"questionnaires.{next(iter(wrong))}"):
        Questionnaires(**wrong)
