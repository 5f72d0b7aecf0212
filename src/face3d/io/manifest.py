"""What may stand in `exam.json`, and every fault of one: a reader stops at the first, a check tells them all."""

from __future__ import annotations

import datetime
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    field_validator,
)

from face3d.exam import EXPRESSIONS, Grades
from face3d.io.expression_names import did_you_mean, expression_of
from face3d.landmarks import NAMES
from face3d.reference.eface import EfaceItems
from face3d.reference.questionnaires import Questionnaires
from face3d.reference.scales import FNGS2, ROMAN, Sunnybrook

Units = Literal["auto", "mm", "cm", "m", "in"]
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_FilePath = Annotated[str, Field(min_length=1, max_length=1000)]
#: Fields that hold an entry an expression.
_BY_EXPRESSION = ("scans", "landmarks", "sequences")
OLDEST = 120  # years
_GRADE = re.compile(r"(?:HB|house[- ]brackmann)?\s*(?:grade)?\s*([IVX]+|\d+)\s*(?:/\s*(?:VI|6))?", re.IGNORECASE)
_GRADE_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 6},
        {"type": "string", "pattern": "^([Ii]{1,3}|[Ii]?[Vv]|[Vv][Ii]|[1-6])( ?/ ?([Vv][Ii]|6))?$"},
        {"type": "null"},
    ],
    "description": "I (normal) to VI (no movement), or 1 to 6",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong in a manifest: at which `field` ("scans.snarl"; "" the file itself), and the way out."""

    field: str
    text: str

    def __str__(self) -> str:
        return f"{self.field}: {self.text}" if self.field else self.text

    @property
    def expression(self) -> str | None:
        """The expression that it concerns, where it is one of the protocol's."""
        name = self.field.split(".")[1] if self.field.startswith(_BY_EXPRESSION) and "." in self.field else None
        return name if name in EXPRESSIONS else None


def _grade(value: object) -> object:
    """A House-Brackmann grade as people write it: 4, "4", "IV", "iv", "IV/VI", "HB IV"."""
    if value is None:
        return None
    grade: object = value
    if isinstance(value, str):
        found = _GRADE.fullmatch(unicodedata.normalize("NFKC", value).strip())
        written = found.group(1).upper() if found else ""
        grade = ROMAN.index(written) + 1 if written in ROMAN else int(written) if written.isdigit() else None
    if isinstance(grade, bool) or not isinstance(grade, int | float) or grade not in range(1, 7):
        raise ValueError(f"{json.dumps(value)} is no House-Brackmann grade; expected I to VI, or 1 to 6")
    return int(grade)


def _day(value: object) -> object:
    """A date, as YYYY-MM-DD alone: day and month in another order can't be told apart, so the spelling is offered."""
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"\d{4}-\d\d-\d\d([T ].*)?", text):
        if (day := _valid(text[:4], text[5:7], text[8:10])) is None:
            raise ValueError(f"{text!r} is no day of the calendar; expected YYYY-MM-DD")
        return day
    raise ValueError(f"{json.dumps(value)} is no date as YYYY-MM-DD{_offered(str(value))}")


def _offered(text: str) -> str:
    """How a date in another order would be written."""
    if found := re.fullmatch(r"(\d{4})(?:[./ -]?)(\d\d?)(?:[./ -]?)(\d\d?)", text.strip()):
        day = _valid(*found.groups())
        return f'; write "{day}"' if day else ""
    found = re.fullmatch(r"(\d\d?)([./ -])(\d\d?)\2(\d{4}|\d\d)", text.strip())
    if found is None:
        return ', such as "2024-05-31"'
    a, joint, b, year = found.groups()
    year = year if len(year) == 4 else f"20{year}"
    first, second = _valid(year, b, a), _valid(year, a, b)
    if joint == "." or first == second:  # with dots the day stands first everywhere
        second = None
    offers = [f'"{d}" if the {which} stands first' for d, which in ((first, "day"), (second, "month")) if d]
    return f"; write {' or '.join(offers)}" if offers else ', such as "2024-05-31"'


def _valid(year: str, month: str, day: str) -> datetime.date | None:
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None


def _landmark(code: str) -> str:
    if code not in NAMES:
        raise ValueError(f"{code!r} is no landmark; known are {', '.join(NAMES)}")
    return code


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScanEntry(_Model):
    """A scan file with what belongs to it alone. Paths are relative to the manifest."""

    path: _FilePath
    landmarks: _FilePath | None = Field(default=None, description="landmark file of this scan")
    units: Units | None = Field(default=None, description="unit of this scan, where it differs from the exam's")


class SequenceEntry(_Model):
    """A recorded movement: a folder of numbered meshes or depth frames, an archive of fixed topology, or markers."""

    path: _FilePath
    fps: float | None = Field(default=None, gt=0, le=10_000, description="frames a second")
    units: Units | None = Field(default=None, description="else the files' own, or inferred from the size of the head")
    base: _FilePath | None = Field(default=None, description="mesh that the bare vertices of a cache belong to")
    markers: dict[str, Annotated[str, AfterValidator(_landmark)]] | None = Field(
        default=None, description="of a recording of markers: marker name -> landmark code"
    )


