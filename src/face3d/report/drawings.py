"""The drawings of a report, as SVG: axes with lines and dots, a table of counts, where a number lies among healthy
faces, the colour scale of its maps. Colours are those of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike

from face3d.geometry.colors import SURFACE, UNMEASURED, Scale, hex_of
from face3d.report.scan_result import RegionPart

INK, SOFT, LINE, ACCENT, WARM = "#1c2126", "#5b6670", "#d5dade", "#146e8c", "#c76728"


@dataclass(eq=False)
class Chart:
    """A plane with axes to draw on. `x`, `y` ranges; ticks as (value, text)."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str
    y_name: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    size: tuple[float, float] = (320.0, 270.0)
    _drawn: list[str] = field(default_factory=list, init=False)

    @property
    def _margins(self) -> tuple[float, float, float, float]:
        """Left, right, top, bottom of the plane within the picture."""
        return 52.0, 12.0, 10.0, 46.0 if self.x_name else 26.0

    def at(self, x: ArrayLike, y: ArrayLike) -> list[tuple[float, float]]:
        """Picture coordinates of points (n,)."""
        left, right, top, bottom = self._margins
        width, height = self.size[0] - left - right, self.size[1] - top - bottom
        u = left + (np.asarray(x, np.float64) - self.x[0]) / (self.x[1] - self.x[0]) * width
        v = top + (self.y[1] - np.asarray(y, np.float64)) / (self.y[1] - self.y[0]) * height
        return list(zip(np.atleast_1d(u).tolist(), np.atleast_1d(v).tolist(), strict=True))

    def line(
        self,
        x: ArrayLike,
        y: ArrayLike,
        color: str = ACCENT,
        width: float = 2.0,
        dash: str = "",
        opacity: float = 1.0,
    ) -> None:
        """Draws a line through points (n,); `dash` as SVG has it, empty for a solid line."""
        points = " ".join(f"{u:.1f},{v:.1f}" for u, v in self.at(x, y))
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        dashed += f' stroke-opacity="{opacity:g}"' if opacity < 1 else ""
        self._drawn.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}"{dashed}/>')

    def band(self, x: ArrayLike, low: ArrayLike, high: ArrayLike) -> None:
        """Draws a grey band between `low` and `high` (n,)."""
        edge = [*self.at(x, low), *reversed(self.at(x, high))]
        points = " ".join(f"{u:.1f},{v:.1f}" for u, v in edge)
        self._drawn.append(f'<polygon points="{points}" fill="#e3e8eb"/>')

    def dots(
        self, x: ArrayLike, y: ArrayLike, radius: ArrayLike = 3.0, color: str = ACCENT, solid: bool = True
    ) -> None:
        """Draws a dot at each of the points (n,), of one `radius` or (n,) in pixels; filled, or as a ring."""
        fill = f'fill="{color}" fill-opacity="0.55"' if solid else f'fill="none" stroke="{color}" stroke-width="1.4"'
        radii = np.broadcast_to(np.asarray(radius, np.float64), np.shape(np.atleast_1d(x)))
        for (u, v), r in zip(self.at(x, y), radii.tolist(), strict=True):
            self._drawn.append(f'<circle cx="{u:.1f}" cy="{v:.1f}" r="{r:.1f}" {fill}/>')

    def svg(self, label: str, timed: bool = False) -> Markup:
        """The picture; `label` says it in words. `timed`: along x are the seconds of a recording, which the viewer of
        its page points at."""
        left, right, top, bottom = self._margins
        width, height = self.size
        place = (*self.x, left, width - right, top, height - bottom)
        clock = f' data-time="{" ".join(f"{v:g}" for v in place)}"' if timed else ""
        parts = [f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}"{clock}>']
        for value, words in self.x_ticks:
            ((u, _),) = self.at(value, self.y[0])
            parts.append(f'<line x1="{u:.1f}" y1="{top}" x2="{u:.1f}" y2="{height - bottom}" stroke="{LINE}"/>')
            parts.append(_words(u, height - bottom + 15, words))
        for value, words in self.y_ticks:
            ((_, v),) = self.at(self.x[0], value)
            parts.append(f'<line x1="{left}" y1="{v:.1f}" x2="{width - right}" y2="{v:.1f}" stroke="{LINE}"/>')
            parts.append(_words(left - 6, v + 4, words, "end"))
        parts.append(_words((left + width - right) / 2, height - 8, self.x_name, size=12))
        middle = (top + height - bottom) / 2
        parts.append(
            f'<text transform="translate(13 {middle:.1f}) rotate(-90)" font-size="12" fill="{SOFT}" '
            f'text-anchor="middle">{escape(self.y_name)}</text>'
        )
        return Markup("".join([*parts, *self._drawn, "</svg>"]))


