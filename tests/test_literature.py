"""The page of the literature is what its tool writes: figures that still stand, counterparts that exist."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from literature import PAGE, ROOT, figure, named, page, row

ENTRIES = json.loads((ROOT / "tools" / "literature.json").read_text(encoding="utf-8"))


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run tools/literature.py"


def test_every_reference_of_the_review_has_its_row() -> None:
    refs = {int(n) for e in ENTRIES for n in re.findall(r"\d+", e["refs"])}
    assert refs == set(range(1, 44))
    beside = " ".join(e["system"] for e in ENTRIES if not re.search(r"\d", e["refs"]))
    assert all(name in beside for name in ("Knoedler 2022", "Heinrich 2025", "Ju 2025", "Taeger 2021"))


def test_no_figure_of_ours_is_written_by_hand() -> None:
    """Only what is quoted may be a figure; words such as "two" and versions are none."""
    for entry in ENTRIES:
        words = re.sub(r"\[\[.+?\]\]|version \d[\d.]*|95 %|F1\b", "", entry["reached"])
        assert not re.search(r"\d", words), entry["system"]


def test_figures_that_moved_and_functions_that_are_gone_are_said() -> None:
    with pytest.raises(ValueError, match="the figure has moved"):
        figure("validation", "House-Brackmann, exact", "99 %")
    with pytest.raises(ValueError, match="no such command"):
        named("face3d cure")
    with pytest.raises(ValueError, match="is not there"):
        named("face3d.measuring.nothing")
    with pytest.raises(ValueError, match="without a word"):
        row({**ENTRIES[0], "apart": ""})
