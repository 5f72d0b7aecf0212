"""What a recording holds, before anything is measured on it: every frame is read once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from face3d.io.live_link import Coefficients
from face3d.io.markers import Markers
from face3d.io.sequence import Sequence
from face3d.scan import Floats

_REASONS = 5  # that are shown


@dataclass(frozen=True)
class SequenceInfo:
    """Facts of a recording: how many `frames`, over `seconds`, at `fps`; how many are `lost`, and the first `reasons`;
    `holds` what each frame is; `notes`."""

    name: str
    frames: int
    fps: float
    seconds: float
    lost: int
    holds: str
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The same as JSON."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """The same for people, a fact a line."""
        lines = [self.name, f"  {self.summary}"]
        lines += [f"  lost: {reason}" for reason in self.reasons]
        lines += [f"  {self.lost - len(self.reasons):,} more are lost"] if self.lost > len(self.reasons) else []
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    @property
    def summary(self) -> str:
        """All in a line."""
        lost = f", {self.lost:,} of them lost" if self.lost else ""
        return f"{self.frames:,} frames{lost}, {self.seconds:.2f} s at {self.fps:.4g} a second; {self.holds}"


def sequence_info(recorded: Sequence | Markers | Coefficients) -> SequenceInfo:
    """The facts of a recording; of surfaces by reading all frames, in the memory of a few."""
    if isinstance(recorded, Markers):
        seen = recorded.seen
        share = 100 * float(seen.mean())
        holds = (
            f"{len(recorded.names)} markers, seen {share:.0f} % of the time; {len(recorded.landmarks)} are landmarks"
        )
        lost = int((~seen.any(axis=1)).sum())
        return _facts(recorded.name, recorded.times_s, recorded.fps, lost, holds, (), recorded.notes)
    if isinstance(recorded, Coefficients):
        holds = f"{len(recorded.names)} coefficients of Live Link Face"
        return _facts(
            recorded.name, recorded.times_s, recorded.fps, int(recorded.lost.sum()), holds, (), recorded.notes
        )
    times, reasons, sizes, lost = [], [], Counter[tuple[int, int, bool]](), 0
    for frame in recorded:
        times.append(frame.time_s)
        if frame.scan is None:
            lost += 1
            if len(reasons) < _REASONS:
                reasons.append(f"frame {frame.number}: {frame.reason}")
        else:
            sizes[len(frame.scan.vertices), len(frame.scan.faces), frame.scan.colors is not None] += 1
    vertices = [size[0] for size in sizes]
    between = f"{min(vertices):,}" + (f" to {max(vertices):,}" if len(set(vertices)) > 1 else "") if vertices else "no"
    kind = "one topology" if recorded.same_topology else "a triangulation of its own a frame"
    kind = kind if any(size[1] for size in sizes) else "point clouds"
    colors = ", colours" if any(size[2] for size in sizes) else ""
    return _facts(
        recorded.name,
        np.array(times),
        recorded.fps,
        lost,
        f"{between} vertices, {kind}{colors}",
        reasons,
        recorded.notes,
    )


def _facts(
    name: str, times: Floats, fps: float, lost: int, holds: str, reasons: Iterable[str], notes: Iterable[str]
) -> SequenceInfo:
    seconds = float(times[-1] - times[0]) if len(times) else 0.0
    return SequenceInfo(name, len(times), float(fps), seconds, lost, holds, tuple(reasons), tuple(notes))
