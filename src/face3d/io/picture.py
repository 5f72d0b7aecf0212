"""Pictures: one that the user names, and the colours of a scan, from the scan's own folder only."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io import guard
from face3d.io.raw import RawMesh
from face3d.scan import Texture

_MAX_PIXELS = 8192 * 8192  # 200 MB once unpacked; scanners deliver 2048 to 8192 a side
_MAX_LIBRARY_BYTES = 4 << 20
#: What a picture's file may end in.
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF")


def load_texture(path: Path, mesh: RawMesh) -> Texture | None:
    """The texture that the mesh file names, or None when it names none or has no uv that could be used (a note of the
    mesh says so).

    Raises `ScanError` when the picture leads out of the scan's folder, is missing, too large or damaged.
    """
    if mesh.uv is None or mesh.picture is None or not len(mesh.faces):
        return None
    if not np.isfinite(mesh.uv).all():
        mesh.notes.append("no texture: its coordinates are not all finite")
        return None
    source = mesh.picture
    if isinstance(source, str) and source.lower().endswith(".mtl"):
        named = _from_library(guard.beside(path, source, "the material library"))
        if named is None:
            return None
        source = named
    where = f"{path}: its texture"
    if isinstance(source, str):
        where = f"{path}: its texture {source[:120]!r}"
        source = guard.read_bytes(guard.beside(path, source, "the texture"))
    return Texture(_decode(where, source), mesh.uv)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture (H, W, 3) uint8 that the user names, as the camera stored it. Raises `ScanError`."""
    return _decode(str(path), guard.read_bytes(path))


def _from_library(library: Path) -> str | None:
    """The one colour picture that a material library names."""
    text = guard.read_bytes(library, _MAX_LIBRARY_BYTES).decode("utf-8", "replace")
    names = []
    for line in text.splitlines():
        words = line.split(None, 1)
        if len(words) == 2 and words[0].lower() == "map_kd":
            names.append(words[1].strip())
    if len(set(names)) > 1:
        raise ScanError(f"{library}: names {len(set(names))} pictures; a scan has one: export it with a single texture")
    if names and names[0].startswith("-"):
        raise ScanError(f"{library}: options before the picture's name are not read: {names[0][:80]!r}")
    return names[0] if names else None


def _decode(where: str, data: bytes) -> NDArray[np.uint8]:
    return pixels_of(where, data, rgb=True)


def pixels_of(where: str, data: bytes, rgb: bool) -> NDArray:
    """A picture, (H, W, 3) uint8 where `rgb`, else as it is stored. Raises `ScanError` that begins with `where`, also
    for one that was cut."""
    from PIL import Image, ImageFile, UnidentifiedImageError

    ImageFile.LOAD_TRUNCATED_IMAGES = False  # WeasyPrint, once imported, has the rest of a cut picture made up
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                raise ScanError(f"{where}: {picture.width} x {picture.height} pixels; at most {_MAX_PIXELS} are read")
            return np.asarray(picture.convert("RGB") if rgb else picture)
    except UnidentifiedImageError:
        raise ScanError(f"{where}: is no PNG, JPEG, BMP or TIFF picture") from None
    except (OSError, ValueError, SyntaxError, OverflowError, EOFError, Image.DecompressionBombError) as error:
        raise ScanError(f"{where}: the picture is damaged ({error})") from None
