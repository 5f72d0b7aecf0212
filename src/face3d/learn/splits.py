"""Splits by subject: no person is ever on both sides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from face3d.errors import SchemaError


def ensure_disjoint(
    one: Iterable[str], other: Iterable[str], names: tuple[str, str] = ("training", "held out")
) -> None:
    """Raises `SchemaError` that names the subjects who are on both sides, or an exam without a subject."""
    a, b = set(one), set(other)
    if "" in a | b:
        raise SchemaError("an exam says no subject; without one, training and testing cannot be kept apart")
    if both := sorted(a & b):
        shown = ", ".join(both[:5]) + (f" and {len(both) - 5} more" if len(both) > 5 else "")
        raise SchemaError(f"subjects on both sides, {names[0]} and {names[1]}: {shown}; split by subject")


def folds(subjects: Sequence[str], strata: Sequence[object], count: int, seed: int = 0) -> np.ndarray:
    """(n,) fold 0..count-1 of each exam. All exams of a subject fall into one fold; each stratum (a grade, say; that
    of a subject's first exam) is spread over the folds as evenly as may be."""
    if len(subjects) != len(strata):
        raise ValueError(f"{len(subjects)} subjects but {len(strata)} strata; expected one for each exam")
    first: dict[str, object] = {}
    for subject, stratum in zip(subjects, strata, strict=True):
        first.setdefault(subject, stratum)
    if not 2 <= count <= len(first):
        raise SchemaError(f"{count} folds of {len(first)} subjects; expected from 2 folds to one a subject")
    rng = np.random.default_rng(seed)
    order = sorted(first)
    order = [order[k] for k in rng.permutation(len(order))]
    order.sort(key=lambda s: str(first[s]))  # stable: shuffled within each stratum
    fold = {subject: k % count for k, subject in enumerate(order)}
    return np.array([fold[s] for s in subjects])
