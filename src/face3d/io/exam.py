"""Exams on disk: `exam.json`, a folder of scans named by expression, and studies laid out as sub-*/ses-*/face/.

Only names are looked at here; scan files are opened when they are asked for.
"""

from __future__ import annotations

import datetime
import difflib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from face3d.errors import SchemaError
from face3d.exam import EXPRESSIONS, Exam, Grades, SequenceFile
from face3d.io.scan_file import ScanFile
from face3d.reference.scales import FNGS2, EfaceItems, Sunnybrook

MANIFEST = "exam.json"
#: A manifest lists some twenty files; what is larger than this is something else.
MANIFEST_LIMIT_BYTES = 4 << 20
SCAN_SUFFIXES = (".ply", ".obj", ".stl", ".off", ".glb", ".gltf", ".vtp", ".npz")
LANDMARK_SUFFIXES = (".mrk.json", ".fcsv", ".pp", ".pts", ".ljson", ".landmarks.csv", "_landmarks.csv", ".csv")
#: Other names that people give their files, without separators and in lower case.
ALIASES: Mapping[str, str] = {
    "neutral": "rest", "browraise": "brow_raise", "eyebrowraise": "brow_raise", "raisebrows": "brow_raise",
    "eyeclosure": "gentle_eye_closure", "eyesclosed": "gentle_eye_closure", "smile": "open_smile",
    "monalisa": "closed_smile",
    "nosewrinkle": "snarl", "pucker": "lip_pucker", "puff": "cheek_puff", "lowerlip": "lower_lip_depression",
}  # fmt: skip

