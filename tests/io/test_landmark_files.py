"""Landmark files: what each program writes is read as what it means, and comes back as it went out."""

import json

import numpy as np
import pytest

from face3d.errors import LandmarkError
from face3d.io import read_landmarks, read_scan, write_landmarks, write_scan
from face3d.io.landmark_names import canonical_name, is_known, unknown
from face3d.landmarks import NAMES
from face3d.scan import FaceScan

POINTS = {
    "en_left": [1.25, -2.0, 3.0],
    "ex_right": [-4.5, 5.0, 1e-3],
    "prn": [0.0, 7.0, -8.0],
    "my mole": [1.0, 2.0, 3.0],
}


def plain(landmarks):
    return {k: v.tolist() for k, v in landmarks.items()}


@pytest.mark.parametrize("suffix", [".mrk.json", ".json", ".fcsv", ".pp", ".ljson", ".csv", ".pts", ".tps"])
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
        ("en_l", "en_left"),
        ("enL", "en_left"),
        ("en_R", "en_right"),
        ("l_en", "en_left"),
        ("left_en", "en_left"),
        ("ex right", "ex_right"),
        ("ExR", "ex_right"),
        ("EX_LEFT", "ex_left"),
        ("enl", "en_left"),
        ("chr", "ch_right"),
        ("Right Exocanthion", "ex_right"),
        ("endocanthion-left", "en_left"),
        ("Inner canthus (L)", "en_left"),
        ("cheilion.r", "ch_right"),
        ("Cph-L", "cph_left"),
        ("leftCheilion", "ch_left"),
        ("al.l", "al_left"),
        ("Pronasale", "prn"),
        ("nose tip", "prn"),
        ("PRN", "prn"),
        ("Sn", "sn"),
        ("sl", "sl"),
        ("tr", "tr"),
        ("TR", "tr"),
        ("tR", "t_right"),
        ("t_r", "t_right"),
        ("tl", "t_left"),
        ("Pog", "pg"),
        ("stomion", "sto"),
        ("al", "al"),
        ("mole left", "mole left"),
        ("prn_left", "prn_left"),
        ("S000", "S000"),
        ("", ""),
        # A prime marks the skin over a point of bone: a scan has nothing else.
        ("n'", "n"),
        ("N\u2019", "n"),
        ("Pog\u2032", "pg"),
        ("gn\u00b4", "gn"),
        ("G`", "g"),
        ("n\u02b9", "n"),
        ("go'_left", "go_left"),
        ("Go_L'", "go_left"),
        ("zy\u2019 r", "zy_right"),
        ("soft tissue Nasion", "n"),
        ("Soft-tissue pogonion", "pg"),
        ("soft tissue gonion left", "go_left"),
        ("x'", "x'"),
        ("St. Jo's", "St. Jo's"),
    ],
)
def test_aliases(written, name):
    assert canonical_name(written) == name


def test_names_that_nothing_is_measured_with():
    assert unknown(["en_l", "F-1", "n'", "0", "F-1", ""]) == ("F-1", "0", "F-1", "")
    assert is_known("Right Exocanthion") and not is_known("mole") and not is_known(None)


@pytest.mark.parametrize("names", [["0", "1", "2"], ["F-1", "F-2"], ["Point 1"], ["a"]])
def test_a_set_without_any_known_name(tmp_path, names):
    """From a file, by names given, or as a mapping: what nothing is measured with is refused, with what is known."""
    message = f"none of the {len(names)} landmarks has a known name: '{names[0]}'.*known are tr, g, n, .*, en, ex, "
    marks = {name: [i, 0.0, 0.0] for i, name in enumerate(names)}
    write_landmarks(tmp_path / "a.pp", marks)
    write_landmarks(tmp_path / "a.tps", marks)
    grid = np.array([[x, y, 0.0] for x in range(0, 200, 2) for y in range(0, 200, 2)])
    scan = write_scan(tmp_path / "a.ply", FaceScan(grid))
    for read in (
        lambda: read_landmarks(tmp_path / "a.pp"),
        lambda: read_landmarks(tmp_path / "a.tps", names=names),
        lambda: read_scan(scan, landmarks=tmp_path / "a.pp"),
        lambda: read_scan(scan, landmarks=marks),
    ):
        with pytest.raises(LandmarkError, match=message):
            read()
    # Beside a known one they are kept.
    assert set(read_scan(scan, landmarks=marks | {"prn": [2, 2, 0]}).landmarks) == {*names, "prn"}
    assert dict(read_scan(scan, landmarks={}).landmarks) == {}


@pytest.mark.parametrize(
    "marks", [{"prn": "here"}, {"prn": None}, {"prn": [1, 2]}, {"prn": [1, 2, np.nan]}, {"prn": {}}]
)
def test_mappings_of_something_else(tmp_path, marks):
    scan = write_scan(tmp_path / "a.ply", FaceScan(np.array([[0.0, 0, 0], [100, 0, 0], [0, 100, 0]])))
    with pytest.raises(LandmarkError, match=r"a\.ply: "):
        read_scan(scan, landmarks=marks)


