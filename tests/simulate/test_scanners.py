"""Scanners: the truth that they carry, their own triangulation, their noise as stated, the same seed the same scan."""

import numpy as np
import pytest
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import ScanError
from face3d.simulate.scanners import Chart, scan_stereophotogrammetry
from face3d.simulate.skin import Skin


def bump(n: int = 41, radius: float = 90.0) -> tuple[np.ndarray, np.ndarray]:
    """An egg-shaped cap with a nose, exactly symmetric about x = 0, mm, +z to the front."""
    u, v = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n))
    x, y = 75 * u.ravel(), 100 * v.ravel()
    z = np.sqrt(np.maximum(1 - (x / 110) ** 2 - (y / 140) ** 2, 0.0)) * radius
    z = z + 22 * np.exp(-((x / 12) ** 2) - ((y + 8) / 20) ** 2) - 70
    grid = np.arange(n * n).reshape(n, n)
    a, b, c, d = (g.ravel() for g in (grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]))
    return np.column_stack([x, y, z]), np.vstack([np.column_stack([a, b, c]), np.column_stack([a, c, d])])


MODEL = bump()


def scan(seed: int = 0, **options):
    options = {"points": 4000, "crop": "bust", "pose": False, **options}
    return scan_stereophotogrammetry(*MODEL, np.random.default_rng(seed), **options)


def test_chart_is_bijective_with_a_hole_and_refuses_a_handle():
    v, f = MODEL
    holed = f[np.linalg.norm(v[f].mean(axis=1)[:, :2] - [30, 30], axis=1) > 12]
    for faces in (f, holed):
        chart = Chart.of(v, faces)
        p = chart.uv[faces]
        d, e = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
        area = d[:, 0] * e[:, 1] - d[:, 1] * e[:, 0]
        assert (area > 0).all() or (area < 0).all()
    turn, ring = np.meshgrid(
        np.linspace(0, 2 * np.pi, 12, endpoint=False), np.linspace(0, 2 * np.pi, 9, endpoint=False)
    )
    torus = np.column_stack(
        [(30 + 8 * np.cos(ring)).ravel() * np.cos(turn).ravel(), (30 + 8 * np.cos(ring)).ravel() * np.sin(turn).ravel(),
         8 * np.sin(ring).ravel()]
    )  # fmt: skip
    grid = np.arange(108).reshape(9, 12)
    right, below = np.roll(grid, -1, axis=1), np.roll(grid, -1, axis=0)
    both = np.roll(right, -1, axis=0)
    faces = np.vstack([np.column_stack([g.ravel() for g in t]) for t in ((grid, right, both), (grid, both, below))])
    keep = (v_ := torus)[faces].mean(axis=1)[:, 0] > -100  # all of it: opened at the rear it still has a handle
    with pytest.raises(ScanError, match="Euler characteristic"):
        Chart.of(v_, np.delete(faces[keep], 0, axis=0))


