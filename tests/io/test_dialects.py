"""Scan files as other programs write them: the geometry is whole, so it is read, and what is left out is said.

What a cut file looks like, or a count that is wrong, stays an error beside each.
"""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image
from sheet_files import (
    AT,
    BINARY_PLY,
    BINARY_STL,
    F_VT,
    FACES,
    OFF,
    PLY,
    POINTS,
    ROWS,
    STL,
    TRIANGLES,
    VT,
    F,
    V,
    check,
    header,
    save,
)

from face3d.errors import ScanError
from face3d.io import read_scan
from face3d.io.raw import strips


@pytest.mark.parametrize("tail", [b"\0", b"\x1a", b"\x1a\0\0\0", b"\0" * 5000, b"\xff" * 512, b"\r\n\x1a\r\n"])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.obj", V + F),
        ("a.ply", PLY),
        ("b.ply", BINARY_PLY),
        ("a.stl", STL + "endsolid\n"),
        ("b.stl", BINARY_STL),
        ("a.off", OFF),
    ],
)
def test_padding_behind_the_end(tmp_path, name, data, tail):
    data = data.encode() if isinstance(data, str) else data
    check(save(tmp_path, name, data + tail), "behind the")
    check(save(tmp_path, name, data.rstrip(b"\n") + tail), "behind the")
    check(save(tmp_path, name, data))


def test_a_few_bytes_behind_the_last_record(tmp_path):
    """Fewer than one record are not content; as many as one may be, and then the count is wrong."""
    check(save(tmp_path, "a.ply", BINARY_PLY + b"\x01\x02\x03\x04"), "4 bytes")
    check(save(tmp_path, "a.ply", BINARY_PLY + b"end."), "4 bytes behind the last record")
    check(save(tmp_path, "a.stl", BINARY_STL + b"made by hand"), "12 bytes behind the last triangle")
    for name, data in (("a.ply", BINARY_PLY + b"thirteen more"), ("a.stl", BINARY_STL + b"x" * 50)):
        with pytest.raises(ScanError, match=r"left after the last|declares 96 triangles"):
            read_scan(save(tmp_path, name, data))
    for name, data in (("a.ply", BINARY_PLY[:-1]), ("a.stl", BINARY_STL[:-1])):
        with pytest.raises(ScanError, match=r"cut short|ends inside"):
            read_scan(save(tmp_path, name, data))


def test_what_is_no_padding_stays_an_error(tmp_path):
    for name, data in (
        ("a.obj", V + "\0" + F),
        ("a.ply", PLY.replace("\n3 ", "\n\0003 ", 1)),
        ("a.off", OFF + "1 2 3\n"),
    ):
        with pytest.raises(ScanError):
            read_scan(save(tmp_path, name, data))


# --------------------------------------------------------------------------------------------------------------- OBJ


@pytest.mark.parametrize("stray", ["f 1 2\n", "f 5\n", "f 1/1 2/2\n", "f 1 2\nf 3\nf 4//1 5//2\n"])
def test_obj_faces_of_one_or_two_corners(tmp_path, stray):
    count = stray.count("f ")
    for text in (V + F + stray, V + stray + F):
        check(save(tmp_path, "a.obj", text), f"{count} faces of 1 or 2 corners")
    with pytest.raises(ScanError, match="cut short"):  # the last line, and nothing ends it
        read_scan(save(tmp_path, "a.obj", (V + F + stray).rstrip("\n")))
    with pytest.raises(ScanError, match="0 corners"):
        read_scan(save(tmp_path, "a.obj", V + F + "f\n"))
    with pytest.raises(ScanError, match="refers to vertex 64"):
        read_scan(save(tmp_path, "a.obj", V + F + "f 1 2 64\n"))


def test_obj_of_edges_only_is_a_cloud(tmp_path):
    check(save(tmp_path, "a.obj", V + "f 1 2\nf 2 3\n"), "2 faces of 1 or 2 corners", faces=0)


