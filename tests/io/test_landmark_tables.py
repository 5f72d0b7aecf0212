"""Landmarks in tables: every spreadsheet's CSV means what its author saw in it."""

import numpy as np
import pytest

from face3d.errors import LandmarkError
from face3d.io import read_landmarks

TWO = {"en_left": [17.5, 0.25, -6.0], "prn": [0.0, -31.0, 38.125]}
UTF16 = "utf-16"


def read(tmp_path, text, encoding="utf-8", name="a.csv", **options):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return {k: v.tolist() for k, v in read_landmarks(tmp_path / name, **options).items()}


@pytest.mark.parametrize(
    "text",
    [
        "name;x;y;z\nen_left;17,5;0,25;-6,0\nprn;0,0;-31,0;38,125\n",  # Excel in German, French, Polish
        "sep=;\nname;x;y;z\nen_left;17,5;0,25;-6\nprn;0;-31;38,125\n",
        'name,x,y,z\nen_left,"17,5","0,25","-6"\nprn,0,-31,"38,125"\n',
        "name\tx\ty\tz\nen_left\t17,5\t0,25\t-6\nprn\t0\t-31\t38,125\n",
        "en_left 17,5 0,25 -6\nprn 0 -31 38,125\n",
        "en_left; 1,75E+01; 2,5e-1; \u22126\nprn; 0; -31; 38,125\n",
        '"name","x","y","z"\n"en_left",17.5,0.25,-6\n"prn",0,-31,38.125\n',
        "# name x y z\nen_left 17.5 0.25 -6\nprn 0 -31 38.125\n",  # numpy.savetxt
        "# of 3 May\n# x [mm], y [mm], z [mm], name\n17.5,0.25,-6,en_left\n# n,1,2,3\n0,-31,38.125,prn\n",
        "#,name,x,y,z\n1,en_left,17.5,0.25,-6\n2,prn,0,-31,38.125\n",
        "name|x|y|z\nen_left|17.5|0.25|-6\nprn|0|-31|38.125\n",
        # Titles, comments, empty rows, other columns, row numbers, in any order.
        "Patient 7;;;\nExamined by M;;;\n;;;\nname;x;y;z\nen_left;17,5;0,25;-6\n;;;\nprn;0;-31;38,125\n;;;\n",
        "# 3 May\nname,x,y,z\n\nen_left,17.5,0.25,-6\n\n\nprn,0,-31,38.125\n\n",
        "nr,x,y,z,sure,label,remark\n1,17.5,0.25,-6,0.9,en_left,\n2,0,-31,38.125,1,prn,ok\n",
        "1,en_left,17.5,0.25,-6\n2,prn,0,-31,38.125\n",
        "0 en_left 17.5 0.25 -6\n1 prn 0 -31 38.125\n",
        "17.5,0.25,-6,en_left\n0,-31,38.125,prn\n",
        "id,code,z,y,x\na7,en_left,-6,0.25,17.5\na8,prn,38.125,-31,0\n",
        '"" "X" "Y" "Z"\n"en_left" 17.5 0.25 -6\n"prn" 0 -31 38.125\n',  # R, with and without a head over the names
        '"X" "Y" "Z"\n"en_left" 17.5 0.25 -6\n"prn" 0 -31 38.125\n',
        "name,x,y,z,remark\nen_left,17.5,0.25,-6\nprn,0,-31,38.125,good\n",  # Excel drops empty cells at the end
        "inner canthus (L)  17.5 0.25 -6\nnose tip  0 -31 38.125\n",
        '"Endocanthion left" 17.5 0.25 -6\r\nPronasale 0 -31 38.125\r\n',
        "\r".join(["name,x,y,z", "en_left,17.5,0.25,-6", "prn,0,-31,38.125", ""]),
        'name,x,y,z,remark\nen_left,17.5,0.25,-6,"two\nlines, a comma"\nprn,0,-31,38.125,a\rb\x0bc\x1dd\x85e\u2028f\n',
    ],
)
def test_dialects(tmp_path, text):
    assert read(tmp_path, text) == TWO
    assert read(tmp_path, text, UTF16) == TWO
    assert read(tmp_path, "\ufeff" + text) == TWO
    assert read(tmp_path, text, "utf-16-le") == TWO
    assert read(tmp_path, text + "\0\0\x1a", name="a.txt") == TWO


@pytest.mark.parametrize(
    ("head", "factor"),
    [
        ("Landmark,X (mm),Y (mm),Z (mm)", 1),
        ("name,x [mm],y [mm],z [mm]", 1),
        ("name,x_mm,y_mm,z_mm", 1),
        ("name,x,y,z", 1),
        ("name,X [cm],Y [cm],Z [cm]", 10),
        ("name,x_cm,y_cm,z_cm", 10),
        ("name,Xm,Ym,Zm", 1000),
        ("name,x (m),y (m),z (m)", 1000),
        ("name,x in metres,y in metres,z in metres", 1000),
        ("name,x [\u00b5m],y [\u03bcm],z [um]", 1e-3),
        ("name,x (inches),y (inches),z (inches)", 25.4),
        ("name,PosX,PosY,PosZ", 1),
        ("name,X-Koordinate (cm),Y-Koordinate (cm),Z-Koordinate (cm)", 10),
        ("name,x coordinate [cm],y coordinate,z coordinate", 10),
        ("name,coord.x,coord.y,coord.z", 1),
    ],
)
def test_units_of_the_header(tmp_path, head, factor):
    found = read(tmp_path, f"{head}\nen_left,1,2,3\n")
    assert np.allclose(found["en_left"], np.array([1, 2, 3]) * factor, rtol=1e-12)
    if not head.endswith(("metres", "coordinate")):  # each cell is one word, with a unit
        assert read(tmp_path, f"{head}\nen_left,1,2,3\n".replace(",", " ")) == found


