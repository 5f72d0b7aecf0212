"""How a notebook shows results: a table of what counts, and of a scan its front with the map on it."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import Face3DError
from face3d.geometry.colors import ASYMMETRY
from face3d.geometry.views import looking, shaded

if TYPE_CHECKING:
    import pandas as pd

    from face3d.scan import FaceScan, Floats

#: Rows of a table and notes that fit on a screen.
_ROWS, _NOTES = 12, 5


def scan_html(title: str, regions: pd.DataFrame, notes: Sequence[str], scan: FaceScan, asymmetry_mm: Floats) -> str:
    """The regions' figures beside the asymmetry map (V,) from the front; `scan` in the canonical head frame."""
    columns = ("region", "side", "distance", "mean", "rms", "p95")
    rows = [[_cell(row[c]) for c in columns] for row in regions.head(_ROWS).to_dict("records")]
    try:
        picture = f'<img alt="asymmetry, front" width="240" src="data:image/png;base64,{_front(scan, asymmetry_mm)}">'
    except Face3DError as error:  # nothing to draw, or to draw with
        picture = html.escape(str(error))
    scale = f"asymmetry, front: white 0 to brown {ASYMMETRY.high:g} mm, purple beyond, grey not measured"
    return _page(title, columns, rows, notes, f"<figure>{picture}<figcaption>{scale}</figcaption></figure>")


def function_html(title: str, function: Mapping[str, float], notes: Sequence[str]) -> str:
    """The regions' function, 0..1, and the first notes."""
    rows = [[region.replace("_", " "), _cell(value)] for region, value in function.items()]
    return _page(title, ("region", "share of the healthy side's movement"), rows, notes)


def _front(whole: FaceScan, asymmetry_mm: Floats) -> str:
    from PIL import Image

    from face3d.geometry.clean import crop
    from face3d.geometry.meshing import surface_of

    part = crop(whole, whole.present)
    surface = surface_of(part.scan, [])
    view = looking((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, -30.0, -25.0), 190.0, (240, 316))
    seen = surface.see(view)
    tint = None
    if len(part.scan.faces):
        tint = ASYMMETRY.colors(surface.interpolate(seen, asymmetry_mm[part.kept][:, None])[..., 0])
    picture = shaded(seen, view, (0.0, 0.25, 1.0), tint)
    picture[seen.faces < 0] = 255
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.2f}" if math.isfinite(value) else "not measured"
    return html.escape(str(value))


def _page(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], notes: Sequence[str], beside: str = ""
) -> str:
    head = "".join(f"<th>{html.escape(c)}</th>" for c in columns)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    more = [f"and {len(notes) - _NOTES} more"] if len(notes) > _NOTES else []
    said = "".join(f"<li>{html.escape(n)}</li>" for n in [*notes[:_NOTES], *more])
    return (
        f'<div style="display:flex;gap:1em">{beside}<div><table><caption>{html.escape(title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{said}</ul></div></div>"
    )
