"""A surface to look at: the scan's own, or one meshed through a point cloud."""

from __future__ import annotations

from typing import Any

import numpy as np

from face3d.errors import LandmarkError
from face3d.extras import require
from face3d.geometry.views import Surface
from face3d.scan import FaceScan


def surface_of(scan: FaceScan, notes: list[str]) -> Surface:
    """The scan's surface, or one meshed through a point cloud; what was done is appended to `notes`."""
    if len(scan.faces):
        return Surface(scan.vertices, scan.faces)
    o3d: Any = require("open3d")
    if len(scan.vertices) < 500:
        raise LandmarkError(
            f"{scan.name}: a point cloud of {len(scan.vertices)} points is too sparse to show a face (500 needed); "
            "give landmarks by hand (--landmarks FILE)"
        )
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(scan.vertices.copy()))
    # 20k points give about 2 mm spacing on a face: finer only costs time, the detector sees no more.
    if len(scan.vertices) > 20000:
        cloud = cloud.farthest_point_down_sample(20000) if len(scan.vertices) < 60000 else _thinned(cloud)
    cloud.estimate_normals(o3d.geometry.KDTreeSearchParamKNN(20))
    cloud.orient_normals_consistent_tangent_plane(12)
    mesh, density = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(cloud, depth=8, n_threads=1)
    mesh.remove_vertices_by_mask(np.asarray(density) < np.quantile(np.asarray(density), 0.05))
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.triangles)
    from scipy.spatial import KDTree

    near = KDTree(np.asarray(cloud.points)).query(vertices, distance_upper_bound=8.0)[0] < 8.0
    faces = faces[near[faces].all(axis=1)]
    if not len(faces):
        raise LandmarkError(f"{scan.name}: the point cloud could not be meshed; give landmarks by hand")
    notes.append(f"point cloud: meshed from {len(cloud.points)} of its points to look for landmarks")
    return Surface(vertices, faces)


def _thinned(cloud: Any) -> Any:
    points = np.asarray(cloud.points)
    size = float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))
    return cloud.voxel_down_sample(size / 150.0)
