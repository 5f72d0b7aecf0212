"""Pictures of movement: each expression's face, coloured by how far its skin moved from rest."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face3d.geometry.colors import MOVEMENT
from face3d.geometry.views import Surface, looking, shaded
from face3d.report.pictures import CENTRE, FRAME_MM, Picture
from face3d.scan import Floats
from face3d.template.anatomy import Anatomy
from face3d.template.movement import Movement

_FINE = 480


def movement_pictures(rest: Floats, movements: Mapping[str, Movement], anatomy: Anatomy) -> list[Picture]:
    """One front view an expression, in the order of the exam. `rest` (N, 3) mm, canonical frame."""
    return [_picture(name, rest, moved.displacement, anatomy) for name, moved in movements.items()]


def _picture(name: str, rest: Floats, displacement: Floats, anatomy: Anatomy) -> Picture:
    # What was not seen is drawn where it lies at rest, in grey: a hole would look like a wound.
    there = np.where(np.isfinite(rest + displacement), rest + displacement, rest)
    whole = np.asarray(np.isfinite(there).all(axis=1))
    faces = anatomy.faces[whole[anatomy.faces].all(axis=1)]
    surface = Surface(np.where(whole[:, None], there, 0.0), faces)
    size = (_FINE, round(_FINE * FRAME_MM[1] / FRAME_MM[0]) // 2 * 2)
    view = looking((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), CENTRE, FRAME_MM[0], size)
    seen = surface.see(view)
    length = np.linalg.norm(displacement, axis=1)[:, None]
    tint = MOVEMENT.colors(surface.interpolate(seen, length)[..., 0])
    grey = shaded(seen, view, light=(0.0, 0.25, 1.0), colors=np.full((*seen.faces.shape, 3), 255.0))
    picture: NDArray[np.float64] = tint * (1.0 - 0.6 * (1.0 - grey / 255.0))
    picture[seen.faces < 0] = 255.0
    image = Image.fromarray(np.round(picture).astype(np.uint8)).reduce(2)
    buffer = io.BytesIO()
    image.quantize(256, method=Image.Quantize.MEDIANCUT).save(buffer, "PNG")
    return Picture(name, buffer.getvalue(), image.width, image.height)
