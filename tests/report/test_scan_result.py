"""result.json: valid against its schema, nothing unmeasured in it, the schema on disk up to date."""

import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from conftest import BUMP
from face3d.measuring.analysis import Analysis
from face3d.report.parts import NOTICE
from face3d.report.scan_result import RegionPart, json_schema, result_of
from face3d.template.midplane import Midplane

SCHEMA = Path(__file__).parents[2] / "data_schemas" / "result.schema.json"


def test_the_schema_on_disk_is_the_programs() -> None:
    assert json.loads(SCHEMA.read_text("utf-8")) == json_schema(), "run: python tools/export_schemas.py"


def test_a_result_is_valid_and_says_what_it_is(dome: Analysis) -> None:
    written = json.loads(result_of(dome).to_json())
    jsonschema.Draft202012Validator(json_schema()).validate(written)
    assert written["notice"] == NOTICE
    assert written["scan"]["units_note"] == "mm: given"
    assert "asymmetry" not in written


def test_the_planted_bump_is_in_the_cheek_and_nowhere_else(dome: Analysis) -> None:
    regions = {
        (r.region, r.side): r for r in result_of(dome).surface_distance.regions if r.definition in ("face", "subunit")
    }
    cheek = regions["cheek", "left"]
    # Closest points on a slope lie a little nearer than straight ahead; the mesh has 3 mm edges.
    assert cheek.max == pytest.approx(BUMP, abs=0.3)
    assert cheek.max == pytest.approx(regions["cheek", "right"].max, abs=0.3)
    assert regions["forehead", "left"].max == pytest.approx(0.0, abs=1e-4)
    assert regions["chin", "right"].max == pytest.approx(0.0, abs=1e-4)


def test_the_reference_stands_beside_the_whole_face_only(dome: Analysis) -> None:
    referenced = [r for r in result_of(dome).surface_distance.regions if r.reference is not None]
    assert [(r.region, r.side) for r in referenced] == [("face", "both")]
    whole = referenced[0]
    assert whole.reference is not None and whole.rms is not None
    assert whole.z == pytest.approx((whole.rms - 0.6253) / 0.16)


def test_what_was_not_measured_is_null_never_zero() -> None:
    part = RegionPart(
        region="brow",
        side="left",
        definition="subunit",
        mean=math.nan,
        rms=math.nan,
        p95=None,
        max=math.inf,
        coverage=0,
    )
    assert json.loads(part.model_dump_json())["rms"] is None
    assert (part.mean, part.max, part.coverage) == (None, None, 0.0)


def test_a_result_cannot_carry_what_the_schema_does_not_know(dome: Analysis) -> None:
    fields = result_of(dome).model_dump()
    with pytest.raises(ValidationError, match="diagnosis"):
        type(result_of(dome)).model_validate({**fields, "diagnosis": "none"})


def test_the_summary_names_the_worst_region_and_both_distances(dome: Analysis) -> None:
    result = result_of(dome)
    assert "asymmetry" not in result.to_text()
    lines = result.to_text().splitlines()
    assert lines[3].split(",")[0].strip() in ("cheek", "nasolabial")  # the bump reaches into both
    both = result.model_copy(update={"asymmetry": result.surface_distance}).to_text()
    assert "RMS of the asymmetry" in both
    assert len({word for word in both.splitlines()[4].split() if "." in word}) == 1  # the same number twice


def test_it_says_which_plane_the_numbers_are_about(dome: Analysis) -> None:
    alone = result_of(dome)
    assert alone.plane.corresponding_alone is None and alone.plane.surface_alone.off_deg == 0.0
    assert "symmetry plane of both distances: by the surface alone" in alone.to_text()
    plane = dome.plane
    both = result_of(replace(dome, midplane=Midplane(plane, plane, plane, 0.5, "of the hair", (0.2, 0.3), (0.25, 0.4))))
    assert both.plane.corresponding_alone is not None and both.plane.corresponding_alone.off_mm == 0.4
    line = next(line for line in both.to_text().splitlines() if line.startswith("symmetry plane"))
    assert "surface alone lies 0.20 degrees and 0.30 mm off" in line and "0.25 degrees and 0.40 mm" in line
    assert "50%, since of the hair" in line and both.plane.doubt == ""
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(both.to_json()))


def test_a_face_in_expression_has_no_place_among_faces_at_rest(dome: Analysis) -> None:
    smiling = replace(dome, scan=dome.scan.replace(name="p17_open_smile.ply"))
    assert math.isnan(smiling.whole_face.z) and math.isfinite(dome.whole_face.z)
    whole = next(r for r in result_of(smiling).surface_distance.regions if r.region == "face")
    assert whole.z is None and whole.reference is None and whole.rms == pytest.approx(dome.whole_face.rms_mm)
    assert "healthy, at rest" not in result_of(smiling).to_text()
    assert math.isfinite(replace(dome, scan=dome.scan.replace(name="p17_rest.ply")).whole_face.z)
