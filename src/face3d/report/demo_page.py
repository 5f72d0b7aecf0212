"""The page that links all of the demo: what was found in each part, and the way to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from face3d.reference.scales import ROMAN
from face3d.report.compare_result import TOLD, CompareResult
from face3d.report.exam_result import ExamResult
from face3d.report.folder import REPORT
from face3d.report.frame import rendered, spoken
from face3d.report.opinions import lead
from face3d.report.pictures import Picture
from face3d.report.sequence_result import SequenceResult


@dataclass(frozen=True)
class Examined:
    """One visit: its `result`, what the severity comes from (rows of `Explanation.regions`, empty without networks),
    and a picture of the smile's movement."""

    result: ExamResult
    why: Sequence[dict[str, Any]]
    smile: Picture

    @property
    def grade(self) -> str:
        """The leading estimate in words."""
        head = lead(self.result)
        return f"{head['figure']} {head['what']}"

    @property
    def reasons(self) -> list[str]:
        """What most of the severity comes from, in words."""
        return [
            f"{spoken(r['region'])}{'' if r['side'] == 'both' else ' ' + r['side']} in {spoken(r['expression'])} "
            f"({r['attribution']:+.2f})"
            for r in self.why
        ]


@dataclass(frozen=True)
class Found:
    """Everything that the demo found; `truth` the House-Brackmann grades of the simulated patient."""

    first: Examined
    second: Examined
    smile: SequenceResult
    change: CompareResult
    truth: tuple[int, int]

    @property
    def told(self) -> str:
        """The patient, whose truth is known."""
        before, after = (ROMAN[grade - 1] for grade in self.truth)
        return f"A simulated patient with a palsy of the left side, in truth House-Brackmann {before}, later {after}"

    @property
    def movements(self) -> list[str]:
        """The recorded movements, in words."""
        return [f"{spoken(m.expression) or 'movement'}: {m.told()}" for m in self.smile.movements]

    @property
    def changes(self) -> list[str]:
        """What changed, in words."""
        points = [c for c in self.change.changes if c.end_point]
        told = [s.to_text() for s in self.change.scales if s.scale in TOLD]
        return [*told, f"{sum(bool(c.beyond) for c in points)} of {len(points)} end points changed beyond error"]

    def lines(self) -> list[str]:
        """A summary for the terminal."""
        out = [f"{self.told}.", f"examination: {self.first.grade}"]
        if self.first.why:
            out.append(f"examination: severity comes mostly from {'; '.join(self.first.reasons[:3])}")
        out += [f"recorded smile: {text}" for text in self.movements]
        out.append(f"second visit: {self.second.grade}")
        return out + [f"change: {text}" for text in self.changes]


def demo_page(found: Found, movement: str, after: str, change: str) -> str:
    """The page as HTML. `movement`, `after` and `change`: the folders of their pages, relative to it; the first visit's
    page lies beside it."""
    r = found.first.result
    return rendered(
        "demo.html",
        {},
        version=r.face3d_version,
        notice=r.notice,
        found=found,
        exam=REPORT,
        movement=movement + REPORT,
        after=after + REPORT,
        change=change + REPORT,
    )
