"""What a study asks of two visits of its people: how well they agree, or what changed between them.

Left and right are the subject's own. Of patients who are ill on different sides ratios and function speak of the ill
one; a mean over all left sides mixes both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d.errors import SchemaError
from face3d.measuring.study import KEYS
from face3d.reference.agreement import (
    Floats,
    bland_altman,
    detectable_change,
    false_discovery,
    holm,
    icc,
    response_mean,
    standard_error_of_measurement,
    technical_error,
)
from face3d.reference.angles import beside, gathered, turned
from face3d.visits import visit_order

if TYPE_CHECKING:
    import pandas as pd

AGREEMENT = [
    *KEYS,
    "n",
    "icc21",
    "icc21_low",
    "icc21_high",
    "icc31",
    "icc31_low",
    "icc31_high",
    "tem",
    "sem",
    "mdc95",
    "bias",
    "bias_low",
    "bias_high",
    "limit_low",
    "limit_high",
]
CHANGE = [*KEYS, "n", "before", "after", "change", "change_low", "change_high", "srm", "p", "p_holm", "p_fdr"]


def _both(table: pd.DataFrame, first: str, second: str, least: int) -> Iterator[tuple[dict[str, str], Floats, Floats]]:
    """What was measured, and its values (n,) at two visits of the n people who have both, for each measure and side of
    `least` people or more; degrees as those turns that lie beside each other."""
    if first == second:
        raise SchemaError(f"visit {first!r} was named twice; two visits are compared")
    if "visit" not in table:
        raise SchemaError("table: the column visit is missing; two visits are compared")
    known = set(table["visit"])
    for visit in (first, second):
        if visit not in known:
            labels = ", ".join(sorted(known - {""}, key=visit_order)) or "none with a label; exam.json says it as visit"
            raise SchemaError(f"no visit {visit!r} in the study; there are {labels}")
    chosen = table.loc[table["visit"].isin([first, second]) & table["value"].notna()]
    twice = chosen.loc[chosen.duplicated(subset=["subject", "visit", *KEYS])].to_dict("records")
    if twice:
        who, visit = twice[0]["subject"], twice[0]["visit"]
        raise SchemaError(f"subject {who}, visit {visit!r}: measured twice; give each exam a visit of its own")
    wide = chosen.pivot(index=["subject", *KEYS], columns="visit", values="value")
    if not {first, second} <= set(wide.columns):  # a visit of which nothing could be measured
        return
    for _, group in wide.dropna(subset=[first, second]).reset_index().groupby(KEYS):
        if len(group) >= least:
            what = {key: str(group[key].iloc[0]) for key in KEYS}
            a = gathered(group[first], what["unit"])
            yield what, a, beside(group[second], a, what["unit"])


def agreement_table(table: pd.DataFrame, first: str, second: str, least: int = 3) -> pd.DataFrame:
    """Agreement of two visits without a true change between them: one row a measure and side.

    ICC(2,1), ICC(3,1) with intervals, TEM, SEM, MDC95, Bland-Altman bias and limits (second - first). `n` people.
    """
    import pandas as pd

    rows = []
    for what, a, b in _both(table, first, second, least):
        both = np.stack([a, b], axis=1)
        absolute, consistent, limits = icc(both), icc(both, "3,1"), bland_altman(a, b)
        sem = standard_error_of_measurement(both)
        rows.append(
            {
                **what,
                "n": len(a),
                "icc21": absolute.value,
                "icc21_low": absolute.low,
                "icc21_high": absolute.high,
                "icc31": consistent.value,
                "icc31_low": consistent.low,
                "icc31_high": consistent.high,
                "tem": technical_error(a, b),
                "sem": sem,
                "mdc95": detectable_change(sem, len(a)),
                "bias": limits.bias.value,
                "bias_low": limits.bias.low,
                "bias_high": limits.bias.high,
                "limit_low": limits.lower.value,
                "limit_high": limits.upper.value,
            }
        )
    return pd.DataFrame(rows, columns=AGREEMENT)


def group_change(table: pd.DataFrame, before: str, after: str, least: int = 3) -> pd.DataFrame:
    """Change of a group between two visits: one row a measure and side.

    Mean change with Student's interval and p of paired values, and the standardised response mean. Many measures are
    tested at once: `p_holm` and `p_fdr` allow for their number (`reference.agreement.holm`, `false_discovery`). What a
    group shows is not any one person's change: for that see `face3d compare`.
    """
    import pandas as pd
    from scipy.stats import ttest_1samp

    rows = []
    for what, a, b in _both(table, before, after, least):
        change = b - a
        p, low, high = np.nan, np.nan, np.nan
        if np.ptp(change) > 0:  # where nobody differs from anybody there is no spread to judge by
            test: Any = ttest_1samp(change, 0.0)
            p, (low, high) = test.pvalue, test.confidence_interval(0.95)
        rows.append(
            {
                **what,
                "n": len(a),
                "before": turned(a.mean(), what["unit"]),
                "after": turned(b.mean(), what["unit"]),
                "change": change.mean(),
                "change_low": low,
                "change_high": high,
                "srm": response_mean(a, b),
                "p": p,
            }
        )
    out = pd.DataFrame(rows, columns=CHANGE[:-2])
    return out.assign(p_holm=holm(out["p"]), p_fdr=false_discovery(out["p"]))