def test_scan_is_a_surface_of_about_the_asked_size():
    s = scan()
    f = s.scan.faces
    edges, count = np.unique(np.sort(f[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0, return_counts=True)
    assert count.max() == 2
    assert 0.95 * 4000 < len(s.scan.vertices) <= 1.05 * 4000
    p = s.noise_free(MODEL[0])
    length = np.linalg.norm(p[edges[:, 0]] - p[edges[:, 1]], axis=1)
    # Poisson-disc spacing: no edge much shorter than the packing radius, hardly any twice the median.
    assert length.min() > 0.6 * np.median(length)
    assert np.quantile(length, 0.99) < 2.0 * np.median(length)
    a, b, c = (p[f[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).mean() > 0.999  # wound outwards, towards +z


def test_true_position_is_on_the_model_and_fields_are_carried_exactly():
    s = scan(noise_mm=(0.0, 0.0), pose=True)
    assert np.allclose(s.scan.vertices, s.noise_free(MODEL[0]), atol=1e-9)
    linear = MODEL[0] @ [0.3, -0.2, 0.7] + 5.0
    there = s.pose.inv().apply(s.scan.vertices) @ [0.3, -0.2, 0.7] + 5.0
    assert np.allclose(s.carry(linear), there, atol=1e-9)


def test_truth_does_not_depend_on_pose_triangulation_or_noise():
    slide = np.column_stack(
        [np.zeros(len(MODEL[0])), 3 * np.exp(-(((MODEL[0][:, 0] - 30) / 25) ** 2)), MODEL[0][:, 0] / 40]
    )
    values = []
    for seed, noise in ((1, (0.0, 0.0)), (2, (0.3, 0.5))):
        s = scan(seed, noise_mm=noise, pose=True)
        values.append((s.noise_free(MODEL[0]), s.pose, s.carry(slide)))
    (p0, pose0, t0), (p1, pose1, t1) = values
    near, index = KDTree(pose0.inv().apply(p0)).query(pose1.inv().apply(p1))
    # The field changes by at most 0.13 mm a mm, whoever samples it.
    assert (np.linalg.norm(t0[index] - t1, axis=1) <= 0.13 * near + 1e-9).all()
    assert np.median(near) < 2.0


def test_noise_has_the_planted_size_and_correlation():
    square = []
    for seed in range(6):
        s = scan(seed, noise_mm=(0.0, 0.2), holes=False)
        square.append(((s.scan.vertices - s.noise_free(MODEL[0])) ** 2).sum(axis=1))
    # Steeper skin is noisier, never less than planted; a quarter more at most over the whole of this cap.
    assert 0.19 < np.sqrt(np.mean(np.concatenate(square))) < 0.26
    s = scan(3, noise_mm=(0.1, 0.2), holes=False)
    p = s.noise_free(MODEL[0])
    frontal = np.flatnonzero(np.abs(p[:, 0]) < 35)
    error = (s.scan.vertices - p)[frontal, 2]
    distance, other = KDTree(p[frontal]).query(p[frontal], k=2)
    near = np.corrcoef(error, error[other[:, 1]])[0, 1]
    far = np.corrcoef(error, np.roll(error, 1))[0, 1]
    # 0.2^2 of 0.2^2 + 0.1^2 is shared by neighbours a third of the correlation length apart: 0.8 exp(-0.06) = 0.75.
    assert 0.6 < near < 0.85
    assert abs(far) < 0.15
    assert distance[:, 1].mean() < 3.0


def test_left_and_right_share_no_vertex_and_neither_is_the_models():
    s = scan(noise_mm=(0.0, 0.0), holes=False)
    mirrored = s.scan.vertices * [-1, 1, 1]
    far = np.abs(mirrored[:, 0]) > 3
    spacing = np.sqrt(2 * 75 * 2 * 100 / 4000)
    # Independent points at this density meet within a twentieth of the spacing by chance at most 1 % of the time.
    assert (KDTree(s.scan.vertices).query(mirrored[far])[0] < 0.05 * spacing).mean() < 0.02
    assert (KDTree(MODEL[0]).query(s.scan.vertices)[0] < 0.05 * spacing).mean() < 0.02


def test_same_seed_same_scan_other_seed_another():
    one, two, other = scan(7, pose=True), scan(7, pose=True), scan(8, pose=True)
    assert np.array_equal(one.scan.vertices, two.scan.vertices)
    assert np.array_equal(one.scan.faces, two.scan.faces)
    assert one.scan.vertices.shape != other.scan.vertices.shape or not np.allclose(
        one.scan.vertices, other.scan.vertices
    )


def test_given_pose_is_applied_and_landmarks_move_along():
    pose = RigidTransform.from_components([10.0, 20.0, 900.0], Rotation.from_euler("y", 170, degrees=True))
    nose = np.array([0.0, -8.0, 42.0])
    s = scan(pose=pose, landmarks={"prn": nose}, noise_mm=(0.0, 0.0))
    assert np.allclose(s.landmarks["prn"], pose.apply(nose))
    assert s.scan.landmarks == {}
    model = pose.inv().apply(s.scan.vertices)
    assert np.allclose(model, s.carry(MODEL[0]), atol=1e-9)


def test_skin_moves_with_the_face():
    v, f = MODEL
    skin = Skin.draw(np.random.default_rng(5), {}, np.array([v.min(axis=0), v.max(axis=0)]))
    moved = v + np.column_stack([np.zeros(len(v)), 4 * np.exp(-(((v[:, 0] - 30) / 20) ** 2)), np.zeros(len(v))])
    color = []
    for shape in (v, moved):
        s = scan_stereophotogrammetry(
            shape,
            f,
            np.random.default_rng(1),
            points=4000,
            crop="bust",
            pose=False,
            holes=False,
            skin=skin,
            skin_vertices=v,
        )
        color.append((s.carry(v), s.scan.colors.astype(float).mean(axis=1)))
    (p0, c0), (p1, c1) = color
    # At the same material point both scans show the same colour, but for camera noise, gain and spacing.
    near, index = KDTree(p0).query(p1)
    close = near < 0.4
    assert close.sum() > 100
    a, b = c0[index[close]], c1[close]
    assert np.corrcoef(a, b)[0, 1] > 0.8


def test_crop_must_be_known():
    with pytest.raises(ValueError, match="'oval'"):
        scan(crop="oval")
