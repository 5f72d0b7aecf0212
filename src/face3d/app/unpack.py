"""Files from outside are laid into a folder: out of a zip file, or out of a folder of this machine. Within limits."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from face3d.errors import ScanError
from face3d.io.archive import DAMAGE
from face3d.io.exam import LANDMARK_SUFFIXES, SCAN_SUFFIXES

#: What an exam is made of: scans, landmarks, manifest, textures with their tables, recordings.
SUFFIXES = tuple(
    dict.fromkeys(
        (
            *(*SCAN_SUFFIXES, *LANDMARK_SUFFIXES, ".json", ".mtl", ".bin", ".tps", ".npy", ".txt", ".c3d", ".trc"),
            *(".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".tga", ".pc2", ".mdd", ".abc"),
        )
    )
)
_COPIED = 1 << 20


@dataclass(frozen=True)
class Room:
    """How much may be laid down: `total` bytes in `files`, each `ratio` times what it was packed in at most.

    A scan of 5 million vertices as text is 400 MB; ten of them with textures fit. Text of a mesh shrinks 3 to 10 times,
    deflate reaches 1000 on what is made to burst; a small file full of equal numbers may still be read (`free` bytes).
    """

    total: int = 4 << 30
    files: int = 5000
    ratio: int = 40
    free: int = 16 << 20


def known(name: str) -> bool:
    """Whether a file may belong to an exam, by its name."""
    return name.lower().removesuffix(".gz").endswith(SUFFIXES)


def safe_name(name: str) -> bool:
    """Whether a path is one that leads down, and nowhere else, on every system."""
    if not name or len(name) > 400 or re.search(r'[\x00-\x1f\x7f\\:*?"<>|]', name):
        return False
    parts = name.rstrip("/").split("/")
    return not any(p in ("", ".", "..") or len(p.encode("utf-8", "replace")) > 200 or p[-1] in ". " for p in parts)


def unpack(archive: Path, target: Path, room: Room) -> None:
    """The files of a zip file, as far as an exam can use them. Raises `ScanError` that names what is refused."""
    said = archive.name
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            if len(entries) > room.files:
                raise ScanError(f"{said}: holds {len(entries)} files; at most {room.files} are unpacked")
            left, seen = room.total, set()
            for entry in entries:
                shown = ascii(entry.orig_filename[:80])
                if not safe_name(entry.orig_filename):
                    raise ScanError(f"{said}: holds {shown}, which is no plain path below a folder; pack it anew")
                mode = entry.external_attr >> 16
                if entry.flag_bits & 1:
                    raise ScanError(f"{said}: {shown} is encrypted; pack it without a password")
                if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise ScanError(f"{said}: {shown} is a link or a device; pack the files themselves")
                if entry.is_dir() or _hidden(entry.filename) or not known(entry.filename):
                    continue
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ScanError(f"{said}: {shown} is packed in an unusual way; pack it as a plain zip file")
                if (folded := entry.filename.casefold()) in seen:
                    raise ScanError(f"{said}: {shown} is there twice")
                seen.add(folded)
                most = min(left, max(room.free, room.ratio * entry.compress_size))
                if entry.file_size > most:
                    raise ScanError(_burst(said, shown, entry.file_size, most))
                place = target / entry.filename
                place.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(entry) as source, place.open("xb") as out:
                    while block := source.read(_COPIED):
                        left, most = left - len(block), most - len(block)
                        if most < 0:
                            raise ScanError(_burst(said, shown, entry.file_size, most))
                        out.write(block)
    except (FileExistsError, NotADirectoryError):
        raise ScanError(f"{said}: a file in it has the name of a folder in it") from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # the disk; EINVAL: the file says that a part begins before it
            raise
        raise ScanError(f"{said}: a damaged zip file ({error})") from None
    except DAMAGE as error:
        raise ScanError(f"{said}: not a zip file that can be read ({error})") from None


def copy(source: Path, target: Path, room: Room) -> None:
    """The files of a folder of this machine, links out of it left behind. Raises `ScanError` where they are too many or
    too large."""
    left, count, root = room.total, 0, source.resolve()
    for file in _below(source):
        if not file.resolve().is_relative_to(root) or not known(file.name):
            continue
        count, left = count + 1, left - file.stat().st_size
        if count > room.files or left < 0:
            raise ScanError(
                f"{source.name}: holds more than {room.files} files or {room.total >> 20} MB; it is no single exam"
            )
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for name in files:
            file = Path(here, name)
            if not name.startswith(".") and stat.S_ISREG(file.stat().st_mode):
                yield file


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _burst(said: str, shown: str, size: int, most: int) -> str:
    return f"{said}: {shown} unpacks to {size} bytes or more, {max(most, 0)} are allowed; it is no packed scan"
