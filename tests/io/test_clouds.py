"""Point clouds as text and PCD, VTK's legacy polydata, and the dialect of VTP that encodes a header by itself."""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sheet_files import FACES, POINTS, save
from test_dialects import RGB, tristrips

from face3d.errors import ScanError
from face3d.io import read_scan

NORMALS = np.column_stack([POINTS[:, 0] / 100, POINTS[:, 1] / 150, np.ones(63)])
NORMALS /= np.linalg.norm(NORMALS, axis=1, keepdims=True)


def rows(*columns: np.ndarray, gap: str = " ") -> str:
    table = np.column_stack(columns).tolist()
    return "".join(gap.join(f"{v:.6g}" for v in row) + "\n" for row in table)


def check(path: Path, colors: bool = False, note: str | None = None, faces: int = 0) -> None:
    scan = read_scan(path)
    assert np.allclose(scan.vertices, POINTS, atol=1e-3) and len(scan.faces) == faces
    assert (scan.colors is not None) == colors
    assert scan.colors is None or np.array_equal(scan.colors, RGB)
    assert ([note in n for n in scan.notes] == [True]) if note else not scan.notes, scan.notes


# -------------------------------------------------------------------------------------------------------------- text


@pytest.mark.parametrize("name", ["a.xyz", "a.asc", "a.txt", "a.csv", "a.pts", "a"])
@pytest.mark.parametrize("gap", [" ", ",", ";", "\t", ", ", "  ", " ; "])
def test_text_whatever_stands_between_the_numbers(tmp_path, name, gap):
    check(save(tmp_path, name, rows(POINTS, gap=gap)))
    check(save(tmp_path, name, rows(POINTS, RGB, gap=gap).replace("\n", "\r\n")), colors=True)


@pytest.mark.parametrize("gap", [";", " ", "\t", "; "])
def test_text_with_decimal_commas(tmp_path, gap):
    check(save(tmp_path, "a.txt", rows(POINTS, RGB, gap=gap).replace(".", ",")), colors=True)


@pytest.mark.parametrize(
    "head",
    [
        "x y z\n",
        "X,Y,Z\n",
        '"x";"y";"z"\n',
        "//X Y Z\n",
        "# x y z\n",
        "# a scan\n\n// of a sheet\n",
        "63\n",
        " 63 \r\n\r\n",
        "# 63 points\n",
        "Points:0,Points:1,Points:2\n",
        "X [mm], Y [mm], Z [mm]\n",
        "63\nx y z\n",
        "\ufeff",
        "\ufeffx y z\n",
    ],
)
def test_text_with_what_may_stand_before_the_points(tmp_path, head):
    check(save(tmp_path, "a.xyz", head + rows(POINTS)))
    check(save(tmp_path, "a.xyz", head + rows(POINTS).replace("\n", " # point\n", 3) + "\n\n\0"), note="padding")


def test_text_columns(tmp_path):
    """Colours and normals by what stands in the columns, or by their names; the rest is left out."""
    weak = np.linspace(0, 400, 63).round(1)
    for columns, note in (
        ((POINTS, RGB, NORMALS), None),
        ((POINTS, NORMALS, RGB), None),
        ((POINTS, RGB / 255), None),
        ((POINTS, RGB, np.full(63, 255)), "left out: 7"),
        ((POINTS, weak, RGB), "left out: 4"),
        ((POINTS, NORMALS, weak, RGB), "left out: 7"),
        ((np.arange(63), POINTS, RGB), "left out: 1"),
        ((np.arange(1, 64), POINTS, NORMALS, RGB), "left out: 1"),
    ):
        check(save(tmp_path, "a.xyz", rows(*columns)), colors=True, note=note)
    check(save(tmp_path, "a.xyz", rows(POINTS, weak)), note="left out: 4")
    check(save(tmp_path, "a.xyz", rows(POINTS, NORMALS)))
    check(save(tmp_path, "a.xyz", rows(POINTS, 3 * NORMALS)), note="left out: 4, 5, 6")
    named = rows(RGB[:, 2], weak, POINTS[:, 2], RGB[:, 0], POINTS[:, :2], RGB[:, 1], gap=",")
    check(save(tmp_path, "a.csv", "Blue,quality,Z,Red,X,Y,Green\n" + named), colors=True, note="left out: 2")
    check(save(tmp_path, "a.txt", '"x" "y" "z"\n' + rows(np.arange(1, 64), POINTS)), note="left out: 1")
    with pytest.raises(ScanError, match="names 3 columns; the points have 4"):
        read_scan(save(tmp_path, "a.csv", "x,y,z\n" + rows(POINTS, weak, gap=",")))


