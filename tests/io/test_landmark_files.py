"""Landmark files: what each program writes is read as what it means, and comes back as it went out."""

import json

import numpy as np
import pytest

from face3d.errors import LandmarkError
from face3d.io import read_landmarks, read_scan, write_landmarks
from face3d.io.landmark_names import canonical_name
from face3d.landmarks import NAMES

POINTS = {
    "en_left": [1.25, -2.0, 3.0],
    "ex_right": [-4.5, 5.0, 1e-3],
    "prn": [0.0, 7.0, -8.0],
    "my mole": [1.0, 2.0, 3.0],
}


def plain(landmarks):
    return {k: v.tolist() for k, v in landmarks.items()}


@pytest.mark.parametrize("suffix", [".mrk.json", ".fcsv", ".pp", ".ljson", ".csv", ".pts", ".tps"])
def test_round_trip(tmp_path, suffix):
    path = write_landmarks(tmp_path / f"a{suffix}", POINTS)
    if suffix == ".tps":
        with pytest.raises(LandmarkError, match="no name"):
            read_landmarks(path)
        assert plain(read_landmarks(path, names=list(POINTS))) == POINTS
    else:
        expected = {k.replace(" ", "_") if suffix == ".pts" else k: v for k, v in POINTS.items()}
        assert plain(read_landmarks(path)) == expected


def test_names_of_the_scheme_are_their_own():
    assert [canonical_name(n) for n in NAMES] == list(NAMES)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("en_l", "en_left"), ("enL", "en_left"), ("en_R", "en_right"), ("l_en", "en_left"), ("left_en", "en_left"),
        ("ex right", "ex_right"), ("ExR", "ex_right"), ("EX_LEFT", "ex_left"), ("enl", "en_left"), ("chr", "ch_right"),
        ("Right Exocanthion", "ex_right"), ("endocanthion-left", "en_left"), ("Inner canthus (L)", "en_left"),
        ("cheilion.r", "ch_right"), ("Cph-L", "cph_left"), ("leftCheilion", "ch_left"), ("al.l", "al_left"),
        ("Pronasale", "prn"), ("nose tip", "prn"), ("PRN", "prn"), ("Sn", "sn"), ("sl", "sl"), ("tr", "tr"),
        ("TR", "tr"),
        ("tR", "t_right"), ("t_r", "t_right"), ("tl", "t_left"), ("Pog", "pg"), ("stomion", "sto"), ("al", "al"),
        ("mole left", "mole left"), ("prn_left", "prn_left"), ("S000", "S000"), ("", ""),
    ],
)  # fmt: skip
def test_aliases(written, name):
    assert canonical_name(written) == name


def test_two_names_of_one_point(tmp_path):
    (tmp_path / "a.csv").write_text("en_l,1,2,3\nenL,1,2,4\n")
    with pytest.raises(LandmarkError, match="'en_l' and 'enL' are both 'en_left'"):
        read_landmarks(tmp_path / "a.csv")


@pytest.mark.parametrize(("frame", "sign"), [("LPS", 1), ("RAS", -1)])
def test_slicer_frames(tmp_path, frame, sign):
    """RAS to LPS negates x and y; what is not defined was not placed."""
    markup = {
        "type": "Fiducial", "coordinateSystem": frame,
        "controlPoints": [{"label": "Prn", "position": [1, 2, 3]},
                          {"label": "sn", "position": [0, 0, 0], "positionStatus": "undefined"}],
    }  # fmt: skip
    (tmp_path / "a.mrk.json").write_text(json.dumps({"markups": [markup]}))
    assert plain(read_landmarks(tmp_path / "a.mrk.json")) == {"prn": [sign, 2 * sign, 3]}


@pytest.mark.parametrize(("line", "sign"), [("0", -1), ("1", 1), ("LPS", 1), ("RAS", -1)])
def test_fcsv_frames(tmp_path, line, sign):
    text = (
        f"# Markups fiducial file version = 4.10\n# CoordinateSystem = {line}\n"
        "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
        "vtkMRMLMarkupsFiducialNode_0,1,2,3,0,0,0,1,1,1,0,en_r,,\n"
    )
    (tmp_path / "a.fcsv").write_text(text)
    assert plain(read_landmarks(tmp_path / "a.fcsv")) == {"en_right": [sign, 2 * sign, 3]}


def test_meshlab(tmp_path):
    (tmp_path / "a.pp").write_text(
        '<!DOCTYPE PickedPoints>\n<PickedPoints>\n <DocumentData><DataFileName name="a.ply"/></DocumentData>\n'
        ' <point x="1" y="2" z="3" active="1" name="enL"/>\n <point x="0" y="0" z="0" active="0" name="sn"/>\n'
        "</PickedPoints>\n"
    )
    assert plain(read_landmarks(tmp_path / "a.pp")) == {"en_left": [1, 2, 3]}
    (tmp_path / "b.pp").write_text(
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><PickedPoints>&a;</PickedPoints>'
    )
    with pytest.raises(LandmarkError, match="entities"):
        read_landmarks(tmp_path / "b.pp")


