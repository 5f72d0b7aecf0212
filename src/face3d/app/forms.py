"""What people type in, as the manifest has it, and back: an exam's facts, a clinician's grades, patients' scores."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from face3d.app.receive import Form, Upload
from face3d.app.unpack import known, safe_name
from face3d.app.vault import MANIFESTS
from face3d.exam import AFFECTED, EXPRESSIONS
from face3d.io.manifest import Fault, parsed
from face3d.reference.eface import BIPOLAR, EfaceItems
from face3d.reference.questionnaires import Questionnaires
from face3d.reference.scales import FNGS2, ROMAN, SUNNYBROOK_MOVEMENTS

#: Field -> its label, of what an exam may say beside its scans.
FACTS: Mapping[str, str] = {
    "subject": "Subject",
    "visit": "Visit",
    "date": "Date",
    "affected_side": "Affected side",
    "units": "Unit of the scans",
    "device": "Scanner",
}
UNITS = ("auto", "mm", "cm", "m", "in")


@dataclass(frozen=True)
class Field:
    """One box of a form: `name` as the manifest's path to it ("grades.sunnybrook.eye"), `choices` value -> label where
    there are few, else a number from `low` to `high` is typed."""

    name: str
    label: str
    choices: Mapping[str, str] | None = None
    low: float = 0.0
    high: float = 100.0


@dataclass(frozen=True)
class Group:
    """Boxes that belong together, and a word on them."""

    title: str
    note: str
    fields: tuple[Field, ...]


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _numbers(low: int, high: int) -> dict[str, str]:
    return {str(n): str(n) for n in range(low, high + 1)}


_SUNNYBROOK = "grades.sunnybrook"
_FOLDS = {"0": "0 normal", "1": "1 less or more pronounced", "2": "2 absent", "none": "not judged"}


def _items(kind: str, low: int, high: int) -> tuple[Field, ...]:
    named = enumerate(SUNNYBROOK_MOVEMENTS)
    return tuple(Field(f"{_SUNNYBROOK}.{kind}.{n}", _spoken(name), _numbers(low, high)) for n, name in named)


_SCORES = {"face": "FaCE", "fdi": "FDI", "saq": "SAQ"}
_LOWEST = {"fdi_physical": -25.0, "saq": 20.0}


def _score(name: str) -> Field:
    scale, _, part = name.partition("_")
    label = f"{_SCORES[scale]} {_spoken(part)}".strip()
    return Field(f"questionnaires.{name}", label, low=_LOWEST.get(name, 0.0))


GROUPS = (
    Group(
        "House-Brackmann",
        "The descriptive grade.",
        (Field("grades.house_brackmann", "Grade", {str(n): ROMAN[n - 1] for n in range(1, 7)}),),
    ),
    Group(
        "Sunnybrook, at rest",
        "All items of rest and movement together, or the composite alone.",
        (
            Field(f"{_SUNNYBROOK}.eye", "eye", {"0": "0 normal", "1": "1 narrow, wide or operated"}),
            Field(f"{_SUNNYBROOK}.nasolabial", "nasolabial fold", _FOLDS),
            Field(f"{_SUNNYBROOK}.mouth", "mouth", {"0": "0 normal", "1": "1 drooped or pulled"}),
            Field("grades.sunnybrook_composite", "composite", low=-15.0),
        ),
    ),
    Group("Sunnybrook, movement", "1 none to 5 complete.", _items("voluntary", 1, 5)),
    Group("Sunnybrook, synkinesis", "0 none to 3 severe.", _items("synkinesis", 0, 3)),
    Group(
        "FNGS 2.0",
        "All items together.",
        tuple(
            Field(f"grades.fngs2.{f.name}", _spoken(f.name), _numbers(*((0, 3) if f.name == "secondary" else (1, 6))))
            for f in fields(FNGS2)
        ),
    ),
    Group(
        "eFACE",
        "Items that were judged.",
        tuple(
            Field(f"grades.eface.{f.name}", _spoken(f.name), high=200.0 if f.name in BIPOLAR else 100.0)
            for f in fields(EfaceItems)
        ),
    ),
    Group(
        "The patient’s own scores",
        "Of the FaCE, FDI and SAQ questionnaires, as their forms give them.",
        tuple(_score(f.name) for f in fields(Questionnaires)),
    ),
)
RATER = "grades.rater"


def facts_of(form: Form) -> dict[str, Any]:
    """What the form says of the exam itself, by the manifest's names; without what was left empty."""
    return {name: form[name] for name in FACTS if form[name] and not (name == "units" and form[name] == "auto")}


