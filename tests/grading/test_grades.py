"""What a grade says of itself: items that nobody taught stay empty, and both House-Brackmann grades have names."""

import math
from dataclasses import replace

import numpy as np
import pytest

from face3d.grading.example import EFACE
from face3d.grading.grades import UNTAUGHT, _eface, grade_examples
from face3d.measuring.scale_estimates import estimate_scales, rules
from face3d.simulate import HeadModel, draw_patient, truth_of
from simple_exams import simple_exam


def test_items_without_labels_are_empty_and_a_former_fissure_is_turned() -> None:
    said = np.full(len(EFACE), 60.0)
    old, new = _eface(said, turned=True), _eface(said, turned=False)
    assert (old["fissure_rest"], new["fissure_rest"]) == (140.0, 60.0)
    assert {k for k, v in old.items() if math.isnan(v)} == set(UNTAUGHT)
    assert {k: v for k, v in old.items() if k not in (*UNTAUGHT, "fissure_rest")} == {
        k: v for k, v in new.items() if k not in (*UNTAUGHT, "fissure_rest")
    }


def test_items_that_the_networks_were_not_taught_had_no_label() -> None:
    labelled = set()
    for kind in ("a", "b"):
        truth = truth_of(draw_patient(np.random.default_rng([3, 1]), HeadModel.load(kind), 3, state="recovered"))
        eface = estimate_scales(truth.measures, rules(exact=True)).eface
        labelled |= {k for k in EFACE if math.isfinite(getattr(eface, k))}
    # The simulated people of today move their necks as well: the next networks can be taught that one.
    assert set(EFACE) - labelled == set(UNTAUGHT) - {"platysmal_synkinesis"}


def test_what_is_said_of_a_face_stays_between_none_and_all() -> None:
    """Measured shares err to either side: a dead region may measure -0.3, a healthy one 1.3."""
    pytest.importorskip("torch")
    for measured, severity in ((-0.4, 1.3), (1.4, -0.3)):
        rules = {"severity": severity, "side": "none", "region_function": (measured,) * 5}
        g = grade_examples([replace(simple_exam(1), rules=rules)])[0]
        assert 0.0 <= g.severity <= 1.0
        assert all(0.0 <= v <= 1.0 for v in g.region_function.values())