def test_a_column_of_units(tmp_path):
    assert read(tmp_path, "name,x,y,z,Unit\nen_left,1,2,3,cm\nsn,,,,\n") == {"en_left": [10, 20, 30]}


@pytest.mark.parametrize("cell", ["", "NA", "NaN", "nan", "-", "n/a", "#N/A", "#NV", "\u2013", "null", ".", "n.a."])
def test_points_that_were_not_placed(tmp_path, cell):
    """In a table with decimal commas as with points; in all three cells, since two of three numbers are damage."""
    assert read(tmp_path, f"name;x;y;z\nen_left;1,5;2;3\nsn;{cell};{cell};{cell}\n") == {"en_left": [1.5, 2, 3]}
    assert read(tmp_path, f"en_left,1.5,2,3\nsn,{cell},{cell},{cell}\n") == {"en_left": [1.5, 2, 3]}
    with pytest.raises(LandmarkError, match=r"'sn' is .*must be finite"):
        read(tmp_path, f"en_left,1.5,2,3\nsn,1,{cell},2\n")
    with pytest.raises(LandmarkError, match="only points that were not placed"):
        read(tmp_path, f"name,x,y,z\nsn,{cell},{cell},{cell}\n")


def test_slicers_tables(tmp_path):
    """Columns r, a, s or l, p, s say the frame, `defined` whether the point was placed."""
    rest = "defined,selected,visible,locked,description\nprn,1,2,3,1,1,1,0,\nsn,0,0,0,0,1,1,0,\n"
    assert read(tmp_path, f"label,r,a,s,{rest}") == {"prn": [-1, -2, 3]}
    assert read(tmp_path, f"label,l,p,s,{rest}") == {"prn": [1, 2, 3]}


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_encodings(tmp_path, encoding):
    found = read(tmp_path, "Name;x;y;z\nNasenr\u00fccken;1;2;3\nprn;4;5;6\n", encoding)
    assert found == {"Nasenr\u00fccken": [1, 2, 3], "prn": [4, 5, 6]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,x (px),y (px),z (px)\nprn,1,2,3\n", "'px', which is no known unit"),
        ("name,x [mm],y [cm],z [mm]\nprn,1,2,3\n", "not in one unit of length: cm, mm"),
        ("name,x,y,z,unit\nprn,1,2,3,cm\nsn,1,2,3,mm\n", "not in one unit of length: cm, mm"),
        ("name,x,y,z,unit\nprn,1,2,3,pixel\n", "not in one unit of length: pixel"),
        ("name,x,y,z,x_mm\nprn,1,2,3,4\n", "two columns are x"),
        ("name,x,y\nprn,1,2\n", "x and y, but no z: landmarks of a picture"),
        ("prn,1,2\nsn,3,4\n", "landmarks of a picture have no place in space"),
        ("name;x;y;z\nprn;1,5;2;3\nsn;1.5;2;3\n", "decimal comma beside"),
        ("name;x;y;z\nprn;1.234,5;2;3\n", "decimal comma beside"),
        ("name;x;y;z\nprn;1.234.567;2;3\n", "expected numbers"),
        ("Punkt,x,y,z\nprn,17,5,0,25\nsn,17,5,0,25\n", "has not the header's 4 columns"),
        ("prn,17,5,0,25,1,0\n", "6 of them numbers"),
        ("name;x;y;z\nprn;1;2 3;3\n", "expected numbers"),
        ("name,x,y,z\nprn,1,2,3\nsn,1,2\n", "has not the header's 4 columns"),
        ("name,x,y,z\nprn,17,5,0,25\n", "has not the header's 4 columns"),
        ("prn,1,2,3\nsn,1\n", "expected rows of name, x, y, z"),
        ("prn,1,2,3\nsn,1,2,3,4\n", "expected rows of name, x, y, z"),
        ('name,x,y,z\nprn,1,2,3\n"sn,1,2,3\nn,1,2,3\n', "no valid CSV"),
        ("x,y,z\n1,2,3\n", "point 1 of 1 has no name"),
        ("name,x,y,z\n,1,2,3\n", "has no name"),
        ("0,1,2,3\n1,4,5,6\n", "has no name.*known are tr, g, n"),
        ("name,x,y,z\n0,1,2,3\nF-1,4,5,6\n", "none of the 2 landmarks has a known name: '0', 'F-1'; known are tr, g"),
        ("name,x,y,z\n" + "a" * 300 + ",1,2,3\n", "300 letters"),
    ],
)
def test_faults_are_named(tmp_path, text, message):
    with pytest.raises(LandmarkError, match=message) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "a.csv")) and "\n" not in str(caught.value)


def test_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1.5, 2, 3], [np.nan] * 3, [4, 5, 6]], np.float32))
    found = read_landmarks(tmp_path / "a.npy", names=["en_left", "en_right", "prn"])
    assert {k: v.tolist() for k, v in found.items()} == {"en_left": [1.5, 2, 3], "prn": [4, 5, 6]}
    with pytest.raises(LandmarkError, match="has no name"):
        read_landmarks(tmp_path / "a.npy")
    for array, message in (
        (np.zeros((68, 2)), "of a picture"),
        (np.zeros(9), "shape"),
        (np.zeros((3, 68)), "shape"),
        (np.array([["a", "b", "c"]]), "<U1"),
        (np.array([{}], object), "never Python objects"),
    ):
        np.save(tmp_path / "b.npy", array, allow_pickle=True)
        with pytest.raises(LandmarkError, match=message):
            read_landmarks(tmp_path / "b.npy")
    (tmp_path / "c.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    with pytest.raises(LandmarkError, match=r"c\.npy"):
        read_landmarks(tmp_path / "c.npy")
