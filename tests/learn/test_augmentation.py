"""What augmentation and fitting noise leave alone, and what they change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simple_exams import grid, simple_exam, simple_exams

pytest.importorskip("torch")

import torch

from face3d.grading.example import MOVEMENTS, Example
from face3d.grading.networks.batch import batch_of
from face3d.learn.augmentation import Augmentation, augmented, without
from face3d.learn.pretraining import FitNoise

NOTHING = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_augmentation_changes_nothing():
    batch = batch_of(simple_exams(3))
    for name, value in augmented(batch, NOTHING, chance()).items():
        torch.testing.assert_close(value, batch[name], atol=1e-4, rtol=1e-5, msg=name)


def test_amplitude_scales_all_movements_of_an_exam_alike():
    batch = batch_of(simple_exams(3))
    out = augmented(batch, replace(NOTHING, amplitude=0.3), chance())
    size = (out["moves"] * batch["moves"]).sum((1, 2, 3)) / batch["moves"].square().sum((1, 2, 3))
    assert (size - 1).abs().max() > 0.05
    for name in ("moves", "mark_moves", "units"):
        torch.testing.assert_close(out[name], batch[name] * size.view(-1, 1, 1, 1), atol=1e-4, rtol=1e-4)
    assert torch.equal(out["rest"], batch["rest"])


def test_a_wrong_alignment_moves_points_as_a_rigid_body():
    batch = batch_of([simple_exam(0)])
    out = augmented(batch, replace(NOTHING, turn_deg=0.5, shift_mm=0.2), chance())
    slip = (out["moves"] - batch["moves"])[0, 0]
    at = torch.cat([batch["rest"][0], torch.ones(len(slip), 1)], dim=1)
    left_over = slip - at @ torch.linalg.lstsq(at, slip).solution
    assert slip.norm(dim=1).max() > 0.1
    assert left_over.abs().max() < 1e-4


def test_the_smile_alone_and_the_same_generator():
    batch = batch_of(simple_exams(4))
    how = replace(NOTHING, smile_only=1.0)
    out = augmented(batch, how, chance(5))
    kept = [MOVEMENTS[k] for k in out["shown"][0, 1:].nonzero().flatten()]
    assert kept == ["open_smile"]
    gone = [k for k, e in enumerate(MOVEMENTS) if e != "open_smile"]
    assert not out["moves"][:, gone].any()
    assert not out["points"][:, [1 + k for k in gone]].any()
    one, two = (augmented(batch, Augmentation(), chance(5)) for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_leaving_out_is_what_an_example_without_them_is():
    exam = simple_exam(3)
    gone = torch.zeros(1, len(MOVEMENTS), dtype=torch.bool)
    gone[0, MOVEMENTS.index("snarl")] = True
    out, there = without(batch_of([exam]), gone), batch_of([exam.without(["snarl"])])
    for name in there:
        if name != "units_se":
            assert torch.equal(out[name], there[name]), name


def test_raw_points_turn_with_their_normals():
    batch = batch_of([simple_exam(0)])
    out = augmented(batch, replace(NOTHING, frame_deg=5.0, frame_mm=2.0), chance())
    one, two = batch["points"][0, 3], out["points"][0, 3]
    a, b = one[:, :3] - one[:, :3].mean(0), two[:, :3] - two[:, :3].mean(0)
    u, _, v = torch.linalg.svd(a.T @ b)  # Kabsch
    torch.testing.assert_close(a @ u @ v, b, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(one[:, 3:] @ u @ v, two[:, 3:], atol=1e-4, rtol=1e-4)
    assert (one[:, :3] - two[:, :3]).norm(dim=1).min() > 0.1


def _unfitted(example: Example) -> Example:
    return replace(example, units=np.full_like(example.units, np.nan))


def test_a_fitted_exam_is_not_spoiled_a_second_time():
    true = simple_exam(0)
    noise = FitNoise.seen([(replace(true, moves=0.5 * true.moves), true)], grid())
    batch = batch_of([simple_exam(1), _unfitted(simple_exam(1))], points=False)
    out = noise(batch, chance())
    assert torch.equal(out["moves"][0], batch["moves"][0])
    assert (out["moves"][1] - batch["moves"][1]).abs().max() > 0.1


def test_fitting_noise_gives_a_fitted_exam_back_from_its_own_truth():
    true = simple_exam(0, "left", 0.5, noise=0.0)
    fitted = replace(true, moves=0.6 * true.moves, mark_moves=0.6 * true.mark_moves)
    noise = FitNoise.seen([(fitted, true)], grid())
    assert noise.size.tolist() == pytest.approx([0.6, 0.6], abs=1e-4)
    # All that happened was a smaller size: nothing is left to add, whichever exam is drawn.
    other = batch_of([_unfitted(simple_exam(4, "right", 0.3, noise=0.0))], points=False)
    out = noise(other, chance())
    torch.testing.assert_close(out["moves"], 0.6 * other["moves"], atol=1e-3, rtol=1e-3)


def test_fitting_noise_is_drawn_with_its_gaps():
    true = simple_exam(0)
    moves = true.moves.copy()
    moves[1, 7] = float("nan")
    noise = FitNoise.seen([(replace(true, moves=moves), true)], grid())
    out = noise(batch_of([_unfitted(simple_exam(1))] * 20, points=False), chance())
    gaps = (~out["moves_known"][:, 1]).nonzero()[:, 1].unique().tolist()
    assert gaps == sorted([7, int(grid().opposite[7])])
