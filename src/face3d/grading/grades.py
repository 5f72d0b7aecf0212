"""The grade of an exam: how severe, which side, how sure, and when not to be believed.

An estimate from geometry, learned on simulated patients; for research. Networks and the published rules
(`face3d.measuring.scale_estimates`) are heard together (`face3d.grading.pool`); how much each counts, and the
probabilities' calibration, come from kinds of people that the networks had never seen. Where the exam is unlike those
that were learned on, or the grade is unsure, it abstains and says why. The rules alone stand beside it, explainable:
a second opinion.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d.errors import WeightsError
from face3d.extras import require
from face3d.grading.calibration import Calibration, expected_error, likely_grades, tempered
from face3d.grading.example import FISSURE, LABELLED_SIDES
from face3d.reference.scales import FNGS2, REGIONS, ROMAN, fngs_item, sunnybrook_scores
from face3d.scan import Floats
from face3d.threads import one_torch_thread
from face3d.values import Value, locked

if TYPE_CHECKING:
    from face3d.grading.doubts import Usual
    from face3d.grading.example import Example
    from face3d.grading.heads import Grader, Outputs
    from face3d.grading.pool import Pool, Said

#: eFACE items of which no simulated patient has a label: the heads have no fold deep enough, and no neck that moves.
UNTAUGHT = (
    "nasolabial_fold_rest",
    "nasolabial_fold_smile",
    "nasolabial_fold_orientation_smile",
    "platysmal_synkinesis",
)
#: SD of the logistic distribution of scale 1.
LOGISTIC_SD = math.pi / math.sqrt(3.0)
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
    `example`: what the networks saw. `descriptive` 1..6 the table's grade, by the networks; `fngs2` estimated from
    function and synkinesis."""

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
    descriptive: int | None = None
    fngs2: FNGS2 | None = None
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
            "house_brackmann_descriptive": self.descriptive,
            "fngs2": None if self.fngs2 is None else asdict(self.fngs2) | {"total": self.fngs2.total},
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
    networks, (calibration, usual, pool) = shipped_grader(), shipped_calibration()
    turned = read_card().get("eface_fissure") != FISSURE
    with one_torch_thread(), torch.inference_mode():
        batch = batch_of(examples, points=False)
        members = [network(batch) for network in networks]
        outputs = mean_outputs(members)
    mean = {k: v.numpy() for k, v in outputs._asdict().items()}
    composite = outputs.composite.numpy()
    said, sides = said_of(examples, outputs)
    # Measured shares err to either side of 0 and 1; what is said of a face does not.
    severity, function = np.clip(pool.severity(said), 0.0, 1.0), np.clip(pool.functions(said), 0.0, 1.0)
    chances = pool.probabilities(said)
    apart = np.std([m.severity.numpy() for m in members], axis=0)
    se = np.hypot(LOGISTIC_SD * pool.scale(said), apart)
    grades = []
    for i, example in enumerate(examples):
        p = tempered(chances[i], calibration.temperature)
        best = int(p.argmax()) + 1
        doubts = certain_doubts(example, expressions_shown(example)) + usual.doubts(example, grid)
        if expected_error(p) > calibration.unsure:
            error, limit = expected_error(p), calibration.unsure
            doubts.append(f"the grade is unsure: expected error {error:.2f} grades, limit {limit:.2f}")
        scores = sunnybrook_scores(*(float(mean[k][i].sum()) for k in ("resting", "voluntary", "synkinesis")))
        ill: dict[str, float] = dict(zip(REGIONS, function[i].tolist(), strict=True))
        grades.append(
            Grade(
                best,
                p,
                likely_grades(p, calibration.least),
                float(severity[i]),
                float(se[i]),
                sides[i],
                ill,
                SunnybrookEstimate(*scores[:3], float(composite[i])),
                _eface(mean["eface"][i], turned),
                bool(doubts),
                "; ".join(doubts),
                example,
                1 + int(mean["descriptive"][i].argmax()),
                _fngs(ill, mean["synkinesis"][i]),
            )
        )
    return grades


def said_of(examples: Sequence[Example], outputs: Outputs) -> tuple[Said, list[str]]:
    """What networks and rules say of exams, and the side that is called ill: the networks'. Where they call none ill,
    their function is that of the weaker side, region by region."""
    from face3d.grading.pool import Said

    side = [LABELLED_SIDES[k] for k in outputs.side_logits.argmax(dim=1).tolist()]
    both = outputs.function.double().numpy()
    function = [f.min(axis=0) if s == "none" else f[LABELLED_SIDES.index(s)] for s, f in zip(side, both, strict=True)]
    severity, of_regions = np.full(len(side), np.nan), np.full((len(side), len(REGIONS)), np.nan)
    for k, (example, ill) in enumerate(zip(examples, side, strict=True)):
        if example.rules.get("severity") is None:
            continue
        severity[k] = example.rules["severity"]
        if example.rules["side"] in (ill, "none"):
            of_regions[k] = [np.nan if f is None else f for f in example.rules["region_function"]]
    return Said(outputs.severity.double().numpy(), np.array(function), severity, of_regions), side


def _fngs(function: Mapping[str, float], synkinesis: Floats) -> FNGS2:
    """FNGS 2.0 of regional function; secondary movement from the worst of Sunnybrook's synkinesis items."""
    items = (fngs_item(min(max(function[r], 0.0), 1.0)) for r in ("brow", "eye", "midface", "mouth"))
    return FNGS2(*items, secondary=round(float(synkinesis.max())))


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
def shipped_calibration() -> tuple[Calibration, Usual, Pool]:
    """As learned by tools/calibrate_grading.py. Raises `WeightsError` when the files are missing or damaged."""
    from face3d.grading.doubts import Usual
    from face3d.grading.pool import Pool

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
        return Calibration(**note["calibration"]), usual, Pool(**note["pool"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"grading.json, grading.npz: cannot be read ({error}); reinstall face3d") from error