def steps(low: float, high: float, most: int) -> list[float]:
    """Round numbers from `low` to `high`, at most `most` steps of 1, 2 or 5 times a power of ten apart."""
    power = 10.0 ** np.floor(np.log10(max(high - low, 1e-6) / most))
    apart = next(f * power for f in (1, 2, 5, 10) if (high - low) / (f * power) <= most)
    return [round(float(k * apart), 6) for k in range(int(np.ceil(low / apart - 1e-9)), int(high / apart + 1e-9) + 1)]


def _words(x: float, y: float, words: str, anchor: str = "middle", size: int = 11, color: str = SOFT) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def counts(table: ArrayLike, names: Sequence[str], rows: str, columns: str, label: str) -> Markup:
    """Counts (C, C) as squares, the darker the larger the share of their row; `rows`, `columns` name the axes."""
    t = np.asarray(table, np.float64)
    cell, left, top = 36.0, 46.0, 40.0
    side = cell * len(t)
    width, height = left + side + 8, top + side + 8
    share = t / np.maximum(t.sum(axis=1, keepdims=True), 1)
    parts = [f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">']
    parts.append(_words(left + side / 2, 12, columns, size=12))
    parts.append(
        f'<text transform="translate(13 {top + side / 2:.1f}) rotate(-90)" font-size="12" fill="{SOFT}" '
        f'text-anchor="middle">{escape(rows)}</text>'
    )
    for i, name in enumerate(names):
        parts.append(_words(left + (i + 0.5) * cell, top - 6, name, color=INK))
        parts.append(_words(left - 8, top + (i + 0.5) * cell + 4, name, "end", color=INK))
        for j in range(len(t)):
            x, y = left + j * cell, top + i * cell
            parts.append(
                f'<rect x="{x:g}" y="{y:g}" width="{cell - 1:g}" height="{cell - 1:g}" fill="{ACCENT}" '
                f'fill-opacity="{0.05 + 0.85 * share[i, j]:.2f}"/>'
            )
            if t[i, j]:
                ink = "#fff" if share[i, j] > 0.5 else INK
                parts.append(_words(x + cell / 2, y + cell / 2 + 4, f"{t[i, j]:g}", size=12, color=ink))
    return Markup("".join([*parts, "</svg>"]))


def interval(value: float, low: float, high: float, span: tuple[float, float]) -> Markup:
    """A value with its interval on a line from `span[0]` to `span[1]`, for a cell of a table; empty where there is
    none."""
    width, height = 150.0, 14.0
    if not np.isfinite(value + low + high):
        return Markup("")

    def x(v: float) -> float:
        return 4 + (min(max(v, span[0]), span[1]) - span[0]) / (span[1] - span[0]) * (width - 8)

    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" aria-hidden="true">'
        f'<line x1="4" y1="7" x2="{width - 4:g}" y2="7" stroke="{LINE}"/>'
        f'<line x1="{x(low):.1f}" y1="7" x2="{x(high):.1f}" y2="7" stroke="{ACCENT}" stroke-width="3"/>'
        f'<circle cx="{x(value):.1f}" cy="7" r="4" fill="{INK}"/></svg>'
    )


