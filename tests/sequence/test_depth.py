"""Depth pictures to surfaces, and a turning head to one: against the head that stood before the camera."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from face3d.errors import ScanError
from face3d.geometry.mesh import vertex_normals
from face3d.geometry.rays import RayScene
from face3d.io.depth_image import DepthFrame, Intrinsics
from face3d.sequence.depth import UPRIGHT, cleaned, mesh_of, noise_mm, steadied
from face3d.sequence.fusion import fuse
from face3d.simulate.scanners import KINECT_V1
from sequence.turning import half, turning

SMALL = half(KINECT_V1)


def error(points: np.ndarray, v: np.ndarray, faces: np.ndarray, pose) -> np.ndarray:
    """Distance (mm) of points (upright camera frame) on the face to the true surface."""
    at_head = pose.inv().apply(UPRIGHT.inv().apply(points))
    face = (np.abs(at_head[:, 0]) < 65) & (at_head[:, 1] > -95) & (at_head[:, 1] < 75) & (at_head[:, 2] > -45)
    at_head = at_head[face]
    return np.linalg.norm(RayScene(v, faces, threads=1).closest(at_head).points - at_head, axis=1)


def laid(points: np.ndarray, v: np.ndarray, faces: np.ndarray, pose) -> np.ndarray:
    """The same after a rigid superimposition: of the shape alone."""
    p = pose.inv().apply(UPRIGHT.inv().apply(points))
    p = p[(np.abs(p[:, 0]) < 65) & (p[:, 1] > -95) & (p[:, 1] < 75) & (p[:, 2] > -45)]
    scene = RayScene(v, faces, threads=1)
    for _ in range(15):
        near = scene.closest(p).points
        turn, _ = Rotation.align_vectors(near - near.mean(axis=0), p - p.mean(axis=0))
        p = turn.apply(p - p.mean(axis=0)) + near.mean(axis=0)
    return np.linalg.norm(scene.closest(p).points - p, axis=1)


def raw(frame: DepthFrame) -> np.ndarray:
    """What is before the wall (N, 3), as it was recorded."""
    points = frame.intrinsics.rays() * frame.depth_mm.astype(np.float64)[..., None]
    return UPRIGHT.apply(points[frame.depth_mm < 1200])


def test_a_picture_becomes_a_surface_without_wall_and_flying_pixels():
    frames, v, faces, poses = turning(camera=SMALL)
    scan = mesh_of(frames[0])
    assert scan.vertices[:, 2].min() > -1150  # +z to the camera: the wall stands at -1400
    before, after = error(raw(frames[0]), v, faces, poses[0]), error(scan.vertices, v, faces, poses[0])
    assert np.median(after) < 0.95 * np.median(before)
    assert np.percentile(after, 99) < 0.85 * np.percentile(before, 99)  # what flew between nose and cheek
    assert len(after) > 0.85 * len(before)
    assert np.median(vertex_normals(scan.vertices, scan.faces)[:, 2]) > 0.3


def test_noise_is_estimated_beside_edges_and_slopes():
    rng = np.random.default_rng(0)
    at = Intrinsics(300.0, 300.0, 99.5, 79.5, 200, 160)
    slope = 600 + 0.8 * np.arange(200)[None] + 0.2 * np.arange(160)[:, None]
    slope = np.where(np.arange(200) > 120, slope + 60, slope)
    for sd in (0.5, 2.0):
        frame = DepthFrame((slope + rng.normal(0, sd, slope.shape)).astype(np.float32), at)
        assert abs(noise_mm(frame) / sd - 1) < 0.1


def test_edges_stay_where_noise_goes():
    rng = np.random.default_rng(0)
    at = Intrinsics(300.0, 300.0, 99.5, 79.5, 200, 160)
    step = np.where(np.arange(200) > 120, 640.0, 600.0) * np.ones((160, 1))
    frame = DepthFrame((step + rng.normal(0, 1.0, step.shape)).astype(np.float32), at)
    # The larger piece stays; its edge is not rounded towards the other.
    depth = cleaned(frame).depth_mm
    assert np.isnan(depth[:, 122:]).all() and np.isfinite(depth[5:-5, 5:118]).all()
    assert np.std(depth[5:-5, 5:100]) < 0.5 and abs(np.nanmean(depth[:, 117:120]) - 600) < 0.3


def test_what_stands_still_grows_steadier_and_what_moves_is_not_held_back():
    rng = np.random.default_rng(0)
    at = Intrinsics(300.0, 300.0, 49.5, 39.5, 100, 80)
    still = [DepthFrame((600 + rng.normal(0, 1.0, (80, 100))).astype(np.float32), at) for _ in range(8)]
    assert np.std(list(steadied(still))[-1].depth_mm) < 0.85
    jump = [still[0], replace(still[1], depth_mm=still[1].depth_mm + 10)]
    assert np.allclose(list(steadied(jump))[1].depth_mm, jump[1].depth_mm)


def test_a_turning_head_becomes_one_surface_better_than_any_frame():
    frames, v, faces, poses = turning(camera=SMALL)
    fused = fuse(frames)
    single = np.median(laid(raw(frames[0]), v, faces, poses[0]))
    joined = np.median(laid(fused.scan.vertices, v, faces, poses[0]))
    assert fused.used >= 14 and not np.isnan(fused.residual_mm).any()
    assert single > 0.9 and joined < 0.5  # half the camera's pixels and half a second of its frames
    # Where the first frame saw it, as well as one noisy frame can be laid on a face.
    assert np.median(error(fused.scan.vertices, v, faces, poses[0])) < 1.6
    true = max(np.degrees((pose * poses[0].inv()).rotation.magnitude()) for pose in poses)
    assert abs(fused.turn_degrees - true) < 2.0


def test_frames_that_do_not_fit_are_left_out_with_a_reason():
    frames, *_ = turning(camera=SMALL)
    rng = np.random.default_rng(0)
    bad = replace(frames[1], depth_mm=rng.uniform(600, 700, frames[1].depth_mm.shape).astype(np.float32), name="torn")
    gone = replace(frames[2], depth_mm=np.full_like(frames[2].depth_mm, np.nan), name="dark")
    fused = fuse([frames[0], bad, gone, *frames[3:8]])
    assert set(fused.left_out) == {"torn", "dark"} and "covered" in fused.left_out["dark"]
    assert fused.facts()["frames_left_out"] == fused.left_out


def test_what_cannot_be_fused_is_refused_in_a_line():
    frames, *_ = turning(camera=SMALL)
    with pytest.raises(ScanError, match="4 depth frames; at least 5"):
        fuse(frames[:4])
    nothing = np.full_like(frames[0].depth_mm, np.nan)
    with pytest.raises(ScanError, match="covered"):
        fuse([replace(f, depth_mm=nothing) for f in frames[:6]])
    with pytest.raises(ScanError, match="covered"):
        mesh_of(replace(frames[0], depth_mm=nothing))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"fx": 0.0}, "fx is 0 pixels"),
        ({"fy": float("nan")}, "fy is nan"),
        ({"cx": 900.0}, "cx is 900"),
        ({"width": 0}, "0 x 240"),
    ],
)
def test_intrinsics_that_no_camera_has_are_refused(changed, said):
    good = {"fx": 300.0, "fy": 300.0, "cx": 160.0, "cy": 120.0, "width": 320, "height": 240}
    with pytest.raises(ScanError, match=said):
        Intrinsics(**{**good, **changed})


def test_a_picture_that_contradicts_its_intrinsics_is_refused():
    at = Intrinsics(300.0, 300.0, 160.0, 120.0, 320, 240)
    depth = np.full((240, 320), 600.0, np.float32)
    with pytest.raises(ScanError, match="640 x 480 pixels, its intrinsics are for 320 x 240"):
        DepthFrame(np.full((480, 640), 600.0), at)
    with pytest.raises(ScanError, match="what was not measured is NaN"):
        DepthFrame(np.zeros_like(depth), at)
    with pytest.raises(ScanError, match="register colour to depth"):
        DepthFrame(depth, at, color=np.zeros((100, 100, 3), np.uint8))
    with pytest.raises(ScanError, match="one channel"):
        DepthFrame(np.ones((240, 320, 3)), at)
