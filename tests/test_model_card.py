"""The model card is what its tool writes from the measured figures."""

from __future__ import annotations

import re
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


#: TRIPOD+AI (Collins 2024, BMJ 385:e078378): items, and how many parts those have that are divided.
_PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc", 27: "abc"}


def test_every_item_of_tripod_ai_is_answered() -> None:
    said = page()
    named = {item for group in re.findall(r"\((\d+[a-g]?(?:, \d+[a-g]?)*)\)", said) for item in group.split(", ")}
    named |= {
        str(k) for low, high in re.findall(r"\((\d+)-(\d+)\)", said) for k in range(int(low), int(high) + 1) if k == 23
    }
    wanted = {f"{item}{part}" for item in range(1, 28) for part in _PARTS.get(item, [""])}
    assert wanted - named == set()


def test_its_words_are_those_of_claim() -> None:
    said = page().lower()
    for words in ("reference standard", "internal testing", "external testing"):
        assert words in said
    for words in ("ground truth", "gold standard", "validation"):
        assert words not in said