@pytest.mark.parametrize(
    ("vt", "f"),
    [
        (VT.replace("vt 0.0 1.0", "vt nan nan"), F_VT),
        (VT.replace("vt 0.0 1.0", "vt -nan(ind) -nan(ind)"), F_VT),
        (VT.replace("vt 0.0 1.0", "vt inf 0"), F_VT),
        (VT.replace("vt 0.0 1.0", "vt 0.0 one"), F_VT),
        (VT, F_VT.replace("/1 ", "/0 ")),
        (VT, F_VT.replace("/1 ", "/64 ")),
        (VT, F_VT.replace("/1 ", "/-64 ")),
        (VT, F_VT.replace("/1 ", " ", 1)),
        ("".join(f"vt {i / 63}\n" for i in range(63)), F_VT),
    ],
    ids=[
        "nan",
        "nan of Windows",
        "infinite",
        "no number",
        "index 0",
        "out of range",
        "out of range backwards",
        "on some corners",
        "one number",
    ],
)
def test_obj_texture_that_cannot_be_used(tmp_path, vt, f):
    """Whoever does not ask for the texture is not told; whoever does gets the surface, and the reason."""
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    save(tmp_path, "a.mtl", "newmtl a\nmap_Kd a.png\n")
    path = save(tmp_path, "a.obj", "mtllib a.mtl\n" + V + vt + f)
    check(path)
    check(path, "no texture: ", texture=True)


