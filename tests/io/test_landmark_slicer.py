"""3D Slicer's landmark files, in the variants that its versions write."""

import json

import numpy as np
import pytest

from face3d.errors import LandmarkError
from face3d.io import read_landmarks
from face3d.io.landmark_files import read_marks

CR_LIKE = ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


def point(label, *position, **more):
    return {"id": "1", "label": label, "position": list(position), **more}


def point_list(*points, **more):
    return {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": list(points), **more}


def marks(tmp_path, *markups, name="a.mrk.json"):
    (tmp_path / name).write_text(json.dumps({"@schema": "x", "markups": markups}))
    return read_marks(tmp_path / name)


def plain(landmarks):
    return {k: v.tolist() for k, v in landmarks.items()}


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("mm", 1),
        ("m", 1000),
        ("cm", 10),
        ("um", 1e-3),
        ("\u00b5m", 1e-3),
        ("MM", 1),
        ("millimeter", 1),
        ("", 1),
        (None, 1),
        (["mm", "UCUM", "millimeter"], 1),
        (["m", "Length"], 1000),
        (["um", "UCUM", "micrometer"], 1e-3),
        ({"CodeValue": "cm", "CodingSchemeDesignator": "UCUM", "CodeMeaning": "centimeter"}, 10),
        ({"unit": "m"}, 1000),
        (["[in_i]", "UCUM", "inch"], 25.4),
    ],
)
def test_units(tmp_path, unit, factor):
    found = marks(tmp_path, point_list(point("prn", 1, 2, 3), coordinateUnits=unit))
    assert np.allclose(found.points["prn"], np.array([1, 2, 3]) * factor, rtol=1e-12)
    # Only a unit that Slicer does not write by itself is one that somebody meant.
    assert found.units == (("mm", "scan") if factor == 1 else ("mm",))


@pytest.mark.parametrize("unit", ["px", "1", 3, ["pixel", "UCUM", "pixel"], {"a": 1}, [["mm"]], True])
def test_unknown_units(tmp_path, unit):
    with pytest.raises(LandmarkError, match=r"a\.mrk\.json: coordinateUnits is "):
        marks(tmp_path, point_list(point("prn", 1, 2, 3), coordinateUnits=unit))


def test_each_list_has_its_own_unit_and_frame(tmp_path):
    found = marks(
        tmp_path,
        point_list(point("prn", 1, 2, 3), coordinateUnits="mm", coordinateSystem="RAS"),
        point_list(point("sn", 1, 2, 3), coordinateUnits="cm"),
        point_list(point("n'", 1, 2, 3)),
    )
    assert plain(found.points) == {"prn": [-1, -2, 3], "sn": [10, 20, 30], "n": [1, 2, 3]}


@pytest.mark.parametrize("kind", ["Curve", "ClosedCurve", "Line", "Angle", "Plane", "ROI", "TestLine"])
def test_what_stands_beside_the_points(tmp_path, kind):
    beside = {"type": kind, "controlPoints": [point("C-1", 0, 0, 0), point("C-1", 1, 0, 0)], "coordinateUnits": "?"}
    for name in ("a.mrk.json", "a.json"):
        for order in (1, -1):
            found = marks(tmp_path, *[point_list(point("Prn", 1, 2, 3)), beside][::order], name=name)
            assert plain(found.points) == {"prn": [1, 2, 3]}
            assert found.notes == (f"{name}: a {kind} was left out",)
    with pytest.raises(LandmarkError, match=f"holds no point list .a {kind} was left out"):
        marks(tmp_path, beside)


def test_several_point_lists(tmp_path):
    """All of them count, but those in which no name is known: semilandmarks, often numbered twice."""
    numbered = point_list(point("1", 0, 0, 0), point("1", 1, 0, 0))
    found = marks(tmp_path, numbered, point_list(point("prn", 1, 2, 3)), point_list(point("sn", 4, 5, 6)))
    assert plain(found.points) == {"prn": [1, 2, 3], "sn": [4, 5, 6]}
    assert found.notes == ("a.mrk.json: 1 of 3 point lists, in which no name is known, were left out",)
    with pytest.raises(LandmarkError, match="'prn' is there twice"):
        marks(tmp_path, point_list(point("prn", 1, 2, 3)), point_list(point("prn", 1, 2, 4)))
    with pytest.raises(LandmarkError, match="none of the 2 landmarks has a known name: 'F-1', 'Point 1'; known are"):
        marks(tmp_path, point_list(point("F-1", 1, 2, 3), point("Point 1", 4, 5, 6)))


