"""One picture of a scene, drawn by ray casting: it needs no display and no graphics library, and is always there."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from face3d.geometry.colors import Scale
from face3d.geometry.views import Surface, looking, shaded
from face3d.report.pictures import CENTRE, FRAME_MM, Picture
from face3d.report.viewer import Scene, State
from face3d.scan import Floats, Ints

#: Pixels of one view; drawn twice as fine.
_WIDTH = 300
#: Pixels of the line of words above a view, and of the bar with its words below all.
_ABOVE, _BELOW = 22, 40
_INK, _SOFT = (28, 33, 38), (91, 102, 112)


def still(scene: Scene) -> Picture:
    """The views of a scene side by side from the front, painted with its first map, which stands below with its ends;
    the subject's right is on the left. Raises `ModuleNotFoundError` without open3d."""
    shown = chosen(scene)
    layer = next((la for la in scene.layers if la.scale and any(la.key in s.values for s in shown)), None)
    scale = None if layer is None else layer.scale
    height = round(_WIDTH * FRAME_MM[1] / FRAME_MM[0])
    sheet = Image.new("RGB", (_WIDTH * len(shown), _ABOVE + height + _BELOW), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for k, state in enumerate(shown):
        values = None if layer is None else state.values.get(layer.key)
        sheet.paste(_front(state.vertices, scene.faces, values, scale, scene.colors), (k * _WIDTH, _ABOVE))
        draw.text(((k + 0.5) * _WIDTH, 4), state.name, _INK, font, anchor="ma")
        for x, side in ((8, "R"), (_WIDTH - 18, "L")):
            draw.text((k * _WIDTH + x, _ABOVE + height / 2), side, _SOFT, font)
    if layer is not None and scale is not None:
        across = np.linspace(scale.low, scale.high, _WIDTH)
        bar = np.tile(scale.colors(across).round().astype(np.uint8), (10, 1, 1))
        left = (sheet.width - _WIDTH) // 2
        sheet.paste(Image.fromarray(bar), (left, _ABOVE + height + 4))
        words = f"{scale.low:g}   {layer.title}, {layer.unit}   {scale.high:g}"
        draw.text((sheet.width / 2, _ABOVE + height + 18), words, _INK, font, anchor="ma")
    buffer = io.BytesIO()
    # No palette: it would bend the colours of the scale's ends, which are few pixels.
    sheet.save(buffer, "PNG", optimize=True)
    return Picture("front", buffer.getvalue(), sheet.width, sheet.height)


def chosen(scene: Scene) -> list[State]:
    """The state that each view shows at first."""
    return [scene.states[pane[min(scene.first, len(pane) - 1)]] for pane in scene.panes]


def _front(
    vertices: Floats, faces: Ints, values: Floats | None, scale: Scale | None, colors: np.ndarray | None
) -> Image.Image:
    size = (2 * _WIDTH, 2 * round(_WIDTH * FRAME_MM[1] / FRAME_MM[0]))
    # A scan that was not measured stands where the scanner put it.
    middle = CENTRE if values is not None else (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    view = looking((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), middle, FRAME_MM[0], size)
    if not len(faces):
        return Image.new("RGB", (_WIDTH, size[1] // 2), "white")
    surface = Surface(vertices, faces)
    seen = surface.see(view)
    light = shaded(seen, view, light=(0.0, 0.25, 1.0), colors=np.full((*seen.faces.shape, 3), 255.0)) / 255.0
    if values is not None and scale is not None:
        tint = scale.colors(surface.interpolate(seen, values[:, None])[..., 0])
    elif colors is not None:
        tint = np.nan_to_num(surface.interpolate(seen, np.asarray(colors, np.float64)))
    else:
        tint = np.full((*seen.faces.shape, 3), 225.0)
    picture = tint * (1.0 - 0.6 * (1.0 - light))
    picture[seen.faces < 0] = 255.0
    return Image.fromarray(np.round(np.nan_to_num(picture)).astype(np.uint8)).reduce(2)
