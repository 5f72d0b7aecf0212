"""The page: one file, offline, honest, the same scale always."""

import re

import pytest

from face3d.analysis import Analysis
from face3d.outputs import report_of
from face3d.report.page import page
from face3d.result import NOTICE, Result, result_of


@pytest.fixture(scope="module")
def html(dome: Analysis) -> str:
    return report_of(dome, result_of(dome))


def without_pictures(result: Result) -> str:
    return re.sub(r"<style>.*?</style>", "", page(result), flags=re.DOTALL)


def test_nothing_is_loaded_from_elsewhere(html: str) -> None:
    sources = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', html)
    assert len(sources) == 6
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"<script|<link|<iframe|@import|url\((?!#)", html)


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
