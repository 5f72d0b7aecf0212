"""Scanners: the truth that they carry, their own triangulation, their noise as stated, the same seed the same scan."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import ScanError
from face3d.simulate.head import HeadModel, reflected
from face3d.simulate.scanners import (
    KINECT_V1,
    REALSENSE_D415,
    SCANNERS,
    TRUEDEPTH,
    Chart,
    FixedMesh,
    disturbances,
    scan_depth_camera,
    scan_face,
    scan_stereophotogrammetry,
    scan_structured_light,
    shoot,
)
from face3d.simulate.scanners.pinhole import Pinhole, facing
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
        [
            (30 + 8 * np.cos(ring)).ravel() * np.cos(turn).ravel(),
            (30 + 8 * np.cos(ring)).ravel() * np.sin(turn).ravel(),
            8 * np.sin(ring).ravel(),
        ]
    )
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
    near = np.corrcoef(error, error[np.asarray(other)[:, 1]])[0, 1]
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
        assert s.scan.colors is not None
        color.append((s.carry(v), s.scan.colors.astype(float).mean(axis=1)))
    (p0, c0), (p1, c1) = color
    # At the same material point both scans show the same colour, but for camera noise, gain and spacing.
    near, index = KDTree(p0).query(p1)
    close = near < 0.4
    assert close.sum() > 100
    a, b = c0[np.asarray(index)[close]], c1[close]
    assert np.corrcoef(a, b)[0, 1] > 0.8


def test_crop_must_be_known():
    with pytest.raises(ValueError, match="'oval'"):
        scan(crop="oval")


def test_structured_light_is_denser_and_within_its_stated_error():
    s = scan_structured_light(*MODEL, np.random.default_rng(0), points=6000, crop="bust", pose=False, holes=False)
    error = np.linalg.norm(s.scan.vertices - s.noise_free(MODEL[0]), axis=1)
    # 0.04, 0.08, 0.06 and 0.18 mm add up to 0.21; one draw of the 50 mm drift varies by half.
    assert 0.09 < np.sqrt((error**2).mean()) < 0.35
    assert 5500 < len(s.scan.vertices) < 6400


def test_facing_camera_sees_the_subjects_left_at_the_pictures_right():
    motion = facing(600.0, np.zeros(3))
    assert np.allclose(motion.apply([0, 0, 0]), [0, 0, 600])
    assert np.allclose(motion.apply([10, 0, 0]), [10, 0, 600])  # +x, the subject's left: to the right in the picture
    assert np.allclose(motion.apply([0, 10, 0]), [0, -10, 600])  # up is up: rows run down
    assert np.allclose(facing(600.0, np.zeros(3), azimuth=90.0).apply([100, 0, 0]), [0, 0, 500])
    assert np.allclose(facing(600.0, np.zeros(3), elevation=90.0).apply([0, 100, 0]), [0, 0, 500])


def test_depth_frame_back_projects_onto_the_face(tmp_path):
    frame = scan_depth_camera(*MODEL, np.random.default_rng(0), pose=True, noise=False, camera=TRUEDEPTH)
    s = frame.scan()
    known = s.face >= 0
    error = (s.scan.vertices - s.noise_free(MODEL[0]))[known]
    # Steps of 0.1 mm: half a step, plus the single precision of the ray caster.
    assert np.abs(error).max() < 0.06
    a, b, c = (s.scan.vertices[s.scan.faces[:, k]] for k in range(3))
    facing_camera = -np.einsum("ij,ij->i", np.cross(b - a, c - a), a)
    assert (facing_camera > 0).all()  # wound outwards: towards the camera at the origin
    picture, note = frame.write(tmp_path)
    read = np.asarray(Image.open(picture))
    assert read.dtype == np.uint16
    assert np.array_equal(read, frame.depth)
    fields = json.loads(note.read_text())
    assert {"fx", "fy", "cx", "cy", "width", "height", "depth_unit_mm"} <= fields.keys()


@pytest.mark.parametrize("camera", [KINECT_V1, REALSENSE_D415])
def test_depth_noise_grows_with_distance_as_stated(camera):
    v, f = (
        np.array([[-400.0, -400, 0], [400, -400, 0], [400, 400, 0], [-400, 400, 0]]),
        np.array([[0, 1, 2], [0, 2, 3]]),
    )
    spread = []
    for distance in (500.0, 1500.0):
        pose = facing(distance, np.zeros(3))
        frame = scan_depth_camera(v, f, np.random.default_rng(0), camera=camera, pose=pose)
        inside = frame.depth[200:280, 280:360].astype(float) * camera.step_mm
        spread.append(inside.std())
        # Quantisation to whole millimetres adds 0.29 mm; 6,400 pixels, of which correlated patches of some 50.
        expected = np.hypot(camera.noise_mm(distance), camera.step_mm / np.sqrt(12))
        assert abs(inside.std() / expected - 1) < 0.25
    assert spread[1] > 1.5 * spread[0]


def test_flying_pixels_carry_no_truth_and_lie_at_edges():
    frame = scan_depth_camera(*MODEL, np.random.default_rng(0), pose=False)
    flying = (frame.depth > 0) & (frame.face < 0)
    assert 0 < flying.sum() < 0.03 * (frame.depth > 0).sum()
    assert np.isnan(frame.weights[frame.face < 0]).all()


def test_fixed_mesh_keeps_its_vertices_on_the_skin():
    v, f = MODEL
    marks = {"tr": [0, 85, 0], "g": [0, 40, 15], "gn": [0, -90, 0], "t_left": [75, 0, -60], "t_right": [-75, 0, -60]}
    mesh = FixedMesh.of(v, f, marks, np.random.default_rng(0))
    assert len(mesh.samples.face) == 1220
    moved = v + np.column_stack([np.zeros(len(v)), 5 * np.exp(-(((v[:, 0] - 30) / 25) ** 2)), np.zeros(len(v))])
    rest = mesh.scan(v, np.random.default_rng(1), bias_seed=4, pose=False)
    smile = mesh.scan(moved, np.random.default_rng(2), bias_seed=4, pose=False)
    assert np.array_equal(rest.scan.faces, smile.scan.faces)
    change = smile.scan.vertices - rest.scan.vertices
    # The person's bias cancels between frames: what is left is 0.1 mm of tremble in each, along the normal.
    error = change - (smile.noise_free(moved) - rest.noise_free(v))
    assert np.median(np.linalg.norm(error, axis=1)) < 0.3


def test_stereo_pair_is_calibrated():
    v, f = MODEL
    skin = Skin.draw(np.random.default_rng(5), {}, np.array([v.min(axis=0), v.max(axis=0)]))
    optics = Pinhole(150, 200, 400.0, 400.0, 74.5, 99.5)
    pair = shoot(v, f, np.random.default_rng(0), skin=skin, skin_vertices=v, optics=optics)
    motion = pair.left_to_right
    assert motion.translation[0] < -100  # the right camera stands to the right: its frame sees points further left
    seen = pair.truth.face >= 0
    points = np.einsum("nk,nkd->nd", pair.truth.weights[seen], v[f[pair.truth.face[seen]]])
    rows, cols = np.nonzero(seen)
    back = pair.optics.project(pair.to_left.apply(points))
    assert np.abs(back - np.column_stack([cols, rows])).max() < 0.01
    # The same skin has the same colour in both pictures where the second sees it, lamps being diffuse.
    other = np.rint(pair.optics.project(motion.apply(pair.to_left.apply(points)))).astype(int)
    ok = ((other > 2) & (other < [147, 197])).all(axis=1) & (np.abs(points[:, 0]) < 40)
    a = pair.left[rows[ok], cols[ok]].astype(float).mean(axis=1)
    b = pair.right[other[ok, 1], other[ok, 0]].astype(float).mean(axis=1)
    assert np.corrcoef(a, b)[0, 1] > 0.7


def test_disturbances_do_what_they_say():
    s = scan(noise_mm=(0.1, 0.1), pose=True)
    head = s.pose.inv()
    cropped = disturbances.one_sided_crop(s, "left", 20.0)
    assert head.apply(cropped.scan.vertices)[:, 0].max() < 20.0
    assert np.allclose(cropped.noise_free(MODEL[0]), s.noise_free(MODEL[0])[head.apply(s.scan.vertices)[:, 0] < 20.0])
    hole = disturbances.cheek_hole(s, "right", 0.2)
    gone = len(s.scan.vertices) - len(hole.scan.vertices)
    assert abs(gone - 0.2 * len(s.scan.vertices)) <= 1
    assert (head.apply(hole.scan.vertices)[:, 0] > 0).sum() == (head.apply(s.scan.vertices)[:, 0] > 0).sum()
    ear = disturbances.ear_and_neck(s, "left", behind_mm=-20.0, below_mm=-60.0)
    p = head.apply(ear.scan.vertices)
    assert p[p[:, 0] < 0, 1].min() > -60
    assert p[p[:, 0] > 0, 1].min() < -80
    thrown = disturbances.outliers(s, np.random.default_rng(0), 0.01)
    assert (thrown.face < 0).sum() == round(0.01 * len(s.face))
    assert np.isnan(thrown.carry(MODEL[0])[thrown.face < 0]).all()
    with pytest.raises(ValueError, match="'Left'"):
        disturbances.one_sided_crop(s, "Left")


@pytest.mark.parametrize("scanner", SCANNERS)
def test_head_model_in_every_scanner(scanner):
    head = HeadModel.load()
    one, two = (scan_face(head, head.vertices, np.random.default_rng(3), scanner) for _ in range(2))
    assert np.array_equal(one.scan.vertices, two.scan.vertices)
    known = one.face >= 0
    assert known.mean() > 0.97
    error = np.linalg.norm((one.scan.vertices - one.noise_free(head.vertices))[known], axis=1)
    assert np.median(error) < {"fixed_mesh": 1.5, "depth_camera": 1.5}.get(scanner, 0.4)
    assert {"prn", "ch_left", "ex_right"} <= one.landmarks.keys()


def test_unknown_scanner_is_named():
    head = HeadModel.load()
    with pytest.raises(ValueError, match="'laser'"):
        scan_face(head, head.vertices, np.random.default_rng(0), "laser")


def test_asymmetry_truth_is_the_same_through_every_scanner():
    head = HeadModel.load()
    smile = np.zeros(len(head.units))
    smile[head.unit_index("mouthSmile", "browOuterUp")] = 0.7
    vertices = head.shape(left=smile)
    truth = vertices - reflected(vertices, head.opposite)
    seen = []
    for scanner in SCANNERS:
        s = scan_face(head, vertices, np.random.default_rng(8), scanner)
        known = s.face >= 0
        seen.append((s.carry(vertices)[known], s.carry(truth)[known]))
    (reference, expected), *others = seen
    # Neighbours in space may lie on the other lip: what is compared are the pairs that truly lie together.
    for points, vectors in others:
        near, index = KDTree(reference).query(points)
        close = near < 0.6
        assert close.sum() > 30
        difference = np.linalg.norm(vectors - expected[index], axis=1)[close]
        assert np.median(difference) < 0.05
        assert np.quantile(difference, 0.95) < 0.5
