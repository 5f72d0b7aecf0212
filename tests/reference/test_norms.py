"""Reference values: complete, sourced, and never compared across methods."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from face3d.errors import SchemaError
from face3d.reference.norms import (
    MIRROR_RMS,
    OUR_METHOD,
    Norm,
    against,
    find_norms,
    load_norms,
    methods,
    norms_from,
    write_norms,
)


def test_shipped_norms_are_complete() -> None:
    norms = load_norms()
    assert len(norms) > 15
    for norm in norms:
        assert norm.source
        assert norm.population
        assert norm.method in methods() or norm.method == "clinical scale"
        assert str(norm)


def test_taylor_gives_z_only_for_his_method() -> None:
    (taylor,) = find_norms("surface_rms", "rest", "face")
    assert (taylor.mean, taylor.sd, taylor.n) == (0.6253, 0.16, 350)
    same = against(0.6253 + 2 * 0.16, taylor, MIRROR_RMS)
    assert same.z == pytest.approx(2)
    assert same.percentile == pytest.approx(97.725, abs=0.001)
    other = against(0.9, taylor, OUR_METHOD)
    assert other.z is other.percentile is None
    assert "another method" in other.reason
    assert against(math.nan, taylor, MIRROR_RMS).reason == "not measured"


def test_perception_and_repeatability_are_kept_apart() -> None:
    assert [n.mean for n in find_norms("commissure", kind="perception")] == [3]
    assert not find_norms("commissure")
    assert find_norms("mdc95", "open_smile", kind="repeatability")[0].mean == 1.3


def test_own_norms_count_people_and_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    people = rng.normal(10, 2, 40)
    rows = [
        {"subject": f"s{i}", "side": side, "measure": "brow_raise", "expression": "brow_raise",
         "value": v, "unit": "mm"}
        for i, v in enumerate(people) for side in ("left", "right")
    ]  # fmt: skip
    rows += [{**rows[0], "measure": "rare"}, {**rows[0], "value": math.nan}]
    (norm,) = norms_from(pd.DataFrame(rows), "healthy adults", "own laboratory")
    assert norm.n == 40
    assert norm.mean == pytest.approx(people.mean())
    assert norm.sd == pytest.approx(people.std(ddof=1))
    assert norm.low is not None
    assert norm.low == pytest.approx(np.quantile(people, 0.025))
    write_norms(tmp_path / "own.json", [norm])
    assert load_norms(tmp_path / "own.json") == (norm,)
    assert against(norm.mean + norm.sd, norm, OUR_METHOD).z == pytest.approx(1)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "not a file of norms"), ("[]", "not a file of norms"), ('{"entries": 3}', "not a list"),
        (json.dumps({"entries": [{"measure": "x"}]}), r"entries\[0\]"),
        (json.dumps({"entries": [{"measure": "x", "unit": "mm", "method": "m", "population": "p", "source": "s",
                                  "mean": 1, "sd": -1}]}), r"entries\[0\].*sd"),
    ],
)  # fmt: skip
def test_faulty_files_name_the_entry(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "n.json").write_text(text)
    with pytest.raises(SchemaError, match=match):
        load_norms(tmp_path / "n.json")


def test_a_norm_needs_a_value() -> None:
    with pytest.raises(ValueError, match="neither"):
        Norm("x", "mm", "m", "p", "s")
    with pytest.raises(SchemaError, match="subject"):
        norms_from(pd.DataFrame({"measure": []}), "p", "s")
