"""Landmarks given by hand beside those found: every way in which a set can be wrong is refused by name, right ones are
kept."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import LandmarkError
from face3d.io import read_scan
from face3d.landmarking.detect import Detection, detect_landmarks
from face3d.landmarking.given import among_themselves, compared, elsewhere
from face3d.landmarking.pose import average_landmarks, head_frame
from face3d.landmarks import NAMES, code_of, opposite_name
from face3d.scan import FaceScan
from face3d.simulate.demo import demo_scan
from face3d.simulate.head import HeadModel

POSE = RigidTransform.from_components([12.0, -35.0, 20.0], Rotation.from_euler("yxz", [25, -10, 8], degrees=True))
FOUND = {k: POSE.apply(p) for k, p in average_landmarks().items() if code_of(k) not in ("t", "go", "zy", "ft", "tr")}
SURE = dict.fromkeys(FOUND, 0.95)
SETS = {
    "all": tuple(FOUND),
    "eight": ("en_left", "en_right", "ex_left", "ex_right", "prn", "ch_left", "ch_right", "sn"),
    "six": ("en_left", "en_right", "ex_left", "ex_right", "ch_left", "ch_right"),
    "five": ("en_left", "en_right", "prn", "ch_left", "ch_right"),
    "eyes": ("en_left", "en_right", "ex_left", "ex_right"),
    "one side": ("en_left", "ex_left", "al_left", "ch_left"),
}
sets = pytest.mark.parametrize("names", SETS.values(), ids=SETS.keys())


def by_hand(names, seed=0, off=1.15):
    """The landmarks as a hand places them: 2 mm off in space."""
    rng = np.random.default_rng(seed)
    return {k: FOUND[k] + rng.normal(0, off, 3) for k in names}


def notes_on(given, depth=0.0, found=FOUND, confidence=SURE):
    return compared("scan.ply", given, found, confidence, np.full(len(given), depth))


def exchanged(given, codes):
    """Left and right of some landmarks exchanged."""
    return {
        k: given.get(opposite_name(k), FOUND[opposite_name(k)]) if code_of(k) in codes else p for k, p in given.items()
    }


@sets
@pytest.mark.parametrize("seed", range(20))
def test_right_sets_are_kept_without_a_word(names, seed):
    assert notes_on(by_hand(names, seed)) == [
        f"given by hand and kept: {', '.join(sorted(names))}; the others were detected"
    ]


@sets
@pytest.mark.parametrize("seed", range(20))
def test_even_an_unsteady_hand_is_not_refused(names, seed):
    notes_on(by_hand(names, seed, off=2.0))


@sets
def test_all_sides_exchanged(names):
    with pytest.raises(
        LandmarkError, match=r"scan\.ply: .*left and right are exchanged; _left is the subject's own left"
    ):
        notes_on(exchanged(by_hand(names), {code_of(k) for k in names}))


@pytest.mark.parametrize("code", sorted({code_of(k) for k in FOUND if k.endswith("_left")}))
def test_one_pair_exchanged_among_all(code):
    with pytest.raises(LandmarkError, match=f"left and right of {code} are exchanged"):
        notes_on(exchanged(by_hand(FOUND), {code}))


@pytest.mark.parametrize(
    "codes", [("en", "ex"), ("en", "ex", "ps", "pi"), ("ch", "cph"), ("mb", "sci", "lb"), ("al", "ac")]
)
def test_a_part_of_the_face_exchanged_among_all(codes):
    with pytest.raises(LandmarkError, match=r"left and right of .* are exchanged") as error:
        notes_on(exchanged(by_hand(FOUND), codes))
    assert all(code in str(error.value).split("left and right of ")[1] for code in codes)


@pytest.mark.parametrize("name", ["ch_left", "ch_right", "en_left", "ex_right"])
def test_one_alone_on_the_other_side(name):
    with pytest.raises(LandmarkError, match=f"left and right of {code_of(name)} are exchanged"):
        notes_on({name: FOUND[opposite_name(name)]})


def test_two_names_exchanged_on_one_side():
    given = by_hand(SETS["all"])
    given["en_left"], given["ex_left"] = given["ex_left"], given["en_left"]
    with pytest.raises(LandmarkError, match="en_left and ex_left are exchanged"):
        notes_on(given)


@pytest.mark.parametrize("names", [SETS["eight"], SETS["six"], SETS["five"]])
def test_slicers_other_frame(names):
    with pytest.raises(LandmarkError, match=r"another frame.*RAS for LPS"):
        notes_on({k: p * [-1, -1, 1] for k, p in by_hand(names).items()})


def test_every_exchange_and_turning_round_of_axes():
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        if (order, signs) != ((0, 1, 2), (1.0, 1.0, 1.0)):
            with pytest.raises(LandmarkError, match="cannot be right"):
                notes_on({k: p[list(order)] * signs for k, p in by_hand(SETS["eight"]).items()})


@sets
@pytest.mark.parametrize("direction", [(1, 0, 0), (0, -1, 0), (0, 0, 1), (0.6, 0.6, -0.5)])
def test_an_origin_15_mm_off(names, direction):
    shift = 15.0 * np.array(direction) / np.linalg.norm(direction)
    with pytest.raises(LandmarkError, match=r"all are shifted by 1[3-7]") as error:
        notes_on({k: p + shift for k, p in by_hand(names).items()})
    assert "another origin" in str(error.value)


@pytest.mark.parametrize(
    ("factor", "said"), [(0.1, "cm for mm"), (0.001, "m for mm"), (10.0, "mm for cm"), (1 / 25.4, "in for mm")]
)
def test_another_unit(factor, said):
    with pytest.raises(LandmarkError, match=f"another unit, {said}"):
        notes_on({k: p * factor for k, p in by_hand(SETS["eight"]).items()})


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_another_scale_about_their_own_middle(factor):
    given = by_hand(SETS["eight"])
    middle = np.mean(list(given.values()), axis=0)
    with pytest.raises(LandmarkError, match=f"{factor:.1f}.? times as far apart|cannot be right"):
        notes_on({k: middle + factor * (p - middle) for k, p in given.items()})


def test_another_scans_pose():
    there = RigidTransform.from_components([30, 5, -12], Rotation.from_euler("y", 30, degrees=True))
    with pytest.raises(LandmarkError, match=r"turned by (29|3\d) degrees"):
        notes_on({k: there.apply(p) for k, p in by_hand(SETS["eight"]).items()})


def test_another_persons_lie_off_the_skin():
    with pytest.raises(LandmarkError, match=r"lie 6\.0 mm off the skin at the median, up to 4\.4 mm"):
        notes_on(by_hand(SETS["eight"]), depth=6.0)


@pytest.mark.parametrize(
    "names", [SETS["all"], SETS["eight"], SETS["six"], SETS["five"], ("ch_left", "ch_right"), ("ch_left",)]
)
@pytest.mark.parametrize("direction", [(1, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0, 1), (-0.7, -0.7, 0)])
def test_a_palsied_corner_far_from_the_detectors_is_a_note(names, direction):
    given = by_hand(names)
    given["ch_left"] = FOUND["ch_left"] + 15.0 * np.array(direction) / np.linalg.norm(direction)
    kept, said = notes_on(given)
    assert "ch_left" in kept
    assert (
        said
        == "ch_left, given by hand, lies 15.0 mm from where it was found (up to 12 mm is usual): it was kept; check it"
    )


def test_a_mouth_pulled_over_is_a_note():
    given = by_hand(SETS["six"])
    for name in ("ch_left", "ch_right"):
        given[name] = given[name] + POSE.rotation.apply([-14.0, 2.0, 0.0])
    assert len(notes_on(given)) == 3


@pytest.mark.parametrize("name", ["en_left", "prn", "gn", "lb_right"])
def test_a_single_one_far_off_is_named_and_kept(name):
    given = by_hand(SETS["all"])
    given[name] = FOUND[name] + [0.0, 30.0, 0.0]
    assert [note.split(",")[0] for note in notes_on(given)[1:]] == [name]


def test_where_the_detector_guesses_less_is_said():
    given = by_hand(SETS["six"])
    given["ch_left"] = FOUND["ch_left"] + [20.0, 0.0, 0.0]
    assert len(notes_on(given)) == 2
    assert len(notes_on(given, confidence={**SURE, "ch_left": 0.1})) == 1


def test_a_single_one_off_the_skin_is_named():
    given = by_hand(SETS["eight"])
    notes = compared("scan.ply", given, FOUND, SURE, np.where(np.array(list(given)) == "sn", 9.0, 0.3))
    assert notes[1:] == ["sn, given by hand, lies 9.0 mm off the skin: it was kept; check it"]


def test_unknown_names_are_never_called_kept():
    strange = {str(k): p for k, p in enumerate(by_hand(SETS["eight"]).values())}
    (note,) = notes_on(strange)
    assert "nothing uses them: 0, 1, 2" in note and "kept" not in note and all(name in note for name in NAMES)
    kept, note = notes_on({**by_hand(SETS["five"]), "F-1": np.zeros(3)})
    assert kept.startswith("given by hand and kept: ch_left") and "F-1" not in kept
    assert "nothing uses them: F-1;" in note


# --- where nothing was found to compare with --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def head() -> FaceScan:
    model = HeadModel.load("b", "fine")
    return FaceScan(POSE.apply(model.vertices), model.faces, name="head")


@pytest.fixture(scope="module")
def marks(head: FaceScan) -> dict[str, np.ndarray]:
    return HeadModel.load("b", "fine").landmark_points(head.vertices)


def alone(head: FaceScan, given):
    from face3d.geometry.mesh import vertex_normals

    return among_themselves("scan.ply", given, head.vertices, vertex_normals(head.vertices, head.faces))


@pytest.mark.parametrize("names", [s for k, s in SETS.items() if k != "one side"])
def test_right_sets_stand_alone(head, marks, names):
    assert alone(head, {k: marks[k] for k in names}) == [f"given by hand and kept: {', '.join(sorted(names))}"]


@pytest.mark.parametrize("names", [SETS["all"], SETS["eight"], SETS["six"], SETS["five"]])
def test_exchanged_sides_are_seen_without_a_detector(head, marks, names):
    with pytest.raises(LandmarkError, match="left and right are exchanged"):
        alone(head, {k: marks[opposite_name(k)] for k in names})


@pytest.mark.parametrize("names", [SETS["all"], SETS["eight"], SETS["six"], SETS["five"]])
def test_exchanged_corners_are_seen_without_a_detector(head, marks, names):
    given = {k: marks[opposite_name(k) if code_of(k) == "ch" else k] for k in names}
    with pytest.raises(LandmarkError, match="ch"):
        alone(head, given)


def test_a_shift_off_the_skin_is_seen_without_a_detector(head, marks):
    with pytest.raises(LandmarkError, match="off the skin"):
        alone(head, {k: marks[k] + POSE.rotation.apply([0.0, 0.0, 15.0]) for k in SETS["eight"]})


# --- through the detector ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo() -> tuple[FaceScan, Detection]:
    scan = demo_scan().replace(texture=None)
    # Centred, as exports often are: then landmarks in another frame lie near the skin.
    middle = (scan.vertices.max(axis=0) + scan.vertices.min(axis=0)) / 2
    scan = scan.moved(RigidTransform.from_translation(-middle))
    return scan, detect_landmarks(scan)


def test_a_scan_with_its_own_landmarks_has_the_same_result(demo):
    scan, found = demo
    given = {k: found.landmarks[k] for k in SETS["eight"]}
    again = detect_landmarks(scan.replace(landmarks=given))
    for name, point in found.landmarks.items():
        np.testing.assert_array_equal(again.landmarks[name], point)
    assert len(again.notes) == 1


def test_a_wrong_set_does_not_pass_the_detector(demo):
    scan, found = demo
    with pytest.raises(LandmarkError, match="RAS for LPS"):
        detect_landmarks(scan.replace(landmarks={k: found.landmarks[k] * [-1, -1, 1] for k in SETS["eight"]}))


def test_of_two_faces_the_one_with_the_landmarks_is_taken(demo):
    scan, found = demo
    frame = head_frame(found.landmarks)
    beside = frame.rotation.inv().apply([260.0, 0.0, 0.0])
    two = scan.replace(
        vertices=np.concatenate([scan.vertices, scan.vertices + beside]),
        faces=np.concatenate([scan.faces, scan.faces + len(scan.vertices)]),
        colors=None,
    )
    given = {k: found.landmarks[k] + beside for k in SETS["five"]}
    there = detect_landmarks(two.replace(landmarks=given))
    assert elsewhere(given, there.to_head) is None
    assert np.linalg.norm(there.landmarks["ex_left"] - found.landmarks["ex_left"] - beside) < 3.0
    assert elsewhere(given, found.to_head) is not None  # which is the one that is found first


def test_real_scans_with_their_landmark_files(shared):
    folder = shared / "scans"
    james = read_scan(folder / "james.obj", landmarks=folder / "james.ljson")
    assert len(detect_landmarks(james).notes) == 1
    names = ("en_right", "en_left", "prn", "ch_right", "ch_left")
    points = np.loadtxt(folder / "demoface_landmarks.csv", delimiter=",")
    demoface = read_scan(folder / "demoface_10k.obj", landmarks=dict(zip(names, points, strict=True)))
    assert len(detect_landmarks(demoface).notes) == 1
