"""The symmetry plane beside the peers': palsied faces in expression whose plane before the palsy is known.

    python benchmarks/plane.py [--faces 10] [--disturbed 200] [--seed 20260]

Faces are simulated patients of the second movement set, seeds that no parameter was chosen on, 0.2 mm noise, scanned
into a triangulation of their own. The true plane is the face's before the palsy, x = 0 of the head model. All methods
start from the same landmarks (true ones with 1.5 mm noise and one gross error of 10 mm), so that the peers are spared
the failures of principal axes. A failure is a plane off by more than 1 degree or 1 mm.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import Face3DError
from face3d.geometry.superimpose import SymmetryPlane, superimpose_mirror
from face3d.landmarking.pose import head_frame
from face3d.scan import FaceScan
from face3d.simulate import HeadModel, draw_healthy, draw_patient
from face3d.simulate.scanners import scan_face
from face3d.simulate.scanners.disturbances import cheek_hole, ear_and_neck, one_sided_crop, outliers
from shown import Shown, numbers

EXPRESSIONS = ("rest", "brow_raise", "tight_eye_closure", "open_smile", "snarl", "lip_pucker", "lower_lip_depression")
#: The detector does not see these; they are not given either.
UNSEEN = ("tr", "t", "go", "zy", "ft")
CENTRE = np.array([0.0, -30.0, 10.0])  # mm, the middle of the face, where an offset is read


def case(seed: int, kind: str, natural: bool) -> tuple[FaceScan, RigidTransform, RigidTransform]:
    """(scan, model frame -> scan coordinates, landmarks' head frame) of one disturbed face."""
    rng = np.random.default_rng(seed)
    model = HeadModel.load("b")
    person = draw_healthy(rng, model) if kind == "healthy" else draw_patient(rng, model, int(rng.integers(3, 7)))
    if not natural:
        person = person.replace(asymmetry=np.zeros(len(model.asymmetry)))
    shape = person.vertices("rest" if kind == "healthy" else str(rng.choice(EXPRESSIONS)))
    crop = "bust" if kind == "ear and neck" else "face"
    scan = scan_face(model, shape, rng, points=15_000, noise_mm=(0.2, 0.0), pose=False, crop=crop)
    side = str(rng.choice(("left", "right")))
    if kind == "hole":
        scan = cheek_hole(scan, side, 0.2)
    if kind == "crop":
        scan = one_sided_crop(scan, side, float(rng.uniform(15.0, 30.0)))
    if kind == "ear and neck":
        chin = scan.landmarks["gn"][1]
        scan = ear_and_neck(scan, side, float(rng.uniform(-70.0, -50.0)), float(chin - rng.uniform(5.0, 15.0)))
    if kind == "outliers":
        scan = outliers(scan, rng, 0.01)
    scan = scan.moved(RigidTransform.from_components(rng.normal(0.0, 150.0, 3), Rotation.random(rng=rng)))
    marks = {k: p + rng.normal(0, 1.5, 3) for k, p in scan.landmarks.items() if k.split("_")[0] not in UNSEEN}
    gross = str(rng.choice(sorted(marks)))
    marks[gross] = marks[gross] + rng.normal(0.0, 10.0, 3)
    return scan.scan, scan.pose, head_frame(marks)


def ours(scan: FaceScan, frame: RigidTransform) -> SymmetryPlane:
    return superimpose_mirror(scan, frame).plane


def _plane(matrix: np.ndarray, frame: RigidTransform) -> SymmetryPlane:
    """The plane of reflection in x = 0 followed by a rigid motion, from the head frame to scan coordinates."""
    flipped = matrix[:3, :3] @ np.diag([-1.0, 1.0, 1.0])
    _values, vectors = np.linalg.eigh((flipped + flipped.T) / 2.0)
    normal = vectors[:, 0]  # eigenvalue -1: the direction that a reflection turns round
    return SymmetryPlane(normal * np.sign(normal[0]), matrix[:3, 3] / 2.0).moved(frame.inv())


def _clouds(scan: FaceScan, frame: RigidTransform):
    import open3d as o3d

    pair = []
    for flip in (False, True):
        vertices = frame.apply(scan.vertices) * ([-1.0, 1.0, 1.0] if flip else [1.0, 1.0, 1.0])
        faces = scan.faces[:, ::-1] if flip else scan.faces
        mesh = o3d.geometry.TriangleMesh(o3d.utility.Vector3dVector(vertices), o3d.utility.Vector3iVector(faces))
        mesh.compute_vertex_normals()
        cloud = o3d.geometry.PointCloud(mesh.vertices)
        cloud.normals = mesh.vertex_normals
        pair.append(cloud)
    return pair


def open3d_plane(scan: FaceScan, frame: RigidTransform, loss: float | None = None) -> SymmetryPlane:
    import open3d as o3d

    registration = o3d.pipelines.registration
    target, source = _clouds(scan, frame)
    kind = registration.TransformationEstimationPointToPlane
    estimation = kind() if loss is None else kind(registration.TukeyLoss(loss))
    criteria = registration.ICPConvergenceCriteria(1e-7, 1e-7, 100)
    found = registration.registration_icp(source, target, 10.0, np.eye(4), estimation, criteria)
    return _plane(np.asarray(found.transformation), frame)


def trimesh_plane(scan: FaceScan, frame: RigidTransform) -> SymmetryPlane:
    import trimesh

    here = frame.apply(scan.vertices)
    matrix, _, _ = trimesh.registration.icp(
        here * [-1.0, 1.0, 1.0], here, reflection=False, scale=False, max_iterations=100
    )
    return _plane(matrix, frame)


def small_gicp_plane(scan: FaceScan, frame: RigidTransform) -> SymmetryPlane:
    import small_gicp  # pyright: ignore[reportMissingImports] a peer, of the extra `bench`

    here = frame.apply(scan.vertices)
    found = small_gicp.align(
        here, here * [-1.0, 1.0, 1.0], downsampling_resolution=1, max_correspondence_distance=10, max_iterations=100
    )
    return _plane(found.T_target_source, frame)


METHODS: dict[str, Callable[[FaceScan, RigidTransform], SymmetryPlane]] = {
    "face3d": ours,
    "open3d point to plane": open3d_plane,
    "open3d, TukeyLoss(2)": lambda scan, frame: open3d_plane(scan, frame, 2.0),
    "trimesh icp": trimesh_plane,
    "small_gicp": small_gicp_plane,
}


def error(plane: SymmetryPlane, pose: RigidTransform) -> tuple[float, float]:
    """(degrees, mm at the middle of the face) against x = 0 of the model."""
    here = plane.moved(pose.inv())
    tilt = np.degrees(np.arctan2(np.hypot(here.normal[1], here.normal[2]), abs(here.normal[0])))
    return float(tilt), abs(float(here.normal @ (CENTRE - here.point)))


def row(errors: list[tuple[float, float]]) -> list[str]:
    degrees, mm = np.array(errors).T
    failed = int(((degrees > 1.0) | (mm > 1.0) | ~np.isfinite(degrees)).sum())
    found = [float(np.median(degrees)), degrees.max(), float(np.median(mm)), mm.max()]
    return [*numbers(found, 3), f"{failed} of {len(errors)}"]


def table(title: str, kind: str, natural: bool, seeds: range, methods: dict) -> None:
    columns = ("degrees", "worst", "mm", "worst mm", "failures")
    shown = Shown(f"{title}, {len(seeds)} faces; median and worst", "method", *columns)
    cases = [case(seed, kind, natural) for seed in seeds]
    for name, method in methods.items():
        errors = []
        for scan, pose, frame in cases:
            try:
                errors.append(error(method(scan, frame), pose))
            except (Face3DError, RuntimeError, ValueError) as problem:
                print(f"{name}: {problem}", file=sys.stderr)
                errors.append((90.0, 90.0))
        shown.row(name, *row(errors))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=10)
    parser.add_argument("--disturbed", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20260)
    given = parser.parse_args()
    peers = {}
    for name, method in METHODS.items():
        module = name.split()[0].strip(",")
        try:
            __import__(module)
        except ImportError:
            print(f"{name}: {module} is not installed, left out")
        else:
            peers[name] = method
    print("median and worst over the faces; true plane: the face's before the palsy")
    table(
        "Palsied in expression, exactly symmetric before",
        "palsied",
        False,
        range(given.seed, given.seed + given.faces),
        peers,
    )
    first = given.seed + 10_000
    table("Healthy, natural asymmetry", "healthy", True, range(first, first + given.faces), peers)
    kinds = ("hole", "crop", "ear and neck", "outliers", "palsied")
    each, few = -(-given.disturbed // len(kinds)), min(given.faces, -(-given.disturbed // len(kinds)))
    for k, kind in enumerate(kinds):
        first = given.seed + 20_000 + 1_000 * k
        table(f"Palsied, natural asymmetry, any pose: {kind}", kind, True, range(first, first + few), peers)
        if each > few:
            table(f"The same, more of them: {kind}", kind, True, range(first + few, first + each), {"face3d": ours})


if __name__ == "__main__":
    main()
