"""An examination: one person, one visit, a scan (or a sequence) for each expression of the protocol.

Scans stay on disk until asked for: an exam of ten 200k-vertex scans is a value of a few kilobytes.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from face3d.errors import ScanError, SchemaError
from face3d.reference.eface import EfaceItems
from face3d.reference.questionnaires import Questionnaires
from face3d.reference.scales import FNGS2, Sunnybrook
from face3d.scan import FaceScan
from face3d.values import Value

#: The protocol, in the order in which it is asked for; names as in manifests. `rest` is the one that cannot be missing.
EXPRESSIONS: Mapping[str, str] = MappingProxyType(
    {
        "rest": "face at rest",
        "brow_raise": "raise the brows",
        "gentle_eye_closure": "close the eyes gently",
        "tight_eye_closure": "close the eyes tightly",
        "closed_smile": "smile with closed lips",
        "open_smile": "full smile showing teeth",
        "snarl": "wrinkle the nose",
        "lip_pucker": "pucker the lips",
        "lower_lip_depression": "show the lower teeth, as in a long E",
        "cheek_puff": "puff the cheeks",
    }
)

#: Who is ill: a side, or neither of them.
AFFECTED = ("left", "right", "both", "none")


class ScanSource(Protocol):
    """Where a scan comes from that is not in memory yet: `face3d.io.scan_file.ScanFile` on disk."""

    def read(self, texture: bool = False) -> FaceScan:
        """The scan, read now; `texture`: with its picture. Raises `ScanError` when it cannot be read."""
        ...


class SequenceSource(Protocol):
    """Where a recorded movement comes from: `face3d.io.sequence_file.SequenceFile` on disk."""

    @property
    def path(self) -> Path:
        """Its file or folder."""
        ...

    def read(self) -> Any:
        """The recording, a `face3d.io.sequence.Sequence`. Raises `ScanError` or `SchemaError` when it can't be read."""
        ...


@dataclass(frozen=True)
class Grades:
    """What a clinician entered. Estimates never go in here. Raises `SchemaError` for grades that there are not."""

    house_brackmann: int | None = None
    sunnybrook: Sunnybrook | None = None
    sunnybrook_composite: int | None = None
    fngs2: FNGS2 | None = None
    eface: EfaceItems | None = None
    rater: str | None = None

    def __post_init__(self) -> None:
        for name, low, high in (("house_brackmann", 1, 6), ("sunnybrook_composite", -15, 100)):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, Real) and low <= float(value) <= high):
                raise SchemaError(f"grades.{name} is {value!r}; expected {low} to {high}")


@dataclass(frozen=True, eq=False, repr=False)
class Exam(Value):
    """One visit of one person.

    `scans` expression -> `ScanFile` (read when asked for) or a `FaceScan`; names from `EXPRESSIONS`, `rest` always
    there. `affected_side` "left", "right", "both", "none", or None where nobody said. `questionnaires` what the patient
    said, as entered. `notes` what the reader thought
    worth saying. Raises `SchemaError` for unknown expressions, a missing rest scan or an impossible side.
    """

    subject: str
    scans: Mapping[str, ScanSource | FaceScan]
    visit: str | None = None
    date: datetime.date | None = None
    affected_side: str | None = None
    grades: Grades | None = None
    device: str | None = None
    protocol: str | None = None
    sequences: Mapping[str, SequenceSource] = field(default_factory=dict)
    clinical: Mapping[str, Any] = field(default_factory=dict)
    questionnaires: Questionnaires | None = None
    source: Path | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind in ("scans", "sequences"):
            for name in getattr(self, kind):
                if name not in EXPRESSIONS:
                    raise SchemaError(
                        f"{self.name}: {kind}.{name}: not an expression; known are {', '.join(EXPRESSIONS)}"
                    )
        if "rest" not in self.scans:
            raise SchemaError(f"{self.name}: scans.rest: missing; every movement is measured from the face at rest")
        if self.affected_side is not None and self.affected_side not in AFFECTED:
            raise SchemaError(
                f"{self.name}: affected_side: {self.affected_side!r}; expected one of {', '.join(AFFECTED)}"
            )
        ordered = {e: self.scans[e] for e in EXPRESSIONS if e in self.scans}
        object.__setattr__(self, "scans", MappingProxyType(ordered))
        object.__setattr__(self, "sequences", MappingProxyType(dict(self.sequences)))
        object.__setattr__(self, "clinical", MappingProxyType(dict(self.clinical)))

    @property
    def name(self) -> str:
        """Subject and visit, as written above a report."""
        return f"{self.subject}/{self.visit}" if self.visit else self.subject

    @property
    def expressions(self) -> tuple[str, ...]:
        """Expressions that have a scan, rest first."""
        return tuple(self.scans)

    def scan(self, expression: str, texture: bool = False) -> FaceScan:
        """The scan of one expression, read now if it lies on disk. Raises `ScanError` when the exam has none."""
        if expression not in self.scans:
            raise ScanError(f"{self.name}: no scan of {expression!r}; there are {', '.join(self.scans)}")
        source = self.scans[expression]
        return source if isinstance(source, FaceScan) else source.read(texture)

    def replace(self, **changes: Any) -> Exam:
        """A new exam with the named fields changed."""
        return replace(self, **changes)
