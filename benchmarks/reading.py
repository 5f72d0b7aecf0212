"""Reading a scan of 200,000 vertices: face3d beside trimesh, the same files, the same run.

    python benchmarks/reading.py [vertices]

CPU seconds, the best of five, of what leaves float64 vertices and integer faces in hand. Ours includes what trimesh
does not do: finite and in-range coordinates, index ranges, the unit from the head's size, locked arrays. A ratio above
1 means that ours is faster: so it is for text, which takes the time. Binary STL is level; binary PLY and GLB take
0.01 s here and less in trimesh, because of those checks. Also
printed: whether each kept the file's vertices, their number and their order.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from face3d.io import read_scan, write_scan
from face3d.scan import FaceScan
from shown import Shown, number, numbers


def domed_sheet(count: int) -> FaceScan:
    """About `count` vertices of a sheet as large and domed as a face, its coordinates rounded to a micrometre."""
    n = round(count**0.5)
    x, y = np.meshgrid(np.linspace(-90, 90, n), np.linspace(-120, 120, n))
    points = np.column_stack([x.ravel(), y.ravel(), (70 - x**2 / 150 - y**2 / 250).ravel()]).round(3)
    at = np.arange(n * n).reshape(n, n)
    quads = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], -1).reshape(-1, 4)
    return FaceScan(points, np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]))


def files(folder: Path, scan: FaceScan) -> list[Path]:
    """The scan in the formats and variants that laboratories send."""
    import trimesh

    lines = "".join(f"v {x} {y} {z}\n" for x, y, z in scan.vertices.tolist())
    uv = "".join(f"vt {x / 180 + 0.5:.6f} {y / 240 + 0.5:.6f}\n" for x, y, _ in scan.vertices.tolist())
    normals = "".join(f"vn {x / 100:.4f} {y / 100:.4f} {z / 100:.4f}\n" for x, y, z in scan.vertices.tolist())
    corners = (scan.faces + 1).tolist()
    (folder / "plain.obj").write_text(lines + "".join(f"f {a} {b} {c}\n" for a, b, c in corners))
    (folder / "uv and normals.obj").write_text(
        lines + uv + normals + "".join(f"f {a}/{a}/{a} {b}/{b}/{b} {c}/{c}/{c}\n" for a, b, c in corners)
    )
    for suffix in (".ply", ".stl", ".off"):
        write_scan(folder / f"binary{suffix}" if suffix != ".off" else folder / "text.off", scan)
    mesh = trimesh.Trimesh(scan.vertices, scan.faces, process=False)
    mesh.export(folder / "ascii.ply", encoding="ascii")
    mesh.export(folder / "ascii.stl", file_type="stl_ascii")
    mesh.export(folder / "binary.glb")
    return sorted(folder.iterdir())


def best(call: Callable[[], object], repeats: int = 5) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    import trimesh

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    scan = domed_sheet(count)

    def theirs(path: Path) -> np.ndarray:
        loaded = trimesh.load(path, process=False)
        (mesh,) = loaded.geometry.values() if isinstance(loaded, trimesh.Scene) else (loaded,)
        assert isinstance(mesh, trimesh.Trimesh)
        np.asarray(mesh.faces, np.int64)
        return np.asarray(mesh.vertices, np.float64)

    title = f"Reading {len(scan.vertices)} vertices, {len(scan.faces)} triangles; CPU s"
    shown = Shown(title, "file", "MB", "face3d", "trimesh", "ratio", "vertices kept: face3d, trimesh")
    with tempfile.TemporaryDirectory() as folder:
        for path in files(Path(folder), scan):
            ours, peer = best(lambda p=path: read_scan(p)), best(lambda p=path: theirs(p))
            expected = scan.vertices[scan.faces].reshape(-1, 3) if path.suffix == ".stl" else scan.vertices
            kept = [
                v.shape == expected.shape and np.allclose(v, expected, atol=1e-4)
                for v in (read_scan(path).vertices, theirs(path))
            ]
            size = path.stat().st_size / 1e6
            words = ", ".join("yes" if k else "no" for k in kept)
            shown.row(path.name, number(size, 1), *numbers([ours, peer], 3), number(peer / ours), words)


if __name__ == "__main__":
    main()
