"""Simulated people make the nine expressions of the protocol, as kinematics sees them: temporal models learn from them.

Each is kept as one small file: the ways from rest of landmarks and regions over time, the movements, and the truth.
Kinds of people as in tools/training_people.py, those whose vertices the template is carried along by.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d.exam import EXPRESSIONS
from face3d.io.write import write_bytes
from face3d.scan import Floats
from face3d.sequence.kinematics import Kinematics, kinematics
from face3d.sequence.tracked import Tracked
from face3d.simulate.truth import truth_of
from training_people import EMBEDDED, person
from true_recordings import Recording, disturbed, recording, tracked_of

MADE = tuple(e for e in EXPRESSIONS if e != "rest")
#: Frames a second: blinks last 0.3 s, movements start within 0.35 s; more frames cost more and say little more.
FPS = 15.0


@dataclass(frozen=True, eq=False)
class Moved:
    """One person. `names` (M,), `times_s` (T,), `away_mm` (T, M, 3); `apexes` expression -> frame that shows it best;
    `facts` kind, grade, side, branches, severity."""

    names: tuple[str, ...]
    times_s: Floats
    away_mm: Floats
    apexes: Mapping[str, int]
    facts: Mapping[str, Any]


def moving(seed: int, subject: int, grade: int, kind: str | None = None) -> tuple[Recording, Tracked, Kinematics, str]:
    """Somebody's session as it was made, as it is tracked with noise, and measured; kinds take turns."""
    kind = kind or EMBEDDED[subject % len(EMBEDDED)]
    rng = np.random.default_rng([seed, subject, grade])
    made = recording(person(rng, kind, grade), MADE, rng, FPS)
    tracked = disturbed(tracked_of(made), rng)
    return made, tracked, kinematics(tracked), kind


def moved(folder: Path, seed: int, subject: int, grade: int) -> Moved:
    """The same, kept in `folder`: made where it is not there."""
    file = folder / f"{seed}-{subject:04d}-{grade}.npz"
    if not file.exists():
        made, _, seen, kind = moving(seed, subject, grade)
        truth = truth_of(made.patient)
        facts = {
            "kind": kind,
            "grade": grade,
            "side": made.patient.side,
            "branches": dict(made.patient.branches),
            "severity": truth.severity,
        }
        apexes = {}
        for m in made.made:
            middle = (min(m.left.start, m.right.start) + max(m.left.end, m.right.end)) / 2
            near = [x for x in seen.movements if x.segment.begin < middle < x.segment.end]
            if len(near) == 1:
                apexes[m.expression] = int(near[0].segment.apex)
        note = json.dumps({"names": seen.names, "apexes": apexes, "facts": facts})
        stream = io.BytesIO()
        np.savez_compressed(stream, times_s=seen.times_s, away_mm=seen.away_mm.astype(np.float32), note=np.array(note))
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(file, stream.getvalue())
    with np.load(file) as stored:
        note = json.loads(str(stored["note"]))
        return Moved(
            tuple(note["names"]),
            stored["times_s"],
            stored["away_mm"].astype(np.float64),
            note["apexes"],
            note["facts"],
        )
