"""Broken and hostile files: a valid mesh or a clear ScanError, in bounded time and memory; nothing else is opened."""

import gzip
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from limited_reading import Outcome, read_limited

from face3d.errors import ScanError
from face3d.io import read_scan

#: (V, F) of the files that are valid, though odd; every other one must be refused.
VALID = {
    "00_good.gltf": (4, 4),
    "00_good.obj": (4, 4),
    "00_good.ply": (4, 4),
    "00_good.stl": (12, 4),
    "05_solidheader_binary.stl": (12, 4),
    "11_negative_rel_ok.obj": (4, 2),
    "12_nofaces.obj": (4, 0),
    "13_utf16.obj": (4, 4),
    "13_utf8bom.obj": (4, 4),
    "14_crlf.obj": (4, 4),
    "15_wrongext_ply_as.obj": (4, 4),
    "16_degenerate.obj": (4, 2),
    "16_nonmanifold.obj": (6, 6),
    "21_longline.obj": (4, 1_999_998),
    "22_dup_vertices.obj": (8, 4),
    "22_metres.obj": (4, 4),
}


def check(outcome: Outcome, folder: Path) -> None:
    assert not outcome.defect, outcome
    if outcome.error:
        assert outcome.error == "ScanError" and outcome.message.startswith(str(folder)), outcome
        assert len(outcome.message) < 1000, outcome
    for path in outcome.opened:
        assert Path(path).resolve().is_relative_to(folder.resolve()), outcome


@pytest.mark.parametrize("texture", [False, True])
def test_malformed_files(shared, texture):
    folder = shared / "malformed"
    outcomes = read_limited(sorted(p for p in folder.rglob("*") if p.is_file()), texture=texture)
    for outcome in outcomes:
        check(outcome, folder)
        if outcome.path.name in VALID:
            assert (outcome.vertices, outcome.faces) == VALID[outcome.path.name], outcome
        elif outcome.path.parent == folder:
            assert outcome.error == "ScanError", outcome
        # A picture that leads out of the folder, or is not there, fails only where it is asked for.
        elif outcome.path.suffix == ".obj" and not texture:
            assert not outcome.error and outcome.opened == (str(outcome.path),), outcome


def test_malformed_sizes_are_not_guessed(shared):
    """Without a unit given, the tetrahedra of 1 unit are ambiguous; the one of 0.2 is in metres."""
    folder = shared / "malformed"
    with pytest.raises(ScanError, match="units='mm'"):
        read_scan(folder / "00_good.obj")
    assert read_scan(folder / "22_metres.obj").units_note.startswith("m: inferred")


TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n"


def ply_header(*lines: str) -> bytes:
    return "\n".join(["ply", *lines, "end_header", ""]).encode()


XYZ = ("property float x", "property float y", "property float z")
LITTLE = "format binary_little_endian 1.0"
FACES = "property list uchar int vertex_indices"


THREE = b"POINTS 3 float\n" + bytes(36)
VTK = b"# vtk DataFile Version 4.2\nx\nBINARY\nDATASET POLYDATA\n"


def pcd_header(form: str, points: int, count: int = 1) -> bytes:
    more = f"FIELDS x y z a\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 {count}\n"
    return f"VERSION 0.7\n{more}WIDTH {points}\nHEIGHT 1\nPOINTS {points}\nDATA {form}\n".encode()


