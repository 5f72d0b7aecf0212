"""Where results go: a folder, in which whole things appear by one rename, or a store that fsspec reaches.

In a store nothing can be renamed: an item's record is taken away first and comes back last, so that what was written
by half has no record and is made again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from face3d.batch.sources import ABSENT, filesystem, is_remote

__all__ = ["ABSENT", "OWN", "RECORD", "Bucket", "Folder", "Place", "place_of", "synced"]

#: The file that says what became of an item, and the folder of what a run keeps for itself.
RECORD, OWN = "item.json", ".face3d-batch"


class Place(Protocol):
    """A place for results; names are relative to it, "/" between. All raise OSError where it cannot be written."""

    def workspace(self, claim: str) -> Path:
        """A new folder on this machine to build in; those that earlier runs under the same claim left are removed, and
        with them whatever these may still be doing."""
        ...

    def publish(self, built: Path, name: str) -> None:
        """A folder or file that was built appears under `name`, in the place of what was there."""
        ...

    def read_many(self, names: Iterable[str]) -> Mapping[str, bytes]:
        """Content of those files that there are."""
        ...

    def remove(self, name: str) -> None:
        """A file or folder is no longer there."""
        ...

    def empty(self) -> bool:
        """Whether nothing of a batch is there."""
        ...


class Folder:
    """A folder on this machine, or on a file system that its workers share."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def workspace(self, claim: str) -> Path:
        """As `Place` says."""
        runs = self.path / OWN / claim
        # Renamed first: a process that still builds in it fails at once, not when its folder is half gone.
        for left in (*runs.glob("*"), *runs.parent.glob(f"{claim}.gone-*")):
            gone = runs.parent / f"{claim}.gone-{secrets.token_hex(4)}"
            with contextlib.suppress(FileNotFoundError):
                os.rename(left, gone)
            shutil.rmtree(gone, ignore_errors=True)
        made = runs / secrets.token_hex(8)
        made.mkdir(parents=True)
        return made

    def publish(self, built: Path, name: str) -> None:
        """As `Place` says."""
        target = self.path / name
        for file in built.iterdir() if built.is_dir() else (built,):
            synced(file)
        if built.is_file():
            os.replace(built, target)
            return
        synced(built)
        while True:
            try:
                os.rename(built, target)
                return
            except OSError:
                if not target.exists():
                    raise
            # Another result is there, of an earlier run or of a worker that was given up too early.
            old = built.with_name(f".old-{secrets.token_hex(8)}")
            with contextlib.suppress(FileNotFoundError):
                os.rename(target, old)
            shutil.rmtree(old, ignore_errors=True)

    def read_many(self, names: Iterable[str]) -> Mapping[str, bytes]:
        """As `Place` says."""
        found = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), open(self.path / name, "rb") as file:
                found[name] = file.read()
        return found

    def remove(self, name: str) -> None:
        """As `Place` says."""
        target = self.path / name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def empty(self) -> bool:
        """As `Place` says."""
        return not (self.path / OWN).exists()


class Bucket:
    """A store behind a URL (s3://bucket/results); things are built on this machine and sent there."""

    def __init__(self, url: str) -> None:
        self.fs, self.base = filesystem(url)

    def workspace(self, claim: str) -> Path:
        """As `Place` says."""
        del claim  # what earlier runs built lies on their own machines
        return Path(tempfile.mkdtemp(prefix="face3d-batch-"))

    def publish(self, built: Path, name: str) -> None:
        """As `Place` says."""
        target = f"{self.base}/{name}"
        if built.is_file():
            self.fs.put_file(str(built), target)
            return
        self.remove(name)
        for file in sorted(built.iterdir(), key=lambda f: f.name == RECORD):
            self.fs.put_file(str(file), f"{target}/{file.name}")

    def read_many(self, names: Iterable[str]) -> Mapping[str, bytes]:
        """As `Place` says."""
        wanted = {f"{self.base}/{name}": name for name in names}
        if not wanted:
            return {}
        found = self.fs.cat(list(wanted), on_error="omit")
        return {wanted[path]: data for path, data in found.items()}

    def remove(self, name: str) -> None:
        """As `Place` says."""
        self.fs.invalidate_cache()
        target = f"{self.base}/{name}"
        for path in sorted(self.fs.find(target), key=lambda p: not p.endswith(f"/{RECORD}")):
            self.fs.rm_file(path)

    def empty(self) -> bool:
        """As `Place` says."""
        self.fs.invalidate_cache()
        return not self.fs.find(f"{self.base}/{OWN}")


def place_of(out: str) -> Place:
    """The place that a path or URL names."""
    return Bucket(out) if is_remote(out) else Folder(out)


def synced(path: Path) -> None:
    """On the disk, not only on its way there: after a power cut a name must not stand for an empty file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