def test_text_of_counted_blocks(tmp_path):
    """Leica's PTS: a count before each scan, and an intensity before the colours."""
    strength = np.full(63, -1200)
    lines = rows(POINTS, strength, RGB).splitlines(keepends=True)
    check(save(tmp_path, "a.pts", "63\n" + "".join(lines)), colors=True, note="left out: 4")
    check(
        save(tmp_path, "a.pts", "20\n" + "".join(lines[:20]) + "43\n" + "".join(lines[20:])),
        colors=True,
        note="left out: 4",
    )
    for text in (
        "64\n" + "".join(lines),
        "62\n" + "".join(lines),
        "20\n" + "".join(lines[:20]) + "44\n" + "".join(lines[20:]),
    ):
        with pytest.raises(ScanError, match="points are declared"):
            read_scan(save(tmp_path, "a.pts", text))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1 2\n", "line 64: 2 numbers"),
        ("1 2 3 4\n", "line 64: 4 numbers"),
        ("1 two 3\n", "line 64: '1 two 3' is not all numbers"),
        ("1 nan 3\n", "vertex 63 .* not finite"),
        ("inf 1 1\n", "vertex 63 .* not finite"),
    ],
)
def test_text_that_is_damaged(tmp_path, line, said):
    with pytest.raises(ScanError, match=said):
        read_scan(save(tmp_path, "a.xyz", rows(POINTS) + line))


def test_obj_is_not_taken_for_a_cloud(tmp_path):
    text = "# x y z\n# 1 2 3\n" + "".join(f"v {row}\n" for row in rows(POINTS).splitlines())
    check(save(tmp_path, "a.obj", text))
    check(save(tmp_path, "a.txt", text))


# --------------------------------------------------------------------------------------------------------------- PCD


def lzf(data: bytes) -> bytes:
    """LZF as PCL packs with it: a greedy search for what repeats within 8 kB."""
    out, literal, at = bytearray(), bytearray(), 0
    seen: dict[bytes, int] = {}

    def flush() -> None:
        for i in range(0, len(literal), 32):
            out.append(len(literal[i : i + 32]) - 1)
            out.extend(literal[i : i + 32])
        literal.clear()

    while at < len(data):
        before = seen.get(data[at : at + 3], -1) if at + 3 <= len(data) else -1
        seen[data[at : at + 3]] = at
        back = at - before - 1
        if before < 0 or back >= 1 << 13:
            literal.append(data[at])
            at += 1
            continue
        length = 3
        while at + length < len(data) and length < 264 and data[before + length] == data[at + length]:
            length += 1
        flush()
        code = length - 2
        out.append((min(code, 7) << 5) | back >> 8)
        if code >= 7:
            out.append(code - 7)
        out.append(back & 255)
        at += length
    flush()
    return bytes(out)


def pcd_header(
    form: str,
    fields: str = "x y z",
    size: str = "4 4 4",
    kind: str = "F F F",
    count: str = "1 1 1",
    points: int = 63,
    tall: int = 1,
) -> str:
    return (
        f"# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS {fields}\nSIZE {size}\nTYPE {kind}\n"
        f"COUNT {count}\nWIDTH {points // tall}\nHEIGHT {tall}\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {points}\nDATA {form}\n"
    )


