"""Scans through files: order, number and coordinates of the vertices come back as they went out, in every format."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from face3d.errors import LandmarkError, ScanError
from face3d.io import read_scan, write_scan
from face3d.scan import FaceScan, Texture

EXACT = (".ply", ".obj", ".off", ".npz")  # double precision
SQUARE = np.array([[0.0, 0, 0], [100, 0, 0], [100, 100, 0], [0, 100, 0]])


@st.composite
def scans(draw: st.DrawFn) -> FaceScan:
    """Any points, any triangles of them (also degenerate and doubled), colours or not; at most a kilometre away."""
    n = draw(st.integers(1, 40))
    vertices = draw(hnp.arrays(np.float64, (n, 3), elements=st.floats(-9e5, 9e5)))
    faces = draw(hnp.arrays(np.int64, (draw(st.integers(0, 30)), 3), elements=st.integers(0, n - 1)))
    colors = draw(st.none() | hnp.arrays(np.uint8, (n, 3)))
    return FaceScan(vertices, faces, colors=colors)


def check_round_trip(scan: FaceScan, folder: Path, suffix: str) -> None:
    back = read_scan(write_scan(folder / f"scan{suffix}", scan), units="mm")
    assert np.array_equal(back.vertices, scan.vertices) and np.array_equal(back.faces, scan.faces)
    assert (scan.colors is None and back.colors is None) or np.array_equal(back.colors, scan.colors)


#: Nearly black: 1 is a 255th here, and not white.
DARK = FaceScan(np.zeros((1, 3)), np.zeros((0, 3), np.int64), colors=np.ones((1, 3), np.uint8))


@given(scans(), st.sampled_from(EXACT), st.booleans())
@example(DARK, ".off", False)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(tmp_path, scan, suffix, packed):
    check_round_trip(scan, tmp_path, suffix + ".gz" * packed)


@pytest.mark.slow
@given(scans(), st.sampled_from(EXACT), st.booleans())
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip_wide(tmp_path, scan, suffix, packed):
    check_round_trip(scan, tmp_path, suffix + ".gz" * packed)


@given(scans())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stl_keeps_the_triangles(tmp_path, scan):
    if not len(scan.faces):
        with pytest.raises(ScanError, match="point cloud"):
            write_scan(tmp_path / "scan.stl", scan)
        return
    back = read_scan(write_scan(tmp_path / "scan.stl", scan), units="mm")
    assert np.array_equal(back.faces.ravel(), np.arange(3 * len(scan.faces)))
    # Single precision: half a unit in the last of 24 bits.
    corners = scan.vertices[scan.faces].reshape(-1, 3)
    assert np.abs(back.vertices - corners).max() <= np.abs(corners).max() * 2.0**-24 + 1e-37


def test_properties_keep_nan(tmp_path):
    scan = FaceScan(SQUARE, [[0, 1, 2]])
    path = write_scan(tmp_path / "map.ply", scan, {"asymmetry_mm": [0.125, np.nan, -3.0, 1e-9]})
    data = path.read_bytes()
    head, body = data.split(b"end_header\n", 1)
    assert b"property double asymmetry_mm" in head and b"comment" not in head
    rows = np.frombuffer(body, "<f8", 16).reshape(4, 4)
    assert np.array_equal(rows[:, :3], SQUARE)
    assert np.array_equal(rows[:, 3], [0.125, np.nan, -3.0, 1e-9], equal_nan=True)
    assert np.array_equal(read_scan(path, units="mm").vertices, SQUARE)
    with pytest.raises(ScanError, match=r"only \.ply"):
        write_scan(tmp_path / "map.obj", scan, {"a": np.zeros(4)})
    with pytest.raises(ScanError, match="shape"):
        write_scan(tmp_path / "map.ply", scan, {"a": np.zeros(3)})
    with pytest.raises(ScanError, match="cannot name"):
        write_scan(tmp_path / "map.ply", scan, {"a\nelement": np.zeros(4)})


def test_writing_leaves_nothing_half_done(tmp_path):
    scan = FaceScan(SQUARE, [[0, 1, 2]], name="Jane Doe")
    for suffix in (".ply", ".obj", ".stl", ".off", ".npz", ".ply.gz"):
        first = write_scan(tmp_path / f"a{suffix}", scan).read_bytes()
        assert write_scan(tmp_path / f"b{suffix}", scan).read_bytes() == first
        assert b"Jane" not in first
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    with pytest.raises(ScanError, match="cannot be written"):
        write_scan(tmp_path / "missing" / "a.ply", scan)
    with pytest.raises(ScanError, match="use one of"):
        write_scan(tmp_path / "a.fbx", scan)


def test_npz_keeps_landmarks_and_texture(tmp_path):
    texture = Texture(np.arange(24, dtype=np.uint8).reshape(2, 4, 3), np.linspace(0, 1, 6).reshape(1, 3, 2))
    scan = FaceScan(SQUARE, [[0, 1, 2]], {"en_left": [1.0, 2, 3], "prn": [4.0, 5, 6]}, texture=texture)
    path = write_scan(tmp_path / "a.npz", scan)
    back = read_scan(path, texture=True)
    assert back.texture is not None
    assert np.array_equal(back.texture.image, texture.image) and np.array_equal(back.texture.uv, texture.uv)
    assert {k: v.tolist() for k, v in back.landmarks.items()} == {"en_left": [1, 2, 3], "prn": [4, 5, 6]}
    assert read_scan(path).texture is None
    with pytest.raises(ScanError, match="always in mm"):
        read_scan(path, units="m")


# ------------------------------------------------------------------------------------------------ formats by hand


def save(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_obj_statements(tmp_path):
    """Polygons, indices from the end, comments, continued lines, tabs, groups; vertices as the file orders them."""
    text = (
        "# a head\r\nmtllib none.mtl\r\no head\r\nv\t100 0 0 # first\r\n  v 0 0 0\r\nv 0 100 \\\r\n0\r\nvn 0 0 1\r\n"
        "g skin\r\nusemtl m\r\ns off\r\nf -1//1 1//1 2//1\r\n\r\nv 100 100 0\r\nv 50 150 0\r\n"
        "f 1/1/1 2/2/1 3/3/1 5/4/1\r\nf -1 -2 -5\r\n"
    )
    scan = read_scan(save(tmp_path, "a.obj", text))
    assert scan.vertices[:, :2].tolist() == [[100, 0], [0, 0], [0, 100], [100, 100], [50, 150]]
    assert scan.faces.tolist() == [[2, 0, 1], [0, 1, 2], [0, 2, 4], [4, 3, 0]]


def test_obj_colors(tmp_path):
    scan = read_scan(save(tmp_path, "a.obj", "v 0 0 0 0 0.5 1\nv 100 0 0 1 1 1\n"))
    assert scan.colors is not None and scan.colors.tolist() == [[0, 128, 255], [255, 255, 255]]
    assert not len(scan.faces)


def test_obj_texture_by_corner(tmp_path):
    from PIL import Image

    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Image.fromarray(image).save(tmp_path / "skin of a face.png")
    save(tmp_path, "a.mtl", "newmtl m\nmap_Kd skin of a face.png\n")
    text = "mtllib a.mtl\nv 0 0 0\nv 100 0 0\nv 100 100 0\nv 0 100 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt .5 .5\n"
    text += "f 1/1 2/2 3/3 4/4\n"
    path = save(tmp_path, "a.obj", text)
    scan = read_scan(path, texture=True)
    assert scan.texture is not None and np.array_equal(scan.texture.image, image)
    assert scan.texture.uv.tolist() == [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0.5, 0.5]]]
    assert read_scan(path).texture is None
    (tmp_path / "a.mtl").unlink()
    with pytest.raises(ScanError, match="no such file"):
        read_scan(path, texture=True)


@pytest.mark.parametrize("order", ["<", ">"])
def test_ply_binary_with_mixed_polygons_and_other_elements(tmp_path, order):
    fmt = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    head = (
        f"ply\nformat {fmt} 1.0\ncomment made by hand\nelement camera 1\nproperty float f\nelement vertex 5\n"
        "property double x\nproperty uchar red\nproperty uchar green\nproperty uchar blue\nproperty float y\n"
        "property short z\nelement face 3\nproperty uchar flags\nproperty list uchar uint vertex_indices\n"
        "property float quality\n"
        "element edge 1\nproperty int vertex1\nproperty int vertex2\nend_header\n"
    )
    body = struct.pack(order + "f", 1.5)
    points = [(0, 0, 0), (100, 0, 0), (100, 100, 0), (0, 100, 7), (50, 150, -9)]
    for i, (x, y, z) in enumerate(points):
        body += struct.pack(order + "d3Bfh", x, i, 2 * i, 3 * i, y, z)
    for polygon in ([0, 1, 2], [0, 2, 3, 4], [0, 1, 4]):
        body += struct.pack(f"{order}BB{len(polygon)}If", 9, len(polygon), *polygon, 0.5)
    body += struct.pack(order + "2i", 0, 1)
    scan = read_scan(save(tmp_path, "a.ply", head.encode() + body))
    assert scan.vertices.tolist() == [list(map(float, p)) for p in points]
    assert scan.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 1, 4]]
    assert scan.colors is not None and scan.colors[4].tolist() == [4, 8, 12]
    with pytest.raises(ScanError, match="ends inside record 2 of 'face'"):
        read_scan(save(tmp_path, "b.ply", head.encode() + body[:-9]))


def test_ply_ascii(tmp_path):
    head = (
        "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 2\nproperty list uchar int vertex_index\nproperty list uchar float texcoord\nend_header\n"
    )
    rows = "0 0 0\n100 0 0\n100 100 0\n0 100 0\n4 0 1 2 3 8 0 0 1 0 1 1 0 1\n3 0 1 2 6 0 0 1 0 1 1\n"
    scan = read_scan(save(tmp_path, "a.ply", head + rows))
    assert scan.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]] and np.array_equal(scan.vertices, SQUARE)
    with pytest.raises(ScanError, match="line 14:"):
        read_scan(save(tmp_path, "b.ply", (head + rows).replace("\n0 100 0\n", "\n0 100\n")))
    with pytest.raises(ScanError, match=r"line 13: .* is not all numbers"):
        read_scan(save(tmp_path, "c.ply", (head + rows).replace("100 100 0\n", "100 1oo 0\n")))


def test_stl_ascii(tmp_path):
    facet = " facet normal 0 0 1\n  outer loop\n   vertex {}\n   vertex {}\n   vertex {}\n  endloop\n endfacet\n"
    text = (
        "solid a face\n" + facet.format("0 0 0", "1e2 0 0", "100 100 0") + facet.format("0 0 0", "100 100 0", "0 100 0")
    )
    scan = read_scan(save(tmp_path, "a.stl", text + "endsolid a face\n"))
    assert np.array_equal(scan.vertices, SQUARE[[0, 1, 2, 0, 2, 3]]) and scan.faces.tolist() == [[0, 1, 2], [3, 4, 5]]
    read_scan(save(tmp_path, "b.stl", (text + "endsolid\n").upper()))
    with pytest.raises(ScanError, match="cut short"):
        read_scan(save(tmp_path, "c.stl", text))
    with pytest.raises(ScanError, match=r"line 6: 'endloop' where 'vertex' belongs"):
        read_scan(save(tmp_path, "d.stl", (text + "endsolid\n").replace("   vertex 1e2 0 0\n", "")))


@pytest.mark.parametrize(
    "head", ["OFF\n4 1 0\n", "# made by hand\nOFF 4 1 0\n", "OFF4 1 0\n", "OFF\n# counts\n\n4 1 4\n"]
)
def test_off(tmp_path, head):
    rows = "0 0 0\n100 0 0\n100 100 0\n0 100 0\n4 0 1 2 3 255 0 0\n"
    scan = read_scan(save(tmp_path, "a.off", head + rows))
    assert np.array_equal(scan.vertices, SQUARE) and scan.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    with pytest.raises(ScanError, match="lines follow"):
        read_scan(save(tmp_path, "b.off", head + rows[:-20]))


def glb(document: dict, binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


def test_gltf_nodes_strips_and_mirrors(tmp_path):
    """Two placings of one square: one moved and turned by 90 degrees about z, one mirrored, whose winding follows."""
    binary = SQUARE[[0, 1, 3, 2]].astype("<f4").tobytes() + np.array([0, 1, 2, 3], "<u2").tobytes()
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0, 2]}],
        "nodes": [
            {"translation": [0, 0, 10], "children": [1]},
            {"mesh": 0, "rotation": [0, 0, 0.5**0.5, 0.5**0.5]},
            {"mesh": 0, "scale": [-1, 1, 1]},
        ],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "mode": 5}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 4, "type": "SCALAR"},
        ],
        "bufferViews": [{"buffer": 0, "byteLength": 48}, {"buffer": 0, "byteOffset": 48, "byteLength": 8}],
        "buffers": [{"byteLength": 56}],
    }
    scan = read_scan(save(tmp_path, "a.glb", glb(document, binary)))
    assert np.allclose(scan.vertices[:4], [[0, 0, 10], [0, 100, 10], [-100, 0, 10], [-100, 100, 10]], atol=1e-9)
    assert np.allclose(scan.vertices[4:], [[0, 0, 0], [-100, 0, 0], [0, 100, 0], [-100, 100, 0]], atol=1e-9)
    a, b, c = (scan.vertices[scan.faces[:, i]] for i in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()
    beside = document | {"buffers": [{"byteLength": 56, "uri": "a%20b.bin"}]}
    save(tmp_path, "a b.bin", binary)
    again = read_scan(save(tmp_path, "a.gltf", json.dumps(beside)))
    assert np.array_equal(again.vertices, scan.vertices) and np.array_equal(again.faces, scan.faces)


def vtp_array(values: np.ndarray, kind: str, name: str, form: str, compressor: str, appended: list[bytes]) -> str:
    raw = values.tobytes()
    width = f' NumberOfComponents="{values.shape[1]}"' if values.ndim > 1 else ""
    open_tag = f'<DataArray type="{kind}" Name="{name}"{width}'
    if form == "ascii":
        return f'{open_tag} format="ascii">{" ".join(map(repr, values.ravel().tolist()))}</DataArray>'
    if compressor:
        pack = zlib.compress if "ZLib" in compressor else lzma.compress
        pieces = [raw[i : i + 40] for i in range(0, len(raw), 40)]
        packed = [pack(p) for p in pieces]
        last = len(raw) % 40
        head = struct.pack(f"<{3 + len(packed)}Q", len(packed), 40, last, *map(len, packed))
        parts = [head, b"".join(packed)]
    else:
        parts = [struct.pack("<Q", len(raw)) + raw]
    if form == "appended":
        offset = sum(map(len, appended))
        appended.append(b"".join(parts))
        return f'{open_tag} format="appended" offset="{offset}"/>'
    text = "".join(base64.b64encode(p).decode() for p in parts)
    return f'{open_tag} format="binary">{text}</DataArray>'


@pytest.mark.parametrize("form", ["ascii", "binary", "appended"])
@pytest.mark.parametrize("compressor", ["", "vtkZLibDataCompressor", "vtkLZMADataCompressor"])
def test_vtp(tmp_path, form, compressor):
    appended: list[bytes] = []
    arrays = [
        vtp_array(v, kind, name, form, compressor, appended)
        for v, kind, name in (
            (np.arange(12, dtype=np.uint8).reshape(4, 3), "UInt8", "RGB"),
            (SQUARE.astype("<f4"), "Float32", "Points"),
            (np.array([0, 1, 2, 3, 0, 2, 3], "<i8"), "Int64", "connectivity"),
            (np.array([4, 7], "<i8"), "Int64", "offsets"),
        )
    ]
    tail = b'<AppendedData encoding="raw">_' + b"".join(appended) + b"</AppendedData>" if appended else b""
    attribute = f' compressor="{compressor}"' if compressor else ""
    text = (
        '<?xml version="1.0"?><VTKFile type="PolyData" version="1.0" byte_order="LittleEndian" header_type="UInt64"'
        f"{attribute}>"
        '<PolyData><Piece NumberOfPoints="4" NumberOfPolys="2">'
        f"<PointData>{arrays[0]}</PointData><Points>{arrays[1]}</Points><Polys>{arrays[2]}{arrays[3]}</Polys>"
        "</Piece></PolyData>"
    )
    scan = read_scan(save(tmp_path, "a.vtp", text.encode() + tail + b"</VTKFile>"))
    assert np.array_equal(scan.vertices, SQUARE) and scan.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 2, 3]]
    assert scan.colors is not None and scan.colors.tolist() == np.arange(12).reshape(4, 3).tolist()


def test_content_decides_the_format(tmp_path):
    scan = FaceScan(SQUARE, [[0, 1, 2], [0, 2, 3]])
    for suffix in (".ply", ".off", ".npz"):
        data = write_scan(tmp_path / f"right{suffix}", scan).read_bytes()
        for name in ("wrong.obj", "wrong.stl", "wrong"):
            assert np.array_equal(read_scan(save(tmp_path, name, data), units="mm").vertices, SQUARE)
    packed = gzip.compress(write_scan(tmp_path / "right.ply", scan).read_bytes())
    assert np.array_equal(read_scan(save(tmp_path, "packed.ply", packed), units="mm").vertices, SQUARE)


# --------------------------------------------------------------------------------------------------------- units


@pytest.mark.parametrize(("factor", "unit"), [(1.0, "mm"), (0.1, "cm"), (0.001, "m")])
def test_units_of_real_scans(shared, tmp_path, factor, unit):
    paths = sorted((shared / "scans").glob("*.obj"))
    assert paths
    for path in paths:
        scan = read_scan(path)
        assert scan.units_note.startswith("mm: inferred")
        far = scan.vertices.copy()
        far[:: len(far) // 20] += 3000.0  # some of the points are strays, metres away
        for vertices in (scan.vertices, far):
            written = write_scan(tmp_path / "scaled.ply", FaceScan(vertices * factor, scan.faces))
            back = read_scan(written)
            assert back.units_note.startswith(f"{unit}: inferred"), (path.name, back.units_note)
            assert np.allclose(back.vertices, vertices, rtol=1e-12, atol=1e-9)


def test_units_given_and_ambiguous(tmp_path):
    path = write_scan(tmp_path / "a.ply", FaceScan(SQUARE * 0.05))  # 5 across: no face in any unit
    with pytest.raises(ScanError, match="units='mm'"):
        read_scan(path)
    assert np.allclose(read_scan(path, units="cm").vertices, SQUARE * 0.5)
    assert read_scan(path, units="m").units_note == "m: as given"
    for units, factor in (("in", 25.4), (25.4, 25.4), ("25.4", 25.4), (7, 7.0)):
        assert np.allclose(read_scan(path, units=units).vertices, SQUARE * 0.05 * factor)
    assert read_scan(path, units=25.4).units_note == "25.4: as given, the millimetres in one unit of the file"
    for units in ("inch", 0, -1.0, np.nan, "inf", ""):
        with pytest.raises(ScanError, match="not known"):
            read_scan(path, units=units)


def test_landmarks_take_the_scan_s_unit(tmp_path):
    path = write_scan(tmp_path / "a.ply", FaceScan(SQUARE / 1000))
    scan = read_scan(path, landmarks={"enL": [0.1, 0, 0], "Pronasale": [0.1, 0.1, 0]})
    assert {k: v.round(9).tolist() for k, v in scan.landmarks.items()} == {"en_left": [100, 0, 0], "prn": [100, 100, 0]}
    (tmp_path / "a.csv").write_text("name,x,y,z\nex_r,0,0.1,0\n")
    assert read_scan(path, landmarks=tmp_path / "a.csv").landmarks["ex_right"].round(9).tolist() == [0, 100, 0]
    with pytest.raises(LandmarkError, match="another unit"):
        read_scan(path, landmarks={"prn": [100.0, 100.0, 0.0]})