def packed_zeros(size: int) -> bytes:
    """LZF of so many zeros: 264 from every three bytes."""
    packed = b"\0\0" + b"\xe0\xff\0" * (size // 264)
    return struct.pack("<II", len(packed), size) + packed


def npy(descr: str, shape: tuple, body: bytes) -> bytes:
    head = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + body


class _Bomb:
    def __reduce__(self):
        return os.mkdir, ("pickle_was_run",)


def write_npz(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, raw in members.items():
            archive.writestr(f"{key}.npy", raw)


def hostile(folder: Path) -> None:
    """Files made to crash, hang, fill the memory or lead elsewhere; none may be read."""
    binary = {
        "claims.ply": ply_header(LITTLE, "element vertex 3900000", *XYZ) + bytes(1200),
        "faces.ply": ply_header(LITTLE, "element vertex 1", *XYZ, "element face 7000000", FACES) + bytes(500),
        "nothing.ply": ply_header(LITTLE, "element vertex 3900000", "element x 4000000000", *XYZ),
        "long_list.ply": ply_header(
            LITTLE, "element vertex 1", *XYZ, "element face 1", "property list uint int vertex_indices"
        )
        + bytes(12)
        + b"\xff\xff\xff\xff"
        + bytes(40),
        "negative_list.ply": ply_header(
            LITTLE, "element vertex 1", *XYZ, "element face 1", "property list int int vertex_indices"
        )
        + bytes(12)
        + b"\xff\xff\xff\xff"
        + bytes(40),
        "twice.ply": ply_header("format ascii 1.0", "element vertex 1", *XYZ, "property float x") + b"1 2 3 4\n",
        "rows.ply": ply_header("format ascii 1.0", "element vertex 3900000", *XYZ) + b"1 2 3\n" * 10,
        "nan.ply": ply_header(LITTLE, "element vertex 2", *XYZ) + struct.pack("<6f", 1, 2, 3, 4, float("nan"), 6),
        "inf.stl": bytes(80) + struct.pack("<I12fH", 1, 0, 0, 1, *[1, 2, 3, 4, 5, float("inf"), 7, 8, 9], 0),
        "no_triangles.stl": bytes(84),
        "trailing.ply": ply_header(LITTLE, "element vertex 1", *XYZ) + bytes(12) + b"more",
        "newlines.obj.gz": gzip.compress(b"\n" * 50_000_000),
        "vertices.obj.gz": gzip.compress(b"v 0 0 0\n" * 5_000_000),
        "members.obj.gz": gzip.compress(b"") * 200_000,
        "cut.obj.gz": gzip.compress(TETRAHEDRON.encode())[:-9],
        "twice.obj.gz": gzip.compress(gzip.compress(TETRAHEDRON.encode())),
        "tail.obj.gz": gzip.compress(TETRAHEDRON.encode()) + b"tail",
        "huge.off": b"OFF\n3999999 7999999 0\n1 2 3\n",
        "deep.gltf": b'{"asset":' + b"[" * 2_000_000,
        "deep.vtp": b"<VTKFile>" + b"<a>" * 500_000,
        "laughs.vtp": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><VTKFile type="PolyData">&b;</VTKFile>',
        "entity.vtp": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><VTKFile type="PolyData">&a;</VTKFile>',
        "word.obj": b"hello\n",
        "mistyped.obj": b"v 0 0 0\nv 1 0 0\nw 1 1 0\nv 0 1 0\nf 1 2 3\n",
        "glued.obj": b"v 0 0 0\nv 1 0 0\nv1 1 0\nv 0 1 0\nf 1 2 3\n",
        "two.obj": b"v 0 0\n",
        "big.obj": b"v 0 0 1e300\n",
        "hex.obj": b"v 0x10 0 0\n",
        "fraction.obj": TETRAHEDRON.encode() + b"f 1.5 2 3\n",
        "overflow.obj": TETRAHEDRON.encode() + b"f 99999999999999999999 2 3\n",
        "slashes.obj": TETRAHEDRON.encode() + b"f 1/1/1/1 2 3\n",
        "empty_corner.obj": TETRAHEDRON.encode() + b"f /1 2 3\n",
        "packed.pcd": pcd_header("binary_compressed", 3_900_000, 18) + packed_zeros(3_900_000 * 84),
        "packed_far.pcd": pcd_header("binary_compressed", 1, 18) + struct.pack("<II", 4, 84) + b"\xe0\xff\xff\xff",
        "claims.pcd": pcd_header("binary", 3_900_000) + bytes(500),
        "claims_ascii.pcd": pcd_header("ascii", 3_900_000) + b"1 2 3 4\n",
        "many.pcd": pcd_header("binary", 4_000_000_000) + bytes(500),
        "no_z.pcd": pcd_header("ascii", 1).replace(b"x y z", b"x y w") + b"1 2 3 4\n",
        "claims.vtk": VTK + b"POINTS 3900000 float\n" + bytes(500),
        "cut.vtk": VTK + b"POINTS 1 float\n" + bytes(11),
        "offsets.vtk": VTK + THREE + b"\nPOLYGONS 3900000 3900000\nOFFSETS vtktypeint64\n",
        "cells.vtk": VTK + THREE + b"\nPOLYGONS 2 8\n" + struct.pack(">8i", 3, 0, 1, 2, 9**9, 0, 1, 2),
        "grid.vtk": VTK.replace(b"POLYDATA", b"STRUCTURED_GRID") + b"DIMENSIONS 1 1 1\nPOINTS 1 float\n" + bytes(12),
        "ragged.xyz": b"1 2 3\n4 5 6 7\n",
        "counted.pts": b"3\n1 2 3\n4 5 6\n",
        "wide.xyz": b"1 " * 40 + b"\n",
        "strip.ply": ply_header(
            LITTLE, "element vertex 3", *XYZ, "element tristrips 1", "property list int int vertex_indices"
        )
        + bytes(36)
        + struct.pack("<6i", 5, 0, 1, 2, -1, 3),
        "wrapped.ply": ply_header("format ascii 1.0", "element vertex 2", *XYZ) + b"1 2 3 4 5\n",
        "patient.tsb": b"3dMD",
        "patient.tom": b"Vectra",
        "patient.tsb.gz": b"3dMD",
        "picture.obj": b"\x89PNG\r\n\x1a\n",
        "hdf.ply": b"\x89HDF\r\n",
        "legacy.vtp": b"# vtk DataFile Version 3.0\n",
        "pickle.npz": pickle.dumps(_Bomb()),
        "script.obj": b"#!/bin/sh\nrm -r /\n",
    }
    for name, data in binary.items():
        (folder / name).write_bytes(data)
    vertices = npy("<f8", (1, 3), bytes(24))
    write_npz(folder / "objects.npz", vertices=npy("|O", (1,), pickle.dumps(_Bomb())))
    write_npz(folder / "claims.npz", face3d_scan=npy("<i8", (), bytes(8)), vertices=npy("<f8", (10**12, 3), bytes(24)))
    write_npz(folder / "other.npz", vertices=vertices)
    write_npz(folder / "bomb.npz", face3d_scan=npy("<i8", (), bytes(8)), vertices=bytes(540_000_000))
    with zipfile.ZipFile(folder / "document.npz", "w") as archive:
        archive.writestr("../../evil.txt", "x")
    os.mkfifo(folder / "pipe.obj")
    (folder / "folder.obj").mkdir()
    (folder / "loop.obj").symlink_to("loop.obj")


def gltf(uri: str, **changes: object) -> str:
    document = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"uri": uri, "byteLength": 36}],
    } | changes
    return json.dumps(document)


