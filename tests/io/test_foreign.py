"""Files that are no scan, or none that is read, are named for what they are, with the way out, whatever their name."""

from __future__ import annotations

import io
import json
import time
import zipfile

import numpy as np
import pytest

from face3d.errors import ScanError
from face3d.io import read_scan


def zipped(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), text)
    return out.getvalue()


SLICER = json.dumps(
    {"@schema": "markups", "markups": [{"type": "Fiducial", "controlPoints": [{"label": "n", "position": [1, 2, 3]}]}]}
)
MENPO = json.dumps({"version": 2, "landmarks": {"points": [[1, 2, 3]], "connectivity": []}, "labels": []})
EXAM = json.dumps({"subject": "p017", "units": "mm", "scans": {"rest": "rest.ply"}, "landmarks": {"rest": "rest.csv"}})
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 123\n"
X3D = '<?xml version="1.0"?>\n<!-- by hand -->\n<!DOCTYPE X3D PUBLIC "ISO//Web3D//DTD X3D 3.0//EN" "x">\n<X3D/>'

FOREIGN = {
    "usdz": (zipped(mesh_dot_usdc="PXR-USDC"), "a USDZ scene", "export it as OBJ"),
    "usdz of text": (zipped(face_dot_usda="#usda 1.0"), "a USDZ scene", "export it as OBJ"),
    "usda": ("#usda 1.0\n(\n)\n", "USDA", "export it as OBJ"),
    "usdc": (b"PXR-USDC\0\0\0\0", "USDC", "export it as OBJ"),
    "3mf": (zipped(_rels__a="x", **{"3D__3dmodel_dot_model": "<model/>"}), "a 3MF file", "export it as OBJ"),
    "3mf model": ('<?xml version="1.0"?><model unit="millimeter"/>', "a 3MF model", "export it as OBJ"),
    "fbx": (b"Kaydara FBX Binary  \0\x1a\0", "an FBX file", "export it as OBJ"),
    "fbx text": ("; FBX 7.3.0 project file\n; ---\n\nFBXHeaderExtension:  {\n", "an FBX file", "export it as OBJ"),
    "vrml": ("#VRML V2.0 utf8\nShape {}\n", "a VRML file", "export it as OBJ"),
    "vrml 1": ("#VRML V1.0 ascii\n", "a VRML file", "export it as OBJ"),
    "x3d": (X3D, "an X3D file", "export it as OBJ"),
    "x3d classic": ("#X3D V3.0 utf8\n", "an X3D file", "export it as OBJ"),
    "collada": ('<?xml version="1.0"?><COLLADA version="1.4.1"/>', "a COLLADA scene", "export it as OBJ"),
    "draco": (b"DRACO\x02\x02\x01\x01\0\0", "Draco", "export it as OBJ"),
    "dicom": (bytes(128) + b"DICM\x02\0\0\0", "a DICOM file", "export it as OBJ"),
    "lfs": (LFS, "a pointer of Git LFS", "git lfs pull"),
    "e57": (b"ASTM-E57\x01\0\0\0", "an E57 point cloud", "export it as PLY"),
    "las": (b"LASF\0\0", "a LAS point cloud", "export it as PLY"),
    "3mf of parts": (
        zipped(_rels__a="x", **{"3D__Objects__a_1_dot_model": "<model/>"}),
        "a 3MF file",
        "export it as OBJ",
    ),
    "ptx": ("2\n1\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n1 0 0 0\n", "a PTX scan", "export it as PLY"),
    "page": ("<!DOCTYPE html>\n<html><body>Not found</body></html>", "a web page", "fetch the file"),
    "archive": (zipped(face_dot_obj="v 0 0 0\n"), "a zip archive", "unpack it"),
    "array": (b"\x93NUMPY\x01\0", "an array of numpy", "write_scan"),
    "exam": (EXAM, "the manifest of an examination", "face3d exam"),
    "slicer": (SLICER, "landmarks, not a scan", "--landmarks"),
    "menpo": (MENPO, "landmarks, not a scan", "--landmarks"),
    "fcsv": ("# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\nn,1,2,3\n", "landmarks", "--landmarks"),
    "picked": ("<!DOCTYPE PickedPoints>\n<PickedPoints>\n</PickedPoints>\n", "landmarks", "--landmarks"),
    "tps": ("LM3=2\n1 2 3\n4 5 6\nID=a\n", "landmarks", "--landmarks"),
    "menpo points": ("version: 1\nn_points: 2\n{\n1 2 3\n4 5 6\n}\n", "landmarks", "--landmarks"),
    "landmark": ("Version 1.0\n2\nS000 1 2 3\nS001 4 5 6\n", "landmarks", "--landmarks"),
    "csv": ("name,x,y,z\nn,1.5,2,3\nprn,4,5,6\n", "landmarks", "--landmarks"),
    "csv with units": ("landmark;x [mm];y [mm];z [mm]\nn;1,5;2;3\n", "landmarks", "--landmarks"),
    "csv, first missing": ("name,x,y,z\nn,,,\nprn,4,5,6\n", "landmarks", "--landmarks"),
    "bare rows": ("en_left,1,2,3\nen_right,4,5,6\n", "landmarks", "--landmarks"),
    "tabs": ('"inner canthus, left"\t1\t2\t3\n'.replace(", ", " "), "landmarks", "--landmarks"),
}


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl", ".csv", ""])
@pytest.mark.parametrize("kind", FOREIGN)
def test_what_a_file_is(tmp_path, kind, suffix):
    data, what, way_out = FOREIGN[kind]
    path = tmp_path / f"scan{suffix}"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: is ") and what in message and way_out in message and "\n" not in message


def test_a_folder(tmp_path):
    with pytest.raises(ScanError, match=r"is a folder, not a scan; .* `face3d exam`"):
        read_scan(tmp_path)


def test_rows_of_points_are_a_cloud_and_not_landmarks(tmp_path):
    rows = "".join(f"{x},{y},{x * y / 400}\n" for x in range(0, 200, 20) for y in range(0, 200, 20))
    for head in ("", "x,y,z\n"):
        (tmp_path / "a.csv").write_text(head + rows)
        assert len(read_scan(tmp_path / "a.csv").vertices) == 100


def test_long_lines_do_not_hang(tmp_path):
    """Lines that are long and almost what a pattern looks for are looked at once."""
    for text in (
        "a" + " 1" * 1_000_000 + " x\n",
        "1\n2\n" + "1" * 1_000_000 + "x\n",
        " " * 1_000_000 + "\n" + "\t" * 1_000_000,
    ):
        (tmp_path / "a.obj").write_text(text)
        start = time.perf_counter()
        with pytest.raises(ScanError):
            read_scan(tmp_path / "a.obj")
        assert time.perf_counter() - start < 5


def test_binary_stl_whose_header_says_something_else(tmp_path):
    triangle = np.zeros(1, [("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    triangle["corners"] = np.eye(3) * 100
    for text in (b"#usda", b"solid", b"DRACO", b"; FBX", b"name,x,y,z"):
        (tmp_path / "a.stl").write_bytes(text.ljust(80) + (1).to_bytes(4, "little") + triangle.tobytes())
        assert read_scan(tmp_path / "a.stl").vertices.tolist() == (np.eye(3) * 100).tolist()
