"""The report of one scan: a single page that opens offline and prints, made from a `Result` and its pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from face3d.geometry.colors import ASYMMETRY, SURFACE
from face3d.io.expression_names import expression_of
from face3d.report.drawings import bar, strip
from face3d.report.frame import rendered
from face3d.report.movement_names import movement_text
from face3d.report.pictures import Pictures
from face3d.report.scan_result import DistancePart, RegionPart, Result, UnitPart
from face3d.report.viewer import Scene, mark_text

#: Landmarks found with less confidence than this are named, so that they are looked at first.
UNSURE = 0.3
#: Movement units weaker than this on both sides are noise of the fit; more than this many would hide the strong ones.
UNIT_SHOWN, UNITS_SHOWN = 0.15, 10
#: Definition of regions -> the order and the title under which the table shows them.
_GROUPS: Mapping[str, tuple[str, str]] = {
    "face": ("Whole face", "hairline to chin, ear to ear"),
    "subunit": ("Facial subunits", ""),
    "trigeminal third": ("Trigeminal thirds", "by the territories of the trigeminal branches (Codari 2017)"),
    "horizontal third": ("Horizontal thirds", "by planes through glabella and subnasale"),
}
#: Top to bottom of a face.
_ORDER = (
    "forehead",
    "brow",
    "upper_lid",
    "lower_lid",
    "nose",
    "cheek",
    "nasolabial",
    "upper_lip",
    "commissure",
    "lower_lip",
    "chin",
    "upper third",
    "middle third",
    "lower third",
)


def page(
    result: Result, pictures: Pictures | None = None, no_pictures: str = "not asked for", scene: Scene | None = None
) -> str:
    """The report as HTML. `pictures` from `face3d.report.pictures.pictures_of`; without, `no_pictures` says why.
    `scene` from `face3d.report.scenes.scan_scene`."""
    whole = _whole(result.surface_distance)
    shown = expression_of(Path(result.scan.name).stem)
    return rendered(
        "page.html",
        _FILTERS,
        version=result.face3d_version,
        notice=result.notice,
        result=result,
        scene=scene,
        whole=whole,
        expression=shown if shown != "rest" else None,
        red=result.fit is not None and result.asymmetry is None,
        strip=strip(whole),
        surface_maps={} if pictures is None else {p.name: p for p in pictures.surface_distance},
        asymmetry_maps={} if pictures is None else {p.name: p for p in pictures.asymmetry},
        signed_bar=bar(SURFACE, "signed"),
        size_bar=bar(ASYMMETRY, "size"),
        plain=None if pictures is None else pictures.plain,
        no_pictures=no_pictures,
        groups=_groups(result.surface_distance.regions),
        corresponding=_corresponding(result),
        units=_units(result),
        landmark_note=_landmark_note(result),
        limit=f"{SURFACE.high:g}",
        asymmetry_limit=f"{ASYMMETRY.high:g}",
        contour=f"{SURFACE.contour:g}",
    )


def _whole(distance: DistancePart) -> RegionPart:
    return next(row for row in distance.regions if (row.definition, row.side) == ("face", "both"))


def _corresponding(result: Result) -> list[dict[str, Any]]:
    """Asymmetry by subunit: one number a region, since corresponding places of both sides differ by the same."""
    if result.asymmetry is None:
        return []
    rows = [{"name": "face", "whole": True, "part": _whole(result.asymmetry)}]
    subunits = {(r.region, r.side): r for r in result.asymmetry.regions if r.definition == "subunit"}
    for name in _ORDER:
        sides = [subunits[name, side] for side in ("left", "right") if (name, side) in subunits]
        if sides:  # the side on which more was measured
            part = max(sides, key=lambda side: side.coverage or 0.0)
            rows.append({"name": name.replace("_", " "), "whole": False, "part": part})
    return rows


def _units(result: Result) -> list[UnitPart]:
    """The movement units in use on either side, the strongest first."""
    used = [u for u in result.action_units or [] if max(u.left or 0.0, u.right or 0.0) >= UNIT_SHOWN]
    return sorted(used, key=lambda u: -max(u.left or 0.0, u.right or 0.0))[:UNITS_SHOWN]


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
    return note + (f"; least sure: {', '.join(mark_text(name) for _, name in unsure[:6])}" if unsure else "") + "."


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}".replace("-", "−")


def _percent(share: float | None) -> str:
    # Downwards: 100 % is said only of all.
    return "–" if share is None else f"{math.floor(100 * share + 1e-9)} %"


def _width(value: float | None, most: float) -> str:
    return f"{100 * min(value or 0.0, most) / most:.1f}%"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "signed": _signed,
    "percent": _percent,
    "width": lambda rms: _width(rms, SURFACE.high),
    "asymmetry_width": lambda rms: _width(rms, ASYMMETRY.high),
    "movement": movement_text,
    "share": _share,
    "share_width": lambda value: f"{100 * min(value or 0.0, 1.0):.1f}%",
    "thin": lambda share: "thin" if share is None or share < 0.8 else "",
    "sentence": lambda text: text[:1].upper() + text[1:].rstrip(".") + "." if text else "",
}
