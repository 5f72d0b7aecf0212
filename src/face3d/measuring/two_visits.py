"""What a study asks of two visits of its people: how well they agree, or what changed between them.

Left and right are the subject's own. Of patients who are ill on different sides ratios and function speak of the ill
one; a mean over all left sides mixes both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    standard_error_of_measurement,
    technical_error,
)
from face3d.reference.angles import beside, gathered, turned
from face3d.reference.intervals import LEAST_MEAN, mean_interval, response_mean_interval
from face3d.visits import visit_order

if TYPE_CHECKING:
    import pandas as pd

AGREEMENT = [
    *KEYS,
    "n",
    "icc21",
    "icc21_low",
    "icc21_high",
    "icc21_note",
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
CHANGE = [
    *KEYS,
    "n",
    "before",
    "after",
    "change",
    "change_low",
    "change_high",
    "srm",
    "srm_low",
    "srm_high",
    "p",
    "p_holm",
    "p_fdr",
]
ADJUSTED = [*KEYS, "group", "control", "n", "n_control", "difference", "low", "high", "slope", "p", "p_holm", "p_fdr"]
#: Least people of each group whose changes are compared: two parameters and a spread are estimated from them.
LEAST_GROUP = 5


def _both(
    table: pd.DataFrame, first: str, second: str, least: int
) -> Iterator[tuple[dict[str, str], Floats, Floats, list[str]]]:
    """What was measured, its values (n,) at two visits of the n people who have both, and who they are, for each
    measure and side of `least` people or more; degrees as those turns that lie beside each other."""
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
            yield what, a, beside(group[second], a, what["unit"]), group["subject"].tolist()


def agreement_table(table: pd.DataFrame, first: str, second: str, least: int = LEAST_MEAN) -> pd.DataFrame:
    """Agreement of two visits without a true change between them: one row a measure and side of `least` people or more.

    ICC(2,1), ICC(3,1) with intervals, TEM, SEM, MDC95, Bland-Altman bias and limits (second - first). `n` people. Two
    visits are two "raters": `icc21_note` says what that does to the interval of ICC(2,1).
    """
    import pandas as pd

    rows = []
    for what, a, b, _ in _both(table, first, second, least):
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
                "icc21_note": absolute.note,
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


def group_change(table: pd.DataFrame, before: str, after: str, least: int = LEAST_MEAN) -> pd.DataFrame:
    """Change of a group between two visits: one row a measure and side of `least` people or more.

    Mean change with Student's interval and p of paired values, and the standardised response mean with the noncentral
    t's. Many measures are tested at once: `p_holm` and `p_fdr` allow for their number (`reference.agreement.holm`,
    `false_discovery`). Without a control group a change is not an effect: people who were chosen for being ill come
    nearer the mean by themselves (`adjusted_change`). What a group shows is not any one person's change: for that see
    `face3d compare`.
    """
    import pandas as pd
    from scipy.stats import ttest_1samp

    rows = []
    for what, a, b, _ in _both(table, before, after, least):
        change = b - a
        mean, response = mean_interval(change), response_mean_interval(change)
        # Where nobody differs from anybody there is no spread to judge by.
        test: Any = ttest_1samp(change, 0.0) if np.ptp(change) > 0 else None
        p = np.nan if test is None else float(test.pvalue)
        rows.append(
            {
                **what,
                "n": len(a),
                "before": turned(a.mean(), what["unit"]),
                "after": turned(b.mean(), what["unit"]),
                "change": mean.value,
                "change_low": mean.low,
                "change_high": mean.high,
                "srm": response.value,
                "srm_low": response.low,
                "srm_high": response.high,
                "p": p,
            }
        )
    return _tested(pd.DataFrame(rows, columns=CHANGE[:-2]))


def adjusted_change(
    table: pd.DataFrame, before: str, after: str, groups: Mapping[str, str], control: str
) -> pd.DataFrame:
    """How much more the people of each group changed than those of the `control` group, from the same start: one row a
    measure, side and group. `groups` subject -> group; subjects that it doesn't name are left out.

    Analysis of covariance: after = a + slope x before + difference of the group, with Student's interval and p. Both
    groups come nearer the mean by themselves where they were chosen for being ill; what is left over is the difference
    (Vickers & Altman 2001, BMJ 323:1123). One slope for both is assumed, and that who is in which group was decided by
    chance. Raises `SchemaError` where nobody is in the control group or another.
    """
    import pandas as pd
    from scipy.stats import t

    named = {g for s, g in groups.items() if s in set(table["subject"])}
    if control not in named or len(named) < 2:
        found = ", ".join(sorted(named)) or "none"
        raise SchemaError(f"control group {control!r}: the study's people are in these groups: {found}; two are needed")
    rows = []
    for what, a, b, people in _both(table, before, after, 2 * LEAST_GROUP):
        own = np.array([groups.get(s, "") for s in people], object)
        for group in sorted(named - {control}):
            there = np.isin(own, (group, control))
            x, y, treated = a[there], b[there], (own[there] == group).astype(np.float64)
            n, df = int(treated.sum()), int(there.sum()) - 3
            if min(n, len(x) - n) < LEAST_GROUP:
                continue
            design = np.stack([np.ones(len(x)), x, treated], axis=1)
            fitted, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
            off = y - design @ fitted
            if rank < 3 or not (off**2).sum() > 1e-18:  # nobody differs at the start, or nothing is left to judge by
                continue
            error = float(np.sqrt((off**2).sum() / df * np.linalg.inv(design.T @ design)[2, 2]))
            half = float(t.ppf(0.975, df)) * error
            difference = float(fitted[2])
            rows.append(
                {
                    **what,
                    "group": group,
                    "control": control,
                    "n": n,
                    "n_control": len(x) - n,
                    "difference": difference,
                    "low": difference - half,
                    "high": difference + half,
                    "slope": float(fitted[1]),
                    "p": 2 * float(t.sf(abs(difference) / error, df)),
                }
            )
    return _tested(pd.DataFrame(rows, columns=ADJUSTED[:-2]))


def _tested(out: pd.DataFrame) -> pd.DataFrame:
    return out.assign(p_holm=holm(out["p"]), p_fdr=false_discovery(out["p"]))
