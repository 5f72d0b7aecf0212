"""Whose scan is it? One person's expressions are kept, another's in a slot are not, whichever slot it is."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform

from face3d.errors import RegistrationError
from face3d.geometry.elements import Surfels
from face3d.landmarking.detect import Detection
from face3d.scan import FaceScan
from face3d.simulate.head import HeadModel
from face3d.template.exam_fit import SeenScan, fit_seen
from palsy import face

EXPRESSIONS = ("open_smile", "snarl", "brow_raise")


@functools.cache
def exam_of(seed: int) -> Mapping[str, SeenScan]:
    """A palsied person's scans with noise, seen with the true landmarks."""
    head = HeadModel.load(level="fine")
    rng = np.random.default_rng(seed)
    rest, moved = face(head, rng, 0.3, natural_asymmetry=1.0)
    scans = {}
    for name, vertices in {"rest": rest, **{e: moved[e] for e in EXPRESSIONS}}.items():
        scan = FaceScan(vertices + 0.15 * rng.normal(size=vertices.shape), head.faces, name=f"{seed} {name}")
        found = Detection(
            head.landmark_points(vertices), {}, np.full((478, 3), np.nan), np.zeros(478), RigidTransform.identity(), 9
        )
        scans[name] = SeenScan(Surfels.of(scan), found, RigidTransform.identity() if name == "rest" else None)
    return scans


def test_one_persons_expressions_are_kept() -> None:
    fitted = fit_seen(("rest", *EXPRESSIONS), exam_of(1).__getitem__)
    assert set(fitted.expressions) == set(EXPRESSIONS)
    assert fitted.notes == ()


def test_another_persons_scan_in_a_slot_is_left_out_and_said_first() -> None:
    scans = {**exam_of(1), "snarl": exam_of(2)["snarl"]}
    fitted = fit_seen(("rest", *EXPRESSIONS), scans.__getitem__, ["a note of the reader"])
    assert set(fitted.expressions) == {"open_smile", "brow_raise"}
    assert fitted.notes[0].startswith("snarl: LEFT OUT: 2 snarl: not the person of the rest scan")
    assert fitted.notes[1:] == ("a note of the reader",)


def test_a_rest_scan_of_another_person_is_an_error() -> None:
    scans = {**exam_of(1), "rest": exam_of(2)["rest"]}
    with pytest.raises(RegistrationError, match=r"rest: .*another person's.* mm apart"):
        fit_seen(("rest", *EXPRESSIONS), scans.__getitem__)
