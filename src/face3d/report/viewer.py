"""Rotatable views on a page: what they show, as text that the page carries, and the program that draws it (`PROGRAM`).

Arrays are quantised integers in strings: two digits in base 92, printable characters that need no escape, hold 8464
steps (0.03 mm of a face), open many times faster than data URIs and need no request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike
from scipy.spatial.transform import RigidTransform

from face3d.geometry.colors import UNMEASURED, Scale
from face3d.io.landmark_slicer import SCHEMA
from face3d.landmarks import MIDLINE, PAIRED, code_of
from face3d.scan import Floats, Ints
from face3d.values import Value

_SYMBOLS = np.array([c for c in range(32, 127) if chr(c) not in '"<\\'], np.uint8)
#: Steps of a number of two digits.
STEPS = len(_SYMBOLS) ** 2
#: Key of the layer that shows the colours of the scanner.
COLOUR = "colour"

#: The files of the viewer's program, in their order: numbers, painting, correcting landmarks, the page, the start.
PROGRAM = ("viewer_model.js", "viewer_drawing.js", "viewer_marks.js", "viewer.js", "viewer_start.js")

#: Everything that a viewer says, in one place.
WORDS: Mapping[str, str] = {
    "hint": "Point at the face to read a value. Drag to turn it; arrow keys turn, + and − come nearer, 0 goes back.",
    "keys": "Arrow keys turn the face, plus and minus come nearer, 0 goes back to the front, brackets change what is "
    "shown. The same values stand in the tables of this page.",
    "map": "map",
    "plain": "shape only",
    "view": "seen from",
    "toRight": "right",
    "halfRight": "half right",
    "front": "front",
    "halfLeft": "half left",
    "toLeft": "left",
    "beside": "with",
    "ghost": "mirror image, in blue",
    "marks": "landmarks",
    "choose": "expression",
    "time": "time",
    "play": "play",
    "stop": "stop",
    "right": "the subject’s right",
    "left": "the subject’s left",
    "beyond": "beyond",
    "unmeasured": "not measured",
    "elsewhere": "outside the regions",
    "wrong": "a landmark is wrong?",
    "correct": "correct landmarks",
    "which": "choose a landmark",
    "how": "Drag a red dot along the skin with the mouse or a finger; beside the dots the face still turns. By keys: "
    "choose a landmark, or step through them with n and p; arrow keys move it by 0.5 mm, with Shift by 2 mm; u undoes, "
    "Escape lets go. What was moved is blue.",
    "nudge": "Arrow keys move it, with Shift further; u undoes, Escape lets go.",
    "hidden": "The landmark is hidden from here: turn the face first (Escape lets go of the landmark).",
    "moved": "moved by",
    "undo": "undo",
    "undone": "The last correction is undone.",
    "corrected": "corrected",
    "save": "save",
    "copy": "copy as JSON",
    "copied": "Copied.",
}


@dataclass(frozen=True, eq=False, repr=False)
class Layer(Value):
    """A map that can be painted on the face, in `unit`; `scale` None for the scanner's colours, `note` says how to read
    it."""

    key: str
    title: str
    scale: Scale | None
    note: str = ""
    unit: str = "mm"


@dataclass(frozen=True, eq=False, repr=False)
class Source(Value):
    """The scan whose landmarks a state shows, so that they can be corrected: its `name`, the way from the page's
    coordinates to the scan's own (mm), and the names of the landmarks that were `given` by hand before."""

    name: str
    to_scan: RigidTransform
    given: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """What its landmarks are saved as: beside the scan an exam finds them by this name."""
        return f"{_stem(self.name)}.mrk.json"


