"""Made-up tables of visits for the tests of statistics: what was planted is known."""

from __future__ import annotations

import numpy as np
import pandas as pd


def planted(people: int = 60, error: float = 0.5, change: float = 2.0, seed: int = 3) -> pd.DataFrame:
    """Brow raise of `people`, both sides, visits "a" and "b" without change, "c" with `change` mm more."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(people):
        for side in ("left", "right"):
            true = rng.normal(8, 2)
            for visit, more in (("a", 0.0), ("b", 0.0), ("c", change)):
                rows.append(
                    {
                        "subject": f"s{i}",
                        "visit": visit,
                        "measure": "brow_raise",
                        "expression": "brow_raise",
                        "region": "brow",
                        "side": side,
                        "value": true + more + rng.normal(0, error),
                        "unit": "mm",
                    }
                )
    return pd.DataFrame(rows)


def directions(people: int = 40, spread: float = 8.0, error: float = 1.0, change: float = 20.0) -> pd.DataFrame:
    """The same of a direction in degrees about 180, of one side: half of the values are written as -179 and so on."""
    table = planted(people, 0.0, 0.0)
    table = table.loc[table["side"] == "left"].assign(measure="commissure_angle_frontal", region="mouth", unit="deg")
    rng = np.random.default_rng(4)
    own = np.repeat(180 + rng.normal(0, spread, people), 3)  # three visits, as in the rows
    later = np.where(table["visit"] == "c", change, 0.0)
    return table.assign(value=(own + later + rng.normal(0, error, len(table)) + 180) % 360 - 180)


def end_points(lost: dict[str, dict[str, float]], side: str = "right") -> pd.DataFrame:
    """Measures of people, subject -> visit -> share of movement lost, in which that share shows: the affected `side`
    raises its brow by 10 mm less that share, the other by 10 mm."""
    other = "left" if side == "right" else "right"
    rows = []
    for subject, visits in lost.items():
        for visit, share in visits.items():
            for measure, expression, region, of, value, unit in (
                ("severity", "all", "face", "both", share, "1"),
                ("brow_raise", "brow_raise", "brow", side, 10 * (1 - share), "mm"),
                ("brow_raise", "brow_raise", "brow", other, 10.0, "mm"),
                ("synkinesis", "open_smile", "eye", side, 0.02, "1"),
            ):
                rows.append((subject, visit, measure, expression, region, of, value, unit, "ok"))
    columns = ["subject", "visit", "measure", "expression", "region", "side", "value", "unit", "status"]
    return pd.DataFrame(rows, columns=columns)
