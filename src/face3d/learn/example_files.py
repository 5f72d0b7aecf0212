"""Examples on disk, and exams made examples."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d.errors import SchemaError
from face3d.grading.example import ARRAYS, EFACE, POINTS, SCANS, Example, Labels, example_of, labels_of
from face3d.learn.point_networks.raw_scans import points_of
from face3d.reference.scales import REGIONS

if TYPE_CHECKING:
    from face3d.exam import Exam
    from face3d.template.exam_fit import FittedExam


#: What of a simulated exam's truth stays beside its labels: who it is, and what one rater wrote down.
FACTS = (
    *("movement", "state", "pattern", "age_years", "male", "ancestry_african", "ancestry_asian", "ancestry_european"),
    *("split", "visit", "rater_house_brackmann", "rater_sunnybrook"),
)


def labels_from_truth(truth: Mapping[str, Any]) -> Labels:
    """The labels of a simulated exam, from its truth.json or the facts stored with it."""
    items = truth.get("sunnybrook_items", truth["sunnybrook"])
    eface = truth.get("eface_items", truth.get("eface", {}))
    function = truth.get("region_function") or {r: truth[f"function_{r}"] for r in REGIONS}
    composite = truth["composite"] if "composite" in truth else truth["sunnybrook"]
    return Labels(
        int(truth["house_brackmann"]),
        truth["side"],
        float(truth["severity"]),
        tuple(float(function[r]) for r in REGIONS),
        tuple(float(items[k]) for k in ("eye", "nasolabial", "mouth")),
        tuple(float(x) for x in items["voluntary"]),
        tuple(float(x) for x in items["synkinesis"]),
        float(composite),
        tuple(np.nan if eface.get(k) is None else float(eface[k]) for k in EFACE),
        truth.get("house_brackmann_descriptive"),
    )


def write_example(path: Path, example: Example) -> None:
    """Stores an example, whole or not at all. Half precision: 0.06 mm at 100 mm for raw points, finer for the rest."""
    from face3d.io.write import write_bytes

    arrays: dict[str, Any] = {
        k: np.asarray(getattr(example, k), np.float16 if k == "points" else np.float32) for k in ARRAYS
    }
    notes = {"labels": asdict(example.labels), "facts": dict(example.facts), "measures": dict(example.measures)}
    notes["rules"] = dict(example.rules)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, notes=np.array(json.dumps(notes, default=dict)), **arrays)  # facts hold mappings
    write_bytes(path, buffer.getvalue())


def read_example(path: Path) -> Example:
    """Raises `SchemaError` that names the file."""
    try:
        with path.open("rb") as file, np.load(file) as data:
            arrays = {k: data[k].astype(np.float32) for k in ARRAYS}
            notes = json.loads(str(data["notes"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise SchemaError(f"{path}: not an example of an exam ({error}); delete it, it is made anew") from error
    known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in notes["labels"].items()}
    labels = Labels(**known)
    rules = notes.get("rules", {})
    return Example(**arrays, measures=notes["measures"], labels=labels, facts=notes["facts"], rules=rules)


def read_examples(folder: Path) -> Iterator[Example]:
    """All stored examples of a folder, in the order of their names, one at a time."""
    return map(read_example, sorted(folder.glob("*.npz")))


def example_from_exam(exam: Exam, workers: int = 2) -> Example:
    """An exam fitted and made an example, labelled with its clinician's grades or, when simulated, with its truth."""
    from face3d.template.exam_fit import fit_exam

    labels = labels_of(exam.grades, exam.affected_side)
    facts: dict[str, Any] = {"subject": exam.subject, "visit": exam.visit, "device": exam.device}
    facts["affected_side"] = exam.affected_side
    if (file := truth_file(exam)) is not None:
        truth = json.loads(file.read_text(encoding="utf-8"))
        labels = labels_from_truth(truth)
        facts |= {k: truth[k] for k in FACTS if k in truth}
    return example_with_points(fit_exam(exam, workers=workers), labels, facts)


def truth_file(exam: Exam) -> Path | None:
    """The truth that a simulated exam has beside it."""
    if exam.source is None:
        return None
    file = (exam.source.parent if exam.source.is_file() else exam.source) / "truth.json"
    return file if file.is_file() else None


def example_with_points(
    fitted: FittedExam, labels: Labels | None = None, facts: Mapping[str, Any] | None = None
) -> Example:
    """`example_of` with the points of the raw scans, at which only networks on raw points look."""
    return replace(example_of(fitted, labels=labels, facts=facts), points=points_of(fitted.seen, SCANS, POINTS)[0])