def test_landmark_program_marks_missing_points(tmp_path):
    (tmp_path / "a.pts").write_text("Version 1.0\n3\nS000 1 2 3\nS001 9999 9999 9999\nC000 4 5 6\n")
    names = ["en_left", "en_right", "prn"]
    assert plain(read_landmarks(tmp_path / "a.pts", names=names)) == {"en_left": [1, 2, 3], "prn": [4, 5, 6]}
    with pytest.raises(LandmarkError, match="no name"):
        read_landmarks(tmp_path / "a.pts")
    with pytest.raises(LandmarkError, match="2 names are given for 3 points"):
        read_landmarks(tmp_path / "a.pts", names=names[:2])


def test_tps_scale(tmp_path):
    (tmp_path / "a.tps").write_text("LM3=1\n1 2 3\nID=x\nSCALE=0.5\n")
    assert plain(read_landmarks(tmp_path / "a.tps", names=["prn"])) == {"prn": [0.5, 1, 1.5]}


@pytest.mark.parametrize(
    "text",
    [
        "prn,1,2,3\n",
        "name;x;y;z\nprn;1;2;3\n",
        "x,y,z,label\n1,2,3,prn\n",
        "# by hand\nprn 1 2 3\n",
        "\ufeffprn\t1\t2\t3\r\n",
    ],
)
def test_csv(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    assert plain(read_landmarks(tmp_path / "a.csv")) == {"prn": [1, 2, 3]}


def test_bare_rows(shared):
    """Five points without names: an error that says how, then the names in the order that the file's notes give."""
    folder = shared / "scans"
    with pytest.raises(LandmarkError, match="no name"):
        read_landmarks(folder / "demoface_landmarks.csv")
    names = ["ex_right", "ex_left", "prn", "ch_right", "ch_left"]
    marks = read_landmarks(folder / "demoface_landmarks.csv", names=names)
    scan = read_scan(folder / "demoface_10k.obj", landmarks=marks)
    assert set(scan.landmarks) == set(names)


def test_ibug_points_of_a_real_scan(shared):
    """james: +x is the subject's left, +y up, +z front, so that every name's side and order can be checked."""
    scan = read_scan(shared / "scans" / "james.obj", landmarks=shared / "scans" / "james.ljson")
    marks = scan.landmarks
    for code in ("en", "ex", "ps", "pi", "mb", "lb", "sci", "ac", "ch", "cph"):
        assert marks[f"{code}_right"][0] < marks[f"{code}_left"][0], code
    across = [marks[n][0] for n in ("ex_right", "en_right", "en_left", "ex_left")]
    assert across == sorted(across) and 25 < across[2] - across[1] < 45
    for side in ("left", "right"):
        assert marks[f"pi_{side}"][1] < marks[f"ps_{side}"][1] < marks[f"sci_{side}"][1]
        assert abs(marks[f"mb_{side}"][0]) < abs(marks[f"lb_{side}"][0])
    down = [marks[n][1] for n in ("n", "prn", "sn", "ls", "sto", "li", "gn")]
    assert down == sorted(down, reverse=True)
    assert marks["prn"][2] == max(p[2] for p in marks.values())
    distance = [np.linalg.norm(scan.vertices - p, axis=1).min() for p in marks.values()]
    assert max(distance) < 5.0  # on the scan, whose edges are about 4 mm


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", ""), ("a.csv", "prn,1,2\n"), ("a.csv", "prn,1,2,x\n"), ("a.csv", "prn,1,2,inf\n"), ("a.csv", '"' * 9),
        ("a.csv", "prn,1,2,3\nprn,1,2,3\n"), ("a.csv", "prn,1,2,3\nsn,1,2,3,4\n"),
        ("a.fcsv", "x\n"), ("a.fcsv", "# CoordinateSystem = IJK\n"),
        ("a.mrk.json", "{"), ("a.mrk.json", "[" * 100_000), ("a.mrk.json", "[]"),
        ("a.mrk.json", '{"markups": [1, {"controlPoints": [2]}]}'),
        ("a.mrk.json", '{"markups": [{"controlPoints": [{"label": "a", "position": [1, 2]}]}]}'),
        ("a.mrk.json", '{"markups": [{"controlPoints": [{"label": "a", "position": [1, 2, NaN]}]}]}'),
        ("a.pp", "<PickedPoints>"), ("a.pp", "<PickedPoints><point/></PickedPoints>"), ("a.pts", "Version\n"),
        ("a.pts", "Version 1\n2\nS0 1 2 3\n"), ("a.tps", "LM=1\n1 2\n"), ("a.tps", "LM3=1\n1 2 3\nLM3=1\n1 2 3\n"),
        ("a.tps", "LM3=2\n1 2 3\n"), ("a.ljson", "3"), ("a.ljson", '{"groups": {}}'),
        ("a.ljson", '{"landmarks": {"points": [[1, 2]]}}'),
        ("a.txt", "prn,1,2,3\n"), ("missing.csv", None),
    ],
)  # fmt: skip
def test_faults_are_named(tmp_path, name, text):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(LandmarkError) as caught:
        read_landmarks(tmp_path / name, names=["prn"] if name.endswith(".tps") else None)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_binary_is_no_landmark_file(tmp_path):
    (tmp_path / "a.csv").write_bytes(bytes(range(256)))
    with pytest.raises(LandmarkError, match="no text"):
        read_landmarks(tmp_path / "a.csv")
    with pytest.raises(LandmarkError, match="three finite"):
        write_landmarks(tmp_path / "b.csv", {"prn": [1.0, 2.0]})