def test_hostile_files(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    hostile(folder)
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(36))
    (folder / "link.bin").symlink_to(secret)
    for i, uri in enumerate(
        (
            "../secret.bin",
            "%2e%2e/secret.bin",
            str(secret),
            f"file://{secret}",
            "link.bin",
            "..\\secret.bin",
            "a/../../secret.bin",
            "C:secret.bin",
            "http://example.org/x",
            "missing.bin",
            "pipe.obj",
            "",
            ".",
            "data:,xx",
            "data:;base64,$",
        )
    ):
        (folder / f"uri_{i}.gltf").write_text(gltf(uri))
    good = "data:;base64," + "A" * 48
    for i, changes in enumerate(
        (
            {"accessors": [{"bufferView": 0, "componentType": 5126, "count": 3_900_000, "type": "VEC3"}]},
            {"accessors": [{"bufferView": 0, "componentType": 5126, "count": -1, "type": "VEC3"}]},
            {"accessors": [{"bufferView": -1, "componentType": 5126, "count": 3, "type": "VEC3"}]},
            {"accessors": [{"bufferView": 0, "byteOffset": 8, "componentType": 5126, "count": 3, "type": "VEC3"}]},
            {"accessors": [{"componentType": 5126, "count": 3_900_000, "type": "VEC3"}]},
            {"nodes": [{"mesh": 0, "children": [0]}]},
            {"nodes": [{"mesh": 0, "scale": [1e999, 1, 1]}]},
            {"scenes": [{"nodes": [0] * 5_000_000}]},
            {"nodes": [{"mesh": 7}]},
            {"extensionsRequired": ["KHR_draco_mesh_compression"]},
            {"meshes": [{"primitives": [{"attributes": {"POSITION": 0}}] * 200_000}]},
        )
    ):
        (folder / f"wrong_{i}.gltf").write_text(gltf(good, **changes))
    # Arrays of zeros that take no room in the file, over and over.
    part = {"bufferView": 0, "componentType": 5121}
    zeros = {"componentType": 5126, "count": 3_900_000, "sparse": {"count": 1, "indices": part, "values": part}}
    accessors = [zeros | {"type": "VEC3"}, zeros | {"type": "VEC4"}, zeros | {"type": "VEC4", "componentType": 5121}]
    sets = {f"JOINTS_{i}": 2 for i in range(999)} | {f"WEIGHTS_{i}": 1 for i in range(999)}
    for i, (targets, attributes) in enumerate((([{"POSITION": 0}] * 999, {}), ([], sets))):
        shown = {"attributes": {"POSITION": 0} | attributes, "targets": targets}
        changes = {
            "accessors": accessors,
            "meshes": [{"primitives": [shown], "weights": [1] * 999}],
            "nodes": [{"mesh": 0, "skin": 0}],
            "skins": [{"joints": [0] * 9}],
        }
        (folder / f"zeros_{i}.gltf").write_text(gltf(good, **changes))
    outcomes = read_limited(sorted(folder.iterdir()))
    assert len(outcomes) > 60
    for outcome in outcomes:
        if outcome.path.name == "link.bin":
            continue
        check(outcome, folder)
        assert outcome.error == "ScanError", outcome
    assert not Path("pickle_was_run").exists()
    messages = {o.path.name: o.message for o in outcomes}
    assert "line 3" in messages["mistyped.obj"] and "line 3" in messages["glued.obj"]
    assert "line 9" in messages["fraction.obj"] and "line 9" in messages["slashes.obj"]
    assert "vertex 1 " in messages["nan.ply"] and "vertex 1 " in messages["inf.stl"]
    assert (
        "OBJ" in messages["patient.tsb"] and "OBJ" in messages["patient.tom"] and "3dMD" in messages["patient.tsb.gz"]
    )
    assert "pickle" in messages["pickle.npz"] and "leads out" in messages["uri_4.gltf"]


def test_texture_out_of_the_folder(tmp_path):
    """The picture is there and is one, but not in the scan's folder: refused by name when it is asked for."""
    from PIL import Image

    folder = tmp_path / "scans"
    folder.mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "outside.png")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / "inside.png")
    body = TETRAHEDRON.replace("f ", "vt 0 0\nf ", 1).replace("f 1 3 2", "f 1/1 3/1 2/1")
    body = (
        body.replace("f 1 2 4", "f 1/1 2/1 4/1").replace("f 2 3 4", "f 2/1 3/1 4/1").replace("f 1 4 3", "f 1/1 4/1 3/1")
    )
    for picture in ("../outside.png", "inside.png"):
        (folder / "a.mtl").write_text(f"newmtl m\nmap_Kd {picture}\n")
        (folder / "a.obj").write_text("mtllib a.mtl\n" + body)
        (outcome,) = read_limited([folder / "a.obj"])
        check(outcome, folder)
        assert outcome.texture == (picture == "inside.png"), outcome
        assert read_scan(folder / "a.obj", units="mm").texture is None
