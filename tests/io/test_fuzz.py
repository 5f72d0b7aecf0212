"""Damaged files of every format: whatever the damage, the reader says so or reads a valid mesh."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from limited_reading import read_limited
from test_clouds import lzf, vtk
from test_gltf import Glb

from face3d.io import write_scan
from face3d.scan import FaceScan

#: What a mutation may put in place of a number or a few bytes: the values at which readers go wrong.
_WORDS = (
    b"-1",
    b"0",
    b"4294967295",
    b"2147483648",
    b"99999999999999999999",
    b"nan",
    b"inf",
    b"1e999",
    b"-",
    b"",
    b"\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\0",
    b"../../x",
    b"<",
    b"]",
    b'"',
    b"{",
    b"\n",
    b" ",
    b"\r",
    b"/",
)


def seeds(folder: Path) -> dict[str, bytes]:
    """One small valid file of every format."""
    x, y = np.meshgrid(np.arange(5.0) * 40, np.arange(5.0) * 40)
    points = np.column_stack([x.ravel(), y.ravel(), (x * y).ravel() / 400])
    at = np.arange(25).reshape(5, 5)
    quads = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], -1).reshape(-1, 4)
    faces = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])
    scan = FaceScan(points, faces, {"prn": points[12]}, np.full((25, 3), 200, np.uint8))
    out = {}
    for suffix in (".ply", ".obj", ".stl", ".off", ".npz", ".ply.gz"):
        out[suffix] = write_scan(folder / f"seed{suffix}", scan).read_bytes()
    rows = "".join(f"{a} {b} {c}\n" for a, b, c in points.tolist())
    out["_ascii.ply"] = (
        "ply\nformat ascii 1.0\nelement vertex 25\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {len(quads)}\nproperty list uchar int vertex_indices\nend_header\n{rows}"
        + "".join(f"4 {a} {b} {c} {d}\n" for a, b, c, d in quads.tolist())
    ).encode()
    mixed = b"".join(struct.pack("<B4i", 4, *q) for q in quads.tolist()) + struct.pack("<B3i", 3, 0, 1, 2)
    out["_mixed.ply"] = (
        b"ply\nformat binary_little_endian 1.0\nelement vertex 25\nproperty float x\nproperty float y\n"
        b"property float z\nelement face 17\nproperty list uchar int vertex_indices\nend_header\n"
        + points.astype("<f4").tobytes()
        + mixed
    )
    out["_uv.obj"] = (
        "mtllib a.mtl\n"
        + "".join(f"v {r}\n" for r in rows.splitlines())
        + "vt 0 0\nvt 1 0\nvt 1 1 # corner\n"
        + "".join(f"f {a + 1}/1/1 {b + 1}/2/1 {c - 25}/3/1\n" for a, b, c in faces.tolist())
    ).encode()
    facet = "facet normal 0 0 1\nouter loop\n{}endloop\nendfacet\n"
    corners = ("".join(f"vertex {a} {b} {c}\n" for a, b, c in points[f].tolist()) for f in faces)
    out["_ascii.stl"] = ("solid a\n" + "".join(facet.format(c) for c in corners) + "endsolid a\n").encode()
    binary = points.astype("<f4").tobytes() + faces.astype("<u2").tobytes()
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 0, 0, 1]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 25, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": faces.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": 300},
            {"buffer": 0, "byteOffset": 300, "byteLength": 2 * faces.size},
        ],
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    out[".glb"] = b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks
    document["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    out[".gltf"] = json.dumps(document).encode()
    arrays = [points.astype("<f4").tobytes(), faces.astype("<i4").tobytes(), np.arange(3, 97, 3, dtype="<i4").tobytes()]
    stored = [struct.pack("<I", len(a)) + a for a in arrays]
    offset = np.cumsum([0, *map(len, stored)]).tolist()
    coded = base64.b64encode(stored[2]).decode()
    head = (
        '<VTKFile type="PolyData" byte_order="LittleEndian"><PolyData>'
        f'<Piece NumberOfPoints="25" NumberOfPolys="{len(faces)}"><Points>'
        f'<DataArray type="Float32" NumberOfComponents="3" format="appended" offset="{offset[0]}"/></Points><Polys>'
        f'<DataArray type="Int32" Name="connectivity" format="appended" offset="{offset[1]}"/>'
        f'<DataArray type="Int32" Name="offsets" format="binary">{coded}</DataArray>'
        '</Polys></Piece></PolyData><AppendedData encoding="raw">_'
    )
    out[".vtp"] = head.encode() + b"".join(stored[:2]) + b"</AppendedData></VTKFile>"
    return out | dialects(points, faces)


def dialects(points: np.ndarray, faces: np.ndarray) -> dict[str, bytes]:
    """The same sheet in what other programs write; the names of clouds end with that of a cloud's format."""
    out: dict[str, bytes] = {}
    shades = np.arange(75).reshape(25, 3)
    rows = "".join(
        f"{a};{b};{c};{r};{g};{k}\n" for (a, b, c), (r, g, k) in zip(points.tolist(), shades.tolist(), strict=True)
    )
    out[".xyz"] = ("x;y;z;r;g;b\n" + rows.replace(".", ",")).encode()
    out[".pts"] = ("25\n" + rows.replace(";", " ")).encode()
    record = np.zeros(25, [("p", "<f4", (3,)), ("rgb", "<u4")])
    record["p"], record["rgb"] = points, np.arange(25)
    record["p"][7] = np.nan
    head = "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\n"
    head += "WIDTH 5\nHEIGHT 5\nPOINTS 25\nDATA "
    out[".pcd"] = (head + "ascii\n" + "".join(f"{a} {b} {c} 7\n" for a, b, c in points.tolist())).encode()
    out["_binary.pcd"] = (head + "binary\n").encode() + record.tobytes()
    apart = np.ascontiguousarray(record["p"].T).tobytes() + record["rgb"].tobytes()
    packed = lzf(apart)
    out["_packed.pcd"] = (head + "binary_compressed\n").encode() + struct.pack("<II", len(packed), len(apart)) + packed
    polygons = np.column_stack([np.full(32, 3), faces])
    for name, binary in ((".vtk", False), ("_binary.vtk", True)):
        sections = [
            ("POINTS 25 float", points.astype("f4")),
            ("POLYGONS 32 128", polygons.astype("i4")),
            ("POINT_DATA 25\nSCALARS rgb unsigned_char 3\nLOOKUP_TABLE default", shades.astype("u1")),
        ]
        out[name] = vtk(binary, sections)
    corners = faces.ravel().astype("i8")
    ends = np.arange(0, 97, 3)
    out["_5.vtk"] = vtk(
        True,
        [
            ("POINTS 25 double", points),
            (f"POLYGONS {len(ends)} {len(corners)}\nOFFSETS vtktypeint64", ends),
            ("CONNECTIVITY vtktypeint64", corners),
        ],
    )
    xyz = "property float x\nproperty float y\nproperty float z\n"
    at = np.arange(25).reshape(5, 5)
    strips = [i for row in range(4) for i in (*np.column_stack([at[row + 1], at[row]]).ravel().tolist(), -1)]
    out["_strips.ply"] = (
        (
            f"ply\nformat binary_little_endian 1.0\nelement vertex 25\n{xyz}element tristrips 1\n"
            "property list int int vertex_indices\nend_header\n"
        ).encode()
        + points.astype("<f4").tobytes()
        + np.array([len(strips), *strips], "<i4").tobytes()
    )
    lists = "property list uchar uint seen\nproperty uchar red\nproperty uchar green\nproperty uchar blue\n"
    out["_cloud.ply"] = (
        f"ply\nformat binary_big_endian 1.0\nelement vertex 25\n{xyz}{lists}end_header\n".encode()
        + b"".join(struct.pack(f">3fB{i}I3B", *p, i, *range(i), 1, 2, 3) for i, p in enumerate(points.tolist()))
    )
    words = " ".join(f"{a} {b} {c}" for a, b, c in points.tolist()).split()
    words += " ".join(f"3 {a} {b} {c}" for a, b, c in faces.tolist()).split()
    out["_wrapped.ply"] = (
        f"ply \nformat ascii 1.0\nelement vertex 25\n{xyz}element face 32\n"
        "property list uchar int vertex_indices\nend_header\n"
        + "".join(" ".join(words[i : i + 10]) + "\n" for i in range(0, len(words), 10))
    ).encode()
    facets = ("".join(f" vertex {a} {b} {c}" for a, b, c in points[f].tolist()) for f in faces)
    out["_lines.stl"] = (
        "\nsolid a\n" + "".join(f"facet normal 0 0 1 outer loop{c}\n" for c in facets) + "endsolid\n"
    ).encode()
    rgba = "".join(f"v {a} {b} {c} .1 .2 .3 1\n" for a, b, c in points.tolist())
    corner = "".join(f"f {a}/0 {b}/9 {c}\n" for a, b, c in (faces + 1).tolist())
    out["_odd.obj"] = f"mtllib a.mtl\n{rgba}v nan nan nan\n{corner}f 1 2\n\0\x1a".encode()
    out["_skin.glb"] = rigged(points, faces)
    return out


