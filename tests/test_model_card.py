"""The model card is what its tool writes from the measured figures."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from model_card import PAGE, page


def test_the_card_is_that_of_the_shipped_grader() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run tools/model_card.py"


def test_it_says_what_must_not_be_missed() -> None:
    card = page()
    for words in ("All truth is simulated", "No patient was ever graded", "External testing", "reference standard"):
        assert words.lower() in card.lower()
