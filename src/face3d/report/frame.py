"""What all reports share: the page's head, notice and foot (frame.html), its style, and how templates are rendered."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup
from PIL import Image

from face3d.report.viewer import Scene, program


def spoken(name: str) -> str:
    """brow_raise -> "brow raise"."""
    return name.replace("_", " ")


def _data(png: bytes) -> str:
    """A picture as a page carries it: WebP, a quarter of a PNG that looks the same."""
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(file, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


#: What every template can say: names, millimetres, pictures.
_FILTERS: Mapping[str, Callable[..., str]] = {
    "spoken": spoken,
    "mm": lambda value: "–" if value is None or not math.isfinite(value) else f"{value:.2f}",
    "data": lambda picture: _data(picture.png),
}


def rendered(
    template: str,
    filters: Mapping[str, Callable[..., str]],
    version: str,
    notice: str,
    scene: Scene | None = None,
    **values: Any,
) -> str:
    """A template of this folder, which extends frame.html, as one page of HTML that opens offline. `scene`: what its
    rotatable view shows; without one no program runs on the page at all."""
    folder = files("face3d.report")
    loader = jinja2.FunctionLoader(lambda name: (folder / name).read_text("utf-8"))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, loader=loader)
    environment.filters.update({**_FILTERS, **filters})
    css = Markup((folder / "page.css").read_text("utf-8"))
    text, allowed = program() if scene else ("", "'none'")
    return environment.get_template(template).render(
        css=css,
        version=version,
        notice=notice,
        scene=None if scene is None else scene.to_json(),
        tables=[] if scene is None else scene.tables(),
        program=text,
        allowed=Markup(allowed),
        **values,
    )
