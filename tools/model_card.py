"""Writes docs/model_card.md: what the shipped grader is, by the items of TRIPOD+AI, from its measured figures.

    python tools/model_card.py

Everything that is a number comes from data/grader.json (what it learned from, how it was tested) and data/grading.json
(how its probabilities were calibrated); tests compare the page with what this writes. Items: Collins 2024, BMJ
385:e078378. Words: CLAIM 2024 ("reference standard", "internal testing", "external testing").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DATA, PAGE = ROOT / "src/face3d/data", ROOT / "docs/model_card.md"
FIGURES = {
    "exact": "House-Brackmann by movement, exact",
    "within_one": "within one grade",
    "kappa": "quadratic kappa",
    "mae": "mean absolute error, grades",
    "side": "side right, II-VI",
    "auc": "healthy against palsy, ROC-AUC",
    "severity_sd": "severity, SD of the error",
    "severity_bias": "severity, mean error",
    "function": "region function, mean absolute error",
    "composite": "Sunnybrook composite, mean absolute error",
    "descriptive": "House-Brackmann descriptive, exact",
    "rater_kappa": "kappa with one simulated rater",
    "ece": "expected calibration error, ten bins",
    "abstained": "abstained on",
}


def page() -> str:
    """The whole card."""
    from jinja2 import Environment, FileSystemLoader

    card = json.loads((DATA / "grader.json").read_text(encoding="utf-8"))
    pool = json.loads((DATA / "grading.json").read_text(encoding="utf-8"))["pool"]
    regions = ("brow", "eye", "midface", "mouth", "lower lip")
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), keep_trailing_newline=True)
    return environment.get_template("model_card.md.jinja").render(
        card={"tests": {}, **card},
        train=card["data"]["train"],
        pool=pool,
        weights=", ".join(f"{name} {w:.2f}" for name, w in zip(regions, pool["function"], strict=True)),
        never_saw=", ".join("/".join(names) for names in card["never_saw"]),
        figures=FIGURES,
        roman=("I", "II", "III", "IV", "V", "VI"),
        counts=lambda table: ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in table.items()),
        number=lambda v: f"{v:.3f}" if isinstance(v, float) else "",
        percent=lambda d: f"{d['value']:.0%}",
        span=_span,
        signed=lambda d: f"{d['value']:+.3f} ({d['low']:+.3f} to {d['high']:+.3f})",
    )


def _span(one: Mapping[str, Any]) -> str:
    low, high = one.get("low"), one.get("high")
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
