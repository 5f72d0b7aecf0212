"""A face's size beside people's: wrong units are refused and named, people of every age and size are not."""

import numpy as np
import pytest

from face3d.errors import LandmarkError, ScanError
from face3d.io import read_scan
from face3d.landmarking import face_search
from face3d.landmarking.detect import detect_landmarks
from face3d.landmarking.pose import average_landmarks
from face3d.landmarking.size import POSSIBLE, USUAL, another_size, face_size, size_beside, size_notes
from face3d.measuring.analysis import analyze
from face3d.scan import FaceScan
from face3d.simulate.draw import draw_identity
from face3d.simulate.head import HeadModel

AVERAGE = average_landmarks()


def sized(factor):
    return {name: factor * point for name, point in AVERAGE.items()}


def test_an_average_adult_has_size_one_and_nothing_is_said():
    assert face_size(AVERAGE) == pytest.approx(1.0, abs=0.06)
    assert size_notes("scan.ply", AVERAGE) == []


def test_of_200_people_from_four_years_on_nobody_is_remarked_on():
    model, rng = HeadModel.load("a"), np.random.default_rng(12)
    rest = np.zeros(len(model.units))
    for number in range(200):
        years = rng.uniform(4, 16) if number % 2 else rng.uniform(16, 90)
        identity = draw_identity(rng, model, float(years), float(rng.random() < 0.5))
        asymmetry = 0.7 * rng.standard_normal(len(model.asymmetry))
        marks = model.landmark_points(model.shape(identity, asymmetry, rest, rest))
        assert size_notes(f"{years:.0f} years", marks) == []


@pytest.mark.parametrize("factor", [0.001, 0.0394, 0.1, 0.3, 0.55, 1.4, 2.0, 2.54, 10.0, 25.4, 1000.0])
def test_nobody_has_such_a_face(factor):
    with pytest.raises(ScanError, match=r"scan\.ply: the face has .* times the size of an average adult's \(outer eye"):
        size_notes("scan.ply", sized(factor))


@pytest.mark.parametrize(
    ("factor", "units_note", "unit"),
    [
        (0.1, "taken as millimetres", "cm"),
        (0.001, "mm: as given", "m"),
        (1 / 25.4, "taken as millimetres", "in"),
        (10.0, "cm: as given", "mm"),
        (1 / 2.54, "cm: inferred, since the longest extent is", "in"),
        (1000.0, "m: as given", "mm"),
        (100.0, "m: inferred", "cm"),
        (0.05, "0.5: as given, the millimetres in one unit of the file", "cm"),
    ],
)
def test_the_unit_in_which_it_would_be_a_person_is_named(factor, units_note, unit):
    with pytest.raises(ScanError, match=rf"in {unit} it would be of human size: give --units {unit}$"):
        size_notes("scan.ply", sized(factor), units_note)


def test_where_no_unit_fits_the_scale_is_asked_for():
    with pytest.raises(ScanError, match=r"normalised mesh.*--scale"):
        size_notes("scan.ply", sized(1.4), "m: as given")


@pytest.mark.parametrize("factor", [0.66, 0.7, 1.2])
def test_an_infant_or_a_giant_is_measured_with_a_word(factor):
    (note,) = size_notes("scan.ply", sized(factor))
    assert (
        f"{face_size(sized(factor)):.2f} times" in note
        and "outer eye corners" in note
        and "If the unit is wrong" in note
    )
    assert not USUAL[0] <= face_size(sized(factor)) <= USUAL[1]
    assert POSSIBLE[0] <= face_size(sized(factor)) <= POSSIBLE[1]


def test_two_wrong_landmarks_do_not_make_a_giant():
    marks = dict(AVERAGE, ex_left=AVERAGE["ex_left"] + [60, 0, 0], gn=AVERAGE["gn"] - [0, 60, 0])
    assert size_notes("scan.ply", marks) == []


def test_one_distance_alone_refuses_nobody():
    assert len(size_notes("scan.ply", {k: 2 * AVERAGE[k] for k in ("ex_left", "ex_right")})) == 1
    assert size_notes("scan.ply", {"prn": AVERAGE["prn"]}) == []


def test_scans_of_one_person_have_one_size():
    assert size_beside(AVERAGE, sized(1.04)) == pytest.approx(1.04)
    assert another_size(AVERAGE, sized(1.05)) == ""
    assert another_size(AVERAGE, {"prn": AVERAGE["prn"]}) == ""  # too little to say
    for factor in (0.9, 1.1, 10.0):
        assert another_size(AVERAGE, sized(factor)).startswith(
            f"the face is {factor:.2f} times as large as in the rest"
        )


@pytest.fixture(scope="module")
def head() -> FaceScan:
    model = HeadModel.load("b", "fine")
    return FaceScan(model.vertices, model.faces, name="head.ply")


def test_a_scan_of_nobodys_size_is_not_measured(head):
    with pytest.raises(ScanError, match=r"head\.ply: the face has .* times the size"):
        analyze(head.replace(vertices=head.vertices * 1.4))


@pytest.mark.parametrize(("factor", "said"), [(0.35, "--scale"), (10.0, "in mm it would be of human size")])
def test_where_the_detector_refuses_the_size_is_named(head, monkeypatch, factor, said):
    every = face_search.coarse_views  # the front is enough
    monkeypatch.setattr(face_search, "coarse_views", lambda surface, **_: list(every(surface))[:1])
    scan = head.replace(vertices=head.vertices * factor, units_note="cm: as given" if factor == 10.0 else "")
    with pytest.raises(LandmarkError, match="no face found") as error:
        detect_landmarks(scan)
    size = float(str(error.value).split("There is a face of ")[1].split(" times")[0])
    assert size == pytest.approx(factor, rel=0.15) and said in str(error.value)


def test_what_is_smaller_than_a_face_is_told_its_unit(head):
    with pytest.raises(LandmarkError, match=r"no face found.*it would in m \(--units\)"):
        detect_landmarks(head.replace(vertices=head.vertices * 0.001))


@pytest.mark.slow
def test_real_scans_and_other_models_are_of_human_size(shared):
    for path in sorted((shared / "scans").glob("*.obj")):
        assert size_notes(path.name, detect_landmarks(read_scan(path)).landmarks) == []
