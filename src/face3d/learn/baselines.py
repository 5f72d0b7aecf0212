"""The classical methods of the literature, each on the same rows, splits and rules of choice.

Every method is tried both ways that it offers: as a classifier of grades, and as a regression of severity with cut
points between the grades. The cut points, and which way is taken, are chosen on held-out parts of the training
subjects by the error in grades; nothing is chosen on those who are tested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from face3d.grading.example import Example
from face3d.grading.heads import CUTS
from face3d.learn.features import SETS, names_of, rows_of, side_moving_less
from face3d.learn.maps import MapNetwork, pictures_of
from face3d.learn.predictions import Predictions, truth_of
from face3d.learn.splits import folds
from face3d.scan import Floats

#: Parts of the training subjects that are held out in turn to choose.
INNER = 4


class OrdinalRegression(ClassifierMixin, BaseEstimator):
    """Cumulative logit (proportional odds; McCullagh 1980) with a ridge: P(grade <= k) = logistic(cut_k - w x).

    `ridge` on the weights of standardised features. Fitted by L-BFGS; interface of scikit-learn's classifiers.
    """

    def __init__(self, ridge: float = 10.0) -> None:
        self.ridge = ridge

    def fit(self, x: Floats, y: np.ndarray) -> OrdinalRegression:
        """`x` (n, d) standardised features, `y` (n,) grades; at least two different ones."""
        from scipy.optimize import minimize
        from scipy.special import expit

        self.classes_, place = np.unique(y, return_inverse=True)
        k, d, rows = len(self.classes_), x.shape[1], np.arange(len(place))

        def loss(values: Floats) -> tuple[float, Floats]:
            weights = values[:d]
            cuts = np.cumsum(np.r_[values[d], np.exp(values[d + 1 :])])
            at = cuts[None] - (x @ weights)[:, None]
            below = np.c_[np.zeros(len(x)), expit(at), np.ones(len(x))]
            p = np.maximum(below[rows, place + 1] - below[rows, place], 1e-12)
            slope = below * (1 - below)
            upper, lower = slope[rows, place + 1] / p, slope[rows, place] / p
            by_cut = np.zeros(k - 1)
            np.add.at(by_cut, place[place < k - 1], -upper[place < k - 1])
            np.add.at(by_cut, place[place > 0] - 1, lower[place > 0])
            tail = np.cumsum(by_cut[::-1])[::-1]
            gradient = np.r_[x.T @ (upper - lower) + self.ridge * weights, tail[0], tail[1:] * np.exp(values[d + 1 :])]
            return float(-np.log(p).sum() + self.ridge / 2 * weights @ weights), gradient

        start = np.r_[np.zeros(d), -2.0, np.zeros(k - 2)]
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
        self.weights_ = found.x[:d]
        self.cuts_ = np.cumsum(np.r_[found.x[d], np.exp(found.x[d + 1 :])])
        return self

    def predict_proba(self, x: Floats) -> Floats:
        """(n, k): probability of each of the k grades that were learned from, ascending."""
        from scipy.special import expit

        below = expit(self.cuts_[None] - (x @ self.weights_)[:, None])
        return np.diff(np.c_[np.zeros(len(x)), below, np.ones(len(x))], axis=1)


@dataclass(frozen=True)
class Method:
    """A method: `classifier` and `regression` make fresh estimators (None: it has no such form), given where each set
    of features lies in a row. `pictures`: it looks at pictures instead of rows."""

    classifier: Callable[[Mapping[str, slice]], Any] | None
    regression: Callable[[Mapping[str, slice]], Any] | None
    pictures: bool = False


def _scaled(estimator: Any) -> Any:
    """After filling what is missing with the median, and standardising."""
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), VarianceThreshold(1e-9), StandardScaler(), estimator
    )


def _only(sets: Sequence[str], where: Mapping[str, slice], estimator: Any) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline

    return make_pipeline(ColumnTransformer([(s, "passthrough", where[s]) for s in sets]), _scaled(estimator))


def methods() -> dict[str, Method]:
    """Name -> method. All but stacking see the measures, which hold those of the eyes; the literature's numbers of
    trees, neighbours and so on, not tuned to any data."""
    from sklearn import calibration, ensemble, linear_model, neighbors, svm, tree

    def plain(classifier: Any, regression: Any) -> Method:
        return Method(
            lambda where: _only(["measures"], where, classifier()),
            lambda where: _only(["measures"], where, regression()),
        )

    def stacked(kind: str) -> Callable[[Mapping[str, slice]], Any]:
        def make(where: Mapping[str, slice]) -> Any:
            if kind == "classifier":
                parts = [
                    ("measures", _only(["measures"], where, ensemble.RandomForestClassifier(100, random_state=0))),
                    ("units", _only(["units"], where, linear_model.LogisticRegression(C=0.01, max_iter=2000))),
                    ("eyes", _only(["eyes"], where, ensemble.RandomForestClassifier(100, random_state=0))),
                ]
                return ensemble.StackingClassifier(parts, linear_model.LogisticRegression(max_iter=2000), cv=4)
            parts = [
                (
                    "measures",
                    _only(["measures"], where, ensemble.RandomForestRegressor(100, max_features=0.3, random_state=0)),
                ),
                ("units", _only(["units"], where, linear_model.Ridge(1000.0))),
                ("eyes", _only(["eyes"], where, ensemble.RandomForestRegressor(100, max_features=0.3, random_state=0))),
            ]
            return ensemble.StackingRegressor(parts, linear_model.RidgeCV(), cv=4)

        return make

    leaf: dict[str, Any] = {"max_depth": 6, "min_samples_leaf": 3, "random_state": 0}
    once: dict[str, Any] = {"ensemble": False, "cv": 3}
    boosted: dict[str, Any] = {
        "max_depth": 3,
        "learning_rate": 0.1,
        "max_iter": 60,
        "min_samples_leaf": 8,
        "random_state": 0,
    }
    return {
        "support vector machine": plain(
            lambda: calibration.CalibratedClassifierCV(svm.SVC(C=3.0), **once), lambda: svm.SVR(C=1.0, epsilon=0.02)
        ),
        "random forest": plain(
            lambda: ensemble.RandomForestClassifier(100, random_state=0),
            lambda: ensemble.RandomForestRegressor(100, max_features=0.3, random_state=0),
        ),
        "gradient boosting": plain(
            lambda: ensemble.HistGradientBoostingClassifier(**boosted),
            lambda: ensemble.HistGradientBoostingRegressor(**boosted),
        ),
        "k nearest neighbours": plain(
            lambda: neighbors.KNeighborsClassifier(7), lambda: neighbors.KNeighborsRegressor(7, weights="distance")
        ),
        "logistic regression": Method(
            lambda where: _only(["measures"], where, linear_model.LogisticRegression(C=0.01, max_iter=2000)), None
        ),
        "ordinal regression": Method(
            lambda where: _only(["measures"], where, OrdinalRegression(30.0)),
            lambda where: _only(["measures"], where, linear_model.Ridge(300.0)),
        ),
        "decision tree": plain(lambda: tree.DecisionTreeClassifier(**leaf), lambda: tree.DecisionTreeRegressor(**leaf)),
        "bagging": plain(
            lambda: ensemble.BaggingClassifier(tree.DecisionTreeClassifier(), 50, random_state=0),
            lambda: ensemble.BaggingRegressor(tree.DecisionTreeRegressor(), 50, random_state=0),
        ),
        "stacking": Method(stacked("classifier"), stacked("regression")),
        "network over maps": Method(None, lambda where: MapNetwork(), pictures=True),
    }


# ---------------------------------------------------------------- from severity to grades


def best_cuts(severity: Floats, grade: np.ndarray) -> Floats:
    """(5,) ascending cut points of severity with the least mean error in grades; from House's bands on, one after the
    other, until none gains."""
    cuts = np.array(CUTS)

    def error(at: Floats) -> float:
        return float(np.abs(1 + np.searchsorted(at, severity, side="right") - grade).mean())

    least = error(cuts)
    for _ in range(5):
        before = least
        for k in range(5):
            low, high = (cuts[k - 1] if k else -0.1), (cuts[k + 1] if k < 4 else 1.1)
            # The middle of the widest stretch would be as good; the value nearest to House's border is taken.
            for value in sorted(np.linspace(low, high, 41)[1:-1], key=lambda v: abs(v - CUTS[k])):
                trial = cuts.copy()
                trial[k] = value
                if error(trial) < least - 1e-9:
                    cuts, least = trial, error(trial)
        if least == before:
            break
    return cuts


def graded(severity: Floats, cuts: Floats, spread: float) -> Floats:
    """(n, 6) probabilities of the grades when the severity is known to `spread` (SD, normal)."""
    from scipy.stats import norm

    below = norm.cdf((cuts[None] - severity[:, None]) / max(spread, 1e-3))
    return np.diff(np.c_[np.zeros(len(severity)), below, np.ones(len(severity))], axis=1)


# ---------------------------------------------------------------- a method learned


def learned(method: Method, train: Sequence[Example], test: Sequence[Example], seed: int = 0) -> Predictions:
    """What a method, learned on `train`, says of `test`. Examples without a grade or a severity are not learned from.

    The side is the one that moves less, and "none" where the grade given is I.
    """
    known = [e for e in train if e.labels.house_brackmann is not None and np.isfinite(e.labels.severity)]
    truth = truth_of(known)
    fold = folds(truth.subject.tolist(), truth.grade.tolist(), INNER, seed)
    where, x, x_test = _inputs(method, known, test)
    choices: list[tuple[float, Floats, np.ndarray]] = []  # error, probabilities, grades
    severity = np.full(len(test), np.nan)
    if method.regression is not None:
        inner = np.empty(len(known))
        for f in range(INNER):
            model = method.regression(where).fit(x[fold != f], truth.severity[fold != f])
            inner[fold == f] = model.predict(x[fold == f])
        # Cut points have seen the very exams that they would be judged by: each fold by the cuts of the others.
        said = np.empty(len(known))
        for f in range(INNER):
            others = best_cuts(inner[fold != f], truth.grade[fold != f])
            said[fold == f] = 1 + np.searchsorted(others, inner[fold == f], side="right")
        cuts, spread = best_cuts(inner, truth.grade), float(np.std(inner - truth.severity))
        found = np.asarray(method.regression(where).fit(x, truth.severity).predict(x_test), np.float64)
        severity = np.clip(found, 0.0, 1.0)
        grade = 1 + np.searchsorted(cuts, found, side="right")
        choices.append((float(np.abs(said - truth.grade).mean()), graded(found, cuts, spread), grade))
    if method.classifier is not None:
        said = np.empty(len(known))
        for f in range(INNER):
            model = method.classifier(where).fit(x[fold != f], truth.grade[fold != f])
            said[fold == f] = 1 + _six(model, x[fold == f]).argmax(axis=1)
        p = _six(method.classifier(where).fit(x, truth.grade), x_test)
        choices.append((float(np.abs(said - truth.grade).mean()), p, 1 + p.argmax(axis=1)))
        if method.regression is None:  # the middle of each grade's band, weighted
            edges = np.r_[0.0, CUTS, 1.0]
            severity = p @ ((edges[1:] + edges[:-1]) / 2)
    _, p, grade = min(choices, key=lambda choice: choice[0])
    side = np.where(grade == 1, "none", np.array([side_moving_less(e) for e in test], object))
    return Predictions.of(len(test), probabilities=p, grade=grade, severity=severity, side=side)


def _inputs(method: Method, known: Sequence[Example], test: Sequence[Example]) -> tuple[dict[str, slice], Any, Any]:
    """Where each set of features lies, and what the method looks at."""
    if method.pictures:
        return {}, pictures_of(known), pictures_of(test)
    names = names_of(known)
    ends = np.cumsum([0] + [len(names[s]) for s in SETS])
    where = {s: slice(int(a), int(b)) for s, a, b in zip(SETS, ends[:-1], ends[1:], strict=True)}
    return where, rows_of(known, names), rows_of(test, names)


def _six(model: Any, x: Floats) -> Floats:
    """(n, 6) probabilities; grades that were not among the training subjects have none."""
    out = np.zeros((len(x), 6))
    out[:, np.asarray(model.classes_, int) - 1] = model.predict_proba(x)
    return out
