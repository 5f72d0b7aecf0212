"""Patches of raw points: where they lie, and what their points know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simple_exams import simple_exam

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

from face3d.grading.example import POINTS, SCANS  # noqa: E402
from face3d.grading.grid import MARKS  # noqa: E402
from face3d.grading.networks import batch_of  # noqa: E402
from face3d.learn.architectures import build  # noqa: E402
from face3d.learn.point_networks.raw_points import OFF_MM, PATCH_MM, PLACES, RawPointGrader, apart  # noqa: E402


def network(name: str = "pointnet") -> RawPointGrader:
    """One that takes all points."""
    made = build(name, {"count": POINTS}).eval()
    assert isinstance(made, RawPointGrader)
    return made


def flat_exam(off_mm: float):
    """A plane as every scan, in expression `off_mm` in front of rest."""
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(-77, 77, 32), np.linspace(-110, 60, 32)))
    plane = np.column_stack([x, y, np.full(POINTS, 10.0), np.zeros((POINTS, 2)), np.ones(POINTS)])
    points = np.repeat(plane[None], len(SCANS), axis=0)
    points[1:, :, 2] += off_mm
    marks = simple_exam(0).marks.copy()
    marks[:, 2] = 10.0
    return replace(simple_exam(0), points=points.astype(np.float32), marks=marks)


def test_points_know_how_far_they_are_off_rest():
    with torch.no_grad():
        x, near = network().patches(batch_of([flat_exam(3.0)]))
    assert near.float().mean() > 0.95
    off = x[..., 6]
    torch.testing.assert_close(off[:, :, 0], torch.zeros_like(off[:, :, 0]))
    moved = off[:, :, 1:][near[:, :, 1:]]
    assert set(np.round(moved.numpy(), 3)) <= {0.0, 3.0 / OFF_MM}  # 0 where what lies beneath is out of reach
    assert (moved > 0).float().mean() > 0.9
    assert x[..., 7:].abs().max() == 0.0  # no normal turned


def test_patches_lie_around_the_landmarks_of_the_exam():
    exam = flat_exam(0.0)
    moved = exam.marks.copy()
    moved[MARKS.index("ch_left")] += [4.0, 0.0, 0.0]
    place = next(k for k, p in enumerate(PLACES) if p == {"ch": 1.0})
    with torch.no_grad():
        (one, _), (two, _) = (network().patches(batch_of([replace(exam, marks=m)])) for m in (exam.marks, moved))
    differ = (one - two).abs().amax(dim=(0, 2, 4, 5)) > 1e-6  # (2, R): left and right
    assert differ[0, place]
    assert not differ[1].any()
    assert differ[0].sum() == sum("ch" in p for p in PLACES)


def test_a_scan_without_a_face_near_its_landmarks_says_nothing():
    exam = flat_exam(0.0)
    far = exam.points.copy()
    far[3, :, 2] -= 2 * PATCH_MM
    net = network("pointnet2")
    with torch.no_grad():
        x, near = net.patches(batch_of([replace(exam, points=far)]))
        said = net(batch_of([replace(exam, points=far)]))
    assert not near[:, :, 3].any()
    assert x[:, :, 3].abs().max() == 0.0
    assert torch.isfinite(said.severity).all()


def test_what_is_not_there_has_no_neighbours_among_what_is():
    at = torch.randn(1, 6, 3)
    there = torch.tensor([[True, True, True, True, False, False]])
    distance = torch.cdist(apart(at, there), apart(at, there))[0]
    assert distance[:4, :4].max() < distance[:4, 4:].min()
