"""The head's own motion is taken out, on the region that is stable in the expression, and nothing else is."""

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import RegistrationError
from face3d.geometry.rigid import align
from face3d.simulate.head import HeadModel
from face3d.template.movement import movement
from face3d.template.stable import STABLE, region_weights
from palsy import ASKED, face

MODEL = HeadModel.load()


@pytest.mark.parametrize("expression", sorted(ASKED))
def test_movement_is_found_in_any_pose(expression: str) -> None:
    rng = np.random.default_rng(4)
    # The same person, drawn twice from one seed: once with the head still, once posed.
    rest, still = face(MODEL, np.random.default_rng(7), 0.3, posed=False)
    moved = RigidTransform.from_components(rng.normal(size=3) * 9, Rotation.from_rotvec([0.3, -0.2, 0.4])).apply(
        still[expression]
    )
    found = movement(expression, rest, moved, MODEL)
    front = rest[:, 2] > -40
    error = np.linalg.norm(found.displacement - (still[expression] - rest), axis=1)[front]
    # No region is wholly still in every expression of the model: what it moves there is the error, 0.1 mm at most.
    assert error.max() < 0.1
    assert found.rms < 0.2
    assert found.stable == STABLE[expression]


def test_whole_face_alignment_would_be_wrong() -> None:
    """Why there is a stable region: aligned on everything, a one-sided smile of 14 mm shifts the forehead."""
    rest, still = face(MODEL, np.random.default_rng(7), 0.0, posed=False)
    transform, _ = align(still["open_smile"], rest, np.ones(len(rest)), rounds=1)
    everywhere = np.linalg.norm(transform.apply(still["open_smile"]) - still["open_smile"], axis=1)
    assert everywhere[rest[:, 2] > 0].mean() > 0.3


def test_align_is_exact_proper_and_robust() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 3)) * 30
    true = RigidTransform.from_components([3, -8, 2], Rotation.from_rotvec([0.5, 1.0, -0.3]))
    fixed = true.apply(points)
    fixed[:60] += rng.normal(size=(60, 3)) * 10  # a fifth moved of itself
    found, rms = align(points, fixed, np.ones(300))
    assert np.abs(found.apply(points) - true.apply(points)).max() < 1e-6
    assert rms < 1e-6
    assert np.linalg.det(found.rotation.as_matrix()) == pytest.approx(1)
    mirrored = points * [-1, 1, 1]
    assert align(mirrored, points, np.ones(300))[1] > 1  # a reflection is never used to fit


def test_unseen_stays_unseen() -> None:
    rest, moved = face(MODEL, np.random.default_rng(1))
    smile = moved["open_smile"].copy()
    hidden = MODEL.regions["cheek_left"] > 0.5
    smile[hidden] = np.nan
    found = movement("open_smile", rest, smile, MODEL)
    assert np.isnan(found.displacement[hidden]).all()
    assert np.isfinite(found.displacement[~hidden]).all()
    smile[region_weights(MODEL, STABLE["open_smile"]) > 0.05] = np.nan
    with pytest.raises(RegistrationError, match=r"open_smile.*forehead.*20 %"):
        movement("open_smile", rest, smile, MODEL)
