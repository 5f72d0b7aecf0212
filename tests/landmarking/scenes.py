"""What stands beside a face in a scan: bodies, walls, other people; in the canonical head frame, mm."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.scan import FaceScan
from face3d.simulate.head import HeadModel


def person(seed: int, size: float = 1.0) -> FaceScan:
    """The front of a simulated head, at rest, with its natural asymmetry."""
    model, rng = HeadModel.load("b"), np.random.default_rng(seed)
    shape = model.shape(0.7 * rng.normal(size=len(model.identity)), 0.7 * rng.normal(size=len(model.asymmetry)))
    return FaceScan(size * shape, model.faces, name=f"person {seed}")


def moved(scan: FaceScan, shift: tuple[float, float, float], yaw: float = 0.0) -> FaceScan:
    return scan.moved(RigidTransform.from_components(shift, Rotation.from_euler("y", yaw, degrees=True)))


def together(*parts: FaceScan) -> FaceScan:
    first = np.cumsum([0] + [len(p.vertices) for p in parts])
    return FaceScan(
        np.concatenate([p.vertices for p in parts]),
        np.concatenate([p.faces + n for p, n in zip(parts, first, strict=False)]),
        name="scene",
    )


def _sheet(points: np.ndarray) -> FaceScan:
    """Triangles between points (N, M, 3)."""
    at = np.arange(points.shape[0] * points.shape[1]).reshape(points.shape[:2])
    a, b, c, d = at[:-1, :-1].ravel(), at[1:, :-1].ravel(), at[1:, 1:].ravel(), at[:-1, 1:].ravel()
    return FaceScan(points.reshape(-1, 3), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def plane(centre: tuple, across: tuple, along: tuple, step: float = 15.0, noise: float = 0.5) -> FaceScan:
    """A wall, a table; it faces the way that `across` x `along` points."""
    x, y = np.array(across, float), np.array(along, float)
    u, v = (np.linspace(-0.5, 0.5, max(2, int(np.linalg.norm(w) / step))) for w in (x, y))
    flat = np.array(centre, float) + u[:, None, None] * x + v[:, None] * y
    normal = np.cross(x, y) / np.linalg.norm(np.cross(x, y))
    return _sheet(flat + noise * np.random.default_rng(0).normal(size=(*flat.shape[:2], 1)) * normal)


def ellipsoid(centre: tuple, radii: tuple, step: float = 15.0) -> FaceScan:
    n = max(8, int(3 * max(radii) / step))
    u, v = np.meshgrid(np.linspace(0.02, np.pi - 0.02, n), np.linspace(0, 2 * np.pi, 2 * n), indexing="ij")
    ball = np.stack([np.sin(u) * np.cos(v), np.cos(u), -np.sin(u) * np.sin(v)], axis=-1)
    ball *= 1.0 + 0.01 * np.sin(np.array(radii) * ball / 12.0).sum(axis=-1, keepdims=True)  # folds of clothing
    return _sheet(np.array(centre, float) + np.array(radii, float) * ball)


def body() -> FaceScan:
    """One and a half metres of a standing body below a head."""
    limbs = [
        ((side * x, y, -90), radii)
        for side in (-1, 1)
        for x, y, radii in (
            (230, -520, (55, 330, 55)),
            (240, -880, (40, 90, 25)),
            (95, -1180, (85, 420, 90)),
            (95, -1570, (50, 40, 130)),
        )
    ]
    trunk = [((0, -420, -90), (200, 290, 110)), ((0, -760, -90), (170, 160, 120))]
    return together(*(ellipsoid(centre, radii) for centre, radii in (*trunk, *limbs)))


WALL = ((0, 0, -1000), (1800, 0, 0), (0, 1400, 0))
