"""What was said of exams and what is true of them, as columns: from grades, from rules, and from labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from face3d.reference.scales import REGIONS
from face3d.scan import Floats, Ints

if TYPE_CHECKING:
    from face3d.grading.example import Example
    from face3d.grading.grades import Grade
    from face3d.grading.heads import Outputs

#: Exams that go through the networks at a time.
_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class _Rows:
    """Columns of equal length."""

    def rows(self, index: Ints | np.ndarray) -> Self:
        """The same for some of the exams, in any order, repeated or not."""
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Predictions(_Rows):
    """What was said of n exams; NaN (or side "") where nothing was said.

    `probabilities` (n, 6) of grades I..VI; `grade` (n,) 1..6; `severity` (n,) 0..1; `side` (n,) "left", "right",
    "none"; `function` (n, 5) of `REGIONS`, 0..1; `composite` (n,) Sunnybrook; `abstained` (n,) bool. `grade` is
    House-Brackmann by movement, `descriptive` (n,) the grade of the table's words.
    """

    probabilities: Floats
    grade: Floats
    severity: Floats
    side: np.ndarray
    function: Floats
    composite: Floats
    abstained: np.ndarray
    descriptive: Floats

    @classmethod
    def of(cls, count: int, **known: Any) -> Predictions:
        """Predictions of `count` exams of which only some columns are known. The grade is the most probable one."""
        columns: dict[str, Any] = {
            "probabilities": np.full((count, 6), np.nan),
            "grade": np.full(count, np.nan),
            "severity": np.full(count, np.nan),
            "side": np.full(count, "", object),
            "function": np.full((count, 5), np.nan),
            "composite": np.full(count, np.nan),
            "abstained": np.zeros(count, bool),
            "descriptive": np.full(count, np.nan),
        }
        if "probabilities" in known and "grade" not in known:
            p = np.asarray(known["probabilities"], np.float64)
            known["grade"] = np.where(np.isfinite(p).all(axis=1), 1.0 + np.nan_to_num(p).argmax(axis=1), np.nan)
        for name, value in known.items():
            columns[name] = np.asarray(value, columns[name].dtype)
        return cls(**columns)

    @property
    def expected_error(self) -> Floats:
        """(n,) expected distance of the grade from the true one by the model's own probabilities: its doubt."""
        apart = np.abs(np.arange(1, 7)[None] - self.grade[:, None])
        return (self.probabilities * apart).sum(axis=1)


@dataclass(frozen=True, eq=False)
class Truth(_Rows):
    """What is known of n exams: as in `Predictions`, and whose they are. NaN, or side "", where nobody said. A
    clinician's grade is descriptive; `grade` holds it where that by movement is not known. `rater` (n,) the grade that
    one rater wrote down beside the truth, of simulated exams."""

    subject: np.ndarray
    grade: Floats
    severity: Floats
    side: np.ndarray
    function: Floats
    composite: Floats
    descriptive: Floats
    rater: Floats


def truth_of(examples: Sequence[Example]) -> Truth:
    """The labels of examples. An exam without a subject's name counts as one of its own."""
    labels = [e.labels for e in examples]
    return Truth(
        np.array([e.subject or f"exam {k}" for k, e in enumerate(examples)], object),
        np.array([np.nan if v.house_brackmann is None else v.house_brackmann for v in labels], np.float64),
        np.array([v.severity for v in labels], np.float64),
        np.array([v.side or "" for v in labels], object),
        np.array([v.region_function for v in labels], np.float64).reshape(-1, len(REGIONS)),
        np.array([v.composite for v in labels], np.float64),
        np.array([np.nan if v.descriptive is None else v.descriptive for v in labels], np.float64),
        np.array([e.facts.get("rater_house_brackmann", np.nan) for e in examples], np.float64),
    )


