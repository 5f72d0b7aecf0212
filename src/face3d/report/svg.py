"""The small drawings of a report: where a number lies among healthy faces, and the colour scale of its maps."""

from __future__ import annotations

from markupsafe import Markup

from face3d.report.colors import ABOVE, BELOW, LIMIT_MM, UNMEASURED, colors_of, colors_of_size, hex_of
from face3d.report.scan_result import RegionPart


def strip(whole: RegionPart) -> Markup | None:
    """Where the face's RMS lies on a fixed scale of 0 to 4 mm, and where healthy faces lie (mean -+ 2 SD)."""
    if whole.reference is None or whole.rms is None:
        return None
    width, mean, sd = 320.0, whole.reference.mean, whole.reference.sd

    def x(mm: float) -> float:
        return 8 + min(mm, LIMIT_MM) / LIMIT_MM * (width - 16)

    ticks = "".join(
        f'<line x1="{x(t):.1f}" y1="25" x2="{x(t):.1f}" y2="29" stroke="#5b6670"/>'
        f'<text x="{x(t):.1f}" y="41" text-anchor="middle" font-size="11" fill="#5b6670">{t}</text>'
        for t in range(int(LIMIT_MM) + 1)
    )
    low, high = max(0.0, mean - 2 * sd), mean + 2 * sd
    arrow = "" if whole.rms <= LIMIT_MM else " (beyond the scale)"
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


def bar(signed: bool) -> Markup:
    """The colour scale, from -LIMIT or 0 to +LIMIT, with what lies beyond it and what was not measured."""
    top, height, left, width, ink = 34.0, 268.0, 8.0, 18.0, 'font-size="12" fill="#1c2126"'
    bottom, low = top + height, -int(LIMIT_MM) if signed else 0
    colors, beyond = (colors_of, ABOVE) if signed else (colors_of_size, BELOW)

    def y(mm: float) -> float:
        return bottom - (mm - low) / (LIMIT_MM - low) * height

    name = "signed" if signed else "size"
    stops = "".join(
        f'<stop offset="{k / 16:.4f}" stop-color="{hex_of(colors(LIMIT_MM - k / 16 * (LIMIT_MM - low)))}"/>'
        for k in range(17)
    )
    drawn = [
        f'<svg viewBox="0 0 74 400" width="74" role="img" aria-label="Colour scale from {low} to {LIMIT_MM:g} mm">',
        f'<defs><linearGradient id="{name}" x1="0" y1="0" x2="0" y2="1">{stops}</linearGradient></defs>',
        f'<text x="{left:g}" y="12" {ink}>mm</text>',
        f'<path d="M{left:g} {top:g} h{width:g} l{-width / 2:g} -13 z" fill="{hex_of(beyond)}"/>',
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" fill="url(#{name})"/>',
    ]
    if signed:
        drawn.append(f'<path d="M{left:g} {bottom:g} h{width:g} l{-width / 2:g} 13 z" fill="{hex_of(BELOW)}"/>')
    for mm in range(low, int(LIMIT_MM) + 1):
        label = str(mm) if mm == 0 or not signed else f"{mm:+d}".replace("-", "−")
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