class GradeEntry(_Model):
    """A clinician's own grades."""

    house_brackmann: Annotated[int | None, BeforeValidator(_grade), WithJsonSchema(_GRADE_SCHEMA)] = None
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
        return Grades(self.house_brackmann, self.sunnybrook, self.sunnybrook_composite, self.fngs2, eface, self.rater)


class ExamManifest(_Model):
    """One visit of one person: `exam.json`. Every scan but `rest` may be missing."""

    # A laboratory may keep fields of its own here; the reader notes those that it leaves out.
    model_config = ConfigDict(extra="ignore", frozen=True)

    subject: _Name = Field(description="pseudonym; never a name")
    visit: _Name | None = None
    date: Annotated[datetime.date | None, BeforeValidator(_day)] = None
    units: Units = Field("auto", description="unit of the scans' coordinates")
    affected_side: Literal["left", "right", "both", "none"] | None = Field(None, description="the subject's own side")
    device: str | None = Field(None, description="scanner; norms are compared only within a method")
    protocol: str | None = None
    scans: dict[str, _FilePath | ScanEntry | None] = Field(description="expression -> scan file")
    landmarks: dict[str, _FilePath | None] = Field(default_factory=dict, description="expression -> landmark file")
    sequences: dict[str, _FilePath | SequenceEntry | None] = Field(default_factory=dict)
    grades: GradeEntry | None = Field(None, description="what a clinician entered, never an estimate")
    clinical: dict[str, str | float | bool | None] = Field(default_factory=dict, description="age_years, cause, ...")
    questionnaires: Questionnaires | None = Field(None, description="the patient's own scores: FaCE, FDI, SAQ")

    @field_validator("clinical", mode="before")
    @classmethod
    def _age_in_years(cls, facts: Any) -> Any:
        if not isinstance(facts, dict):
            return facts
        key = "age_years" if "age_years" in facts else "age"
        if facts.get(key) is None:
            return facts
        return {k: v for k, v in facts.items() if k != key} | {"age_years": _years(key, facts[key])}


def _years(key: str, value: object) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:y|yrs?|years?)?", value.strip()) if isinstance(value, str) else None
    number = float(found.group(1)) if found else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= OLDEST:
        raise ValueError(f"{key} is {json.dumps(value)}; expected a number of years, 0 to {OLDEST}, such as 30")
    return number


def parsed(data: dict[str, Any]) -> tuple[ExamManifest, tuple[Fault, ...]]:
    """What a manifest says, and what is wrong with it; a field at fault is left out, a subject then called "?"."""
    known, faults = _by_protocol(data)
    while True:
        try:
            return ExamManifest.model_validate(known), tuple(faults)
        except ValidationError as error:
            found = list(_faults_of(error))
            faults += found
            for fault in found:
                known = _without(known, fault.field.split("."))


def _by_protocol(data: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """The manifest with its expressions under the protocol's names; what names none, and rest where it is missing."""
    out, faults = dict(data), []
    for kind in _BY_EXPRESSION:
        if not isinstance(data.get(kind), dict):
            continue
        out[kind] = {}
        for name, entry in data[kind].items():
            expression = name if name in EXPRESSIONS else expression_of(name, exact=True)
            if expression is None:
                faults.append(Fault(f"{kind}.{name}", f"not an expression; {did_you_mean(name)}"))
            elif expression in out[kind]:
                faults.append(Fault(f"{kind}.{name}", f"two entries name the same expression, {expression}"))
            else:
                out[kind][expression] = entry
    if isinstance(out.get("scans"), dict) and not out["scans"].get("rest"):
        faults.append(Fault("scans.rest", "missing; every movement is measured from the face at rest"))
    return out, faults


def _faults_of(error: ValidationError) -> Iterator[Fault]:
    """One fault a field."""
    faults = error.errors(include_url=False)
    for place in dict.fromkeys(f["loc"][:2] for f in faults):
        # A path may be text or an object: of the faults at one place, the deepest tells most. Steps through unions
        # ("function-after[...]", class names) are pydantic's, not the file's.
        fault = max((f for f in faults if f["loc"][:2] == place), key=lambda f: len(f["loc"]))
        steps = [str(s) for s in fault["loc"] if not re.search(r"[\[(]|^[A-Z]|^str$|^constrained-str$", str(s))]
        message = {"missing": "missing", "string_type": "expected text in quotes"}.get(
            fault["type"], str(fault["msg"]).removeprefix("Value error, ")
        )
        shown = "" if fault["type"] in ("missing", "value_error") else f", got {_short(fault.get('input'))}"
        yield Fault(".".join(steps), message + shown)


def _short(value: object) -> str:
    return json.dumps(value, default=str)[:80]


def _without(data: dict[str, Any], steps: list[str]) -> dict[str, Any]:
    """The manifest without the field at fault, so that the others can be looked at."""
    field, *deeper = steps
    out = dict(data)
    if deeper and field in _BY_EXPRESSION and isinstance(out.get(field), dict):
        out[field] = {k: v for k, v in out[field].items() if k != deeper[0]}
        return out
    out.pop(field, None)
    return {"subject": "?", "scans": {}} | out
