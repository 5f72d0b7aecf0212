"""Scans, exams and results without what names a person. Nothing is copied: what is harmless is written anew.

Kept: triangles, millimetres, sides, grades, scores, years of age. Left out: names, visits, dates, devices, notes, and
other free words, colours, pictures, comments and everything else that formats carry. A face's shape still identifies
its person, unless it is replaced (`face3d.export.neutral`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from face3d.errors import OutputError, SchemaError
from face3d.exam import Exam
from face3d.export.neutral import faces_of, neutral
from face3d.export.redcap import EXAMS
from face3d.io.write import write_bytes, write_scan
from face3d.report.faces import Faces, read_faces
from face3d.report.folder import FACES, MEASURES, MESH, REGIONS, REPORT, RESULT, THIRDS
from face3d.scan import FaceScan

#: Years from which on an age alone may tell who somebody is (45 CFR 164.514).
OLDEST = 90
#: Fields of results and manifests that hold free words, whatever level they stand at.
_FREE = frozenset(("visit", "date", "device", "protocol", "rater", "notes", "identity", "units_note"))
_GONE = "left out: it named the person"


@dataclass(frozen=True)
class Kept:
    """What was written, and what had to be `left_out` besides names, in words."""

    files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def write_deidentified(source: Path, out: Path, label: str = "anonymous", template: bool = False) -> Kept:
    """Writes a scan, an exam, the result of `face3d analyze` or `face3d exam`, or the tables of exams of a study into
    `out` without what names a person, who is called `label` there (label-001 and so on in a study); `template`: their
    shape is replaced as `neutral` does. Raises `OutputError` where `out` is not empty, `SchemaError` for anything else,
    and what reading and fitting raise."""
    from face3d.io import read_scan
    from face3d.io.exam import read_exam

    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", label):
        raise SchemaError(f"--label {label!r}: expected letters, digits, - and _, 40 at most")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out}: is there already, and not empty; give a new folder, so that nothing else is shared")
    out.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and (source / RESULT).is_file():
        return _result(source, out, label, template)
    if source.is_dir() and (source / EXAMS).is_file():
        return _study(source, out, label)
    if source.is_dir() or source.suffix == ".json":
        return _exam(read_exam(source), out, label, template)
    kept = Kept()
    scan = read_scan(source)
    if template:
        scan = _on_template(neutral(_fitted({"rest": scan})), "rest")
    kept.files.append(write_scan(out / "scan.ply", _bare(scan)))
    return kept


def _exam(exam: Exam, out: Path, label: str, template: bool) -> Kept:
    from face3d.io.landmark_files import write_landmarks

    kept, manifest = Kept(), _manifest(exam, label)
    faces = neutral(_fitted({e: exam.scan(e) for e in exam.expressions})) if template else None
    for expression in exam.expressions:
        if faces is not None:
            if expression != "rest" and expression not in faces.displacements:
                kept.left_out.append(f"{expression}: the template does not lie on its scan")
                continue
            scan = _on_template(faces, expression)
        else:
            scan = exam.scan(expression)
        manifest["scans"][expression] = f"{expression}.ply"
        kept.files.append(write_scan(out / f"{expression}.ply", _bare(scan)))
        if scan.landmarks:
            manifest["landmarks"][expression] = f"{expression}_landmarks.csv"
            kept.files.append(write_landmarks(out / f"{expression}_landmarks.csv", scan.landmarks))
    for expression, source in exam.sequences.items():
        if template or getattr(source, "of_markers", False):
            why = "recordings are not laid on the template here" if template else "recorded markers are not written"
            kept.left_out.append(f"the recording of {expression}: {why}")
            continue
        recording = source.read()
        folder = out / expression
        folder.mkdir()
        for frame in recording:
            if frame.scan is not None:
                kept.files.append(write_scan(folder / f"frame_{frame.number:06d}.ply", _bare(frame.scan)))
        manifest["sequences"][expression] = {"path": expression, "fps": recording.fps, "units": "mm"}
    text = json.dumps({k: v for k, v in manifest.items() if v not in (None, {})}, indent=1) + "\n"
    kept.files.append(write_bytes(out / "exam.json", text.encode()))
    return kept


def _manifest(exam: Exam, label: str) -> dict[str, Any]:
    """What may be said of an exam."""
    said: dict[str, Any] = {"subject": label, "units": "mm", "affected_side": exam.affected_side}
    said |= {"scans": {}, "landmarks": {}, "sequences": {}}
    if exam.grades is not None:
        grades = {k: _plain(v) for k, v in vars(exam.grades).items() if k != "rater" and v is not None}
        said["grades"] = grades or None
    if exam.questionnaires is not None:
        said["questionnaires"] = {k: v for k, v in vars(exam.questionnaires).items() if v is not None}
    years = exam.clinical.get("age_years")
    if isinstance(years, int | float) and not isinstance(years, bool):
        said["clinical"] = {"age_years": float(min(int(years), OLDEST))}
    return said


def _plain(value: Any) -> Any:
    from dataclasses import asdict, is_dataclass

    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _fitted(scans: Mapping[str, FaceScan]) -> Faces:
    from face3d.template.exam_fit import fit

    return faces_of(fit(scans))


def _bare(scan: FaceScan) -> FaceScan:
    return FaceScan(scan.vertices, scan.faces)


def _on_template(faces: Faces, expression: str) -> FaceScan:
    return FaceScan(faces.whole(expression)[0], faces.template.faces)


def _result(source: Path, out: Path, label: str, template: bool) -> Kept:
    try:
        stored = json.loads((source / RESULT).read_text("utf-8"))
        names = _names(stored)
        stored = _scrubbed(stored, names, label)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SchemaError(f"{source / RESULT}: no result of face3d ({error})") from None
    if "scan" in stored:
        return _scan_result(stored, source, out, label, template)
    if "measures" in stored:
        return _exam_result(stored, source, out, template)
    raise SchemaError(f"{source}: of results, those of face3d exam and face3d analyze can be de-identified; give these")


def _exam_result(stored: dict[str, Any], source: Path, out: Path, template: bool) -> Kept:
    from face3d.measuring.smile_thirds import outcome, outcome_table
    from face3d.report.exam_page import exam_page
    from face3d.report.exam_result import ExamResult
    from face3d.report.reading import read_measures
    from face3d.report.scenes import exam_scene

    stored["kinematics"] = {}  # its page's curves need the frames, which are not kept here
    kept, result = Kept(), ExamResult.model_validate(stored)
    kept.files.append(write_bytes(out / RESULT, result.to_json().encode()))
    measures = replace(read_measures(out), visit="")
    thirds = outcome(measures)
    faces = None
    if (source / FACES).is_file():
        faces = read_faces(source / FACES)
        faces = neutral(faces) if template else faces
        kept.files.append(write_bytes(out / FACES, faces.to_bytes()))
    page = exam_page(result, [], thirds, None, None if faces is None else exam_scene(faces))
    kept.files.append(write_bytes(out / REPORT, page.encode()))
    kept.files.append(write_bytes(out / MEASURES, measures.table.to_csv(index=False).encode()))
    if thirds:
        table = outcome_table(thirds)
        table.insert(0, "subject", result.subject)
        table.insert(1, "visit", "")
        kept.files.append(write_bytes(out / THIRDS, table.to_csv(index=False).encode()))
    return kept


def _scan_result(stored: dict[str, Any], source: Path, out: Path, label: str, template: bool) -> Kept:
    import pandas as pd

    from face3d.report.reading import read_map
    from face3d.report.scan_page import page
    from face3d.report.scan_result import Result

    if template:
        raise SchemaError(f"{source}: holds no face on the template; give the scan itself, or leave --template out")
    stored["scan"]["name"], stored["scan"]["units_note"] = label, "millimetres"
    kept, result = Kept(), Result.model_validate(stored)
    kept.files.append(write_bytes(out / RESULT, result.to_json().encode()))
    why = "left out with all that shows the person"
    kept.files.append(write_bytes(out / REPORT, page(result, no_pictures=why).encode()))
    table = pd.read_csv(source / REGIONS).assign(subject=label, visit="")
    kept.files.append(write_bytes(out / REGIONS, table.to_csv(index=False).encode()))
    mesh, values = read_map(source / MESH)
    kept.files.append(write_scan(out / MESH, _bare(mesh), values))
    return kept


def _study(source: Path, out: Path, label: str) -> Kept:
    """Exams and measures with subjects by number, in the order of the table, and visits by theirs; nothing in words
    but what the columns' own vocabulary has. Exams that failed are left out: their reasons name files."""
    import pandas as pd

    kept = Kept()
    exams = pd.read_csv(source / EXAMS, dtype=str, keep_default_na=False)
    measures = pd.read_csv(source / MEASURES, dtype=str, keep_default_na=False)
    people = {subject: f"{label}-{k + 1:03d}" for k, subject in enumerate(exams["subject"].unique())}
    order = exams.groupby("subject", sort=False).cumcount() + 1
    visits = dict(zip(zip(exams["subject"], exams["visit"], strict=True), order.astype(str), strict=True))
    failed = measures["measure"].tolist().count("exam")
    measures = measures.loc[measures["measure"] != "exam"]
    unmeasured = measures["status"].where(measures["status"] == "ok", "not measured")
    for name, table in ((EXAMS, exams.drop(columns=["date", "notes"])), (MEASURES, measures.assign(status=unmeasured))):
        whose = list(zip(table["subject"], table["visit"], strict=True))
        if stray := sorted(set(whose) - set(visits)):
            raise SchemaError(f"{source / name}: {stray[0][0]} is not in {EXAMS}; make the tables again")
        renamed = table.assign(subject=[people[s] for s, _ in whose], visit=[visits[pair] for pair in whose])
        kept.files.append(write_bytes(out / name, renamed.to_csv(index=False).encode()))
    kept.left_out.append("everything but exams.csv and measures.csv: results of single exams are exported one by one")
    if failed:
        kept.left_out.append(f"{failed} exams that failed")
    return kept


def _names(stored: Mapping[str, Any]) -> tuple[str, ...]:
    """What a result calls the person, the visit and the device: words that no other text may hold either."""
    said = [stored.get(k) for k in ("subject", "visit", "date", "device")]
    said += [(stored.get("scan") or {}).get("name"), (stored.get("clinician") or {}).get("rater")]
    texts = [str(text) for text in said if text]
    parts = [part for text in texts for part in re.split(r"[^\w]+", text) if len(part) > 2 and not part.isdigit()]
    return tuple(text.casefold() for text in (*texts, *parts))


def _scrubbed(value: Any, names: Iterable[str], label: str, key: str = "") -> Any:
    """The same without free words, and without any text that holds one of `names`."""
    if key == "subject":
        return label
    if key in _FREE:
        return [] if isinstance(value, list) else {} if isinstance(value, dict) else None
    if isinstance(value, dict):
        return {k: _scrubbed(v, names, label, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_scrubbed(v, names, label) for v in value]
    if isinstance(value, str) and any(re.search(rf"(?<!\w){re.escape(n)}(?!\w)", value.casefold()) for n in names):
        return _GONE
    return value
