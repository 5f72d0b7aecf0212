"""The grade of an exam by the shipped networks: how severe, which side, how sure, and when not to be believed.

An estimate from geometry, learned on simulated patients; for research. The networks' own probabilities are calibrated
on held-out training subjects; where the exam is unlike those, or the networks are unsure, the grade abstains and says
why. The rule-based estimate (`face3d.measuring.scale_estimates`) stands beside it as an explainable second opinion.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d.errors import WeightsError
from face3d.extras import require
from face3d.grading.calibration import Calibration, expected_error, likely_grades, tempered
from face3d.grading.example import FISSURE, LABELLED_SIDES
from face3d.reference.scales import REGIONS, ROMAN, sunnybrook_scores
from face3d.scan import Floats
from face3d.threads import one_torch_thread
from face3d.values import Value, locked

if TYPE_CHECKING:
    from face3d.grading.doubts import Usual
    from face3d.grading.example import Example
    from face3d.grading.heads import Grader

#: eFACE items of which no simulated patient has a label: the heads have no fold deep enough, and no neck that moves.
UNTAUGHT = (
    "nasolabial_fold_rest",
    "nasolabial_fold_smile",
    "nasolabial_fold_orientation_smile",
    "platysmal_synkinesis",
)
LABEL = "estimate by a network trained on simulated patients, not a clinician's grade"


@dataclass(frozen=True)
class SunnybrookEstimate:
    """Sunnybrook scores as a network estimates them; not whole numbers. `composite` = voluntary - resting -
    synkinesis, 0..100."""

    resting: float
    voluntary: float
    synkinesis: float
    composite: float


@dataclass(frozen=True, eq=False, repr=False)
class Grade(Value):
    """`house_brackmann` 1..6 by movement (House's measured rule; no network gives the table's descriptive grade), the
    most probable of `probabilities` (6,); `likely` the grades that hold the true one in nine exams of ten; `severity`
    0..1 (share of brow and mouth movement lost) with its standard error; `side` "left", "right" or "none";
    `region_function` region -> 0..1, share of the healthy side's movement; `sunnybrook`, `eface` estimates of their
    items, NaN for those that were never taught. `abstained` True when this should not be believed, with the `reason`.
    `example`: what the networks saw."""

    house_brackmann: int
    probabilities: Floats
    likely: tuple[int, ...]
    severity: float
    severity_se: float
    side: str
    region_function: Mapping[str, float]
    sunnybrook: SunnybrookEstimate
    eface: Mapping[str, float]
    abstained: bool
    reason: str
    example: Example = field(repr=False)
    label: str = LABEL

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", locked(self.probabilities))
        for name in ("region_function", "eface"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def confidence(self) -> float:
        """Calibrated probability of the grade given."""
        return float(self.probabilities[self.house_brackmann - 1])

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "house_brackmann": self.house_brackmann,
            "probabilities": [round(float(p), 4) for p in self.probabilities],
            "likely": list(self.likely),
            "severity": self.severity,
            "severity_se": self.severity_se,
            "side": self.side,
            "region_function": dict(self.region_function),
            "sunnybrook": vars(self.sunnybrook) | {},
            "eface": {k: v if math.isfinite(v) else None for k, v in self.eface.items()},
            "abstained": self.abstained,
            "reason": self.reason,
            "label": self.label,
        }

    def to_text(self) -> str:
        """A summary for the terminal."""
        likely = ", ".join(ROMAN[g - 1] for g in self.likely)
        side = "no side" if self.side == "none" else f"the {self.side} side"
        lines = [
            f"House-Brackmann by movement {ROMAN[self.house_brackmann - 1]} ({self.confidence:.0%}; 90 %: {likely}), "
            f"{side}; "
            f"severity {self.severity:.2f} ± {self.severity_se:.2f}; Sunnybrook {self.sunnybrook.composite:.0f}",
            ", ".join(f"{r.replace('_', ' ')} {v:.0%}" for r, v in self.region_function.items()),
            self.label,
        ]
        if self.abstained:
            lines.insert(0, f"ABSTAINED, don't believe the following: {self.reason}")
        return "\n".join(lines)


def grade_examples(examples: Sequence[Example]) -> list[Grade]:
    """The grades of several exams at once."""
    require("torch")
    import torch

    from face3d.grading.doubts import certain_doubts
    from face3d.grading.grid import grid_of
    from face3d.grading.naming import expressions_shown
    from face3d.grading.networks import batch_of, mean_outputs
    from face3d.grading.weights import read_card
    from face3d.template.template import FaceTemplate

    grid = grid_of(FaceTemplate.load())
    networks, (calibration, usual) = shipped_grader(), shipped_calibration()
    turned = read_card().get("eface_fissure") != FISSURE
    with one_torch_thread(), torch.inference_mode():
        batch = batch_of(examples, points=False)
        members = [network(batch) for network in networks]
        said = mean_outputs(members)
        composite = said.composite.numpy()
        mean = {k: v.numpy() for k, v in said._asdict().items()}
    spread = np.std([m.severity.numpy() for m in members], axis=0)
    grades = []
    for i, example in enumerate(examples):
        p = tempered(mean["grade_probabilities"][i], calibration.temperature)
        best = int(p.argmax()) + 1
        doubts = certain_doubts(example, expressions_shown(example)) + usual.doubts(example, grid)
        if expected_error(p) > calibration.unsure:
            error, limit = expected_error(p), calibration.unsure
            doubts.append(f"the networks are unsure: expected error {error:.2f} grades, limit {limit:.2f}")
        side = LABELLED_SIDES[int(mean["side_logits"][i].argmax())]
        function = mean["function"][i]
        ill = function.min(axis=0) if side == "none" else function[LABELLED_SIDES.index(side)]
        scores = sunnybrook_scores(*(float(mean[k][i].sum()) for k in ("resting", "voluntary", "synkinesis")))
        grades.append(
            Grade(
                best,
                p,
                likely_grades(p, calibration.least),
                float(mean["severity"][i]),
                float(np.hypot(spread[i], calibration.severity_se)),
                side,
                {r: float(v) for r, v in zip(REGIONS, ill, strict=True)},
                SunnybrookEstimate(*scores[:3], float(composite[i])),
                _eface(mean["eface"][i], turned),
                bool(doubts),
                "; ".join(doubts),
                example,
            )
        )
    return grades


def _eface(said: Floats, turned: bool) -> dict[str, float]:
    """The items that networks were taught; `turned`: by labels in which a wide eye lay above 100."""
    from face3d.grading.example import EFACE

    items = {k: float(v) for k, v in zip(EFACE, said, strict=True)}
    if turned:
        items["fissure_rest"] = 200.0 - items["fissure_rest"]
    return items | dict.fromkeys(UNTAUGHT, math.nan)


@cache
def shipped_grader() -> Sequence[Grader]:
    """The networks that ship with face3d."""
    from face3d.grading.weights import load_grader

    return tuple(load_grader())


@cache
def shipped_calibration() -> tuple[Calibration, Usual]:
    """As learned by tools/calibrate_grading.py. Raises `WeightsError` when the files are missing or damaged."""
    from face3d.grading.doubts import Usual

    data = files("face3d").joinpath("data")
    try:
        note = json.loads(data.joinpath("grading.json").read_text(encoding="utf-8"))
        with data.joinpath("grading.npz").open("rb") as stream, np.load(stream) as arrays:
            usual = Usual(
                note["usual"]["low"],
                note["usual"]["high"],
                arrays["mean"],
                arrays["axes"],
                arrays["scale"],
                arrays["cloud"],
                note["usual"]["far"],
            )
        return Calibration(**note["calibration"]), usual
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"grading.json, grading.npz: cannot be read ({error}); reinstall face3d") from error