def rigged(points: np.ndarray, faces: np.ndarray) -> bytes:
    """A GLB file with all that shapes a mesh: a sparse accessor, a morph target, and a skin of two joints."""
    file = Glb(points, faces)
    document = file.document
    document["accessors"][0]["sparse"] = {
        "count": 2,
        "indices": {"bufferView": file.view(np.array([1, 3]), "u1"), "componentType": 5121},
        "values": {"bufferView": file.view(points[[1, 3]] + 1, "f4")},
    }
    file.primitive["targets"] = [{"POSITION": file.add(points * 0.1, "f4")}]
    document["meshes"][0]["weights"] = [0.5]
    document["nodes"] = [{"mesh": 0, "skin": 0}, {"scale": [2, 2, 2]}, {"translation": [0, 0, 4]}]
    document["scenes"] = [{"nodes": [0, 1, 2]}]
    inverse = np.tile(np.eye(4).ravel(), (2, 1))
    document["skins"] = [{"joints": [1, 2], "inverseBindMatrices": file.add(inverse, "f4")}]
    file.primitive["attributes"] |= {
        "JOINTS_0": file.add(np.tile([0, 1, 0, 0], (25, 1)), "u1"),
        "WEIGHTS_0": file.add(np.tile([0.5, 0.5, 0, 0], (25, 1)), "f4"),
    }
    return file.data()


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` with one to three faults: a byte, a word, a number, a piece lost, doubled or moved, an end cut off."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        if not out:
            break
        # Half of the faults where the counts and types stand.
        at = int(rng.integers(len(out) if rng.random() < 0.5 else min(len(out), 200)))
        end = at + int(rng.integers(1, 40))
        match rng.integers(7):
            case 0:
                out[at] = rng.integers(256)
            case 1:
                out[at] ^= 1 << rng.integers(8)
            case 2:
                del out[at:end]
            case 3:
                out[at:at] = out[at:end] * int(rng.integers(1, 4))
            case 4:
                out[at:end] = _WORDS[rng.integers(len(_WORDS))]
            case 5:
                digits = [i for i in range(at, min(end, len(out))) if 48 <= out[i] < 58]
                if digits:
                    out[digits[0] : digits[-1] + 1] = _WORDS[rng.integers(8)]
            case 6:
                del out[at:]
    return bytes(out)


def check_damaged(folder: Path, each: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    files, texture = seeds(folder), folder / "damaged"
    texture.mkdir()
    whole = [folder / f"whole{name}" for name in files]
    for path, data in zip(whole, files.values(), strict=True):
        path.write_bytes(data)
    for o in read_limited(whole, texture=False):
        cloud = o.path.suffix in (".xyz", ".pts", ".pcd") or "cloud" in o.path.name
        assert o.vertices and o.faces == (0 if cloud else 32 + ("mixed" in o.path.name)), o
    paths = []
    for name, data in files.items():
        for i in range(each):
            path = texture / f"{i}{name}"
            path.write_bytes(mutated(data, rng))
            paths.append(path)
    outcomes = read_limited(paths)
    bad = [o for o in outcomes if o.defect or (o.error and o.error != "ScanError")]
    assert not bad, bad[:3]
    led_out = [o for o in outcomes if any(not Path(p).resolve().is_relative_to(texture.resolve()) for p in o.opened)]
    assert not led_out, led_out[:3]
    # Not everything is refused: a fault in a comment or a last digit leaves a valid file. And most faults are found.
    refused = np.mean([bool(o.error) for o in outcomes])
    assert 0.4 < refused < 0.99


def test_damaged_files(tmp_path):
    check_damaged(tmp_path, each=40, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_damaged_files_wide(tmp_path, seed):
    check_damaged(tmp_path, each=400, seed=seed)
