"""What a file may do to us before anything in it is believed: open, unpack and recognise it within limits."""

from __future__ import annotations

import os
import stat
import zlib
from pathlib import Path
from typing import BinaryIO

from face3d.errors import ScanError

# 5 million vertices as text are about 400 MB; more than that is no face scan.
MAX_BYTES = 512 << 20
# Text of a mesh shrinks 3 to 10 times; deflate can reach 1000 on a file made to burst. Below the first number nothing
# is checked, so that a small file full of equal numbers may still be read.
_FREE_BYTES, _MAX_RATIO = 16 << 20, 40
_FEED, _MAX_MEMBERS = 1 << 14, 20_000


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """A regular file's content, at most `limit` bytes; `ScanError` for anything else (a pipe is never waited on)."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
            raise ScanError(f"{path}: is {kind}; a regular file is needed")
        # Non-blocking, and looked at again once open, in case the path was swapped for a pipe in between.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ScanError(f"{path}: is no regular file")
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise ScanError(f"{path}: {size} bytes; at most {limit} are read")
            data = file.read(size + 1)
    except FileNotFoundError:
        raise ScanError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise ScanError(f"{path}: cannot be opened: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > size:
        raise ScanError(f"{path}: more than {size} bytes; it grew while it was read")
    if not data:
        raise ScanError(f"{path}: the file is empty")
    return data


def unzipped(name: str, data: bytes, limit: int = MAX_BYTES) -> bytes:
    """The content of gzip `data`; stops as soon as it is larger than `limit` or grows too fast to be a mesh."""
    allowed = min(limit, max(_FREE_BYTES, _MAX_RATIO * len(data)))
    out = bytearray()
    at, members = 0, 0
    while at < len(data):
        if data[at : at + 2] != b"\x1f\x8b":
            if members and not data[at:].strip(b"\0"):
                break  # padding, as on tapes
            raise ScanError(f"{name}: {len(data) - at} bytes that are no gzip data follow the packed file")
        members += 1
        if members > _MAX_MEMBERS:
            raise ScanError(f"{name}: more than {_MAX_MEMBERS} gzip members in one file")
        unpack = zlib.decompressobj(wbits=31)
        try:
            while not unpack.eof:
                feed = unpack.unconsumed_tail or data[at : at + _FEED]
                if not feed:
                    raise ScanError(f"{name}: the gzip data are cut short after {len(out)} unpacked bytes")
                out += unpack.decompress(feed, allowed + 1 - len(out))
                at += len(feed) - len(unpack.unconsumed_tail) - len(unpack.unused_data)
                if len(out) > allowed:
                    raise ScanError(
                        f"{name}: unpacks from {len(data)} bytes to more than {allowed}, beyond what is read: at most "
                        f"{limit} bytes, and {_MAX_RATIO} times the packed size"
                    )
        except zlib.error as error:
            raise ScanError(f"{name}: the gzip data are damaged ({error})") from None
    return bytes(out)


def beside(path: Path, reference: str, what: str) -> Path:
    """The file that `reference` names, in the folder of `path` or below it.

    Raises `ScanError` when it would lead out of that folder (absolute, drive, `..`, link), before anything is opened.
    """
    refusal = f"{path}: {what} {reference[:120]!r}"
    if not reference or "\0" in reference or ":" in reference or "\\" in reference or reference.startswith(("/", "~")):
        raise ScanError(f"{refusal} is no plain file name beside the scan, and is not opened")
    try:
        folder = path.parent.resolve()
        target = (folder / reference).resolve()
    except (OSError, RuntimeError, ValueError):
        raise ScanError(f"{refusal} cannot be resolved, and is not opened") from None
    if not target.is_relative_to(folder):
        raise ScanError(f"{refusal} leads out of the scan's folder, and is not opened")
    return target


_VENDORS = {
    ".tsb": ("3dMD", "export it from 3dMDvultus as OBJ (with texture) or PLY, or as .obj sequence for 4D"),
    ".tom": ("Canfield Vectra", "export it from Mirror or VAM as OBJ (File > Export)"),
}


def refuse_vendor_formats(path: Path) -> None:
    """Raise `ScanError` for closed formats, naming the export that is read."""
    suffix = next((s.lower() for s in reversed(path.suffixes) if s.lower() != ".gz"), "")
    if suffix in _VENDORS:
        vendor, way_out = _VENDORS[suffix]
        raise ScanError(f"{path}: {suffix} is a closed format of {vendor} and cannot be read; {way_out}")


def opened(path: Path) -> BinaryIO:
    """A regular file to read from piece by piece, whatever its size; `ScanError` for anything else."""
    try:
        if not path.is_file():
            raise ScanError(f"{path}: is no regular file" if path.exists() else f"{path}: there is no such file")
        file = open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")  # noqa: SIM115
    except (OSError, ValueError) as error:
        raise ScanError(f"{path}: cannot be opened: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ScanError(f"{path}: is no regular file")
    return file