def scans_of(uploads: tuple[Upload, ...]) -> tuple[dict[str, Any], dict[str, Upload], tuple[Fault, ...]]:
    """Files by expression: the manifest's scans and landmarks, file name -> upload, and what cannot be taken. Fields:
    scan-EXPRESSION, landmarks-EXPRESSION, and "more" for what the scans refer to (materials, pictures)."""
    taken: dict[str, Upload] = {}
    entries: dict[str, dict[str, str]] = {"scan": {}, "landmarks": {}}
    faults: list[Fault] = []
    for upload in uploads:
        kind, _, expression = upload.field.partition("-")
        name = upload.name.replace("\\", "/").rpartition("/")[2]  # some browsers tell the whole path
        where = f"{'scans' if kind == 'scan' else kind}.{expression}" if expression else kind
        if kind not in (*entries, "more") or (expression and expression not in EXPRESSIONS):
            faults.append(Fault(upload.field[:40], "not a field of this form"))
        elif not safe_name(name) or name.startswith(".") or MANIFESTS.fullmatch(name):
            faults.append(Fault(where, f"{name[:80]!a} cannot be the name of a file here; rename it"))
        elif not known(name):
            faults.append(Fault(where, f"{name}: not a kind of file that an exam is made of"))
        else:
            if name.casefold() in (n.casefold() for n in taken):  # every scan may be called face.ply
                name = f"{expression or 'more'}-{upload.path.name}-{name}"
            taken[name] = upload
            if kind in entries:
                entries[kind][expression] = name
    for expression in set(entries["landmarks"]) - set(entries["scan"]):
        faults.append(Fault(f"landmarks.{expression}", "there is no scan of this expression"))
    stated = {"scans": {e: entries["scan"][e] for e in EXPRESSIONS if e in entries["scan"]}}
    return stated | ({"landmarks": entries["landmarks"]} if entries["landmarks"] else {}), taken, tuple(faults)


def graded(manifest: Mapping[str, Any], form: Form) -> tuple[dict[str, Any], tuple[Fault, ...]]:
    """The manifest with the grades and scores of the form in the place of its own, and what is wrong with them."""
    grades: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    faults: list[Fault] = []
    for group in GROUPS:
        for box in group.fields:
            if not (text := form[box.name]):
                continue
            try:
                value: float | int | None = None if text == "none" else _number(text)
            except ValueError:
                faults.append(Fault(box.name, f"{text[:40]!r} is no number"))
                continue
            _put(grades if box.name.startswith("grades.") else scores, box.name.split(".")[1:], value)
    if form[RATER]:
        grades["rater"] = form[RATER][:200]
    for scale in ("voluntary", "synkinesis"):
        items = grades.get("sunnybrook", {}).pop(scale, None)
        if items is not None:
            missing = [m for n, m in enumerate(SUNNYBROOK_MOVEMENTS) if items.get(str(n)) is None]
            if missing:
                faults.append(Fault(f"grades.sunnybrook.{scale}", f"{missing[0]} is missing; give all five"))
            grades["sunnybrook"][scale] = [items.get(str(n), 0) for n in range(5)]
    out = {k: v for k, v in manifest.items() if k not in ("grades", "questionnaires")}
    out |= {k: v for k, v in (("grades", grades), ("questionnaires", scores)) if v}
    side = form["affected_side"]
    if side in (*AFFECTED, ""):
        out["affected_side"] = side or None
    else:
        faults.append(Fault("affected_side", f"{side[:40]!r}; expected one of {', '.join(AFFECTED)}"))
    return out, (*faults, *(parsed(out)[1] if not faults else ()))


def boxes(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Box -> what the manifest says there, as it is typed."""
    found: dict[str, str] = {}

    def walk(at: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                walk(f"{at}.{key}", inner)
        elif isinstance(value, list | tuple):
            for number, inner in enumerate(value):
                walk(f"{at}.{number}", inner)
        elif value is None:
            found[at] = "none" if at == "grades.sunnybrook.nasolabial" else ""
        else:
            found[at] = f"{value:g}" if isinstance(value, float) else str(value)

    stated, _ = parsed(dict(manifest))
    if stated.grades is not None:
        walk("grades", _plain(stated.grades.model_dump()))
    if stated.questionnaires is not None:
        walk("questionnaires", _plain(stated.questionnaires))
    return found


def with_landmarks(manifest: Mapping[str, Any], expression: str, file: str | None) -> dict[str, Any]:
    """The manifest with other landmarks for an expression; None: those that are found automatically."""
    scan = manifest["scans"][expression]
    entry = {"path": scan} if isinstance(scan, str) else {k: v for k, v in scan.items() if k != "landmarks"}
    if file is not None:
        entry["landmarks"] = file
    others = {k: v for k, v in (manifest.get("landmarks") or {}).items() if k != expression}
    return {**manifest, "scans": {**manifest["scans"], expression: entry}, "landmarks": others}


def landmarks_in(manifest: Mapping[str, Any]) -> dict[str, str | None]:
    """Expression -> the landmark file that is given for it, None where none is."""
    found: dict[str, str | None] = {}
    for expression in EXPRESSIONS:
        entry = manifest["scans"].get(expression)
        if entry:
            own = entry.get("landmarks") if isinstance(entry, Mapping) else None
            found[expression] = own or (manifest.get("landmarks") or {}).get(expression)
    return found


def as_text(manifest: Mapping[str, Any]) -> str:
    """A manifest as it is written."""
    return json.dumps(manifest, indent=1)


def _plain(value: Any) -> Any:
    from dataclasses import asdict, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def _number(text: str) -> float | int:
    text = text.replace(",", ".").replace("−", "-")
    return int(text) if re.fullmatch(r"[+-]?\d{1,6}", text) else float(text)


def _put(into: dict[str, Any], steps: list[str], value: Any) -> None:
    for step in steps[:-1]:
        into = into.setdefault(step, {})
    into[steps[-1]] = value
