"""Every network: the mirrored exam gets the mirrored answer, missing expressions are not looked at, it can learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simple_exams import grid, simple_exam, simple_exams

pytest.importorskip("torch")
pytest.importorskip("torch_geometric")

import torch

from face3d.errors import SchemaError
from face3d.grading.example import MOVEMENTS, mirrored
from face3d.grading.heads import loss_of, targets_of
from face3d.grading.networks import Outputs, batch_of
from face3d.learn.architectures import NETWORKS, build
from face3d.learn.point_networks.graphs import edges, nearest


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(3)


def network(name: str) -> torch.nn.Module:
    """With weights far from where they start, so that nothing is alike by accident."""
    made = build(name).eval()
    with torch.no_grad():
        for p in made.parameters():
            p.add_(torch.randn_like(p) * 0.05)
    return made


@pytest.mark.parametrize("name", NETWORKS)
def test_the_mirrored_exam_gets_the_mirrored_answer(name: str):
    exams = simple_exams(4)
    # Asymmetric throughout, with gaps on one side only.
    rng = np.random.default_rng(0)
    rest = exams[0].rest + rng.normal(0, 1.0, exams[0].rest.shape)
    moves = exams[0].moves.copy()
    moves[2, :60] = np.nan
    exams[0] = replace(exams[0].without(["snarl"]), rest=rest, moves=moves)
    net = network(name)
    with torch.no_grad():
        own, other = net(batch_of(exams)), net(batch_of([mirrored(e, grid()) for e in exams]))
    swapped = own._replace(function=own.function.flip(1), side_logits=own.side_logits[:, [1, 0, 2]])
    for field in Outputs._fields:
        torch.testing.assert_close(getattr(other, field), getattr(swapped, field), atol=1e-5, rtol=1e-5)
    assert (own.function[:, 0] - own.function[:, 1]).abs().max() > 1e-3  # the sides do differ


@pytest.mark.parametrize("name", NETWORKS)
def test_an_expression_that_was_not_scanned_is_not_looked_at(name: str):
    exam = simple_exam(1, "right", 0.3)
    net = network(name)
    left_out = exam.without(["cheek_puff", "lip_pucker"])
    hidden = batch_of([exam])
    for e in ("cheek_puff", "lip_pucker"):
        hidden["shown"][:, 1 + MOVEMENTS.index(e)] = False
    with torch.no_grad():
        one, two = net(batch_of([left_out])), net(hidden)
        whole = net(batch_of([exam]))
    torch.testing.assert_close(one.function, two.function, atol=1e-6, rtol=1e-6)
    assert (whole.function - one.function).abs().max() > 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_rest_alone_gives_finite_answers(name: str):
    alone = simple_exam(2).without(list(MOVEMENTS))
    with torch.no_grad():
        said = network(name)(batch_of([alone]))
    assert all(torch.isfinite(value).all() for value in said)
    assert said.grade_probabilities.sum().item() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_weight(name: str):
    exams = simple_exams(3)
    net = build(name).train()
    torch.stack(list(loss_of(net(batch_of(exams)), targets_of(exams)).values())).sum().backward()
    without = [n for n, p in net.named_parameters() if p.grad is None]
    assert without == []


def test_exams_do_not_influence_each_other():
    exams = simple_exams(3)
    net = network("correspondence")
    with torch.no_grad():
        together, alone = net(batch_of(exams)), net(batch_of(exams[1:2]))
    torch.testing.assert_close(together.function[1:2], alone.function, atol=1e-6, rtol=1e-5)


def test_a_network_that_does_not_exist():
    with pytest.raises(SchemaError, match="unknown; there are correspondence"):
        build("resnet")
    with pytest.raises(SchemaError, match="depth"):
        build("correspondence", {"depth": 3})


def test_neighbours_are_those_of_a_search_over_all_pairs():
    points = torch.randn(2, 50, 3, dtype=torch.float64) * 30 + 100
    found = nearest(points[:, :7], points, 5)
    for m in range(2):
        distance = ((points[m, :7, None] - points[m, None]) ** 2).sum(-1).sqrt()
        assert torch.equal(found[m], distance.argsort(dim=1)[:, :5])
    assert torch.equal(found[:, :, 0], torch.arange(7).expand(2, 7))
    with pytest.raises(ValueError, match="51 neighbours of 50"):
        nearest(points, points, 51)


def test_edges_of_the_second_cloud_stay_in_it():
    graph = edges(torch.tensor([[[0, 2]], [[1, 0]]]), 4)
    assert graph.tolist() == [[0, 2, 5, 4], [0, 0, 1, 1]]
