"""Which files of a study are recordings, told by names alone.

A rate is never guessed, so that numbered meshes are a recording only where time stamps lie beside them: without these
a folder of face_001.ply, face_002.ply may as well be a folder of people. A manifest says what names cannot.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping

from face3d.io.depth_frames import CAMERAS, DEPTH_SUFFIXES
from face3d.io.fixed_topology import MESH_SUFFIXES
from face3d.io.frame_files import SUFFIXES
from face3d.io.frame_numbers import TIMES

#: Files that are a recording each: point caches, markers, ARKit's frames a line each.
FILES = (".pc2", ".mdd", ".jsonl", ".c3d")
_DEPTHS, _COLORS = ("depth", "depths"), ("color", "colour", "rgb")


def recordings(files: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Recordings among `files`, names below a study with "/" between -> the files that each is made of. The name of a
    folder of frames is the folder's, "" for the study's own."""
    folders: dict[str, list[str]] = defaultdict(list)
    for file in sorted(files):
        folders[posixpath.dirname(file)].append(file)
    found: dict[str, tuple[str, ...]] = {}
    for folder, own in folders.items():
        above, name = posixpath.split(folder)
        beside = [posixpath.basename(f).lower() for f in (*own, *folders.get(above, ()))]
        if name.lower() in _DEPTHS and _some(own, DEPTH_SUFFIXES) and any(b in CAMERAS for b in beside):
            parts = [f for f in folders.get(above, ()) if not _some([f], SUFFIXES)]
            parts += [f for c in _COLORS for f in folders.get(posixpath.join(above, c), ())]
            found[above] = (*own, *parts)
        elif is_frames(own):
            found[folder] = tuple(own)
    taken = {f for parts in found.values() for f in parts}
    for file in (f for own in folders.values() for f in own):
        if file.lower().endswith(FILES) and file not in taken:
            found[file] = (file, *_base(file, folders[posixpath.dirname(file)]))
    return found


def is_frames(files: Iterable[str]) -> bool:
    """Whether the files of one folder are frames with their times."""
    names = [posixpath.basename(f) for f in files]
    return any(TIMES.fullmatch(n) for n in names) and len(_some(names, SUFFIXES)) > 1


def _base(file: str, beside: list[str]) -> list[str]:
    """The mesh that bare vertices belong to, as `io.fixed_topology.base_of` takes it."""
    if file.lower().endswith(".c3d"):
        return []
    meshes = [f for f in beside if posixpath.splitext(f)[1].lower() in MESH_SUFFIXES]
    named = [f for f in meshes if posixpath.splitext(f)[0] == posixpath.splitext(file)[0]]
    return named if len(named) == 1 else meshes if len(meshes) == 1 else []


def _some(files: Iterable[str], suffixes: tuple[str, ...]) -> list[str]:
    return [f for f in files if f.lower().removesuffix(".gz").endswith(suffixes)]