def test_obj_texture_coordinates_of_mixed_width_are_used(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    save(tmp_path, "a.mtl", "newmtl a\nmap_Kd a.png\n")
    mixed = VT.replace("vt 0.0 1.0\n", "vt 0.0 1.0 0.0\n")
    scan = read_scan(save(tmp_path, "a.obj", "mtllib a.mtl\n" + V + mixed + F_VT + "f 1/1 2/2\n"), texture=True)
    assert scan.texture is not None
    assert np.allclose(scan.texture.uv[..., 0], FACES / 63) and np.allclose(scan.texture.uv[..., 1], 1 - FACES / 63)


RGB = np.column_stack([np.arange(63), 100 + np.arange(63), np.full(63, 7)])


def colored(columns: np.ndarray, pattern: str) -> str:
    rows = np.hstack([POINTS, columns]).tolist()
    return "".join(f"v {x} {y} {z} {pattern % tuple(shade)}\n" for x, y, z, *shade in rows) + F


@pytest.mark.parametrize(
    ("unit", "alpha", "pattern"),
    [
        (1, None, "%d %d %d"),
        (255, None, "%.6f %.6f %.6f"),
        (1, 255, "%d %d %d %d"),
        (255, 1, "%.6f %.6f %.6f %.1f"),
        (1, 1, "%d %d %d %.1f"),
        (255, 0.5, "%.6f %.6f %.6f %.2f"),
    ],
)
def test_obj_colors_with_and_without_alpha(tmp_path, unit, alpha, pattern):
    columns = RGB / unit if alpha is None else np.column_stack([RGB / unit, np.full(63, alpha)])
    scan = read_scan(save(tmp_path, "a.obj", colored(columns, pattern)))
    assert scan.colors is not None and np.array_equal(scan.colors, RGB) and not scan.notes


def test_obj_nearly_black_with_an_alpha_of_255(tmp_path):
    scan = read_scan(save(tmp_path, "a.obj", colored(np.tile([1, 0, 1, 255], (63, 1)), "%d %d %d %d")))
    assert scan.colors is not None and scan.colors.tolist() == [[1, 0, 1]] * 63


@pytest.mark.parametrize("rgb", ["1 0.5 0", "1 0.5 0 1"])
def test_obj_colors_on_some_vertices(tmp_path, rgb):
    lines = V.splitlines()
    text = "\n".join(f"{line} {rgb}" if i < 20 else line for i, line in enumerate(lines)) + "\n" + F
    path = save(tmp_path, "a.obj", text)
    check(path, "colours are given for 20 of 63 vertices only")
    assert read_scan(path).colors is None
    with pytest.raises(ScanError, match=r"line 21: 5 numbers"):
        read_scan(save(tmp_path, "a.obj", "\n".join([*lines[:20], lines[20] + " 1 0", *lines[21:]]) + "\n"))


# --------------------------------------------------------------------------------------------------------------- STL


def test_stl_whose_statements_are_missing_or_share_lines(tmp_path):
    end = "endsolid a face\n"
    check(save(tmp_path, "a.stl", STL + end))
    check(save(tmp_path, "a.stl", "\n" + STL + end))
    check(save(tmp_path, "a.stl", "\r\n \r\n" + (STL + end).replace("\n", "\r\n")))
    check(save(tmp_path, "a.stl", (STL + end).replace(" endloop\nendfacet", " endloop")), "endfacet are missing")
    check(save(tmp_path, "a.stl", (STL + end).replace(" endloop\nendfacet\n", "")), "endloop, endfacet are missing")
    check(save(tmp_path, "a.stl", (STL + end).replace(" outer loop\n", "")), "outer are missing")
    one_line = (STL + end).replace("\n ", " ").replace("\nendfacet", " endfacet")
    assert one_line.count("\n") == len(FACES) + 2
    check(save(tmp_path, "a.stl", one_line))
    check(save(tmp_path, "a.stl", one_line.replace("endfacet\nendsolid", "endfacet endsolid")))
    check(save(tmp_path, "a.stl", (STL + end).replace("1\n outer loop", "1 outer loop")))
    check(save(tmp_path, "a.stl", (STL + end).replace("endloop\nendfacet", "endloop endfacet")))
    check(save(tmp_path, "a.stl", (STL + end).replace("\n  ", " ").replace("loop vertex", "loop\nvertex").upper()))


def test_stl_that_is_cut_or_wrong_stays_an_error(tmp_path):
    for text, said in (
        (STL, "cut short"),
        (STL.replace(" endloop\nendfacet\n", ""), "cut short"),
        (STL[: STL.rindex("  vertex")] + "endsolid\n", "not complete"),
        (STL.replace("  vertex", "  vertx", 1) + "endsolid\n", "line 4: 'vertx .*' where 'vertex' belongs"),
        (STL.replace("facet normal", "normal", 1) + "endsolid\n", "line 2: .* where 'facet' belongs"),
        (
            STL.replace(" endloop\n", "  vertex 1 2 3\n endloop\n", 1) + "endsolid\n",
            "line 7: 'vertex 1 2 3' where 'facet'",
        ),
    ):
        with pytest.raises(ScanError, match=said):
            read_scan(save(tmp_path, "a.stl", text))


# --------------------------------------------------------------------------------------------------------------- PLY


@pytest.mark.parametrize("first", ["ply ", "ply\t", "ply \r", "\nply", "PLY", "\ufeffply"])
def test_ply_first_line_with_a_blank(tmp_path, first):
    check(save(tmp_path, "a.ply", PLY.replace("ply", first, 1)))
    check(save(tmp_path, "a.ply", BINARY_PLY.replace(b"ply", first.encode(), 1)))


def test_ply_header_of_other_line_ends(tmp_path):
    """Bare carriage returns, a body whose first byte is a newline; a comment with bytes that Unicode would break."""
    points = POINTS.copy()
    head = header("binary_little_endian", faces=None).replace("\n", "\r").encode()
    body = points.astype("<f4").tobytes()
    body = b"\n" + body[1:]  # the last digits of a number near -80
    assert np.allclose(read_scan(save(tmp_path, "a.ply", head + body)).vertices, points, atol=1e-3)
    check(
        save(
            tmp_path,
            "a.ply",
            BINARY_PLY.replace(b"end_header\n", b"comment \xc3\x85se \xe2\x80\xa8 end_header?\nend_header \r\n"),
        )
    )


def test_ply_lists_beside_the_coordinates_of_vertices(tmp_path):
    """As multi-view programs write which pictures saw a point: lists of equal and of different length."""
    more = "property list uchar uint view_indices\nproperty list uchar float view_weights\n"
    more += "".join(f"property uchar {channel}\n" for channel in ("red", "green", "blue"))
    for views in ([2] * 63, list(range(63))):
        for form, order in (("binary_little_endian", "<"), ("binary_big_endian", ">")):
            body = b"".join(
                struct.pack(f"{order}3fB{n}IB{n}f3B", *p, n, *range(n), n, *np.ones(n), *rgb)
                for p, n, rgb in zip(POINTS.tolist(), views, RGB.tolist(), strict=True)
            )
            scan = read_scan(save(tmp_path, "a.ply", header(form, faces=None, more=more).encode() + body))
            assert (
                np.allclose(scan.vertices, POINTS, atol=1e-5)
                and scan.colors is not None
                and np.array_equal(scan.colors, RGB)
            )
            with pytest.raises(ScanError, match=r"cut short|ends inside"):
                read_scan(save(tmp_path, "a.ply", header(form, faces=None, more=more).encode() + body[:-1]))
        rows = "".join(
            f"{x} {y} {z} {n} {'4 ' * n}{n} {'.5 ' * n}{r} {g} {b}\n"
            for (x, y, z), n, (r, g, b) in zip(POINTS.tolist(), views, RGB.tolist(), strict=True)
        )
        scan = read_scan(save(tmp_path, "a.ply", header("ascii", faces=None, more=more) + rows))
        assert np.allclose(scan.vertices, POINTS) and scan.colors is not None and np.array_equal(scan.colors, RGB)


def reflowed(text: str, width: int) -> str:
    words = text.split()
    return "".join(" ".join(words[i : i + width]) + "\n" for i in range(0, len(words), width))


@pytest.mark.parametrize(
    "body",
    [
        reflowed(ROWS + TRIANGLES, 10),
        reflowed(ROWS + TRIANGLES, 1),
        reflowed(ROWS + TRIANGLES, 10**6),
        reflowed(ROWS, 2) + TRIANGLES,
        ROWS + TRIANGLES.replace("3 ", "3\n"),
        reflowed(ROWS, 7) + reflowed(TRIANGLES, 3),
    ],
    ids=["ten a line", "one a line", "one line", "rows of two", "count apart", "seven and three"],
)
def test_ply_ascii_wrapped_over_lines(tmp_path, body):
    check(save(tmp_path, "a.ply", header("ascii") + body), "wrapped")
    for count in (62, 64):  # a wrong count is no wrapping
        with pytest.raises(ScanError, match="lines follow it"):
            read_scan(save(tmp_path, "a.ply", header("ascii", vertices=count) + body))
    with pytest.raises(ScanError, match="lines follow it"):
        read_scan(save(tmp_path, "a.ply", header("ascii") + body[: body.rindex(" ") if " " in body else -4]))


def test_ply_wrong_count_that_could_be_read_as_wrapped(tmp_path):
    """One vertex is not declared, and its row of whole numbers, with the next one, is a polygon of six."""
    rows = ROWS + "6 0 1\n"
    with pytest.raises(ScanError, match=f"{63 + len(FACES)} records, but {64 + len(FACES)} lines"):
        read_scan(save(tmp_path, "a.ply", header("ascii") + rows + TRIANGLES))


def test_ply_of_polygons_wrapped_alike(tmp_path):
    """Lists of different length are read over lines where each record begins a line and all are wrapped."""
    body = reflowed(ROWS, 3) + "4 0 1\n8 7\n" + "".join(f"3 {a}\n{b} {c}\n" for a, b, c in FACES[1:48].tolist())
    scan = read_scan(save(tmp_path, "a.ply", header("ascii", faces=48) + body))
    assert scan.faces[:2].tolist() == [[0, 1, 8], [0, 8, 7]] and len(scan.faces) == 49
    partly = body.replace(f"3 {FACES[5][0]}\n", f"3 {FACES[5][0]} ", 1)
    with pytest.raises(ScanError, match="lines follow it"):
        read_scan(save(tmp_path, "a.ply", header("ascii", faces=48) + partly))


def tristrips() -> list[int]:
    """The sheet in strips of rows, as laser scanners write them: one list, -1 after each strip."""
    out: list[int] = []
    for row in range(8):
        for column in range(7):
            out += [int(AT[row + 1, column]), int(AT[row, column])]
        out.append(-1)
    return out[:-1]


@pytest.mark.parametrize("form", ["ascii", "binary_big_endian"])
@pytest.mark.parametrize("lists", [1, 8])
def test_ply_triangle_strips(tmp_path, form, lists):
    flat = tristrips()
    parts = [flat] if lists == 1 else [flat[i : i + 14] for i in range(0, len(flat), 15)]
    head = header(form, faces=None, more=f"element tristrips {lists}\nproperty list int int vertex_indices\n")
    body = ROWS + "".join(f"{len(p)} {' '.join(map(str, p))}\n" for p in parts)
    data = body.encode()
    if form != "ascii":
        data = POINTS.astype(">f4").tobytes() + b"".join(struct.pack(f">{len(p) + 1}i", len(p), *p) for p in parts)
    scan = read_scan(save(tmp_path, "a.ply", head.encode() + data))
    assert len(scan.faces) == 96 and not scan.notes
    a, b, c = (scan.vertices[scan.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    assert (normal[:, 2] > 0).all() and normal[:, 2].sum() / 2 == pytest.approx(160 * 200)
    with pytest.raises(ScanError, match="refers to vertex"):
        text = ROWS + "".join(f"{len(p)} {' '.join(map(str, p))}\n" for p in parts)
        bad = header("ascii", faces=None, more=f"element tristrips {lists}\nproperty list int int vertex_indices\n")
        read_scan(save(tmp_path, "a.ply", bad + text.replace(" 62", " 63").replace(" 55\n", " -2\n")))


def test_strips_turn_every_second_triangle_and_drop_joints():
    corners = np.array([0, 1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9])
    assert strips(corners, np.array([9, 0, 3])).tolist() == [[0, 1, 2], [1, 3, 2], [4, 5, 6], [7, 8, 9]]
    assert strips(corners[:5], np.array([1, 2, 2])).shape == (0, 3)


def test_ply_faces_of_one_or_two_corners(tmp_path):
    text = header("ascii", faces=len(FACES) + 2) + ROWS + "2 0 1\n" + TRIANGLES + "1 5\n"
    check(save(tmp_path, "a.ply", text), "2 faces of 1 or 2 corners")
    binary = header("binary_little_endian", faces=len(FACES) + 2).encode() + POINTS.astype("<f4").tobytes()
    for polygon in ([0, 1], *FACES.tolist(), [5]):
        binary += struct.pack(f"<B{len(polygon)}i", len(polygon), *polygon)
    check(save(tmp_path, "a.ply", binary), "2 faces of 1 or 2 corners")
    with pytest.raises(ScanError, match="face 0 has 0 corners"):
        read_scan(save(tmp_path, "a.ply", text.replace("2 0 1\n", "0\n", 1)))


@pytest.mark.parametrize(
    ("kind", "unit"), [("float", 1), ("double", 255), ("float", 255), ("uchar", 1), ("ushort", 1 / 257)]
)
def test_ply_colors_run_as_their_values_say(tmp_path, kind, unit):
    """Floats of 0 to 1 and of 0 to 255, bytes, and sixteen bits."""
    more = "".join(f"property {kind} {channel}\n" for channel in ("red", "green", "blue"))
    shades = RGB / unit
    rows = "".join(
        f"{x} {y} {z} {' '.join(f'{s:.9g}' for s in shade)}\n"
        for (x, y, z), shade in zip(POINTS.tolist(), shades.tolist(), strict=True)
    )
    scan = read_scan(save(tmp_path, "a.ply", header("ascii", faces=None, more=more) + rows))
    assert scan.colors is not None and np.array_equal(scan.colors, RGB)


# --------------------------------------------------------------------------------------------------------------- OFF


@pytest.mark.parametrize("suffix", ["obj", "ply", "stl", "off", "glb", "vtp", "xyz", "pcd"])
def test_faulty_files_of_others(shared, suffix):
    """Whatever holds the sheet of `reading_base` in another dialect holds its points, in their order, where seen."""
    folder = shared / "faults" / "files"
    base = read_scan(folder / "reading_base.obj")
    paths = sorted(p for p in folder.glob(f"*.{suffix}") if "lfs" not in p.name)
    assert paths
    for path in paths:
        scan = read_scan(path)
        expected = base.vertices[base.faces].reshape(-1, 3) if suffix == "stl" else base.vertices.copy()
        if path.name == "glb_sparse.glb":
            expected[3] = (1, 2, 3)
        read = scan.vertices[: len(expected)]
        seen = scan.present[: len(expected)]
        assert np.allclose(read[seen], expected[seen], atol=1e-3), path
        assert seen.sum() == (170 if path.name == "ply_organised_nan.ply" else len(expected)), path
        assert len(scan.faces) in (0, len(base.faces)), path
