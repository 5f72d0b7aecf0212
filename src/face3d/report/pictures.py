"""Pictures of a measured face, from fixed directions in the canonical frame, all to one scale."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from face3d.extras import extra_of
from face3d.geometry.colors import ASYMMETRY, SURFACE, Scale
from face3d.geometry.skin_tone import vertex_colors
from face3d.geometry.views import Seen, Surface, View, looking, shaded, smoothed
from face3d.scan import Floats

if TYPE_CHECKING:
    from face3d.measuring.analysis import Analysis

#: name -> degrees that the camera stands to the subject's left of straight ahead.
DIRECTIONS: Mapping[str, float] = {
    "right profile": -90.0,
    "right three-quarter": -45.0,
    "front": 0.0,
    "left three-quarter": 45.0,
    "left profile": 90.0,
}

#: mm shown, width and height: an adult face from hairline to chin with some neck, the same for every face.
FRAME_MM = (190.0, 250.0)
#: mm, canonical frame: what the middle of a picture shows. Between the nose's tip and its root, half a face deep.
CENTRE = (0.0, -30.0, -25.0)
#: Pixels across, before halving: twice as fine as kept, so that edges come out smooth. The front is shown larger.
_FINE_FRONT, _FINE = 880, 600


@dataclass(frozen=True)
class Picture:
    """A PNG and what it shows."""

    name: str
    png: bytes = field(repr=False)
    width: int
    height: int

    def _repr_png_(self) -> bytes:
        """How a notebook shows it."""
        return self.png


def view_from(degrees: float) -> View:
    """The camera that stands `degrees` to the subject's left, level with the face."""
    angle = np.radians(degrees)
    across = _FINE_FRONT if degrees == 0.0 else _FINE
    size = (across, round(across * FRAME_MM[1] / FRAME_MM[0]) // 2 * 2)
    return looking((np.sin(angle), 0.0, np.cos(angle)), (0.0, 1.0, 0.0), CENTRE, FRAME_MM[0], size)


@dataclass(frozen=True)
class Pictures:
    """All pictures of one report; `asymmetry` is empty where correspondence was not measured."""

    surface_distance: tuple[Picture, ...]
    asymmetry: tuple[Picture, ...]
    plain: Picture


@dataclass(frozen=True)
class Drawn:
    """An analysed scan as it is drawn: its `surface` in the canonical frame, triangles facing out, and which of the
    scan's vertices each of the surface's is (`source`)."""

    surface: Surface
    source: NDArray[np.int64]

    @classmethod
    def of(cls, analysis: Analysis) -> Drawn:
        """Raises `LandmarkError` for a point cloud too sparse to be drawn, `ModuleNotFoundError` without open3d."""
        from face3d.geometry.meshing import surface_of

        scan = analysis.scan.moved(analysis.head)
        source = np.arange(len(scan.vertices))
        if not scan.present.all():  # points without coordinates
            from face3d.geometry.clean import crop

            part = crop(scan, scan.present)
            scan, source = part.scan, part.kept
        surface = _facing_out(surface_of(scan, []))
        if not len(scan.faces):  # a point cloud is drawn as the surface through its points
            from scipy.spatial import KDTree

            source = source[KDTree(scan.vertices).query(surface.vertices)[1]]
        return cls(surface, source)


def pictures_of(analysis: Analysis, drawn: Drawn | None = None) -> Pictures:
    """An analysed scan's maps and, as it was scanned, its front with the landmarks. Raises what `Drawn.of` raises,
    which is asked where `drawn` is not given."""
    drawn = drawn or Drawn.of(analysis)
    through = analysis.correspondence
    wanted: list[tuple[ArrayLike, Scale]] = [(analysis.signed_surface_distance_mm[drawn.source], SURFACE)]
    if through is not None and through.map is not None:
        wanted.append((through.asymmetry_mm[drawn.source], ASYMMETRY))
    maps = map_pictures(drawn.surface, wanted)
    return Pictures(
        tuple(maps[0]),
        tuple(maps[1]) if len(maps) > 1 else (),
        plain_picture(
            drawn.surface,
            {name: analysis.head.apply(point) for name, point in analysis.landmarks.items()},
            None if (seen := vertex_colors(analysis.scan)) is None else seen[drawn.source],
        ),
    )


def _facing_out(surface: Surface) -> Surface:
    """A surface that shows its back from the front is wound the wrong way round: turned, or it would be drawn dark."""
    front = looking((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), CENTRE, FRAME_MM[0], (95, 125))
    seen = surface.see(front)
    if 2 * np.count_nonzero(seen.inside) <= np.count_nonzero(seen.faces >= 0):
        return surface
    return Surface(surface.vertices, surface.faces[:, ::-1])


def map_pictures(surface: Surface, maps: Sequence[tuple[ArrayLike, Scale]]) -> list[list[Picture]]:
    """Each map, (V,) mm and its scale, on a surface in the canonical frame, from every direction; NaN
    stays grey."""
    pictures: list[list[Picture]] = [[] for _ in maps]
    for name, degrees in DIRECTIONS.items():
        view = view_from(degrees)
        seen = surface.see(view)
        light = _light(seen, view)
        for drawn, (values, scale) in zip(pictures, maps, strict=True):
            shown = surface.interpolate(seen, np.asarray(values, np.float64)[:, None])[..., 0]
            picture = _lit(seen, light, scale.colors(shown), 0.5)
            lines = _contours(shown, seen, view, scale)
            picture[lines] = (0.45 * picture[lines]).astype(np.uint8)
            drawn.append(_picture(name, picture))
    return pictures


def plain_picture(
    surface: Surface,
    landmarks: Mapping[str, ArrayLike],
    colors: Floats | None = None,
    name: str = "front",
    view: View | None = None,
    dot: float = 8.0,
) -> Picture:
    """The face as scanned, from the front, with its landmarks and the trace of the symmetry plane (x = 0).

    `landmarks` name -> (3,) mm, canonical frame, as dots of the radius `dot` (pixels of twice the picture);
    `colors` (V, 3) 0..255 of the scan, light grey without; `view` by default the one of all pictures.
    """
    view = view or view_from(DIRECTIONS["front"])
    seen = surface.see(view)
    tint = None if colors is None else surface.interpolate(seen, colors)
    picture = _lit(seen, _light(seen, view), tint, 0.9)
    x = seen.points[..., 0]
    crossing = np.zeros(x.shape, bool)
    with np.errstate(invalid="ignore"):
        crossing[:, 1:] = (x[:, 1:] >= 0) != (x[:, :-1] >= 0)
    crossing &= np.isfinite(x)
    picture[_thick(crossing)] = (20, 110, 140)
    for point in landmarks.values():
        _dot(picture, view, seen, np.asarray(point, np.float64), dot)
    return _picture(name, picture)


def _light(seen: Seen, view: View) -> Floats:
    """(H, W, 1) 0..1: light from the camera, so that shape stays readable and no side lies in shadow."""
    white = np.full((*seen.faces.shape, 3), 255.0)
    return shaded(seen, view, light=(0.0, 0.25, 1.0), colors=white)[..., :1] / 255.0


def _lit(seen: Seen, light: Floats, tint: Floats | None, contrast: float) -> NDArray[np.uint8]:
    """Colours under that light. `contrast` 0..1: how much it may darken them; on a map little, or shape would read as
    distance."""
    tone = 1.0 - contrast * (1.0 - light)
    picture = tone * (np.full((1, 1, 3), 225.0) if tint is None else np.nan_to_num(tint))
    picture[seen.faces < 0] = 255.0
    return np.round(picture).astype(np.uint8)


def _contours(shown: Floats, seen: Seen, view: View, scale: Scale) -> NDArray[np.bool_]:
    """Where the map, freed of noise finer than 1.5 mm, crosses a multiple of the scale's contour within it."""
    level = np.floor(smoothed(shown, 1.5 / view.mm_per_pixel) / scale.contour)
    level = np.clip(level, scale.low / scale.contour - 1, scale.high / scale.contour)
    lines = np.zeros(level.shape, bool)
    for axis in (0, 1):
        step = np.diff(level, axis=axis)
        near = np.abs(np.diff(seen.depth, axis=axis)) < 4.0 * view.mm_per_pixel  # not across the edge of the nose
        with np.errstate(invalid="ignore"):
            crossed = np.isfinite(step) & (step != 0) & near
        # Zero is no contour: the sign of a symmetric face flickers, and the colour says it already.
        low = np.delete(level, -1, axis=axis)
        crossed &= ~((np.minimum(low, low + step) == -1) & (np.maximum(low, low + step) == 0))
        lines[(slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))] |= crossed
    return lines


