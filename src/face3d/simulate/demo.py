"""The embedded example: a face with a palsy on the right, smiling, as a scanner would deliver it."""

from __future__ import annotations

from scipy.spatial.transform import RigidTransform, Rotation

from face3d.scan import FaceScan

#: Any other seed gives another person; the share of the movement that is left on the right is what the demo is about.
SEED, LEFT_OVER = 20, 0.15


def demo_scan() -> FaceScan:
    """One scan of 15,500 vertices, mm, in a pose as scanners deliver them; made anew at each call, always the same."""
    import numpy as np

    from face3d.simulate import HeadModel

    head = HeadModel.load(level="fine")
    rng = np.random.default_rng(SEED)
    smile = np.zeros(len(head.units))
    smile[head.unit_index(*(u for u in head.units if "smile" in u.lower()))] = 0.8
    vertices = head.shape(
        identity=0.8 * rng.standard_normal(len(head.identity)),
        asymmetry=0.7 * rng.standard_normal(len(head.asymmetry)),
        left=smile,
        right=LEFT_OVER * smile,
    )
    pose = RigidTransform.from_components(
        [40.0, -15.0, 900.0], Rotation.from_euler("yxz", [160, 12, -20], degrees=True)
    )
    return FaceScan(pose.apply(vertices), head.faces, name="demo smile", units_note="mm: simulated")
