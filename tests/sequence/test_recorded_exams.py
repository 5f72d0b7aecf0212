"""An exam whose expressions were recorded: the apex frame is measured, kinematics stands beside."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from face3d.errors import ScanError
from face3d.exam import Exam
from face3d.io.sequence import Sequence
from face3d.scan import FaceScan
from face3d.sequence import exam_sequences
from face3d.sequence.points import Trajectories
from planted import home, planted, smile

REST = FaceScan(np.random.default_rng(0).normal(size=(50, 3)), np.empty((0, 3), int), name="rest.ply")


class Recorded:
    """A recording whose frames say which they are."""

    path = "smile"

    def __init__(self, points: Trajectories | Exception) -> None:
        self.points = points

    def read(self) -> Sequence:
        if isinstance(self.points, Exception):
            raise self.points
        scans = [replace(REST, name=f"{k}") for k in range(len(self.points.times_s))]
        return replace(Sequence.of(scans, 60.0), notes=(self.points,))  # the tracker below finds them there


@pytest.fixture(autouse=True)
def no_fitting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exam_sequences, "fit_seen", lambda names, see: None)
    tracked = lambda sequence, rest: SimpleNamespace(points=lambda: sequence.notes[0])  # noqa: E731
    monkeypatch.setattr("face3d.sequence.track.track", tracked)


def exam(**recorded: Recorded) -> Exam:
    return Exam("p", {"rest": REST}, sequences=recorded)  # type: ignore[arg-type]


def test_the_apex_of_a_recording_is_measured_like_a_scan() -> None:
    two = planted([smile(size=6.0), smile(start=4.5)], 9.0, 60, noise=0.05)
    seen, found = exam_sequences.with_apexes(exam(open_smile=Recorded(two)))
    assert seen.expressions == ("rest", "open_smile")
    assert 5.0 < int(seen.scan("open_smile").name) / 60 < 6.0  # when the larger of the two is held
    assert found["open_smile"].value("excursion", "ch", "left", 2) == pytest.approx(10.0, abs=0.1)
    assert not seen.sequences
    assert any("measured on frame" in n and "the largest of 2 movements" in n for n in seen.notes)


def test_a_scan_of_the_same_expression_stays_the_one_that_is_measured() -> None:
    both = exam(open_smile=Recorded(planted([smile()], 4.5, 60))).replace(scans={"rest": REST, "open_smile": REST})
    seen, found = exam_sequences.with_apexes(both)
    assert seen.scan("open_smile") is REST
    assert set(found) == {"open_smile"}
    assert any("measured on its scan" in n for n in seen.notes)


def test_what_cannot_be_used_is_left_out_with_a_note() -> None:
    broken, still = Recorded(ScanError("smile: nothing in it")), Recorded(planted([], 3.0, 60, noise=0.02))
    seen, found = exam_sequences.with_apexes(exam(open_smile=broken, snarl=still))
    assert seen.expressions == ("rest",)
    assert set(found) == {"snarl"}
    assert "open_smile: its recording is left out: smile: nothing in it" in seen.notes
    assert any(n.startswith("snarl: not measured: no movement was found") for n in seen.notes)


def test_an_exam_without_recordings_stays_as_it_is() -> None:
    one = exam()
    assert exam_sequences.with_apexes(one) == (one, {})
    assert home("ch_left")[0] > 0