PACKED = (RGB[:, 0] << 16 | RGB[:, 1] << 8 | RGB[:, 2]).astype("<u4")


@pytest.mark.parametrize("kind", ["F", "U"])
def test_pcd(tmp_path, kind):
    """Coordinates, something else in between, and a colour in the bytes of one number, in each of three forms."""
    head: dict[str, Any] = {
        "fields": "x y z _ rgb",
        "size": "4 4 4 1 4",
        "kind": f"F F F U {kind}",
        "count": "1 1 1 4 1",
    }
    record = np.dtype([("p", "<f4", (3,)), ("pad", "u1", (4,)), ("rgb", "<u4")])
    table = np.zeros(63, record)
    table["p"], table["rgb"] = POINTS, PACKED
    binary = (pcd_header("binary", **head, tall=9)).encode()
    check(save(tmp_path, "a.pcd", binary + table.tobytes()), colors=True)
    check(
        save(tmp_path, "a", binary + table.tobytes() + bytes(4000)),
        colors=True,
        note="4000 bytes behind the last point",
    )
    apart = b"".join(table["p"][:, k].tobytes() for k in range(3)) + table["pad"].tobytes() + table["rgb"].tobytes()
    packed = lzf(apart)
    assert len(packed) < len(apart)
    squeezed = pcd_header("binary_compressed", **head).encode() + struct.pack("<II", len(packed), len(apart))
    check(save(tmp_path, "a.pcd", squeezed + packed), colors=True)
    shade = PACKED if kind == "U" else PACKED.view("<f4")
    text = "".join(
        f"{x} {y} {z} 0 0 0 0 {s}\n" for (x, y, z), s in zip(POINTS.tolist(), map(repr, shade.tolist()), strict=True)
    )
    check(save(tmp_path, "a.pcd", pcd_header("ascii", **head) + text), colors=True)
    for data in (
        binary + table.tobytes()[:-1],
        squeezed + packed[:-1],
        pcd_header("ascii", **head) + text[:-30] + "\n",
        squeezed[:-8] + struct.pack("<II", len(packed), len(apart) + 4) + packed,
        squeezed + b"\xff\xff\xff" + packed[3:],
        pcd_header("ascii", **head) + text + "1 2 3 0 0 0 0 0\n",
        binary + table.tobytes() + table[:1].tobytes()[:-1] + b"x",
        binary.replace(b"FIELDS x", b"FIELDS w") + table.tobytes(),
        binary.replace(b"WIDTH 7", b"WIDTH 8") + table.tobytes(),
    ):
        with pytest.raises(ScanError):
            read_scan(save(tmp_path, "a.pcd", data))


def test_pcd_where_nothing_was_seen(tmp_path):
    points = POINTS.astype("<f4")
    points[::5] = np.nan
    scan = read_scan(save(tmp_path, "a.pcd", pcd_header("binary", tall=7).encode() + points.tobytes()))
    assert np.array_equal(scan.present, np.arange(63) % 5 != 0) and scan.notes[0].startswith("13 of 63 points")
    text = "".join(f"{x} {y} {z}\n" for x, y, z in points.tolist())
    again = read_scan(save(tmp_path, "a.pcd", pcd_header("ascii") + text))
    assert np.array_equal(again.vertices, scan.vertices, equal_nan=True)


def test_pcd_colors_that_were_lost(tmp_path):
    """An opaque alpha makes the packed number a NaN, which text does not keep."""
    text = "".join(f"{x} {y} {z} nan\n" for x, y, z in POINTS.tolist())
    head = pcd_header("ascii", "x y z rgba", "4 4 4 4", "F F F F", "1 1 1 1")
    check(save(tmp_path, "a.pcd", head + text), note="colours were lost")


# --------------------------------------------------------------------------------------------------------------- VTK


