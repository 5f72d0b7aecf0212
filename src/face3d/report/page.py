"""The report of one scan: a single page that opens offline and prints, made from a `Result` and its pictures."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from face3d.landmarks import MIDLINE, PAIRED
from face3d.report.colors import ABOVE, BELOW, LIMIT_MM, UNMEASURED, colors_of, hex_of
from face3d.report.pictures import CONTOUR_MM, Picture
from face3d.result import RegionPart, Result

#: Landmarks found with less confidence than this are named, so that they are looked at first.
UNSURE = 0.3
#: Definition of regions -> the order and the title under which the table shows them.
_GROUPS: Mapping[str, tuple[str, str]] = {
    "face": ("Whole face", "hairline to chin, ear to ear"),
    "subunit": ("Facial subunits", ""),
    "trigeminal third": ("Trigeminal thirds", "by the territories of the trigeminal branches (Codari 2017)"),
    "horizontal third": ("Horizontal thirds", "by planes through glabella and subnasale"),
}
#: Top to bottom of a face.
_ORDER = (
    "forehead", "brow", "upper_lid", "lower_lid", "nose", "cheek", "nasolabial", "upper_lip", "commissure",
    "lower_lip", "chin", "upper third", "middle third", "lower third",
)  # fmt: skip


def page(
    result: Result, maps: Sequence[Picture] = (), plain: Picture | None = None, no_pictures: str = "not asked for"
) -> str:
    """The report as HTML. `maps` from `face3d.report.pictures.map_pictures`, `plain` from `plain_picture`; without
    maps, `no_pictures` says why."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters.update(_FILTERS)
    folder = files("face3d.report")
    regions = result.surface_distance.regions
    whole = next(row for row in regions if row.definition == "face" and row.side == "both")
    return environment.from_string((folder / "page.html").read_text("utf-8")).render(
        css=Markup((folder / "page.css").read_text("utf-8")),
        result=result,
        whole=whole,
        strip=_strip(whole),
        bar=_bar(),
        pictures={picture.name: picture for picture in maps},
        plain=plain,
        no_pictures=no_pictures,
        groups=_groups(regions),
        landmark_note=_landmark_note(result),
        limit=f"{LIMIT_MM:g}",
        contour=f"{CONTOUR_MM:g}",
    )


def _groups(regions: Sequence[RegionPart]) -> list[dict[str, Any]]:
    """Left and right of a region beside each other, grouped by the definition of the regions."""
    groups = []
    for definition, (title, note) in _GROUPS.items():
        sides: dict[str, dict[str, RegionPart]] = {}
        for row in regions:
            if row.definition == definition and row.side != "both":
                sides.setdefault(row.region, {})[row.side] = row
        known = [name for name in _ORDER if name in sides]
        rows = [
            {"name": name.replace("_", " "), "right": sides[name].get("right"), "left": sides[name].get("left")}
            for name in [*known, *sorted(set(sides) - set(known))]
        ]
        if rows:
            groups.append({"title": title, "note": note, "rows": rows})
    return groups


def _landmark_note(result: Result) -> str:
    """How many there are, how sure, and which to check."""
    given = [name for name, mark in result.landmarks.items() if mark.source == "given"]
    found = {name: mark.confidence for name, mark in result.landmarks.items() if mark.source != "given"}
    parts = [f"{len(given)} given by hand"] if given else []
    if found:
        parts.append(f"{len(found)} found automatically")
    unsure = sorted((c, name) for name, c in found.items() if c is not None and c < UNSURE)
    note = " and ".join(parts) or "none"
    return note + (f"; least sure: {', '.join(_spoken(name) for _, name in unsure[:6])}" if unsure else "") + "."


def _spoken(name: str) -> str:
    """ch_left -> "mouth corner left (ch)"."""
    code, _, side = name.partition("_")
    words = {**PAIRED, **MIDLINE}.get(code, code).split(", ")[-1]
    return f"{words} {side}".strip() + f" ({code})"


def _strip(whole: RegionPart) -> Markup | None:
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


def _bar() -> Markup:
    """The colour scale, with what lies beyond it and what was not measured."""
    top, height, left, width = 34, 268, 8, 18
    stops = "".join(
        f'<stop offset="{k / 16:.4f}" stop-color="{hex_of(colors_of(LIMIT_MM * (1 - k / 8)))}"/>' for k in range(17)
    )
    bottom = top + height
    text = 'font-size="12" fill="#1c2126"'
    ticks = (
        "".join(
            f'<line x1="{left + width}" x2="{left + width + 4}" y1="{y:.1f}" y2="{y:.1f}" stroke="#1c2126"/>'
            f'<text x="{left + width + 7}" y="{y + 4:.1f}" {text}>{mm:+d}</text>'
            for mm in range(-int(LIMIT_MM), int(LIMIT_MM) + 1)
            for y in [top + (1 - (mm / LIMIT_MM + 1) / 2) * height]
        )
        .replace(">+0<", ">0<")
        .replace(">-", ">−")
    )
    middle = left + width / 2
    return Markup(
        f'<svg viewBox="0 0 74 400" width="74" role="img" aria-label="Colour scale from -4 to +4 mm">'
        f'<defs><linearGradient id="mm" x1="0" y1="0" x2="0" y2="1">{stops}</linearGradient></defs>'
        f'<text x="{left}" y="12" {text}>mm</text>'
        f'<path d="M{left} {top} h{width} l{-width / 2} -13 z" fill="{hex_of(ABOVE)}"/>'
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="url(#mm)"/>'
        f'<path d="M{left} {bottom} h{width} l{-width / 2} 13 z" fill="{hex_of(BELOW)}"/>{ticks}'
        f'<rect x="{left}" y="{bottom + 34}" width="{width}" height="12" fill="{hex_of(UNMEASURED)}"/>'
        f'<text x="{middle - width / 2}" y="{bottom + 60}" font-size="11" fill="#5b6670">not</text>'
        f'<text x="{middle - width / 2}" y="{bottom + 73}" font-size="11" fill="#5b6670">measured</text></svg>'
    )


def _mm(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}".replace("-", "−")


def _percent(share: float | None) -> str:
    # Downwards: 100 % is said only of all.
    return "–" if share is None else f"{math.floor(100 * share + 1e-9)} %"


def _data(picture: Picture) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.png).decode()


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "mm": _mm,
    "signed": _signed,
    "percent": _percent,
    "width": lambda rms: f"{0 if rms is None else min(rms, LIMIT_MM) / LIMIT_MM * 100:.1f}%",
    "thin": lambda share: "thin" if share is None or share < 0.8 else "",
    "data": _data,
    "sentence": lambda text: text[:1].upper() + text[1:].rstrip(".") + "." if text else "",
}
