"""The table of movement units against fits whose units are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform

from face3d.template.action_units import LEAST, action_units, no_action_units
from face3d.template.fit import TemplateFit
from face3d.template.template import FaceTemplate


def fit_with(movement: str, left: dict[str, float], right: dict[str, float], se: float = 0.05) -> TemplateFit:
    t = FaceTemplate.load(movement)
    n, count = len(t.vertices), len(t.units)
    sides = np.zeros((2, count))
    for row, values in zip(sides, (left, right), strict=True):
        for unit, value in values.items():
            row[t.units.index(unit)] = value
    return TemplateFit(
        t,
        t.vertices,
        RigidTransform.identity(),
        np.ones(n, bool),
        np.zeros(n),
        sides[0],
        sides[1],
        np.full(count, se),
        np.full(count, se),
        np.zeros(len(t.identity)),
        False,
        np.zeros(n),
    )


def test_sides_and_their_ratio() -> None:
    table = action_units(fit_with("a", {"mouthSmile": 0.8}, {"mouthSmile": 0.2})).set_index("unit")
    assert table.loc["mouthSmile", "left"] == pytest.approx(0.8)
    assert table.loc["mouthSmile", "right"] == pytest.approx(0.2)
    assert table.loc["mouthSmile", "ratio"] == pytest.approx(0.25)
    assert table.loc["mouthSmile", "left_se"] == pytest.approx(0.05)
    others = table.drop(index="mouthSmile")
    assert not others[["left", "right"]].to_numpy().any() and np.isnan(others["ratio"].to_numpy()).all()
    assert set(table["relative"]) == {"average face"}


def test_intensities_stay_within_their_range_and_idle_units_have_no_ratio() -> None:
    found = fit_with("a", {"mouthSmile": 1.4, "browDown": LEAST / 2}, {"mouthSmile": -0.3})
    table = action_units(found).set_index("unit")
    assert table.loc["mouthSmile", "left"] == 1.0 and table.loc["mouthSmile", "right"] == 0.0
    assert table.loc["mouthSmile", "ratio"] == 0.0 and np.isnan(table.loc["browDown", "ratio"])


def test_another_authors_smile_is_a_smile_of_its_own_side() -> None:
    table = action_units(fit_with("ab", {"mouth-corner-puller": 1.0}, {})).set_index("unit")
    assert not any("-" in name for name in table.index)
    mouth = [name for name in table.index if name.startswith("mouth")]
    assert table.loc[mouth, "left"].to_numpy().sum() > 0.7 * table["left"].to_numpy().sum() > 0.2
    assert not table["right"].to_numpy().any()
    assert table["left_se"].to_numpy().min() > 0


def test_the_empty_table_has_the_same_columns() -> None:
    assert list(no_action_units().columns) == list(action_units(fit_with("a", {}, {})).columns)