def test_two_names_of_one_point(tmp_path):
    (tmp_path / "a.csv").write_text("en_l,1,2,3\nenL,1,2,4\n")
    with pytest.raises(LandmarkError, match="'en_l' and 'enL' are both 'en_left'"):
        read_landmarks(tmp_path / "a.csv")


@pytest.mark.parametrize(("frame", "sign"), [("LPS", 1), ("RAS", -1)])
def test_slicer_frames(tmp_path, frame, sign):
    """RAS to LPS negates x and y; what is not defined was not placed."""
    markup = {
        "type": "Fiducial",
        "coordinateSystem": frame,
        "controlPoints": [
            {"label": "Prn", "position": [1, 2, 3]},
            {"label": "sn", "position": [0, 0, 0], "positionStatus": "undefined"},
        ],
    }
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


def test_named_rows_between_braces(tmp_path):
    rows = "en_left 17 0 0\n  en_right -17 0 0 \nnose tip 0 -31 38\nsn NaN NaN NaN\n"
    (tmp_path / "a.pts").write_text(f"version: 1\nn_points: 4\n{{\n{rows}}}\n")
    found = {"en_left": [17, 0, 0], "en_right": [-17, 0, 0], "prn": [0, -31, 38]}
    assert plain(read_landmarks(tmp_path / "a.pts")) == found
    (tmp_path / "a.pts").write_text(f"version: 1\nn_points: 3\n{{\n{rows}}}\n")
    with pytest.raises(LandmarkError, match="declares 3 points; 4 follow"):
        read_landmarks(tmp_path / "a.pts")
    (tmp_path / "a.pts").write_text("version: 1\nn_points: 1\n{\nprn 17 0\n}\n")
    with pytest.raises(LandmarkError, match="of a picture"):
        read_landmarks(tmp_path / "a.pts")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a", None, "is a folder"),
        ("a.csv", None, "is a folder"),
        ("a.ply", b"ply\n", "a scan by its name"),
        ("a.obj.gz", b"\x1f\x8b", "a scan by its name"),
        ("a.STL", b"solid a", "a scan by its name"),
        ("a.xlsx", b"PK\3\4", "save the table as CSV"),
        ("a.doc", b"", "is no landmark file; use one of"),
        ("a.mrb", b"PK", "save the point list as .mrk.json"),
        ("a.csv", b"ply\nformat ascii 1.0\n", "a PLY scan"),
        ("a.txt", b"v 0 0 0\nv 1 0 0\n", "an OBJ scan"),
        ("a.pp", b'<VTKFile type="PolyData">', "a VTP scan"),
        ("a.pts", b"solid a\nfacet", "an STL scan"),
        ("a.csv", b"PK\3\4" + bytes(30), "a zip file, perhaps a workbook"),
        ("a.csv", b"\x89PNG\r\n", "a PNG picture"),
        ("a.fcsv", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        ("a.csv", b"\x1f\x8b", "a gzip file; unpack it first"),
    ],
)
def test_something_else_is_said_to_be_so(tmp_path, name, content, what):
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(LandmarkError, match=what) as caught:
        read_landmarks(path)
    assert str(caught.value).startswith(str(path))


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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", ""),
        ("a.csv", "prn,1,2\n"),
        ("a.csv", "prn,1,2,x\n"),
        ("a.csv", "prn,1,2,inf\n"),
        ("a.csv", '"' * 9),
        ("a.csv", "prn,1,2,3\nprn,1,2,3\n"),
        ("a.csv", "prn,1,2,3\nsn,1,2,3,4\n"),
        ("a.fcsv", "x\n"),
        ("a.fcsv", "# CoordinateSystem = IJK\n"),
        ("a.mrk.json", "{"),
        ("a.mrk.json", "[" * 100_000),
        ("a.mrk.json", "[]"),
        ("a.mrk.json", '{"markups": [1, {"controlPoints": [2]}]}'),
        ("a.mrk.json", '{"markups": [{"controlPoints": [{"label": "a", "position": [1, 2]}]}]}'),
        ("a.mrk.json", '{"markups": [{"controlPoints": [{"label": "a", "position": [1, 2, NaN]}]}]}'),
        ("a.pp", "<PickedPoints>"),
        ("a.pp", "<PickedPoints><point/></PickedPoints>"),
        ("a.pts", "Version\n"),
        ("a.pts", "Version 1\n2\nS0 1 2 3\n"),
        ("a.tps", "LM=1\n1 2\n"),
        ("a.tps", "LM3=1\n1 2 3\nLM3=1\n1 2 3\n"),
        ("a.tps", "LM3=2\n1 2 3\n"),
        ("a.ljson", "3"),
        ("a.ljson", '{"groups": {}}'),
        ("a.ljson", '{"landmarks": {"points": [[1, 2]]}}'),
        ("a.doc", "prn,1,2,3\n"),
        ("missing.csv", None),
    ],
)
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
