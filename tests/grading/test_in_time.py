"""A recorded session is graded as the exam of its apexes is, and less noisily."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import face3d
from face3d.grading.grades import grade_examples
from face3d.grading.grid import grid_of
from face3d.grading.in_time import example_in_time, grade_of_session, largest
from face3d.grading.recorded import kinematics
from face3d.report.sequence_outputs import write_sequence
from face3d.sequence.kinematics import Kinematics
from face3d.sequence.tracked import Tracked
from face3d.simulate.truth import truth_of

pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
from moved_people import MADE
from training_people import person
from true_recordings import Recording, disturbed, recording, tracked_of


@pytest.fixture(scope="module")
def session() -> tuple[Recording, Tracked, Tracked, Kinematics]:
    """Somebody of grade IV who makes all nine expressions: made, exact, as tracked, and measured."""
    rng = np.random.default_rng(5)
    made = recording(person(rng, "a", 4), MADE, rng, 15.0)
    exact = tracked_of(made)
    noisy = disturbed(exact, rng)
    return made, exact, noisy, kinematics(noisy)


def test_the_grade_of_a_session_is_near_its_truth(session):
    made, _, noisy, seen = session
    truth = truth_of(made.patient)
    graded = face3d.grade(noisy)
    assert set(largest(seen)) == set(MADE)
    assert abs(graded.severity - truth.severity) < 0.15  # 3 SD of 42 people's errors
    assert abs(graded.house_brackmann - truth.house_brackmann) <= 1 and graded.side == truth.side


def test_frames_about_the_apex_hold_less_noise_than_the_apex(session):
    _, exact, noisy, seen = session
    grid = grid_of(noisy.template)
    off = []
    for about_s in (0.0, 4 / 15):
        with_noise, without = (example_in_time(t, seen, about_s) for t in (noisy, exact))
        off.append(np.nanmean((with_noise.moves - without.moves) ** 2))
    assert len(grid.nodes) == with_noise.moves.shape[1]
    assert off[1] < 0.6 * off[0]


def test_what_was_not_recorded_is_not_graded(session):
    _, _, noisy, seen = session
    some = replace(seen, movements=tuple(m for m in seen.movements if "smile" not in m.expression))
    graded = grade_examples([example_in_time(noisy, some)])[0]
    assert graded.abstained and "no smile" in graded.reason
    assert grade_of_session(noisy, some) is None


def test_the_grade_stands_in_the_summary_and_on_the_page(session, tmp_path):
    _, _, noisy, seen = session
    written = write_sequence(seen, tmp_path / "out", noisy)
    graded = grade_of_session(noisy, seen)
    assert graded is not None and written.grade is not None
    assert written.grade.severity == graded.severity
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"severity {graded.severity:.2f}" in page or (graded.abstained and "abstains" in page)


def test_lost_frames_are_left_out(session):
    _, _, noisy, seen = session
    gone = noisy.lost.copy()
    frame = largest(seen)["open_smile"].apex_frame
    gone[frame] = True
    vertices = noisy.vertices_mm.copy()
    vertices[frame] = np.nan
    part = example_in_time(replace(noisy, lost=gone, vertices_mm=vertices), seen)
    whole = example_in_time(noisy, seen)
    assert np.isfinite(part.moves).any(axis=(1, 2)).all()
    assert np.nanmax(np.abs(part.moves - whole.moves)) < 0.3