@dataclass(frozen=True, eq=False, repr=False)
class State(Value):
    """The face at one instant, of one expression or visit. `name` stands above it, `choice` on its button;
    `vertices` (V, 3) mm, canonical frame; `values` layer -> (V,), NaN where not measured; `marks` landmark -> (3,),
    which can be corrected where `source` says of which scan they are; `time_s` of a frame.
    """

    name: str
    vertices: Floats
    values: Mapping[str, Floats] = field(default_factory=dict)
    marks: Mapping[str, Floats] = field(default_factory=dict)
    choice: str = ""
    source: Source | None = None
    time_s: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Scene(Value):
    """What one viewer shows. `faces` (F, 3) of all `states`; `panes` the states that each of the linked views can show,
    side by side; `places` (V,) index into `place_names`, whose first is no region; `colors` (V, 3) of the scanner;
    `pause` ms between frames: the states are frames in time, on a slider; `first` the state that is chosen at first;
    `again` what is to be done with corrected landmarks."""

    what: str
    faces: Ints
    states: tuple[State, ...]
    panes: tuple[tuple[int, ...], ...]
    layers: tuple[Layer, ...]
    place_names: tuple[str, ...]
    places: Ints
    colors: np.ndarray | None = None
    pause: float | None = None
    first: int = 0
    again: str = ""

    def to_json(self) -> Markup:
        """As viewer.js takes it; no `<` in it ends a script."""
        corners = np.concatenate([[s.vertices.min(axis=0), s.vertices.max(axis=0)] for s in self.states])
        low, step = corners.min(axis=0), np.maximum(np.ptp(corners, axis=0), 1.0) / (STEPS - 1)
        digits = 2 if len(self.places) <= STEPS else 3
        first: dict[tuple[str, bytes], int] = {}

        def shared(state: int, key: str, values: Floats) -> dict[str, Any]:
            """The values; where an earlier state has the very same (the change between two visits), which that is."""
            found = first.setdefault((key, values.tobytes()), state)
            return _values(values) if found == state else {"as": found}

        known: dict[str, Any] = {
            "what": self.what,
            "words": dict(WORDS),
            "faces": packed(self.faces, digits),
            "digits": digits,
            "low": low.tolist(),
            "step": step.tolist(),
            "states": [
                {
                    "name": s.name,
                    "choice": s.choice or s.name,
                    "points": packed(np.rint((s.vertices - low) / step)),
                    "values": {key: shared(k, key, values) for key, values in s.values.items()},
                    "marks": {name: np.round(point, 3).tolist() for name, point in s.marks.items()},
                    **({} if s.source is None else {"scan": _source(s.source)}),
                    **({} if s.time_s is None else {"time": s.time_s}),
                }
                for k, s in enumerate(self.states)
            ],
            "panes": [{"states": pane} for pane in self.panes],
            "layers": [_layer(layer) for layer in self.layers],
            "places": {"names": self.place_names, "of": packed(self.places, 1)},
            "marks": {name: mark_text(name) for s in self.states for name in s.marks},
            "unmeasured": UNMEASURED,
            "timed": self.pause is not None,
            "pause": self.pause or 0,
            "first": self.first,
            "again": self.again,
            "markups": SCHEMA,
        }
        if self.colors is not None:
            shades = len(_SYMBOLS) - 1
            known["colour"] = packed(np.rint(np.nan_to_num(self.colors) / 255 * shades), 1)
        return Markup(json.dumps(known, separators=(",", ":")).replace("<", "\\u003c"))

    def tables(self) -> list[dict[str, Any]]:
        """The same in numbers, for those who cannot see or turn the picture: of each map the root mean square over each
        region, in each state (of a signed map the mean); none of a recording."""
        if self.pause is not None:
            return []
        found = []
        for layer in self.layers:
            shown = [s for s in self.states if layer.key in s.values]
            signed = layer.scale is not None and layer.scale.signed
            rows = [
                {"name": name, "cells": [_over(s.values[layer.key][self.places == k], signed) for s in shown]}
                for k, name in enumerate(self.place_names)
                if name
            ]
            if shown and layer.scale is not None:
                found.append(
                    {
                        "title": layer.title,
                        "of": "mean" if signed else "RMS",
                        "unit": layer.unit,
                        "columns": [s.name for s in shown],
                        "rows": rows,
                    }
                )
        return found


def _over(values: Floats, signed: bool) -> float:
    known = values[np.isfinite(values)]
    if not len(known):
        return np.nan
    return float(known.mean() if signed else np.sqrt(np.mean(known**2)))


def packed(numbers: ArrayLike, digits: int = 2) -> str:
    """Whole numbers, 0 to 92 ** `digits` - 1, as text: `digits` characters each."""
    n = np.asarray(numbers).reshape(-1).astype(np.int64)
    if len(n) and not 0 <= n.min() <= n.max() < len(_SYMBOLS) ** digits:
        raise ValueError(f"numbers from {n.min()} to {n.max()} don't go into {digits} digits of base {len(_SYMBOLS)}")
    places = len(_SYMBOLS) ** np.arange(digits - 1, -1, -1)
    return _SYMBOLS[n[:, None] // places % len(_SYMBOLS)].tobytes().decode("ascii")


def _values(values: Floats) -> dict[str, Any]:
    """Values of a layer; 0 stands for what was not measured."""
    there = np.isfinite(values)
    low, high = (float(values[there].min()), float(values[there].max())) if there.any() else (0.0, 0.0)
    span = max(high - low, 1e-6)
    scaled = 1 + np.rint((np.where(there, values, low) - low) / span * (STEPS - 2))
    return {"low": round(low, 5), "high": round(low + span, 5), "of": packed(np.where(there, scaled, 0))}


def _layer(layer: Layer) -> dict[str, Any]:
    said: dict[str, Any] = {"key": layer.key, "title": layer.title, "note": layer.note, "unit": layer.unit}
    s = layer.scale
    if s is None:
        return said
    more = {"low": s.low, "high": s.high, "contour": s.contour, "below": s.below, "above": s.above}
    return said | more | {"stops": s.stops.tolist()}


def _source(source: Source) -> dict[str, Any]:
    turn = source.to_scan.rotation.as_matrix()
    shift = source.to_scan.translation
    return {
        "name": source.name,
        "file": source.file,
        "turn": turn.tolist(),
        "shift": shift.tolist(),
        "given": list(source.given),
    }


def _stem(name: str) -> str:
    """james.obj.gz -> "james"; a name without an ending stays."""
    path = PurePath(name)
    path = path.with_suffix("") if path.suffix == ".gz" else path
    return path.stem if path.suffix else path.name


def mark_text(name: str) -> str:
    """ch_left -> "mouth corner left (ch)"."""
    code = code_of(name)
    words = {**PAIRED, **MIDLINE}.get(code, code).split(", ")[-1]
    return f"{words} {name[len(code) + 1 :]}".strip() + f" ({code})"


@cache
def program() -> tuple[Markup, str]:
    """The viewer's program and the source expression by which a content security policy allows it and nothing else."""
    folder = files("face3d.report")
    parts = "".join((folder / name).read_text("utf-8") for name in PROGRAM)
    text = f'"use strict";\n(() => {{\n{parts}}})();'
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"'sha256-{digest}'"
