"""Explanation: the twin is symmetric, the parts add up, and they lie where the difference was put."""

import numpy as np
import pytest

from face3d.grading.example import MOVEMENTS, SCANS, mirrored
from face3d.grading.explanation import attributions, deletion_curve, symmetric_twin
from face3d.grading.grid import grid_of
from face3d.template.template import FaceTemplate
from simple_exams import simple_exam

pytest.importorskip("torch")
pytest.importorskip("captum")

import torch

GRID = grid_of(FaceTemplate.load())


@pytest.mark.parametrize("affected", ["left", "right", None])
def test_the_twin_is_its_own_mirror_image(affected: str | None) -> None:
    e = simple_exam(0)
    twin = symmetric_twin(e, GRID, affected)
    again = mirrored(twin, GRID)
    for name in ("rest", "moves", "marks", "mark_moves", "units"):
        np.testing.assert_allclose(getattr(again, name), getattr(twin, name), atol=1e-9, err_msg=name)
    if affected is not None:
        healthy = slice(GRID.pairs, 2 * GRID.pairs) if affected == "left" else slice(0, GRID.pairs)
        np.testing.assert_array_equal(twin.moves[:, healthy], e.moves[:, healthy])


class LeftBrow(torch.nn.Module):
    """A network that knows one thing: severity falls with the left side's upward movement in a brow raise."""

    uses = ("moves",)

    def forward(self, batch: dict[str, torch.Tensor]) -> object:
        from face3d.grading.networks import Outputs

        up = batch["moves"][:, MOVEMENTS.index("brow_raise"), : GRID.pairs, 1]
        b = len(up)
        return Outputs(
            torch.zeros(b, 6),
            1 - 0.05 * (up**2).mean(1),
            torch.zeros(b, 3),
            torch.zeros(b, 2, 5),
            torch.zeros(b, 3),
            torch.zeros(b, 5),
            torch.zeros(b, 5),
            torch.zeros(b, 15),
            torch.zeros(b, 6),
        )


def test_parts_add_up_and_lie_where_the_network_looks() -> None:
    e = simple_exam(1)
    twin = symmetric_twin(e, GRID, "left")
    nodes, value, baseline = attributions([LeftBrow()], e, twin, GRID, "severity", "left")
    # The midpoint rule of a quadratic is exact; single precision is what is left.
    assert nodes.sum() == pytest.approx(value - baseline, abs=1e-4)
    row = SCANS.index("brow_raise")
    elsewhere = nodes.copy()
    elsewhere[row, : GRID.pairs] = 0.0
    assert np.abs(elsewhere).max() == 0.0
    assert np.abs(nodes[row, : GRID.pairs]).min() > 0.0
    spread = GRID.gather.T @ nodes[row]
    assert spread.sum() == pytest.approx(nodes[row].sum())


def test_deleting_what_matters_first_reaches_the_twin_soonest() -> None:
    e = simple_exam(2)
    twin = symmetric_twin(e, GRID, "left")
    nodes, value, baseline = attributions([LeftBrow()], e, twin, GRID, "severity", "left")
    sign = np.sign(value - baseline)
    best = deletion_curve([LeftBrow()], e, twin, GRID, sign * nodes, "severity", "left")
    shuffled = np.random.default_rng(3).normal(size=nodes.shape)
    chance = deletion_curve([LeftBrow()], e, twin, GRID, shuffled, "severity", "left")
    assert best[0] == chance[0] == pytest.approx(value)
    assert best[-1] == pytest.approx(baseline)
    assert abs(best[2] - baseline) < 0.1 * abs(value - baseline) < abs(chance[2] - baseline)
