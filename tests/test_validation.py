"""What `make bench` writes: tables are kept as tables, and the page is what the kept results say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from bench import ALL, tables
from shown import Shown, number
from validation import PAGE, block, page


def test_the_page_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run tools/validation.py"


def test_every_benchmark_is_run_or_said_to_need_more() -> None:
    folder = Path(__file__).parents[1] / "benchmarks"
    others = {f.stem for f in folder.glob("*.py")} - {b.name for b in ALL}
    assert others == {"shown", "memory", "domains"}  # domains reads what `make data` made


def test_what_is_printed_comes_back_as_tables(capsys: pytest.CaptureFixture[str]) -> None:
    print("before")
    shown = Shown("One", "what", "value")
    shown.row("a | b", number(1.005))
    print("of the row above")
    shown.row("none", number(float("nan")))
    print("\nbetween")
    Shown("Two", "x").row(1)
    parts = list(tables(capsys.readouterr().out))
    assert parts == [
        {"text": "before"},
        {"title": "One", "columns": ["what", "value"], "rows": [["a / b", "1.00"], ["none", "-"]]},
        {"text": "of the row above\nbetween"},
        {"title": "Two", "columns": ["x"], "rows": [["1"]]},
    ]
    facts = {"quick": True, "versions": {"peer": "1"}, "benchmark": "b", "arguments": "", "date": "d", "commit": "c"}
    lines = list(block({**facts, "machine": "m", "load_before": 1, "seconds": 2, "cpu_seconds": 1, "printed": parts}))
    assert "not for citing" in lines[0] and "| a / b | 1.00 |" in lines


def test_a_page_without_a_place_for_a_benchmark_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for reading"):
        page("# nothing")
    with pytest.raises(ValueError, match="no benchmark is called wishes"):
        page("<!-- bench wishes -->\n<!-- /bench -->")