def groups_of(examples: Sequence[Example]) -> dict[str, list[str]]:
    """Group -> value of each exam, from its facts: scanner, kind of movement, head, age, sex, ancestry (the largest
    share); "" where unknown."""
    facts = [e.facts for e in examples]

    def age(years: Any) -> str:
        if years is None or not math.isfinite(float(years)):
            return ""
        bands = ((18, "under 18"), (40, "18 to 39"), (60, "40 to 59"))
        return next((words for top, words in bands if float(years) < top), "60 and over")

    def sex(male: Any) -> str:
        return "" if male is None else ("male" if float(male) > 0.5 else "female")

    def ancestry(f: Mapping[str, Any]) -> str:
        shares = {a: f.get(f"ancestry_{a}") for a in ("african", "asian", "european")}
        known = {a: float(v) for a, v in shares.items() if v is not None and math.isfinite(float(v))}
        return max(known, key=lambda a: known[a]) if known else ""

    return {
        "scanner": [str(f.get("scanner") or f.get("device") or "") for f in facts],
        "movement": [str(f.get("kind") or f.get("movement") or "") for f in facts],
        "age": [age(f.get("age_years")) for f in facts],
        "sex": [sex(f.get("male")) for f in facts],
        "head": [str(f.get("head") or "") for f in facts],
        "ancestry": [ancestry(f) for f in facts],
    }


def of_grades(grades: Sequence[Grade]) -> Predictions:
    """What `face3d.grading.grades` said."""
    return Predictions.of(
        len(grades),
        probabilities=[g.probabilities for g in grades],
        grade=[g.house_brackmann for g in grades],
        severity=[g.severity for g in grades],
        side=[g.side for g in grades],
        function=[[g.region_function[r] for r in REGIONS] for g in grades],
        composite=[g.sunnybrook.composite for g in grades],
        abstained=[g.abstained for g in grades],
        descriptive=[np.nan if g.descriptive is None else g.descriptive for g in grades],
    )


def of_rules(examples: Sequence[Example]) -> Predictions:
    """What published rules make of the measures (`face3d.measuring.scale_estimates`): a grade without probabilities."""
    nothing = {"region_function": (np.nan,) * len(REGIONS)}
    rules = [{k: v for k, v in e.rules.items() if v is not None} or nothing for e in examples]
    return Predictions.of(
        len(examples),
        grade=[r.get("house_brackmann", np.nan) for r in rules],
        severity=[r.get("severity", np.nan) for r in rules],
        side=[r.get("side", "") for r in rules],
        composite=[r.get("composite", np.nan) for r in rules],
        function=[r.get("region_function", nothing["region_function"]) for r in rules],
        descriptive=[r.get("descriptive", np.nan) for r in rules],
    )


def of_outputs(outputs: Outputs) -> Predictions:
    """What networks said, before it is calibrated; region function is that of the side that they call ill, or of the
    weaker side where they call neither."""
    from face3d.grading.example import LABELLED_SIDES

    o = {name: value.detach().cpu().double().numpy() for name, value in outputs._asdict().items()}
    side, n = o["side_logits"].argmax(axis=1), len(o["severity"])
    weaker = np.where(side < 2, side, o["function"].mean(axis=2).argmin(axis=1))
    return Predictions.of(
        n,
        probabilities=o["grade_probabilities"],
        severity=o["severity"],
        side=np.array(LABELLED_SIDES, object)[side],
        function=o["function"][np.arange(n), weaker],
        composite=outputs.composite.detach().cpu().numpy(),
        descriptive=1.0 + o["descriptive"].argmax(axis=1),
    )


def by_model(model: str, examples: Sequence[Example]) -> Predictions:
    """What a model says: "rules", "shipped" (calibrated, and abstaining where it should), or a file of weights as
    `face3d train` leaves it. Raises `WeightsError` for a file that is none."""
    if model == "rules":
        return of_rules(examples)
    if model == "shipped":
        from face3d.grading.grades import grade_examples

        return of_grades(grade_examples(examples))
    import torch

    from face3d.grading.networks import batch_of, mean_outputs
    from face3d.grading.weights import load_grader
    from face3d.learn.architectures import build

    networks = load_grader(Path(model), build)
    said = []
    for k in range(0, len(examples), _AT_ONCE):
        with torch.inference_mode():
            batch = batch_of(examples[k : k + _AT_ONCE])
            said.append(of_outputs(mean_outputs([network(batch) for network in networks])))
    columns = {f.name: np.concatenate([getattr(p, f.name) for p in said]) for f in fields(Predictions)}
    return Predictions(**columns)
