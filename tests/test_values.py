"""Results stay locked, on this side of a process border and on the other; and they show on one screen."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from face3d.measuring.analysis import Analysis
from face3d.measuring.exam_measures import Measures, measure_vertices
from face3d.simulate.head import HeadModel
from face3d.template.template import FaceTemplate
from face3d.values import Value
from palsy import face


@dataclass(frozen=True, eq=False, repr=False)
class Thing(Value):
    numbers: Any
    named: Mapping[str, Any]


def writable(value: Any, path: str = "", seen: set[int] | None = None) -> list[str]:
    """Where in a value an array or a mapping could be changed."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return []
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return [path] if value.flags.writeable else []
    if isinstance(value, dict):
        return [path]
    if isinstance(value, Mapping):
        return [p for k, v in value.items() for p in writable(v, f"{path}[{k}]", seen)]
    if isinstance(value, tuple):
        return [p for k, v in enumerate(value) for p in writable(v, f"{path}[{k}]", seen)]
    if is_dataclass(value):
        return [p for f in fields(value) for p in writable(getattr(value, f.name), f"{path}.{f.name}", seen)]
    return []


@pytest.fixture(scope="module")
def measures() -> Measures:
    rest, moved = face(HeadModel.load(), np.random.default_rng(1), 0.3)
    return measure_vertices(rest, moved, HeadModel.load(), "left", "p1", "pre")


def test_arrays_and_mappings_are_private() -> None:
    array = np.arange(3.0)
    own = {"a": 1}
    thing = Thing(array, own)
    array[0], own["a"] = 9.0, 9
    assert thing.numbers[0] == 0.0 and thing.named["a"] == 1
    assert not writable(pickle.loads(pickle.dumps(thing)))


def test_an_analysis_stays_locked_after_a_pickle(dome: Analysis) -> None:
    again = pickle.loads(pickle.dumps(dome))
    assert not writable(dome, "before") and not writable(again, "after")
    assert np.array_equal(again.surface_distance_mm, dome.surface_distance_mm, equal_nan=True)
    assert again.regions.equals(dome.regions)


def test_measures_stay_locked_after_a_pickle(measures: Measures) -> None:
    again = pickle.loads(pickle.dumps(measures))
    assert not writable(measures, "before") and not writable(again, "after")
    assert again.table.equals(measures.table)
    assert again.observed is not None and again.observed.measures("right", "p1").affected_side == "right"


def test_the_embedded_template_travels_by_name() -> None:
    template = FaceTemplate.load("ab")
    packed = pickle.dumps(template)
    assert len(packed) < 1000 and pickle.loads(packed) is template


def test_a_repr_is_one_screen(dome: Analysis, measures: Measures) -> None:
    for value in (dome, measures, dome.scan, FaceTemplate.load(), HeadModel.load(), Thing(np.zeros(9), {"k": 1})):
        assert len(repr(value)) < 2000, type(value)
    assert "<9 float64>" in repr(Thing(np.zeros(9), {})) and "[0.0, 1.0]" in repr(Thing(np.arange(2.0), {}))


def test_notebooks_show_a_table(dome: Analysis, measures: Measures) -> None:
    shown = dome._repr_html_()
    assert "<table>" in shown and "data:image/png;base64," in shown and len(shown) < 300_000
    assert "left affected (given)" in measures._repr_html_()
