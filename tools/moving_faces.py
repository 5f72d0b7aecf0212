"""Recordings whose every frame's truth is known: people of several heads who move and turn, scanned frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from expression_sets import vitruvian
from face3d.scan import FaceScan, Floats, Ints
from face3d.simulate import HeadModel, draw_healthy, draw_patient, scan_face
from face3d.simulate.motion import minimum_jerk, move
from face3d.simulate.patients import expression_intensities
from face3d.simulate.scanners.scan_face import draw_skin

#: Degrees by which a head turns left and right, nods and tilts, and mm by which it shifts, over TURN_S seconds.
TURNS, SHIFT_MM, TURN_S = (20.0, 8.0, 5.0), 20.0, 5.0


@dataclass(frozen=True, eq=False, repr=False)
class MovingFace:
    """`scans` of a recording at `fps`; `shapes` (T, V, 3) float32 mm, the true surface with `faces` in the head frame,
    its first at rest; `poses` head frame -> scan coordinates."""

    name: str
    fps: float
    scans: Sequence[FaceScan]
    shapes: np.ndarray
    faces: Ints
    poses: RigidTransform

    def __len__(self) -> int:
        return len(self.scans)


def turning(times: Floats, rng: np.random.Generator, share: float = 1.0) -> RigidTransform:
    """A head that turns: the first instant's pose is none."""
    phase = rng.uniform(0.8, 1.2, 3)
    swing = np.sin(2 * np.pi * np.outer(times, phase) / TURN_S) * share
    turn = Rotation.from_euler("yxz", swing * TURNS, degrees=True)
    return RigidTransform.from_components(swing[:, [1, 2, 0]] * SHIFT_MM, turn)


def simulated(
    author: str,
    seed: int,
    expressions: Sequence[str],
    scanner: str = "stereophotogrammetry",
    fps: float = 30.0,
    points: int = 10_000,
    grade: int = 1,
    colours: bool = False,
    turns: float = 1.0,
) -> MovingFace:
    """Somebody of movement set "a" or "b" who makes `expressions` one after the other; `grade` 1 is healthy."""
    rng = np.random.default_rng(seed)
    model = HeadModel.load(author, "fine")
    person = draw_patient(rng, model, grade) if grade > 1 else draw_healthy(rng, model)
    model = person.model
    rest, blink = (expression_intensities(person, e) for e in ("rest", "gentle_eye_closure"))
    parts = [
        move(rest, expression_intensities(person, e), rng, fps=fps, blink=blink, sway=False, weak=_weak(person.side))
        for e in expressions
    ]
    shapes = [v for part in parts for v in part.shapes(model, person.identity, person.asymmetry)]
    shapes.insert(0, model.shape(person.identity, person.asymmetry, *rest))
    poses = turning(np.arange(len(shapes)) / fps, rng, turns)
    options: dict[str, Any] = {"skin": draw_skin(model, rng)} if colours else {}
    if scanner == "stereophotogrammetry":
        options["points"] = points
    scans, placed = [], []
    for k, shape in enumerate(shapes):
        seen = scan_face(model, shape, rng, scanner, pose=_before(scanner, shape, poses[k]), **options)
        scans.append(seen.scan)
        placed.append(seen.pose)
    return MovingFace(
        f"{author} {seed}, {' '.join(expressions)}",
        fps,
        scans,
        np.array(shapes, np.float32),
        model.faces,
        RigidTransform.concatenate(placed),
    )


def _weak(side: str) -> str | None:
    return side if side in ("left", "right") else None


def _before(scanner: str, shape: Floats, pose: RigidTransform) -> RigidTransform:
    """Head frame -> the scanner's coordinates."""
    if scanner != "depth_camera":
        return pose
    from face3d.simulate.scanners.depth_camera import TRUEDEPTH
    from face3d.simulate.scanners.pinhole import facing

    return facing(TRUEDEPTH.distance_mm, np.array([0.0, -20.0, 60.0])) * pose


def blended(seed: int, expression: str, frames: int = 24, fps: float = 30.0, hold: int = 4) -> MovingFace:
    """Somebody of the Vitruvian head who goes from rest to a whole expression, each frame in a mesh of its own."""
    rng, head = np.random.default_rng(seed), vitruvian()
    face = head.person(rng)
    way = minimum_jerk(np.r_[0.0, np.arange(frames) / (frames - 1), np.ones(hold)])
    poses = turning(np.arange(len(way)) / fps, rng)
    scans, shapes, placed = [], [], []
    for k, share in enumerate(way):
        moved = head.moved(face, {expression: float(share)})
        seen = head.scan(moved, rng)
        motion = poses[k] * seen.pose.inv()
        seen = seen.moved(motion)
        scans.append(seen.scan)
        shapes.append(head.finer.apply(moved))
        placed.append(seen.pose)
    return MovingFace(
        f"Vitruvian {seed}, {expression}",
        fps,
        scans,
        np.array(shapes, np.float32),
        head.finer.faces,
        RigidTransform.concatenate(placed),
    )