Units = Literal["auto", "mm", "cm", "m"]
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_FilePath = Annotated[str, Field(min_length=1, max_length=1000)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScanEntry(_Model):
    """A scan file with what belongs to it alone. Paths are relative to the manifest."""

    path: _FilePath
    landmarks: _FilePath | None = Field(default=None, description="landmark file of this scan")
    units: Units | None = Field(default=None, description="unit of this scan, where it differs from the exam's")


class SequenceEntry(_Model):
    """A recorded movement: a folder of numbered meshes or depth frames, or an archive of fixed topology."""

    path: _FilePath
    fps: float | None = Field(default=None, gt=0, le=10_000, description="frames a second")
    units: Units | None = None


class GradeEntry(_Model):
    """A clinician's own grades."""

    house_brackmann: int | None = Field(None, ge=1, le=6)
    sunnybrook: Sunnybrook | None = None
    sunnybrook_composite: int | None = Field(None, ge=-15, le=100, description="where the items were not kept")
    fngs2: FNGS2 | None = None
    eface: dict[str, Annotated[float, Field(ge=0, le=200)]] | None = Field(None, description="item -> value")
    rater: str | None = None

    @field_validator("eface")
    @classmethod
    def _known_items(cls, items: dict[str, float] | None) -> dict[str, float] | None:
        unknown = sorted(set(items or {}) - set(EfaceItems.__dataclass_fields__))
        if unknown:
            raise ValueError(f"{unknown[0]}: not an item; known are {', '.join(EfaceItems.__dataclass_fields__)}")
        EfaceItems(**(items or {}))
        return items

    def grades(self) -> Grades:
        """The same as a plain value."""
        eface = EfaceItems(**self.eface) if self.eface else None
        return Grades(
            self.house_brackmann, self.sunnybrook, self.sunnybrook_composite, self.fngs2, eface, self.rater
        )  # fmt: skip


class ExamManifest(_Model):
    """One visit of one person: `exam.json`. Every scan but `rest` may be missing."""

    # A laboratory may keep fields of its own here; the reader notes those that it leaves out.
    model_config = ConfigDict(extra="ignore", frozen=True)

    subject: _Name = Field(description="pseudonym; never a name")
    visit: _Name | None = None
    date: datetime.date | None = None
    units: Units = Field("auto", description="unit of the scans' coordinates")
    affected_side: Literal["left", "right", "both", "none"] | None = Field(None, description="the subject's own side")
    device: str | None = Field(None, description="scanner; norms are compared only within a method")
    protocol: str | None = None
    scans: dict[str, _FilePath | ScanEntry | None] = Field(description="expression -> scan file")
    landmarks: dict[str, _FilePath | None] = Field(default_factory=dict, description="expression -> landmark file")
    sequences: dict[str, _FilePath | SequenceEntry | None] = Field(default_factory=dict)
    grades: GradeEntry | None = Field(None, description="what a clinician entered, never an estimate")
    clinical: dict[str, str | float | bool | None] = Field(default_factory=dict, description="age_years, cause, ...")

    @model_validator(mode="before")
    @classmethod
    def _names_of_expressions(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        out = dict(data)
        for kind in ("scans", "landmarks", "sequences"):
            if isinstance(out.get(kind), dict):
                named = [(_known(kind, name), value) for name, value in out[kind].items()]
                out[kind] = dict(named)
                if len(out[kind]) < len(named):
                    raise ValueError(f"{kind}: two entries name the same expression")
        if isinstance(out.get("scans"), dict) and not out["scans"].get("rest"):
            raise ValueError("scans.rest: missing; every movement is measured from the face at rest")
        return out


def _known(kind: str, name: str) -> str:
    if name in EXPRESSIONS:
        return name
    found = expression_of(name, exact=True)
    if found is None:
        near = difflib.get_close_matches(name, EXPRESSIONS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(EXPRESSIONS)}"
        raise ValueError(f"{kind}.{name}: not an expression; {hint}")
    return found


def expression_of(stem: str, exact: bool = False) -> str | None:
    """The expression that a file's name tells, or None: "p017_Open-Smile", "sub-01_task-openSmile_face" ->
    "open_smile".

    The last `task-` label decides where there is one, otherwise the longest known name that the stem ends with
    (`exact`: is).
    """
    names = {re.sub(r"[^a-z]", "", e): e for e in EXPRESSIONS} | dict(ALIASES)
    task = re.search(r"(?:task|expr)-([A-Za-z]+)", stem)
    if task:
        return names.get(task.group(1).lower())
    bare = re.sub(r"[^a-z]", "", stem.lower().removesuffix("_face"))
    if exact:
        return names.get(bare)
    return next((names[n] for n in sorted(names, key=len, reverse=True) if bare.endswith(n)), None)


def read_exam(path: str | Path) -> Exam:
    """An exam from its folder or manifest.

    A folder holds `exam.json`, or scan files named by expression (`rest.ply`, `p017_open_smile.obj`), itself or in
    `face/`. Scans are not opened, only checked to exist. Raises `SchemaError` that names the file and the field.
    """
    path = Path(path)
    if path.is_dir():
        for folder in (path, path / "face"):
            if (folder / MANIFEST).is_file():
                return _from_manifest(folder / MANIFEST)
        return _from_names(path / "face" if (path / "face").is_dir() and not _scan_files(path) else path)
    if not path.is_file():
        raise SchemaError(f"{path}: no such file or folder; give an exam's folder or its {MANIFEST}")
    return _from_manifest(path)


def _from_manifest(path: Path) -> Exam:
    size = path.stat().st_size
    if size > MANIFEST_LIMIT_BYTES:
        raise SchemaError(f"{path}: {size} bytes; a manifest has {MANIFEST_LIMIT_BYTES} at most. Is it a scan?")
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{path}: not JSON ({error}); give an exam's folder or its {MANIFEST}") from None
    if not isinstance(data, dict):
        raise SchemaError(f"{path}: holds a JSON {type(data).__name__}; expected an object with 'subject' and 'scans'")
    try:
        manifest = ExamManifest.model_validate(data)
    except ValidationError as error:
        raise SchemaError(f"{path}: {_first_of(error)}") from None
    unknown = sorted(set(data) - set(ExamManifest.model_fields))
    notes = [f"{path.name}: field {name!r} is not known and was left out" for name in unknown]
    root = path.parent
    scans = {}
    for expression, entry in manifest.scans.items():
        if entry is None:
            continue
        entry = ScanEntry(path=entry) if isinstance(entry, str) else entry
        marks = entry.landmarks or manifest.landmarks.get(expression)
        scan = _inside(root, entry.path, f"{path}: scans.{expression}")
        scans[expression] = ScanFile(
            scan, entry.units or manifest.units,
            _inside(root, marks, f"{path}: landmarks.{expression}") if marks else None,
        )  # fmt: skip
    sequences = {}
    for expression, entry in manifest.sequences.items():
        if entry is None:
            continue
        entry = SequenceEntry(path=entry) if isinstance(entry, str) else entry
        where = _inside(root, entry.path, f"{path}: sequences.{expression}")
        sequences[expression] = SequenceFile(where, entry.fps, entry.units or manifest.units)
    stray = sorted(set(manifest.landmarks) - set(scans))
    notes += [f"{path.name}: landmarks.{name} has no scan and was left out" for name in stray]
    return Exam(
        manifest.subject, scans, manifest.visit or _entity(root, "ses"), manifest.date, manifest.affected_side,
        manifest.grades.grades() if manifest.grades else None,
        manifest.device, manifest.protocol, sequences, manifest.clinical, path, tuple(notes),
    )  # fmt: skip


def _first_of(error: ValidationError) -> str:
    """The first fault with its field, and how many more there are: one line."""
    faults = error.errors(include_url=False)
    # A path may be text or an object: of the faults at one place, the deepest tells most. Steps through unions
    # ("function-after[...]", class names) are pydantic's, not the file's.
    first = max((f for f in faults if f["loc"][:2] == faults[0]["loc"][:2]), key=lambda f: len(f["loc"]))
    steps = [str(s) for s in first["loc"] if not re.search(r"[\[(]|^[A-Z]|^str$|^constrained-str$", str(s))]
    message = str(first["msg"]).removeprefix("Value error, ")
    where = f"{'.'.join(steps)}: " if steps else ""
    value = first.get("input")
    shown = "" if first["type"] in ("missing", "value_error") else f", got {json.dumps(value, default=str)[:80]}"
    more = len({f["loc"][:2] for f in faults}) - 1
    return f"{where}{message}{shown}" + (f" (and {more} more)" if more else "")


def _inside(root: Path, name: str, where: str) -> Path:
    """The file `name` below `root`. A manifest from elsewhere must not make us open what lies outside its folder."""
    target = root / name
    if not target.resolve().is_relative_to(root.resolve()):
        raise SchemaError(f"{where}: {name!r} lies outside {root}; keep an exam's files in its folder")
    if not target.exists():
        raise SchemaError(f"{where}: {name!r} does not exist in {root}")
    return target


def _scan_files(folder: Path) -> list[Path]:
    return sorted(
        p for p in folder.iterdir() if p.is_file() and p.name.lower().removesuffix(".gz").endswith(SCAN_SUFFIXES)
    )


def _stem(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return name[: name.rindex(".")]


def _entity(folder: Path, key: str) -> str | None:
    """The label of a BIDS entity in a path: ("sub-p017/ses-pre/face", "ses") -> "pre"."""
    parts = (part for part in reversed(folder.resolve().parts) if part.startswith(f"{key}-"))
    return next((part.removeprefix(f"{key}-") for part in parts), None)


def _from_names(folder: Path) -> Exam:
    scans: dict[str, ScanFile] = {}
    notes = []
    for file in _scan_files(folder):
        expression = expression_of(_stem(file))
        if expression is None:
            notes.append(f"{file.name}: the name tells no expression; left out")
        elif expression in scans:
            raise SchemaError(
                f"{folder}: {scans[expression].path.name} and {file.name} both read as {expression!r}; "
                f"rename one or write an {MANIFEST}"
            )
        else:
            marks = [m for s in LANDMARK_SUFFIXES if (m := folder / f"{_stem(file)}{s}").is_file()]
            scans[expression] = ScanFile(file, landmarks=marks[0] if marks else None)
    if "rest" not in scans:
        found = f"found {', '.join(scans)}" if scans else "no scan file is named by an expression"
        raise SchemaError(f"{folder}: neither {MANIFEST} nor a scan named rest ({found}); name a file rest.ply, say")
    subject = _entity(folder, "sub") or folder.resolve().name
    return Exam(subject, scans, visit=_entity(folder, "ses"), source=folder, notes=tuple(notes))


def find_exams(study: str | Path) -> Iterator[Path]:
    """Folders below `study` that hold an exam, in the order of their paths: those with a manifest, and
    sub-*/[ses-*/][face/].

    Raises `SchemaError` when there is none.
    """
    root = Path(study)
    if not root.is_dir():
        raise SchemaError(f"{root}: not a folder; a study is a folder of exams")
    folders = {p.parent for p in root.rglob(MANIFEST)}
    for pattern in ("sub-*", "sub-*/face", "sub-*/ses-*", "sub-*/ses-*/face"):
        for folder in root.glob(pattern):
            if folder.is_dir() and any(expression_of(_stem(f)) == "rest" for f in _scan_files(folder)):
                folders.add(folder)
    if not folders:
        raise SchemaError(
            f"{root}: no exam in it; expected folders with {MANIFEST}, or sub-*/ses-*/face/ with a rest scan"
        )
    yield from sorted(folders)
