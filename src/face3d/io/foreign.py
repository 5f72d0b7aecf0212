"""What a file is that is no scan, or none that is read: told by its content, with the export to use instead."""

from __future__ import annotations

import re

from face3d.io.xyz import column_names

_AS_MESH = "export it as OBJ, PLY, STL or GLB"
_AS_CLOUD = "export it as PLY, PCD or XYZ"
_LANDMARKS = "landmarks, not a scan; give it beside its scan (--landmarks FILE, landmarks=...)"
_EXAM = "the manifest of an examination, not a scan: `face3d exam` and read_exam() read it"

# First bytes, and what they say.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"BM", "a BMP picture"),
    (b"%PDF", "a PDF"),
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (
        b"version https://git-lfs.github.com/spec/",
        "a pointer of Git LFS: the scan itself was not fetched; run `git lfs pull` where it came from",
    ),
    (b"Kaydara FBX Binary", f"an FBX file; {_AS_MESH}"),
    (b"; FBX", f"an FBX file; {_AS_MESH}"),
    (b"#usda", f"a USD scene (USDA); {_AS_MESH}"),
    (b"PXR-USDC", f"a USD scene (USDC); {_AS_MESH}"),
    (b"#VRML", f"a VRML file; {_AS_MESH}"),
    (b"#X3D", f"an X3D file; {_AS_MESH}"),
    (b"#Inventor", f"an Open Inventor file; {_AS_MESH}"),
    (b"DRACO", f"a mesh compressed with Draco; {_AS_MESH}"),
    (b"OCTM", f"a mesh compressed as OpenCTM; {_AS_MESH}"),
    (b"BLENDER", f"a Blender file; {_AS_MESH}"),
    (b"ISO-10303-21", f"a STEP file; {_AS_MESH}"),
    (b"Ogawa", f"an Alembic file; {_AS_MESH}"),
    (b"\x89HDF", "an HDF5 file"),
    (b"MATLAB 5.0", "a MATLAB file; export the mesh as OBJ or PLY"),
    (b"\x93NUMPY", "an array of numpy; write the scan as .npz with face3d.write_scan"),
    (b"ASTM-E57", f"an E57 point cloud; {_AS_CLOUD}"),
    (b"LASF", f"a LAS point cloud; {_AS_CLOUD}"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"BZh", "a bzip2 file; unpack it first"),
    (b"\xfd7zXZ", "an xz file; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file; unpack it first"),
    (b"\x1f\x8b", "packed with gzip twice"),
    (b"# Markups fiducial file", f"a file of {_LANDMARKS}"),
)

# The first element of an XML or HTML file.
_ELEMENTS = {
    b"x3d": f"an X3D file; {_AS_MESH}",
    b"collada": f"a COLLADA scene; {_AS_MESH}",
    b"amf": f"an AMF file; {_AS_MESH}",
    b"model": f"a 3MF model; {_AS_MESH}",
    b"meshlabdocument": "a project of MeshLab; export its mesh as PLY or OBJ",
    b"mrml": "a scene of 3D Slicer; save its model as PLY, OBJ, STL or VTK",
    b"svg": "an SVG drawing",
    b"html": "a web page, perhaps of a download that failed; fetch the file itself",
    b"pickedpoints": f"a file of {_LANDMARKS}",
}
_ELEMENT = re.compile(rb"<(?:!DOCTYPE\s+)?([A-Za-z]\w*)", re.IGNORECASE)

_MODEL = re.compile(rb"3D/[\w./-]{1,80}\.model")
# Columns and rows of a scanner's grid, and where the scanner stood.
_PTX = re.compile(rb"\s*\d+\s*\n\s*\d+\s*\n-?\d[\d.eE+-]*+(?:[ \t]++-?\d[\d.eE+-]*+){2}[ \t\r]*\n")

# TPS, menpo's and Landmark's points, and rows of a name and three numbers.
_POINTS = re.compile(rb"\s*(?:LM3?\s*=|version\s*:\s*\d+\s+n_points|Version\s+1\.0\s+\d+\s+\S+\s+[-\d])", re.IGNORECASE)
_NAMED = re.compile(rb"\s*\"?([A-Za-z][^,;\t\n]*?)\"?(?:\s*[,;\t]\s*|\s+)-?\d[-+.,;\d\se]*", re.IGNORECASE)
_DIGITS = re.compile(rb"\d[\d.]*")
_OBJ = frozenset(b"v vt vn vp f l p s g o".split())


def foreign(start: bytes, data: bytes) -> str | None:
    """What a file of these first bytes, and all `data`, is, when it is known to be no scan that is read."""
    for magic, what in _MAGIC:
        if start.startswith(magic):
            return what
    if start[:1] == b"\x80" and data[-1:] == b"." and start[1:2] <= b"\x05":
        return "a Python pickle, which can run code and is never opened"
    if data[128:132] == b"DICM":
        return f"a DICOM file; {_AS_MESH}, from pictures with a segmentation (3D Slicer: Segmentations > Export)"
    if start[:4] == b"PK\x03\x04":
        return _archive(start, data)
    text = start.lstrip()
    if text[:1] == b"{":
        return _json(data[: 1 << 20])
    if text[:1] == b"<":
        element = _ELEMENT.search(text)
        return None if element is None else _ELEMENTS.get(element[1].lower())
    return f"a PTX scan of Leica; {_AS_CLOUD}" if _PTX.match(start) else None


def landmarks(start: bytes) -> str | None:
    """What a text that starts so, and is in none of the formats that are read but perhaps OBJ, is when it holds
    landmarks."""
    rows = [row for row in start[:4096].splitlines() if row.strip() and not row.lstrip().startswith(b"#")][:4]
    headed = bool(rows) and {"x", "y", "z"} < set(column_names(rows[0]))
    named = any(_is_named(row.strip()) for row in rows[1:]) if headed else bool(rows) and _is_named(rows[0].strip())
    return f"a file of {_LANDMARKS}" if named or _POINTS.match(start) else None


def _archive(start: bytes, data: bytes) -> str | None:
    first = start[30 : 30 + int.from_bytes(start[26:28], "little")].lower()
    if first.endswith((b".usdc", b".usda", b".usd")):
        return f"a USDZ scene, as iPhones hand out; {_AS_MESH}"
    if _MODEL.search(data):
        return f"a 3MF file; {_AS_MESH}"
    return None if first.endswith(b".npy") else "a zip archive; unpack it first"


def _json(text: bytes) -> str | None:
    """A scan in JSON is a glTF file, which names its `asset`."""
    if b'"asset"' in text:
        return None
    if b'"scans"' in text:
        return _EXAM
    if any(key in text for key in (b'"markups"', b'"controlPoints"', b'"landmarks"', b'"labels"')):
        return f"a file of {_LANDMARKS}"
    return None


def _is_named(row: bytes) -> bool:
    """Whether a line of text is a landmark: a name, and three numbers at least."""
    named = _NAMED.fullmatch(row) if len(row) < 500 else None
    return named is not None and named[1].lower() not in _OBJ and len(_DIGITS.findall(row, named.end(1))) >= 3
