"""One domed sheet as the text and the bytes of several formats, and what reading it must give."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from face3d.io import read_scan

# A domed sheet of 160 x 200 mm, no face.
_X, _Y = np.meshgrid(np.linspace(-80, 80, 7), np.linspace(-100, 100, 9))
POINTS = np.column_stack([_X.ravel(), _Y.ravel(), (60 - _X**2 / 200 - _Y**2 / 300).ravel()]).round(3)
AT = np.arange(63).reshape(9, 7)
_QUADS = np.stack([AT[:-1, :-1], AT[:-1, 1:], AT[1:, 1:], AT[1:, :-1]], -1).reshape(-1, 4)
FACES = np.concatenate([_QUADS[:, :3], _QUADS[:, [0, 2, 3]]])

V = "".join(f"v {x} {y} {z}\n" for x, y, z in POINTS.tolist())
F = "".join(f"f {a} {b} {c}\n" for a, b, c in (FACES + 1).tolist())
VT = "".join(f"vt {i / 63} {1 - i / 63}\n" for i in range(63))
F_VT = "".join(f"f {a}/{a} {b}/{b} {c}/{c}\n" for a, b, c in (FACES + 1).tolist())
ROWS = "".join(f"{x} {y} {z}\n" for x, y, z in POINTS.tolist())
TRIANGLES = "".join(f"3 {a} {b} {c}\n" for a, b, c in FACES.tolist())
XYZ = "property float x\nproperty float y\nproperty float z\n"
LIST = "property list uchar int vertex_indices\n"


def header(form: str, vertices: int = 63, faces: int | None = len(FACES), more: str = "") -> str:
    face = "" if faces is None else f"element face {faces}\n{LIST}"
    return f"ply\nformat {form} 1.0\nelement vertex {vertices}\n{XYZ}{more}{face}end_header\n"


PLY = header("ascii") + ROWS + TRIANGLES
BINARY_PLY = (
    header("binary_little_endian").encode()
    + POINTS.astype("<f4").tobytes()
    + b"".join(struct.pack("<B3i", 3, *f) for f in FACES.tolist())
)
STL = "solid a face\n" + "".join(
    "facet normal 0 0 1\n outer loop\n"
    + "".join(f"  vertex {x} {y} {z}\n" for x, y, z in POINTS[f].tolist())
    + " endloop\nendfacet\n"
    for f in FACES
)
BINARY_STL = bytes(80) + struct.pack("<I", len(FACES))
for _f in FACES:
    BINARY_STL += bytes(12) + POINTS[_f].astype("<f4").tobytes() + b"\0\0"
OFF = f"OFF\n63 {len(FACES)} 0\n{ROWS}{TRIANGLES}"


def save(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def check(path: Path, note: str | None = None, faces: int = len(FACES), texture: bool = False) -> None:
    """The same sheet, vertex by vertex and triangle by triangle, with one note, or with none."""
    scan = read_scan(path, texture=texture)
    expected = POINTS[FACES].reshape(-1, 3) if path.suffix == ".stl" else POINTS
    assert np.allclose(scan.vertices[: len(expected)], expected, atol=1e-5)
    assert len(scan.faces) == faces
    if faces and path.suffix != ".stl":
        assert np.array_equal(scan.faces, FACES)
    assert ([note in n for n in scan.notes] == [True]) if note else not scan.notes, scan.notes
    assert scan.texture is None


# --------------------------------------------------------------------------------------------------- behind the end