def _thick(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    out = mask.copy()
    out[:, 1:] |= mask[:, :-1]
    return out


def _dot(picture: NDArray[np.uint8], view: View, seen: Seen, point: Floats, radius: float) -> None:
    """A landmark, unless the surface hides it."""
    column, row = np.round(view.pixels(point)).astype(int)
    height, width = picture.shape[:2]
    if not (0 <= row < height and 0 <= column < width):
        return
    depth = float((point - view.centre) @ view.axes[2])
    if np.isfinite(seen.depth[row, column]) and seen.depth[row, column] - depth > 5.0:
        return
    rows, columns = np.ogrid[:height, :width]
    away = (rows - row) ** 2 + (columns - column) ** 2
    picture[away <= (1.4 * radius) ** 2] = 255
    picture[away <= radius**2] = (176, 46, 12)


def _picture(name: str, fine: NDArray[np.uint8]) -> Picture:
    image = Image.fromarray(fine).reduce(2)
    buffer = io.BytesIO()
    # A palette weighs a third and, dithered, looks the same.
    palette = image.quantize(256, method=Image.Quantize.MEDIANCUT)
    image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(buffer, "PNG")
    return Picture(name, buffer.getvalue(), image.width, image.height)


def drawn(pictures: Callable[[], list[Picture]]) -> list[Picture]:
    """The pictures, none where there is nothing to draw with: drawing needs open3d, numbers don't."""
    try:
        return pictures()
    except ModuleNotFoundError as error:
        if extra_of(error.name or "") is None:
            raise
        return []
