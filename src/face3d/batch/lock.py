"""One run at a time on one output: who holds it is said by name, and a dead run holds nothing."""

from __future__ import annotations

import contextlib
import errno
import getpass
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from face3d.batch.places import OWN, Bucket, Folder, Place
from face3d.errors import OutputError

#: The claim of a run on all items; a shard's is its own, and goes along with other shards' but not with this one.
WHOLE = "all"
#: What file systems say that know no locks.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@contextlib.contextmanager
def claimed(place: Place, out: str, claim: str = WHOLE) -> Iterator[None]:
    """Within it the output is this run's, for `claim`. Raises `OutputError` that names who holds it.

    In a folder the system holds the lock and lets it go when the process ends, however it ends. Where there are no
    such locks (stores, some network file systems) the owner's name counts, as long as a process of this machine is
    alive; of another machine's nothing is known here.
    """
    if isinstance(place, Folder):
        with _folder_lock(place.path / OWN, out, claim):
            yield
    else:
        assert isinstance(place, Bucket)
        with _store_lock(place, out, claim):
            yield


@contextlib.contextmanager
def _folder_lock(own: Path, out: str, claim: str) -> Iterator[None]:
    try:
        own.mkdir(parents=True, exist_ok=True)
        mine = open(own / f"{claim}.lock", "a+", encoding="utf-8")  # noqa: SIM115 (held to the end of the run)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror}; give another folder with --out") from None
    with mine:
        if not _locked(mine, out):
            raise OutputError(_taken(out, _read(mine)))
        for other in sorted(own.glob("*.lock")):
            if other.name == f"{claim}.lock" or (claim != WHOLE and other.name != f"{WHOLE}.lock"):
                continue
            with open(other, "a+", encoding="utf-8") as theirs:
                if not _locked(theirs, out):
                    raise OutputError(_taken(out, _read(theirs)))
        mine.truncate(0)
        mine.write(json.dumps(_myself()))
        mine.flush()
        yield
        mine.truncate(0)


def _locked(file: Any, out: str) -> bool:
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except ImportError:  # not on Windows
        return not _alive(_read(file))
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise OutputError(f"{out}: cannot be locked: {error.strerror}") from None
        return not _alive(_read(file))


@contextlib.contextmanager
def _store_lock(place: Bucket, out: str, claim: str) -> Iterator[None]:
    locks = [f"{OWN}/{claim}.lock"] if claim != WHOLE else _locks_of(place)
    locks = [*locks, f"{OWN}/{WHOLE}.lock"]
    for data in place.read_many(locks).values():
        owner = json.loads(data)
        if _alive(owner):
            way = f"if that run is no more, remove {out}/{OWN}/*.lock" if owner.get("host") != platform.node() else ""
            raise OutputError(_taken(out, owner, way))
    mine = f"{place.base}/{OWN}/{claim}.lock"
    place.fs.pipe_file(mine, json.dumps(_myself()).encode())
    try:
        yield
    finally:
        place.fs.pipe_file(mine, b"{}")


def _locks_of(place: Bucket) -> list[str]:
    found = place.fs.find(f"{place.base}/{OWN}")
    return [path[len(place.base) + 1 :] for path in found if path.endswith(".lock")]


def _myself() -> dict[str, Any]:
    with contextlib.suppress(OSError, KeyError):
        return identity() | {"user": getpass.getuser()}
    return identity()


def identity() -> dict[str, Any]:
    """This process, as it can be told from every other: host, number, and when it began."""
    command = " ".join(sys.argv)[:200].encode("utf-8", "backslashreplace").decode()
    return {"host": platform.node(), "process": os.getpid(), "born": _born(os.getpid()), "command": command}


def _born(process: int) -> str:
    """When a process began, in the kernel's ticks: numbers of processes are given again. "" where it isn't known."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def _alive(owner: dict[str, Any]) -> bool:
    """Whether the process that an owner names may still run."""
    if "process" not in owner:
        return False
    if owner.get("host") != platform.node():
        return True
    try:
        os.kill(int(owner["process"]), 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return not owner.get("born") or _born(int(owner["process"])) in ("", owner["born"])


def _read(file: Any) -> dict[str, Any]:
    file.seek(0)
    try:
        found = json.loads(file.read() or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _taken(out: str, owner: dict[str, Any], way: str = "wait for it, or give another folder with --out") -> str:
    way = way or "wait for it, or give another folder with --out"
    who = f"{owner.get('user', 'somebody')} on {owner.get('host', 'a machine')}, process {owner.get('process', '?')}"
    return f"{out}: another run writes into it ({who}: {owner.get('command', 'face3d batch')}); {way}"