@pytest.mark.parametrize("status", ["undefined", "missing", "preview"])
def test_points_that_were_not_placed(tmp_path, status):
    unplaced = [point("sn", 0, 0, 0, positionStatus=status), {"label": "gn", "positionStatus": status}]
    found = marks(tmp_path, point_list(*unplaced, point("prn", 1, 2, 3, positionStatus="defined")))
    assert plain(found.points) == {"prn": [1, 2, 3]} and found.notes == ("a.mrk.json: not placed: sn, gn",)
    with pytest.raises(LandmarkError, match="only points that were not placed"):
        marks(tmp_path, point_list(*unplaced))


@pytest.mark.parametrize(
    "control",
    [
        point("prn", 1, 2),
        point("prn", 1, 2, "3"),
        point("prn", 1, 2, True),
        {"label": "prn"},
        point("prn", 1, 2, 3, positionStatus="lost"),
        point("prn", 1, 2, 10**400),
        point("", 1, 2, 3),
        3,
    ],
)
def test_faults_are_named(tmp_path, control):
    with pytest.raises(LandmarkError, match=r"a\.mrk\.json: "):
        marks(tmp_path, point_list(control))


def test_json_of_others_is_told_apart(tmp_path):
    for document, what in (({"asset": {}}, "a glTF scan"), ({"scans": {}}, "an exam's manifest"), ([], "neither")):
        (tmp_path / "a.json").write_text(json.dumps(document))
        with pytest.raises(LandmarkError, match=f"holds {what}, no markups"):
            read_landmarks(tmp_path / "a.json")


HEAD = "# Markups fiducial file version = 5.6\n# CoordinateSystem = LPS\n"
COLUMNS = "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"


@pytest.mark.parametrize("odd", CR_LIKE)
def test_fields_that_hold_other_line_ends(tmp_path, odd):
    """Slicer 5.6 leaves the carriage return of a file with Windows' line ends in the field behind it."""
    text = (
        f"{HEAD}{COLUMNS}1,1,2,3,0,0,0,1,1,1,1,prn,,{odd},2,0\n2,4,5,6,0,0,0,1,1,1,1,en{odd}left,a{odd}b,{odd},2,0\n"
        f"3,7,8,9,0,0,0,1,1,1,1,mole{odd},,,2,0\n"
    )
    for line_end in ("\n", "\r\n"):
        (tmp_path / "a.fcsv").write_bytes(text.replace("\n", line_end).encode())
        found = read_landmarks(tmp_path / "a.fcsv")
        assert plain(found) == {"prn": [1, 2, 3], "en_left": [4, 5, 6], "mole": [7, 8, 9]}


def test_fcsv_of_every_age(tmp_path):
    def read(text):
        (tmp_path / "a.fcsv").write_text(text)
        return plain(read_marks(tmp_path / "a.fcsv").points)

    row = "1,1,2,3,0,0,0,1,1,1,1,prn,,"
    assert read(f"{HEAD}{COLUMNS}{row}\n") == read(f"{HEAD}{row}\n") == {"prn": [1, 2, 3]}
    assert read(f"{HEAD}{COLUMNS.strip()},,,\n{row},,,,\n\n,,,\n") == {"prn": [1, 2, 3]}  # through a spreadsheet
    assert read("# name = L\n# columns = label,x,y,z,sel,vis\nprn,1,2,3,1,1\n") == {"prn": [-1, -2, 3]}  # Slicer 3
    assert read("prn,1,2,3,1,1\n") == {"prn": [-1, -2, 3]}
    # Slicer 5 counts the states: 0 undefined, 1 preview, 2 defined, 3 missing.
    states = "".join(f"{i},0,0,0,0,0,0,1,1,1,1,{name},,,{i},0\n" for i, name in ((0, "sn"), (1, "gn"), (3, "ls")))
    assert read(f"{HEAD}{COLUMNS}{row},2,0\n{states}") == {"prn": [1, 2, 3]}
    assert read_marks(tmp_path / "a.fcsv").notes == ("a.fcsv: not placed: sn, gn, ls",)
