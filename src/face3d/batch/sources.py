"""Where items' files come from: a folder, or a store that fsspec reaches (s3://bucket/study)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from face3d.extras import require

#: Size of a file that is not there.
ABSENT = -1


@dataclass(frozen=True)
class Stamp:
    """A file as it was: content is looked at again only where any of `size`, `changed` differs. `changed` in a
    folder: when content and entry last changed, and the entry itself; in a store: its tag. `digest` SHA-256 of the
    content (the tag in a store), "" while nobody looked."""

    name: str
    size: int
    changed: str = ""
    digest: str = ""


def is_remote(place: str) -> bool:
    """Whether a place is a URL that fsspec reaches, no folder."""
    return "://" in place


def filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system of a URL, and the path within it."""
    return require("fsspec").core.url_to_fs(url)


def shown(text: str) -> str:
    """Text as it can leave: bytes of a file's name that are no UTF-8 as \\xNN."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def stamps(root: str, names: Iterable[str], again: bool = False) -> list[Stamp]:
    """Files as they are now, unread; of a store as it was listed last, unless it is asked `again`."""
    if is_remote(root):
        fs, base = filesystem(root)
        if again:
            fs.invalidate_cache()
        return [_remote_stamp(fs, base, name) for name in names]
    return [_stamp(root, name) for name in names]


def stamps_with_digests(root: str, found: list[Stamp], known: Iterable[Stamp] = ()) -> list[Stamp]:
    """The same with their digests; those of `known` files that did not change since are believed. Raises OSError."""
    before = {(s.name, s.size, s.changed): s.digest for s in known if s.digest}
    return [
        s if s.digest else replace(s, digest=before.get((s.name, s.size, s.changed)) or _sha256(root, s.name))
        for s in found
    ]


@contextmanager
def fetched(root: str, name: str, inputs: Iterable[str], scratch: Path) -> Iterator[Path]:
    """The item's path on this machine; of a store its files are brought into `scratch`, for as long as it is used."""
    if not is_remote(root):
        yield Path(root) / name
        return
    fs, base = filesystem(root)
    for file in inputs:
        target = scratch / "study" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        fs.get_file(f"{base}/{file}", str(target))
    yield scratch / "study" / name


def _stamp(root: str, name: str) -> Stamp:
    try:
        s = os.stat(os.path.join(root, name))
    except OSError:
        return Stamp(name, ABSENT)
    return Stamp(name, s.st_size, f"{s.st_mtime_ns}-{s.st_ctime_ns}-{s.st_ino}")


def _remote_stamp(fs: Any, base: str, name: str) -> Stamp:
    try:
        found = fs.info(f"{base}/{name}")
    except FileNotFoundError:
        return Stamp(name, ABSENT)
    tag = str(found.get("ETag") or fs.ukey(f"{base}/{name}"))
    return Stamp(name, int(found["size"]), tag, f"tag:{tag}")


def _sha256(root: str, name: str) -> str:
    with open(os.path.join(root, name), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
