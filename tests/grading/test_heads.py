"""Heads, targets and loss: known answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simple_exams import simple_exam

pytest.importorskip("torch")

import torch
from torch import nn

from face3d.grading.example import Labels
from face3d.grading.heads import CUTS, Heads, Outputs, cumulative, loss_of, mean_outputs, targets_of
from face3d.reference.scales import house_brackmann_from_movement


def said(**known: torch.Tensor) -> Outputs:
    values = Outputs(
        torch.full((1, 6), 1 / 6),
        torch.tensor([0.5]),
        torch.zeros(1, 3),
        torch.full((1, 2, 5), 0.5),
        torch.zeros(1, 3),
        torch.full((1, 5), 5.0),
        torch.zeros(1, 5),
        torch.full((1, 15), 100.0),
        torch.full((1, 6), 1 / 6),
    )
    return values._replace(**known)


def test_cuts_start_where_the_bands_of_house_are():
    for k, cut in enumerate(CUTS):
        assert house_brackmann_from_movement(1 - cut + 1e-3, 1 - cut + 1e-3) == k + 1
        assert house_brackmann_from_movement(1 - cut - 1e-3, 1 - cut - 1e-3) == k + 2


def test_grades_are_those_of_the_band_when_the_spread_is_small():
    severity = torch.tensor([0.0, 0.1, 0.4, 0.6, 0.9, 0.99])
    chances = cumulative(severity, torch.tensor(CUTS), torch.full((6,), 1e-3))
    assert chances.argmax(dim=1).tolist() == [0, 1, 2, 3, 4, 5]
    assert chances.sum(dim=1).tolist() == pytest.approx([1.0] * 6, abs=1e-4)


def test_severity_starts_as_the_weaker_sides_lost_brow_and_mouth():
    heads = Heads(8).eval()
    regions, whole = torch.randn(5, 2, 5, 8), torch.randn(5, 2, 8)
    out = heads(regions, whole)
    lost = 1 - (out.function[..., 0] + out.function[..., 3]) / 2
    # All other regions together count 0.06, rest and synkinesis 0.003 each.
    assert (out.severity - lost.max(dim=1).values).abs().max() < 0.07


@pytest.mark.parametrize("region", range(5))
def test_both_grades_hear_every_region_and_never_fall_when_one_loses(region: int):
    heads = Heads(8).eval()
    regions, whole = torch.randn(5, 2, 5, 8), torch.randn(5, 2, 8)
    worse = regions.clone()
    worse[:, :, region] -= heads.region[region].detach()  # less function of both sides
    with torch.no_grad():
        nn.init.zeros_(heads.items[-1].weight)  # type: ignore[arg-type] items follow function in ways of their own
        before, after = heads(regions, whole), heads(worse, whole)
    assert (after.severity > before.severity).all()
    expected = torch.arange(6.0)
    assert (after.descriptive @ expected > before.descriptive @ expected).all()


def test_the_composite_is_that_of_the_form():
    out = said(resting=torch.tensor([[1.0, 2.0, 1.0]]), voluntary=torch.tensor([[1.0, 2, 3, 4, 5]]))
    assert out.composite.item() == 4 * 15 - 5 * 4


def test_a_healthy_side_has_all_its_function():
    left, none = targets_of([simple_exam(0, "left", 0.25), simple_exam(1, "none")])["function"]
    assert left[0].tolist() == [0.25] * 5
    assert left[1].tolist() == [1.0] * 5
    assert none.tolist() == [[1.0] * 5] * 2


def test_what_is_not_known_counts_nothing():
    nothing = targets_of([replace(simple_exam(0), labels=Labels())])
    assert all(float(part) == 0.0 for part in loss_of(said(), nothing).values())
    only_grade = targets_of([replace(simple_exam(0), labels=Labels(3))])
    parts = loss_of(said(), only_grade)
    assert float(parts["grade"]) == pytest.approx(torch.log(torch.tensor(6.0)).item(), rel=1e-5)
    assert sum(float(v) for n, v in parts.items() if n != "grade") == 0.0


def test_unknown_labels_do_not_poison_gradients():
    severity = torch.tensor([0.5], requires_grad=True)
    nothing = targets_of([replace(simple_exam(0), labels=Labels())])
    torch.stack(list(loss_of(said(severity=severity), nothing).values())).sum().backward()
    assert severity.grad is None or torch.isfinite(severity.grad).all()


def test_weights_by_grade_make_rare_grades_count_more():
    target = targets_of([replace(simple_exam(0), labels=Labels(3))])
    plain, twice = (loss_of(said(), target, w)["grade"] for w in (None, torch.tensor([1.0, 1, 2, 1, 1, 1])))
    assert float(twice) == pytest.approx(2 * float(plain))


def test_an_ensemble_says_means():
    one = said(side_logits=torch.tensor([[9.0, 0.0, 0.0]]), severity=torch.tensor([0.2]))
    two = said(side_logits=torch.tensor([[0.0, 9.0, 0.0]]), severity=torch.tensor([0.4]))
    mean = mean_outputs([one, two])
    assert mean.severity.item() == pytest.approx(0.3)
    chance = mean.side_logits.softmax(dim=1)[0]
    assert chance[0].item() == pytest.approx(chance[1].item()) == pytest.approx(0.5, abs=1e-3)
