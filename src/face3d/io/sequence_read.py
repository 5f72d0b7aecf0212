"""A recording from whatever it lies in on disk: the one door for sequences, as `read_scan` is for scans."""

from __future__ import annotations

import os
from pathlib import Path

from numpy.typing import ArrayLike

from face3d.errors import ScanError, SchemaError
from face3d.io import guard
from face3d.io.frame_files import SUFFIXES, mesh_file, read_frames
from face3d.io.frame_follow import follow_frames
from face3d.io.sequence import Sequence
from face3d.io.vertex_arrays import read_arrays
from face3d.io.vertex_cache import is_pc2, read_cache
from face3d.scan import FaceScan

READ = (
    "a folder of numbered meshes or depth pictures, .npz, .npy, .pc2, .mdd, and ARKit's frames as .json, .jsonl or .csv"
)
#: Suffix -> why it holds no surfaces that can be read, and the way out.
FOREIGN = {
    ".tsb": "is a closed format of 3dMD; export the sequence from 3dMDvultus as numbered OBJ or PLY",
    ".bag": "is a recording of RealSense; write its depth pictures as 16-bit PNG, with intrinsics, by open3d's "
    "RSBagReader (save_frames) or pyrealsense2",
    ".mkv": "is a recording of Azure Kinect; open3d's azure_kinect_mkv_reader writes depth/, color/ and intrinsic.json",
    ".xef": "is a closed recording of Kinect v2; convert it to numbered 16-bit PNG of depth",
    ".oni": "is a recording of OpenNI; convert it to numbered 16-bit PNG of depth",
    ".r3d": "is a recording of Record3D; export it there as a sequence of PLY",
    ".abc": "is Alembic; export it as PointCache2 or MDD with its OBJ, or as numbered OBJ",
    ".fbx": "is FBX; export it as PointCache2 or MDD with its OBJ, or numbered OBJ",
    ".usd": "is USD; export it as numbered OBJ or PLY",
    ".usdc": "is USD; export it as numbered OBJ or PLY",
    ".usdz": "is USD; export it as numbered OBJ or PLY",
    ".blend": "is a project of Blender; export PointCache2 or MDD with its OBJ",
    ".c3d": "holds markers, no surfaces: face3d.read_markers reads it",
    ".trc": "holds markers, no surfaces, in a format that is not read; export C3D and give it to face3d.read_markers",
    ".tsv": "is a table of markers; export C3D (Qualisys: File > Export > C3D) and give it to face3d.read_markers",
}
_VIDEO = (".avi", ".mp4", ".mov", ".m4v", ".webm", ".wmv")


def read_sequence(
    path: str | os.PathLike[str],
    fps: float | None = None,
    units: str | float = "auto",
    *,
    base: str | os.PathLike[str] | FaceScan | None = None,
    times_s: ArrayLike | None = None,
    follow: bool = False,
    idle_s: float = 10.0,
) -> Sequence:
    """A recorded movement, whose frames are read one by one when asked for, some ahead of who takes them.

    `path`: a folder of numbered meshes (or a pattern in it, "left_*.ply"), a folder of depth pictures with their
    camera, an archive of (frames, vertices, 3) numbers (.npz, .npy), a point cache (.pc2, .mdd), or ARKit's frames
    (.json, .jsonl, .csv, or a folder of .json).

    `fps` frames a second, where the files don't say it; it wins over what they say. `times_s` (T,) when each frame was
    taken, seconds, for folders. `units` as in `read_scan`, settled once, by the first usable frame; of depth pictures,
    the millimetres of a step. `base`: the mesh that bare vertices belong to (else the one beside them). `follow`: the
    folder is still being written; frames come as they appear, until none came for `idle_s` seconds or a file
    `sequence.stop` is there.

    Frames that are missing, broken or without a usable time are `lost`, with the reason. Raises `ScanError` when
    nothing can be read, `SchemaError` when no rate is known or it is none. See docs/sequences.md.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if file.name == "" or "*" in file.name or file.is_dir():
        return _folder(file, fps, units, base, times_s, follow, idle_s)
    if suffix in FOREIGN:
        raise ScanError(f"{file}: {FOREIGN[suffix]}")
    if suffix in _VIDEO:
        raise ScanError(f"{file}: is a plain video, without depth; numbered meshes or depth pictures are needed")
    if follow:
        raise SchemaError(f"{file}: only a folder of frames can be followed")
    with guard.opened(file) as opened:
        start = opened.read(64)
    if not start:
        raise ScanError(f"{file}: the file is empty")
    mesh = Path(base) if isinstance(base, str | os.PathLike) else base
    if is_pc2(start) or suffix in (".pc2", ".mdd"):
        if suffix == ".pc2" and not is_pc2(start):
            raise ScanError(f"{file}: does not start as a PointCache2 does: damaged, or something else")
        return read_cache(file, fps, units, mesh)
    if start.startswith(b"\x93NUMPY") or suffix in (".npz", ".npy"):
        return read_arrays(file, fps, units, mesh)
    if suffix in (".json", ".jsonl", ".csv"):
        from face3d.io.arkit import read_arkit

        return read_arkit(file, fps, units, mesh)
    if suffix in SUFFIXES:
        raise ScanError(
            f"{file}: is one scan, no recording; give the folder of the frames, or a pattern such as frame_*.ply"
        )
    raise ScanError(f"{file}: is no recording that is known; read are {READ}")


def _folder(
    path: Path,
    fps: float | None,
    units: str | float,
    base: str | os.PathLike[str] | FaceScan | None,
    times_s: ArrayLike | None,
    follow: bool,
    idle_s: float,
) -> Sequence:
    from face3d.io.depth_frames import DEPTH_SUFFIXES, camera_of, depth_folder, depth_reader, read_depth

    depth = depth_folder(path)
    if follow:
        if depth is not None:
            camera = camera_of(depth, units)
            return follow_frames(depth.pictures, fps, camera.unit, idle_s, depth_reader(depth, camera), DEPTH_SUFFIXES)
        return follow_frames(path, fps, units, idle_s, mesh_file, SUFFIXES)
    if depth is not None:
        return read_depth(depth, fps, units, times_s)
    if path.is_dir() and not any(f.name.lower().removesuffix(".gz").endswith(SUFFIXES) for f in path.iterdir()):
        jsons = sorted(f for f in path.iterdir() if f.suffix.lower() == ".json")
        if len(jsons) > 1:
            from face3d.io.arkit import read_arkit_folder

            return read_arkit_folder(path, fps, units, Path(base) if isinstance(base, str | os.PathLike) else base)
    return read_frames(path, fps, units, times_s)
