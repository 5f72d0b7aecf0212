"""glTF and GLB: what places and shapes the vertices beside the array of positions, and what may be left out."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from face3d.errors import ScanError
from face3d.io import read_scan

SQUARE = np.array([[0.0, 0, 0], [100, 0, 0], [100, 100, 0], [0, 100, 0]])
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_CODES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}


class Glb:
    """A GLB file that is put together: accessors 0 and 1 are the positions and triangles of one mesh."""

    def __init__(self, points: np.ndarray = SQUARE, faces: np.ndarray = TRIANGLES) -> None:
        self.binary = b""
        self.document: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
            "accessors": [],
            "bufferViews": [],
        }
        self.add(points, "f4")
        self.add(faces.reshape(-1, 1), "u2")
        self.primitive = self.document["meshes"][0]["primitives"][0]

    def view(self, values: np.ndarray, kind: str) -> int:
        raw = np.asarray(values).astype("<" + kind).tobytes()
        self.binary += bytes(-len(self.binary) % 4)
        self.document["bufferViews"].append({"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(raw)})
        self.binary += raw
        return len(self.document["bufferViews"]) - 1

    def add(self, values: Any, kind: str, **more: Any) -> int:
        array = np.atleast_2d(np.asarray(values))
        entry = {
            "bufferView": self.view(array, kind),
            "componentType": _CODES[kind],
            "count": len(array),
            "type": _TYPES[array.shape[1]],
        }
        self.document["accessors"].append(entry | more)
        return len(self.document["accessors"]) - 1

    def data(self, tail: bytes = b"") -> bytes:
        self.binary += bytes(-len(self.binary) % 4)
        text = json.dumps(self.document | {"buffers": [{"byteLength": len(self.binary)}]}).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(self.binary), b"BIN\0") + self.binary
        return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks + tail

    def read(self, folder: Path, tail: bytes = b"", texture: bool = False):
        path = folder / "a.glb"
        path.write_bytes(self.data(tail))
        return read_scan(path, units="mm", texture=texture)


def matrix(scale: float = 1.0, shift: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    out = np.diag([scale, scale, scale, 1.0])
    out[:3, 3] = shift
    return out


def joint_matrices(*matrices: np.ndarray) -> np.ndarray:
    """As accessors hold them, column by column."""
    return np.array([m.T.ravel() for m in matrices])


def test_a_file_padded_behind_its_end(tmp_path):
    for tail in (b"\0" * 4, b"\0" * 4000, b"x"):
        scan = Glb().read(tmp_path, tail)
        assert np.array_equal(scan.vertices, SQUARE) and np.array_equal(scan.faces, TRIANGLES)
        assert scan.notes == (f"{len(tail)} bytes behind the end were left out",)
    whole = Glb().data()
    (tmp_path / "a.glb").write_bytes(whole[:-4])
    with pytest.raises(ScanError, match="cut short"):
        read_scan(tmp_path / "a.glb", units="mm")
    (tmp_path / "a.glb").write_bytes(whole[:8] + struct.pack("<I", len(whole) - 4) + whole[12:])
    with pytest.raises(ScanError, match="declares"):  # a wrong count is no padding
        read_scan(tmp_path / "a.glb", units="mm")


def test_sparse_positions(tmp_path):
    file = Glb()
    sparse = {
        "count": 2,
        "indices": {"bufferView": file.view(np.array([1, 3]), "u1"), "componentType": 5121},
        "values": {"bufferView": file.view(np.array([[1, 2, 3], [4, 5, 6]]), "f4")},
    }
    file.document["accessors"][0]["sparse"] = sparse
    assert file.read(tmp_path).vertices.tolist() == [[0, 0, 0], [1, 2, 3], [100, 100, 0], [4, 5, 6]]
    del file.document["accessors"][0]["bufferView"]  # the rest is zero
    assert file.read(tmp_path).vertices.tolist() == [[0, 0, 0], [1, 2, 3], [0, 0, 0], [4, 5, 6]]
    for change in (
        {"count": 5},
        {"count": 3},
        {"indices": {"bufferView": 2, "componentType": 5126}},
        {"indices": {"bufferView": file.view(np.array([1, 4]), "u1"), "componentType": 5121}},
        {"values": {"bufferView": 99}},
    ):
        file.document["accessors"][0]["sparse"] = sparse | change
        with pytest.raises(ScanError):
            file.read(tmp_path)
    file.document["accessors"][0] = {"componentType": 5126, "count": 3_999_999_999, "type": "VEC3", "sparse": sparse}
    with pytest.raises(ScanError, match="at most"):
        file.read(tmp_path)


def test_an_array_without_data_is_no_position(tmp_path):
    file = Glb()
    del file.document["accessors"][0]["bufferView"]
    with pytest.raises(ScanError, match="has no data; was it compressed"):
        file.read(tmp_path)


@pytest.mark.parametrize("place", ["mesh", "node"])
def test_morph_targets_at_their_default_weights(tmp_path, place):
    file = Glb()
    up, off = np.zeros((4, 3)), np.zeros((4, 3))
    up[2, 2], off[:, 0] = 8.0, 10.0
    file.primitive["targets"] = [{"POSITION": file.add(up, "f4")}, {"POSITION": file.add(off, "f4"), "NORMAL": 0}]
    assert np.array_equal(file.read(tmp_path).vertices, SQUARE)  # no weights: they do not show
    file.document["meshes"][0]["weights"] = [0.5, 2.0]
    if place == "node":
        file.document["meshes"][0]["weights"] = [9.0, 9.0]
        file.document["nodes"][0]["weights"] = [0.5, 2.0]
    expected = SQUARE + 0.5 * up + 2.0 * off
    assert np.array_equal(file.read(tmp_path).vertices, expected)
    # A target that moves nothing may be stored as nothing.
    file.document["accessors"].append({"componentType": 5126, "count": 4, "type": "VEC3"})
    file.primitive["targets"].append({"POSITION": len(file.document["accessors"]) - 1})
    for owner in (file.document["meshes"][0], file.document["nodes"][0]):
        if "weights" in owner:
            owner["weights"] = [*owner["weights"], 1.0]
    assert np.array_equal(file.read(tmp_path).vertices, expected)
    file.primitive["targets"].pop()
    with pytest.raises(ScanError, match="3 weights for 2 morph targets"):
        file.read(tmp_path)


def test_the_place_of_a_skinned_mesh_does_not_count(tmp_path):
    """As rigged avatars come: an armature of scale 0.01, and inverse bind matrices that undo it."""
    file = Glb()
    document = file.document
    document["nodes"] = [
        {"children": [1, 2], "scale": [0.01] * 3},
        {"mesh": 0, "skin": 0, "translation": [7, 7, 7]},
        {},
    ]
    document["skins"] = [{"joints": [2], "inverseBindMatrices": file.add(joint_matrices(matrix(100.0)), "f4")}]
    assert np.allclose(file.read(tmp_path).vertices, SQUARE, rtol=1e-6)  # no joints given: the only one
    file.primitive["attributes"] |= {
        "JOINTS_0": file.add(np.zeros((4, 4)), "u1"),
        "WEIGHTS_0": file.add(np.tile([1, 0, 0, 0], (4, 1)), "f4"),
    }
    assert np.allclose(file.read(tmp_path).vertices, SQUARE, rtol=1e-6)
    document["nodes"][2]["translation"] = [0, 0, 1000]  # the joint moved from where it was bound: 10 in the scene
    assert np.allclose(file.read(tmp_path).vertices, SQUARE + np.array([0, 0, 10]), rtol=1e-6)


@pytest.mark.parametrize("kind", ["f4", "u1", "u2"])
def test_skins_blend_their_joints(tmp_path, kind):
    """Two joints, one of them moved by 40 along z; weights as fractions, and not quite summing to 1."""
    file = Glb()
    file.document["nodes"] = [{"mesh": 0, "skin": 0}, {}, {"translation": [0, 0, 40]}]
    file.document["scenes"] = [{"nodes": [0, 1, 2]}]
    file.document["skins"] = [{"joints": [1, 2]}]
    weights = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0.25, 0.75, 0, 0], [0.3, 0, 0.3, 0]])
    joints = np.array([[0, 1, 99, 99], [0, 1, 99, 99], [0, 1, 0, 0], [1, 0, 0, 0]])
    top = {"f4": 1, "u1": 255, "u2": 65535}[kind]
    fractions = file.add(np.round(weights * top, 9), kind, normalized=kind != "f4")
    file.primitive["attributes"] |= {"JOINTS_0": file.add(joints, "u1"), "WEIGHTS_0": fractions}
    height = file.read(tmp_path).vertices[:, 2]
    assert np.allclose(height, [0, 40, 30, 20], atol=0.2 if kind == "u1" else 1e-3)
    file.document["nodes"][1]["scale"] = file.document["nodes"][2]["scale"] = [-1, 1, 1]
    mirrored = file.read(tmp_path)
    a, b, c = (mirrored.vertices[mirrored.faces[:, k]] for k in range(3))
    assert np.allclose(mirrored.vertices[:, 0], -SQUARE[:, 0]) and (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_skins_that_are_damaged(tmp_path):
    def skinned(joints: Any, weights: Any, skin: dict | None = None) -> Glb:
        file = Glb()
        file.document["nodes"] = [{"mesh": 0, "skin": 0}, {}, {"translation": [0, 0, 40]}]
        file.document["scenes"] = [{"nodes": [0, 1, 2]}]
        file.document["skins"] = [skin or {"joints": [1, 2]}]
        if joints is not None:
            file.primitive["attributes"] |= {"JOINTS_0": file.add(joints, "u1"), "WEIGHTS_0": file.add(weights, "f4")}
        return file

    one = np.tile([1.0, 0, 0, 0], (4, 1))
    zero = np.zeros((4, 4))
    assert skinned(zero, one).read(tmp_path)
    for file, said in (
        (skinned(zero + 2, one), "joint"),
        (skinned(zero, -one), "joint"),
        (skinned(zero, one * np.nan), "joint"),
        (skinned(zero, zero), "hangs on no joint"),
        (skinned(zero[:3], one), "of 4"),
        (skinned(None, None), "JOINTS_0"),
        (skinned(zero, one, {"joints": [7]}), "does not show"),
        (skinned(zero, one, {"joints": []}), "joints"),
        (skinned(zero, one, {"joints": [1, 2], "inverseBindMatrices": 0}), "MAT4"),
    ):
        with pytest.raises(ScanError, match=said):
            file.read(tmp_path)


@pytest.mark.parametrize("name", ["EXT_texture_webp", "KHR_texture_basisu", "EXT_texture_avif", "KHR_materials_unlit"])
def test_extensions_of_pictures_only(tmp_path, name):
    file = Glb()
    file.document |= {"extensionsRequired": [name], "extensionsUsed": [name]}
    assert np.array_equal(file.read(tmp_path).vertices, SQUARE)
    uv = file.add(np.zeros((4, 2)), "f4")
    file.primitive |= {"material": 0}
    file.primitive["attributes"]["TEXCOORD_0"] = uv
    file.document |= {
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"extensions": {name: {"source": 0}}}],
        "images": [{"uri": "a.webp"}],
    }
    assert not file.read(tmp_path).notes
    scan = file.read(tmp_path, texture=True)
    assert scan.texture is None and [f"no texture: the picture is stored by {name}" in n for n in scan.notes] == [True]


@pytest.mark.parametrize("name", ["KHR_draco_mesh_compression", "EXT_meshopt_compression", "EXT_mesh_gpu_instancing"])
def test_extensions_that_change_the_geometry(tmp_path, name):
    file = Glb()
    file.document["extensionsRequired"] = [name]
    with pytest.raises(ScanError, match=name):
        file.read(tmp_path)


def test_compression_with_the_plain_data_beside_it(tmp_path):
    file = Glb()
    file.document["extensionsUsed"] = ["KHR_draco_mesh_compression"]
    file.primitive["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}
    scan = file.read(tmp_path)
    assert np.array_equal(scan.vertices, SQUARE) and np.array_equal(scan.faces, TRIANGLES)
    del file.document["accessors"][0]["bufferView"]
    with pytest.raises(ScanError, match="compressed with KHR_draco_mesh_compression; export it uncompressed"):
        file.read(tmp_path)


@pytest.mark.parametrize(
    ("kind", "unit", "normalized"),
    [("f4", 1 / 255, False), ("u1", 1, True), ("u1", 1, False), ("f4", 1, False), ("u2", 257, True)],
)
def test_colors(tmp_path, kind, unit, normalized):
    rgb = np.array([[0, 51, 255], [10, 20, 30], [1, 2, 3], [255, 255, 255]])
    file = Glb()
    shades = np.column_stack([rgb * unit, np.full(4, 255 * unit)])
    file.primitive["attributes"]["COLOR_0"] = file.add(shades, kind, normalized=normalized)
    scan = file.read(tmp_path)
    assert scan.colors is not None and np.array_equal(scan.colors, rgb)
    plain = file.document["meshes"][0]["primitives"]
    plain.append({"attributes": {"POSITION": 0}, "indices": 1})
    scan = file.read(tmp_path)
    assert scan.colors is None and scan.notes == ("colours are given for 1 of 2 parts only, and were left out",)


def test_texture_coordinates_that_do_not_fit(tmp_path):
    file = Glb()
    file.primitive["material"] = 0
    file.primitive["attributes"]["TEXCOORD_0"] = file.add(np.zeros((3, 2)), "f4")
    file.document |= {
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"uri": "a.png"}],
    }
    assert not file.read(tmp_path).notes
    scan = file.read(tmp_path, texture=True)
    assert scan.texture is None and scan.notes == ("no texture: 3 texture coordinates for 4 vertices",)
