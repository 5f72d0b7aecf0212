"""Which format a scan is in, by its content."""

from __future__ import annotations

from face3d.errors import ScanError
from face3d.io.foreign import foreign, landmarks
from face3d.io.off import is_off
from face3d.io.pcd import is_pcd
from face3d.io.ply_header import is_ply
from face3d.io.stl import is_ascii_stl, is_binary_stl
from face3d.io.text import PADDING
from face3d.io.vtk import is_vtk
from face3d.io.xyz import is_cloud

READ = "OBJ, PLY, STL, OFF, GLB, glTF, VTP, VTK, PCD, XYZ and .npz of face3d, also as .gz"

_OPENED = 1 << 16  # bytes in which a text shows what it is, behind whatever comments


def kind_of(name: str, extension: str, data: bytes) -> str:
    """ "obj", "ply", "stl", "off", "gltf", "vtp", "vtk", "pcd", "xyz" or "npz". Raises `ScanError` when the content is
    none of them, saying what it is where that is known."""
    start = data[:_OPENED].removeprefix(b"\xef\xbb\xbf")
    if is_binary_stl(data):  # first, since its header may hold any text
        return "stl"
    what = foreign(start, data)
    if what is not None:
        raise ScanError(f"{name}: is {what}; scans are read from {READ}")
    if is_ply(start):
        return "ply"
    if start[:4] == b"glTF":
        return "gltf"
    if start[:4] == b"PK\x03\x04":
        return "npz"
    text = start.lstrip()
    if text[:1] == b"{":
        return "gltf"
    if text[:1] == b"<":
        return "vtp"
    if is_vtk(start):
        return "vtk"
    if is_pcd(start):
        return "pcd"
    if is_off(data):
        return "off"
    if is_ascii_stl(start):
        return "stl"
    if b"facet" not in start and (what := landmarks(start)) is not None:
        raise ScanError(f"{name}: is {what}; scans are read from {READ}")
    if extension == ".stl":
        return "stl"
    if extension in (".ply", ".glb", ".gltf", ".vtp", ".vtk", ".pcd", ".off", ".npz"):
        raise ScanError(f"{name}: does not start as a {extension[1:].upper()} file does: damaged, or something else")
    if b"\0" in start.rstrip(PADDING) and start[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise ScanError(f"{name}: a binary file of no known format; scans are read from {READ}")
    return "xyz" if is_cloud(start) else "obj"