def strip(whole: RegionPart) -> Markup | None:
    """Where the face's RMS lies on a fixed scale of 0 to 4 mm, and where healthy faces lie (mean -+ 2 SD)."""
    if whole.reference is None or whole.rms is None:
        return None
    width, mean, sd = 320.0, whole.reference.mean, whole.reference.sd

    def x(mm: float) -> float:
        return 8 + min(mm, SURFACE.high) / SURFACE.high * (width - 16)

    ticks = "".join(
        f'<line x1="{x(t):.1f}" y1="25" x2="{x(t):.1f}" y2="29" stroke="#5b6670"/>'
        f'<text x="{x(t):.1f}" y="41" text-anchor="middle" font-size="11" fill="#5b6670">{t}</text>'
        for t in range(int(SURFACE.high) + 1)
    )
    low, high = max(0.0, mean - 2 * sd), mean + 2 * sd
    arrow = "" if whole.rms <= SURFACE.high else " (beyond the scale)"
    return Markup(
        f'<svg viewBox="0 0 {width:g} 44" role="img" aria-label="RMS {whole.rms:.2f} mm on a scale of 0 to 4 mm'
        f'{arrow}; healthy faces {low:.2f} to {high:.2f} mm">'
        f'<line x1="8" y1="25" x2="{width - 8:g}" y2="25" stroke="#5b6670"/>'
        f'<rect x="{x(low):.1f}" y="15" width="{x(high) - x(low):.1f}" height="10" fill="#bcd6df"/>'
        f'<text x="{(x(low) + x(high)) / 2:.1f}" y="10" text-anchor="middle" font-size="11" fill="#146e8c">healthy'
        "</text>"
        f"{ticks}"
        f'<path d="M{x(whole.rms):.1f} 25 l-5 -9 h10 z" fill="#1c2126"/></svg>'
    )


def gradient(scale: Scale) -> str:
    """A scale's colours from left to right, as CSS. Each says its place: WeasyPrint blends wrongly between others."""
    last = len(scale.stops) - 1
    stops = (f"{hex_of(color)} {100 * k / last:g}%" for k, color in enumerate(scale.stops))
    return f"linear-gradient(to right,{','.join(stops)})"


def bar(scale: Scale, name: str) -> Markup:
    """A colour scale (`name`: unique on its page), with what lies beyond it and what was not measured."""
    top, height, left, width, ink = 34.0, 268.0, 8.0, 18.0, 'font-size="12" fill="#1c2126"'
    bottom, low, high = top + height, int(scale.low), int(scale.high)

    def y(mm: float) -> float:
        return bottom - (mm - low) / (high - low) * height

    stops = "".join(
        f'<stop offset="{k / 16:.4f}" stop-color="{hex_of(scale.colors(high - k / 16 * (high - low)))}"/>'
        for k in range(17)
    )
    drawn = [
        f'<svg viewBox="0 0 74 400" width="74" role="img" aria-label="Colour scale from {low} to {high} mm">',
        f'<defs><linearGradient id="{name}" x1="0" y1="0" x2="0" y2="1">{stops}</linearGradient></defs>',
        f'<text x="{left:g}" y="12" {ink}>mm</text>',
        f'<path d="M{left:g} {top:g} h{width:g} l{-width / 2:g} -13 z" fill="{hex_of(scale.above)}"/>',
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" fill="url(#{name})"/>',
    ]
    if scale.signed:
        drawn.append(f'<path d="M{left:g} {bottom:g} h{width:g} l{-width / 2:g} 13 z" fill="{hex_of(scale.below)}"/>')
    for mm in range(low, high + 1, 1 if high - low <= 8 else 2):
        label = str(mm) if mm == 0 or not scale.signed else f"{mm:+d}".replace("-", "−")
        drawn += [
            f'<path d="M{left + width:g} {y(mm):.1f} h4" stroke="#1c2126"/>',
            f'<text x="{left + width + 7:g}" y="{y(mm) + 4:.1f}" {ink}>{label}</text>',
        ]
    drawn += [
        f'<rect x="{left:g}" y="{bottom + 34:g}" width="{width:g}" height="12" fill="{hex_of(UNMEASURED)}"/>',
        f'<text x="{left:g}" y="{bottom + 60:g}" font-size="11" fill="#5b6670">not</text>',
        f'<text x="{left:g}" y="{bottom + 73:g}" font-size="11" fill="#5b6670">measured</text></svg>',
    ]
    return Markup("".join(drawn))