def vtk(binary: bool, sections: list[tuple[str, np.ndarray | None]]) -> bytes:
    out = f"# vtk DataFile Version 4.2\na sheet\n{'BINARY' if binary else 'ASCII'}\nDATASET POLYDATA\n".encode()
    for line, values in sections:
        out += line.encode() + b"\n"
        if values is not None and binary:
            out += values.astype(values.dtype.newbyteorder(">")).tobytes() + b"\n"
        elif values is not None:
            flat = values.ravel().tolist()
            out += "".join(" ".join(map(str, flat[i : i + 9])) + "\n" for i in range(0, len(flat), 9)).encode()
    return out


_FIELD = ("FIELD FieldData 2\ntime 1 1 double", np.array([0.5]))
_OLD = np.column_stack([np.full(len(FACES), 3), FACES]).astype("i4")


@pytest.mark.parametrize("binary", [False, True])
def test_vtk_polydata(tmp_path, binary):
    points = (f"POINTS {len(POINTS)} float", POINTS.astype("f4"))
    polygons = (f"POLYGONS {len(FACES)} {4 * len(FACES)}", _OLD)
    shades = ("SCALARS skin unsigned_char 3\nLOOKUP_TABLE default", RGB.astype("u1"))
    check(save(tmp_path, "a.vtk", vtk(binary, [points])))
    check(save(tmp_path, "a.vtk", vtk(binary, [points, polygons])), faces=96)
    check(
        save(tmp_path, "wrong.obj", vtk(binary, [points, polygons]) + b"\0" * 40),
        faces=96,
        note=None if binary else "padding",
    )
    more = [
        ("FIELD FieldData 1\ntime 1 1 double", np.array([0.5])),
        points,
        ("METADATA\nINFORMATION 1\nNAME x\nDATA 1\n", None),
        (f"VERTICES 1 {1 + 4}", np.array([4, 0, 1, 2, 3], "i4")),
        ("LINES 1 3", np.array([2, 0, 1], "i4")),
        polygons,
        (f"CELL_DATA {len(FACES)}", None),
        ("NORMALS n float", np.zeros((len(FACES), 3), "f4")),
        (f"POINT_DATA {len(POINTS)}", None),
        ("FIELD FieldData 1\nheight 1 63 double", POINTS[:, 2].copy()),
        shades,
        ("SOMETHING unknown", None),
    ]
    check(save(tmp_path, "a.vtk", vtk(binary, more)), colors=True, faces=96)
    corners = FACES.ravel().astype("i8")
    ends = np.arange(0, 3 * len(FACES) + 1, 3)
    newer = [
        points,
        (f"POLYGONS {len(ends)} {len(corners)}\nOFFSETS vtktypeint64", ends),
        ("CONNECTIVITY vtktypeint64", corners),
    ]
    check(save(tmp_path, "a.vtk", vtk(binary, newer)), faces=96)
    strip = " ".join(map(str, tristrips())).split(" -1 ")
    lists = [[len(p.split()), *map(int, p.split())] for p in strip]
    flat = np.array([i for p in lists for i in p], "i4")
    scan = read_scan(
        save(tmp_path, "a.vtk", vtk(binary, [points, (f"TRIANGLE_STRIPS {len(lists)} {len(flat)}", flat)]))
    )
    a, b, c = (scan.vertices[scan.faces[:, k]] for k in range(3))
    assert len(scan.faces) == 96 and (np.cross(b - a, c - a)[:, 2] > 0).all()
    mixed = np.array([2, 0, 1, 4, 0, 1, 8, 7, 3, 1, 2, 8, 1, 5], "i4")
    scan = read_scan(save(tmp_path, "a.vtk", vtk(binary, [points, ("POLYGONS 4 14", mixed)])))
    assert scan.faces.tolist() == [[0, 1, 8], [0, 8, 7], [1, 2, 8]] and "2 faces of 1 or 2 corners" in scan.notes[0]
    whole = vtk(binary, [points, polygons])
    for data in (
        whole[: len(whole) // 2],
        whole[:-40],
        whole.replace(b"POLYGONS 96", b"POLYGONS 97"),
        whole.replace(b"POLYDATA", b"UNSTRUCTURED_GRID"),
        whole.replace(b"POLYGONS", b"POLYGOMS"),
        whole.replace(b"POINTS 63", b"POINTS 64"),
        whole.replace(b"POINTS 63", b"POINTS 9999999999"),
        vtk(binary, [points, ("POLYGONS 1 4", np.array([3, 0, 1, 63], "i4"))]),
        vtk(binary, [points, ("POLYGONS 1 4", np.array([3, 0, 1, -1], "i4"))]),
        vtk(binary, [points, ("POLYGONS 1 1", np.array([0], "i4"))]),
        vtk(binary, []),
        vtk(binary, [newer[0], newer[1]]),
        vtk(binary, [points, newer[1], ("CONNECTIVITY vtktypeint64", corners + 60)]),
    ):
        with pytest.raises(ScanError):
            read_scan(save(tmp_path, "a.vtk", data), units="mm")


@pytest.mark.parametrize("kind", ["UInt32", "UInt64"])
def test_vtp_with_the_size_encoded_by_itself(tmp_path, kind):
    def coded(values: np.ndarray) -> str:
        head = struct.pack("<I" if kind == "UInt32" else "<Q", values.nbytes)
        text = base64.b64encode(head).decode() + base64.b64encode(values.tobytes()).decode()
        return "\n".join(text[i : i + 76] for i in range(0, len(text), 76))

    ends = np.arange(3, 3 * len(FACES) + 1, 3, dtype="<i8")
    text = (
        f'<?xml version="1.0"?><VTKFile type="PolyData" byte_order="LittleEndian" header_type="{kind}"><PolyData>'
        f'<Piece NumberOfPoints="63" NumberOfPolys="{len(FACES)}"><Points>'
        f'<DataArray type="Float32" NumberOfComponents="3" format="binary">{coded(POINTS.astype("<f4"))}</DataArray>'
        '</Points><Polys><DataArray type="Int64" Name="connectivity" format="binary">'
        f"{coded(FACES.astype('<i8'))}</DataArray>"
        f'<DataArray type="Int64" Name="offsets" format="binary">{coded(ends)}</DataArray></Polys></Piece>'
        "</PolyData></VTKFile>"
    )
    check(save(tmp_path, "a.vtp", text), faces=96)
    check(save(tmp_path, "a.vtp", text + "\0\0"), faces=96)
    with pytest.raises(ScanError):
        read_scan(save(tmp_path, "a.vtp", text.replace('Points="63"', 'Points="64"')))


def test_vtp_strips_and_small_polygons(tmp_path):
    strip = tristrips()[:14]
    text = (
        '<VTKFile type="PolyData" byte_order="LittleEndian"><PolyData>'
        '<Piece NumberOfPoints="63" NumberOfPolys="2" NumberOfStrips="1">'
        f'<Points><DataArray type="Float64" NumberOfComponents="3" format="ascii">{rows(POINTS)}</DataArray></Points>'
        '<Polys><DataArray type="Int64" Name="connectivity" format="ascii">7 8 15 0 1</DataArray>'
        '<DataArray type="Int64" Name="offsets" format="ascii">3 5</DataArray></Polys>'
        f'<Strips><DataArray type="Int64" Name="connectivity" format="ascii">{" ".join(map(str, strip))}</DataArray>'
        '<DataArray type="Int64" Name="offsets" format="ascii">14</DataArray></Strips></Piece></PolyData></VTKFile>'
    )
    scan = read_scan(save(tmp_path, "a.vtp", text))
    a, b, c = (scan.vertices[scan.faces[:, k]] for k in range(3))
    assert len(scan.faces) == 13 and (np.cross(b - a, c - a)[:, 2] > 0).all()
    assert scan.notes == ("1 faces of 1 or 2 corners are no surface and were left out",)
