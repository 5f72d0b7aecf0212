"""Our own scan file: an .npz with all of a FaceScan but its name, in millimetres. Nothing is ever unpickled."""

from __future__ import annotations

import ast
import io
import math
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.guard import MAX_BYTES
from face3d.io.raw import check_counts
from face3d.scan import FaceScan, Texture

_MARK = "face3d_scan"
_VERSION = 1
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file can state: none leaves with the scan

#: What comes of reading a damaged archive.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
)


def pack_arrays(arrays: dict[str, NDArray[Any]]) -> bytes:
    """The arrays as an .npz: the same arrays give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{key}.npy", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, member.getvalue(), compresslevel=1)
    return out.getvalue()


def unpack_arrays(name: str, data: bytes, limit: int = MAX_BYTES) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz: numbers, truth values and text only; all of them together at most `limit` bytes.

    Raises `ScanError` for anything else. Sizes are checked before memory is taken.
    """
    arrays: dict[str, NDArray[Any]] = {}
    left = limit
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                if not entry.filename.endswith(".npy"):
                    raise ScanError(
                        f"{name}: holds {entry.filename[:80]!r}; it is a zip file, but not an .npz of face3d"
                    )
                if entry.file_size > left:
                    raise ScanError(
                        f"{name}: {entry.filename[:80]!r} unpacks to {entry.file_size} bytes; {left} are left"
                    )
                with archive.open(entry) as member:
                    raw = member.read(min(entry.file_size, left) + 1)
                left -= len(raw)
                arrays[entry.filename.removesuffix(".npy")] = read_array(f"{name}: {entry.filename[:80]}", raw)
    except DAMAGE as error:
        raise ScanError(f"{name}: a damaged .npz file ({error})") from None
    return arrays


def array_header(where: str, raw: bytes) -> tuple[np.dtype, tuple[int, ...], bool, int]:
    """Kind, shape, order (True: Fortran's) and first byte of the numbers of an .npy file that starts with `raw`.

    Read by hand: numpy's own reader allocates what the header says before it looks at the data. Raises `ScanError`.
    """
    if raw[:6] != b"\x93NUMPY" or len(raw) < 12 or raw[6] not in (1, 2, 3):
        raise ScanError(f"{where}: is no array file")
    start = 10 if raw[6] == 1 else 12
    end = start + int.from_bytes(raw[8:start], "little")
    if end > len(raw) or end > 10_000:
        raise ScanError(f"{where}: the header of the array is damaged")
    try:
        header = ast.literal_eval(raw[start:end].decode("latin-1").strip())
        dtype, shape, fortran = np.dtype(str(header["descr"])), tuple(header["shape"]), bool(header["fortran_order"])
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise ScanError(f"{where}: the header of the array is damaged") from None
    if dtype.kind not in "fiubU" or dtype.subdtype is not None or not dtype.itemsize:
        raise ScanError(f"{where}: holds {dtype}; only numbers and text are read, never Python objects")
    if not all(isinstance(n, int) and n >= 0 for n in shape) or len(shape) > 8:
        raise ScanError(f"{where}: has shape {shape}")
    return dtype, shape, fortran, end


def read_array(where: str, raw: bytes) -> NDArray[Any]:
    """One .npy file. Raises `ScanError` when it is damaged or holds anything but numbers and text."""
    dtype, shape, fortran, end = array_header(where, raw)
    if math.prod(shape) * dtype.itemsize != len(raw) - end:
        raise ScanError(f"{where}: shape {shape} of {dtype} does not fit {len(raw) - end} bytes")
    array = np.frombuffer(raw, dtype, offset=end)
    if (
        dtype.kind == "U"
        and (np.frombuffer(raw, dtype.byteorder.replace("|", "=") + "u4", offset=end) > 0x10FFFF).any()
    ):
        raise ScanError(f"{where}: holds characters that do not exist")
    return array.reshape(shape, order="F" if fortran else "C")


def write_archive(scan: FaceScan) -> bytes:
    """A FaceScan as bytes of an .npz."""
    arrays: dict[str, NDArray[Any]] = {_MARK: np.array(_VERSION), "vertices": scan.vertices, "faces": scan.faces}
    if scan.colors is not None:
        arrays["colors"] = scan.colors
    if scan.landmarks:
        arrays["landmark_names"] = np.array(list(scan.landmarks), np.str_)
        arrays["landmarks"] = np.array(list(scan.landmarks.values()))
    if scan.texture is not None:
        arrays["texture_image"], arrays["texture_uv"] = scan.texture.image, scan.texture.uv
    return pack_arrays(arrays)


def read_archive(name: str, data: bytes, texture: bool = True) -> FaceScan:
    """The FaceScan that `write_archive` wrote, in millimetres. Raises `ScanError` for any other .npz."""
    arrays = unpack_arrays(name, data)
    if _MARK not in arrays or "vertices" not in arrays:
        raise ScanError(f"{name}: an .npz without a face3d scan in it; it holds {', '.join(arrays)[:200] or 'nothing'}")
    if arrays[_MARK].shape != () or arrays[_MARK].dtype.kind != "i" or int(arrays[_MARK]) != _VERSION:
        raise ScanError(f"{name}: version {arrays[_MARK].tolist()} of a face3d scan; this face3d reads {_VERSION}")
    vertices = _expect(name, arrays, "vertices", "f", (None, 3))
    faces = _expect(name, arrays, "faces", "iu", (None, 3)) if "faces" in arrays else np.empty((0, 3), np.int64)
    check_counts(name, len(vertices), len(faces))
    marks: dict[str, NDArray[Any]] = {}
    if "landmarks" in arrays:
        points = _expect(name, arrays, "landmarks", "f", (None, 3))
        names = _expect(name, arrays, "landmark_names", "U", (len(points),))
        marks = dict(zip((str(n) for n in names), points, strict=True))
    picture = None
    if texture and "texture_image" in arrays:
        picture = Texture(
            _expect(name, arrays, "texture_image", "u", (None, None, 3)),
            _expect(name, arrays, "texture_uv", "f", (len(faces), 3, 2)),
        )
    colors = _expect(name, arrays, "colors", "u", (len(vertices), 3)) if "colors" in arrays else None
    return FaceScan(vertices, faces, marks, colors, picture, name=name, units_note="mm: as every .npz of face3d")


def _expect(
    name: str, arrays: dict[str, NDArray[Any]], key: str, kinds: str, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    array = arrays.get(key)
    if array is None:
        raise ScanError(f"{name}: {key!r} is missing from the scan")
    fits = array.ndim == len(shape) and all(w in (None, n) for n, w in zip(array.shape, shape, strict=True))
    if not fits or array.dtype.kind not in kinds:
        raise ScanError(
            f"{name}: {key!r} is {array.dtype} {array.shape}; expected shape {shape}".replace("None", "any")
        )
    return array
