"""The page: one file, offline, honest, the same scale always."""

import base64
import hashlib
import json
import math
import re
from dataclasses import replace

import pytest

from face3d.measuring.analysis import Analysis
from face3d.report.outputs import report_of
from face3d.report.parts import NOTICE
from face3d.report.scan_page import page
from face3d.report.scan_result import FitPart, Result, UnitPart, result_of
from face3d.template.midplane import Midplane


@pytest.fixture(scope="module")
def html(dome: Analysis) -> str:
    return report_of(dome, result_of(dome))


def without_pictures(result: Result) -> str:
    return re.sub(r"<style>.*?</style>", "", page(result), flags=re.DOTALL)


def test_nothing_is_loaded_from_elsewhere(html: str) -> None:
    sources = re.findall(r'(?:src|href)\s*=\s*"([^"#][^"]*)"', html)  # "#..." is a place of the page itself
    assert len(sources) == 6
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    assert not re.search(r"<link|<iframe|@import|url\((?!#)", html)
    data, program = re.findall(r"<script([^>]*)>(.*?)</script>", html, re.DOTALL)
    assert data[0] == ' type="application/json"' and json.loads(data[1])["states"]
    digest = base64.b64encode(hashlib.sha256(program[1].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy and policy[1].startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy[1]
    assert "http" not in program[1] and "fetch" not in program[1] and "eval" not in program[1]


def test_without_a_view_to_turn_no_program_runs(dome: Analysis) -> None:
    assert "<script" not in page(result_of(dome)) and "script-src 'none'" in page(result_of(dome))


def test_what_must_be_on_it(html: str) -> None:
    for needed in (NOTICE, "mm: given", "0.6253", "subject’s left", "subject’s right", "made by hand", "±4 mm"):
        assert needed in html
    for definition in ("Trigeminal thirds", "Horizontal thirds", "Facial subunits"):
        assert definition in html


def test_no_text_states_a_diagnosis(html: str) -> None:
    text = re.sub(r"<[^>]*>", " ", html.replace(NOTICE, ""))
    assert not re.search(r"diagnos|patholog|abnormal|palsy|paralys|patient|treatment", text, re.IGNORECASE)


def test_what_was_not_measured_is_a_dash(dome: Analysis) -> None:
    result = result_of(dome)
    brow = [r for r in result.surface_distance.regions if r.region == "brow"]
    empty = {"mean": None, "rms": None, "p95": None, "max": None, "coverage": 0.0}
    regions = [r.model_copy(update=empty) if r in brow else r for r in result.surface_distance.regions]
    distance = result.surface_distance.model_copy(update={"regions": regions})
    text = without_pictures(result.model_copy(update={"surface_distance": distance}))
    row = next(part for part in text.split("<tr") if ">brow<" in part)
    assert row.count("–") == 6 and row.count(">0 %<") == 2
    assert not re.search(r"\bnan\b|None", re.sub(r"<[^>]*>", " ", text))


def test_names_from_files_cannot_become_markup(dome: Analysis) -> None:
    result = result_of(dome)
    named = result.model_copy(update={"scan": result.scan.model_copy(update={"name": "<script>alert(1)</script>"})})
    assert "<script>" not in page(named)


def test_it_says_why_there_are_no_pictures(dome: Analysis) -> None:
    assert "open3d is missing" in page(result_of(dome), no_pictures="open3d is missing")


def test_asymmetry_has_a_section_of_its_own_when_measured(dome: Analysis, html: str) -> None:
    result = result_of(dome)
    assert "Asymmetry by region" not in html and "not measured" in html
    smile = UnitPart(
        unit="mouthSmile", left=0.8, right=0.12, left_se=0.05, right_se=0.05, ratio=0.15, relative="own rest"
    )
    idle = smile.model_copy(update={"unit": "jawOpen", "left": 0.0, "right": math.nan})
    through = {
        "asymmetry": result.surface_distance.model_copy(update={"definition": "through correspondence"}),
        "action_units": [smile, idle],
        "fit": FitPart(light="amber", reasons=["a reason"], residual_mm=0.1, residual_p95_mm=0.5, uncovered=0.4),
    }
    text = without_pictures(result.model_copy(update=through))
    for needed in (
        "Asymmetry by region",
        "mouth corner raised (smile)",
        "0.80",
        "0.12",
        "amber: a reason",
        "Through correspondence.",
    ):
        assert needed in text
    assert "mouthSmile" not in text and "jaw opened" not in text


def test_a_plane_in_doubt_is_said_before_any_number(dome: Analysis) -> None:
    plane = dome.plane
    sure = Midplane(plane, plane, plane, 0.5, "of the hair", (0.2, 0.3), (0.2, 0.3))
    text = without_pictures(result_of(replace(dome, midplane=sure)))
    assert "DOUBT" not in text and "surface alone lies 0.20 degrees" in text
    text = without_pictures(result_of(replace(dome, midplane=replace(sure, surface_off=(1.4, 0.3)))))
    assert "IN DOUBT" in text and text.index("1.4 degrees and 0.3 mm") < text.index("mm RMS")
