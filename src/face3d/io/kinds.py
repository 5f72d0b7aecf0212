"""Which format a file is in, by its content; and by name what it is when it is no scan at all."""

from __future__ import annotations

from face3d.errors import ScanError
from face3d.io.off import is_off
from face3d.io.stl import is_binary_stl

READ = "OBJ, PLY, STL, OFF, GLB, glTF, VTP and .npz of face3d, also as .gz"

# First bytes of what is mistaken for a scan, and what to say.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG picture"), (b"\xff\xd8\xff", "a JPEG picture"), (b"BM", "a BMP picture"), (b"%PDF", "a PDF"),
    (b"GIF8", "a GIF picture"), (b"II*\0", "a TIFF picture"), (b"MM\0*", "a TIFF picture"),
    (b"Kaydara FBX Binary", "an FBX file; export it as OBJ or PLY"), (b"\x89HDF", "an HDF5 file"),
    (b"MATLAB 5.0", "a MATLAB file; export the mesh as OBJ or PLY"),
    (b"# vtk DataFile", "a legacy VTK file; save it as .vtp or PLY"),
    (b"ASTM-E57", "an E57 point cloud; export it as PLY"), (b"LASF", "a LAS point cloud; export it as PLY"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"), (b"Rar!", "a RAR archive; unpack it first"),
    (b"BZh", "a bzip2 file; unpack it first"), (b"\xfd7zXZ", "an xz file; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file; unpack it first"), (b"\x1f\x8b", "packed with gzip twice"),
)  # fmt: skip


def kind_of(name: str, extension: str, data: bytes) -> str:
    """ "obj", "ply", "stl", "off", "gltf", "vtp" or "npz". Raises `ScanError` when the content is none of them."""
    start = data[:4096].removeprefix(b"\xef\xbb\xbf")
    if is_binary_stl(data):  # first, since its header may hold any text
        return "stl"
    for magic, what in _OTHERS:
        if start.startswith(magic):
            raise ScanError(f"{name}: is {what}; scans are read from {READ}")
    if start[:1] == b"\x80" and data[-1:] == b"." and start[1:2] <= b"\x05":
        raise ScanError(
            f"{name}: is a Python pickle, which can run code and is never opened; scans are read from {READ}"
        )
    if start[:4] in (b"ply\n", b"ply\r"):
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
    if is_off(data):
        return "off"
    if extension == ".stl" or (text[:5].lower() == b"solid" and b"facet" in start.lower()):
        return "stl"
    if extension in (".ply", ".glb", ".gltf", ".vtp", ".off", ".npz"):
        raise ScanError(f"{name}: does not start as a {extension[1:].upper()} file does: damaged, or something else")
    if b"\0" in start and start[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise ScanError(f"{name}: a binary file of no known format; scans are read from {READ}")
    return "obj"
