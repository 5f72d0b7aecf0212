"""Recorded movements whose truth is known to the frame: simulated people move, and the template is carried along.

Nothing is scanned and nothing is tracked, so that what reads a recording can be judged by itself. What tracking adds is
added as noise: of each vertex, of smooth fields over the face, and of fields that wander slowly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from face3d.landmarking.pose import head_frame, refined_frame
from face3d.scan import Floats
from face3d.sequence.tracked import Tracked
from face3d.simulate.lids import settle_lids
from face3d.simulate.motion import Motion, Timing, draw_timing, move
from face3d.simulate.patients import Patient, expression_intensities
from true_examples import carrier


@dataclass(frozen=True)
class Made:
    """One expression in a recording: each side's `Timing`, in seconds of the recording."""

    expression: str
    left: Timing
    right: Timing


@dataclass(frozen=True, eq=False)
class Recording:
    """What a person did: unit intensities of each frame, and when. `blinks` seconds at which the lids begin to fall."""

    patient: Patient
    fps: float
    time: Floats
    left: Floats
    right: Floats
    made: tuple[Made, ...]
    blinks: Floats


def recording(
    patient: Patient, expressions: Sequence[str], rng: np.random.Generator, fps: float = 60.0, blinks: bool = True
) -> Recording:
    """The expressions one after another, each from rest to rest, at the person's own pace."""
    ill = patient.side in ("left", "right")
    function = float(np.mean(list(patient.branches.values()))) if ill else 1.0
    rest, closed = (expression_intensities(patient, e) for e in ("rest", "gentle_eye_closure"))
    pace, parts, made, at = float(rng.random()), [], [], 0.0
    for expression in expressions:
        timing = draw_timing(rng, patient.side if ill else None, function, pace)
        apex = expression_intensities(patient, expression)
        part = move(rest, apex, rng, fps=fps, blink=closed if blinks else None, timing=timing)
        parts.append(part)
        made.append(Made(expression, *(replace(t, start=t.start + at) for t in timing)))
        at += len(part) / fps
    return Recording(
        patient,
        fps,
        np.arange(sum(map(len, parts))) / fps,
        np.concatenate([p.left for p in parts]),
        np.concatenate([p.right for p in parts]),
        tuple(made),
        np.concatenate([p.blinks + s for p, s in zip(parts, _starts(parts, fps), strict=True)]),
    )


def _starts(parts: Sequence[Motion], fps: float) -> Floats:
    return np.r_[0.0, np.cumsum([len(p) for p in parts])[:-1]] / fps


@dataclass(frozen=True)
class Noise:
    """SD in mm along each axis of what tracking adds: to each vertex of each frame, by smooth fields over the face of
    each frame, and by such fields that wander with a time constant of a second."""

    vertex: float = 0.10
    smooth: float = 0.10
    slow: float = 0.10


def tracked_of(made: Recording) -> Tracked:
    """The template carried along by the person's face, exactly."""
    template, _, near = carrier()
    head, patient = made.patient.model, made.patient
    rest_left, rest_right = expression_intensities(patient, "rest")
    neutral = head.shape(patient.identity, patient.asymmetry)
    assert head.eyes is not None
    eyes = head.eyes
    odd = np.asarray(patient.asymmetry)
    centers = eyes.centers + np.tensordot(patient.identity, eyes.identity[: len(patient.identity)], 1)
    centers = centers + np.tensordot(odd, eyes.asymmetry[: len(odd)], 1)
    used = np.flatnonzero(np.abs(made.left).max(axis=0) + np.abs(made.right).max(axis=0))
    fields = np.concatenate([head.left[used], head.right[used]]).reshape(2 * len(used), -1)
    doing = np.concatenate([made.left[:, used], made.right[:, used]], axis=1)

    def shapes(weights: Floats) -> Iterator[Floats]:
        for start in range(0, len(weights), 64):
            for moved in (weights[start : start + 64] @ fields).reshape(-1, *neutral.shape):
                yield settle_lids(eyes, neutral, neutral + moved, centers)

    still = next(shapes(np.concatenate([rest_left[used], rest_right[used]])[None]))
    marks = head.landmark_points(still)
    frame = refined_frame(head_frame(marks), marks, (1.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    out = np.empty((len(doing), len(near), 3), np.float32)
    for k, shape in enumerate(shapes(doing)):
        out[k] = frame.apply(shape[near])
    rest = frame.apply(still[near])
    n = len(out)
    none = np.full(n, np.nan)
    return Tracked(
        template,
        "simulated",
        made.fps,
        rest,
        made.time,
        out,
        np.ones(out.shape[:2], bool),
        np.zeros(n, bool),
        np.full(n, 0.1),
        none,
        {},
    )


def disturbed(exact: Tracked, rng: np.random.Generator, noise: Noise | None = None) -> Tracked:
    """The same with noise. Fields are mixtures of the template's smoothest functions, of variance 1 in the mean."""
    noise, template, fps, out = noise or Noise(), exact.template, exact.fps, exact.vertices_mm.copy()
    modes = np.concatenate([template.even[:, :20], template.odd[:, :20]], axis=1)
    modes = modes / np.sqrt((modes**2).sum(axis=1).mean())
    keep = np.exp(-1.0 / fps)
    slow = rng.standard_normal((modes.shape[1], 3)).astype(np.float32)
    for k in range(len(out)):
        slow = keep * slow + np.sqrt(1 - keep**2) * rng.standard_normal(slow.shape).astype(np.float32)
        fast = rng.standard_normal(slow.shape).astype(np.float32)
        out[k] += modes @ (noise.smooth * fast + noise.slow * slow)
        out[k] += noise.vertex * rng.standard_normal(out[k].shape, np.float32)
    return replace(exact, vertices_mm=out)


def every(tracked: Tracked, step: int) -> Tracked:
    """The same at a lower rate: every `step`-th frame."""
    per_frame = ("times_s", "vertices_mm", "valid", "lost", "residual_mm", "drift_mm")
    return replace(tracked, fps=tracked.fps / step, **{n: getattr(tracked, n)[::step] for n in per_frame})


def without(tracked: Tracked, lost: Sequence[int], reason: str = "nothing was recorded") -> Tracked:
    """The same recording with some frames lost."""
    at = np.asarray(lost, int)
    vertices, valid, gone = tracked.vertices_mm.copy(), tracked.valid.copy(), tracked.lost.copy()
    vertices[at], valid[at], gone[at] = np.nan, False, True
    return replace(tracked, vertices_mm=vertices, valid=valid, lost=gone, reasons=dict.fromkeys(at.tolist(), reason))
