"""What a grader would reach in another clinic: the same recalls among other people.

Simulated exams have every grade equally often; no clinic has. Each true grade keeps how it was graded, and counts as
often as the clinic sees it. Shares are House-Brackmann's of untreated palsies in Peitersen 2002 (Acta Otolaryngol Suppl
549:4-30, 2,570 patients): at first visit 70 % complete and 30 % incomplete; at the end 71 % normal, 12 % slight, 13 %
mild to moderate and 4 % severe sequelae. Where he tells no grades apart, they share alike (ours).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from face3d.learn.predictions import Predictions, Truth
from face3d.scan import Floats

CLINICS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "palsy, first visit": (0.0, 0.10, 0.10, 0.10, 0.35, 0.35),
        "palsy, a year later": (0.71, 0.12, 0.065, 0.065, 0.02, 0.02),
    }
)


def in_clinic(predicted: Predictions, truth: Truth, shares: tuple[float, ...], bins: int = 10) -> dict[str, float]:
    """`exact`, `mae` and `ece` of the grades as given; `exact_known`, `mae_known`, `ece_known` when the probabilities
    are told how often each grade is seen there (Bayes), as a clinic that knows its patients would. NaN where a grade
    that is seen there was not tested."""
    known = np.isfinite(truth.grade + predicted.grade) & np.isfinite(predicted.probabilities).all(axis=1)
    true = truth.grade[known].astype(int) - 1
    tested = np.bincount(true, minlength=6) / max(known.sum(), 1)
    share = np.asarray(shares)
    names = [f"{figure}{told}" for told in ("", "_known") for figure in ("exact", "mae", "ece")]
    if not known.any() or (tested[share > 0] == 0).any():
        return dict.fromkeys(names, np.nan)
    weight = share[true] / tested[true]
    p = predicted.probabilities[known]
    informed = p * (share / np.where(tested > 0, tested, 1.0))
    informed /= informed.sum(axis=1, keepdims=True)
    out: list[float] = []
    for grade, chance in ((predicted.grade[known].astype(int) - 1, p), (informed.argmax(axis=1), informed)):
        right = (grade == true).astype(np.float64)
        out += [_mean(right, weight), _mean(np.abs(grade - true).astype(np.float64), weight)]
        confidence = chance[np.arange(len(grade)), grade]
        place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
        gaps = np.bincount(place, weight * (confidence - right), bins)
        out.append(float(np.abs(gaps).sum() / weight.sum()))
    return dict(zip(names, out, strict=True))


def clinic_lines(clinics: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The table of what `in_clinic` said of each clinic, for a terminal; empty where nothing is known."""
    known = {clinic: row for clinic, row in clinics.items() if np.isfinite(row["exact"])}
    if not known:
        return []
    head = f"{'where grades are seen as in':<28}exact     MAE     ECE   and told so: exact     MAE     ECE"
    return ["", head, *(f"  {c:<24}" + "".join(f"{v:>8.3f}" for v in row.values()) for c, row in known.items())]


def _mean(values: Floats, weight: Floats) -> float:
    return float(values @ weight / weight.sum())
