"""Pictures of movement: each expression's face, coloured by how far its skin moved, or moves further than before."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face3d.geometry.colors import CHANGE, MOVEMENT, Scale
from face3d.geometry.views import Surface, looking, shaded
from face3d.report.pictures import CENTRE, FRAME_MM, Picture, plain_picture
from face3d.report.viewer import Scene
from face3d.scan import Floats, Ints
from face3d.template.anatomy import Anatomy
from face3d.template.movement import Movement

_FINE = 480
#: mm: the middle and the size of what holds all landmarks, from raised brows to a dropped jaw; pixels of twice that.
_NEAR, _NEAR_MM, _NEAR_PIXELS = (0.0, -38.0, -25.0), (136.0, 164.0), (544, 656)


def movement_pictures(rest: Floats, movements: Mapping[str, Movement], anatomy: Anatomy) -> list[Picture]:
    """One front view an expression, in the order of the exam. `rest` (N, 3) mm, canonical frame."""
    out = []
    for name, moved in movements.items():
        # What was not seen is drawn where it lies at rest, in grey: a hole would look like a wound.
        there = np.where(np.isfinite(rest + moved.displacement), rest + moved.displacement, rest)
        length = np.linalg.norm(moved.displacement, axis=1)
        out.append(_picture(name, there, anatomy.faces, length, MOVEMENT))
    return out


def change_pictures(scene: Scene) -> list[Picture]:
    """Of two visits' scene (`scenes.compare_scene`) the change of movement in each expression, on the last visit's
    face."""
    shown = (scene.states[k] for k in scene.panes[-1])
    return [
        _picture(s.choice, s.vertices, scene.faces, s.values["change"], CHANGE) for s in shown if "change" in s.values
    ]


def frame_pictures(scene: Scene, most: int = 10) -> list[Picture]:
    """Of a recording's scene (`scenes.recording_scene`) the frame shown at first, and others spread over its time."""
    frames = list(scene.panes[-1])
    spread = np.rint(np.linspace(0, len(frames) - 1, min(most, len(frames)))).astype(int)
    spread[np.abs(spread - scene.first).argmin()] = scene.first
    shown = (scene.states[frames[k]] for k in spread)
    return [_picture(s.name, s.vertices, scene.faces, s.values["movement"], MOVEMENT) for s in shown]


def landmark_pictures(scene: Scene) -> list[Picture]:
    """Of an exam's scene (`scenes.exam_scene`) the face at rest and in each expression from the front, with the
    landmarks that were found on it."""
    shown = [scene.states[k] for pane in scene.panes for k in pane]
    front = looking((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), _NEAR, _NEAR_MM[0], _NEAR_PIXELS)
    return [
        plain_picture(Surface(s.vertices, scene.faces), s.marks, None, s.choice, front, dot=9.0)
        for s in shown
        if s.marks
    ]


def _picture(name: str, vertices: Floats, faces: Ints, values: Floats, scale: Scale) -> Picture:
    whole = np.asarray(np.isfinite(vertices).all(axis=1))
    faces = faces[whole[faces].all(axis=1)]
    surface = Surface(np.where(whole[:, None], vertices, 0.0), faces)
    size = (_FINE, round(_FINE * FRAME_MM[1] / FRAME_MM[0]) // 2 * 2)
    view = looking((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), CENTRE, FRAME_MM[0], size)
    seen = surface.see(view)
    tint = scale.colors(surface.interpolate(seen, values[:, None])[..., 0])
    grey = shaded(seen, view, light=(0.0, 0.25, 1.0), colors=np.full((*seen.faces.shape, 3), 255.0))
    picture: NDArray[np.float64] = tint * (1.0 - 0.6 * (1.0 - grey / 255.0))
    picture[seen.faces < 0] = 255.0
    image = Image.fromarray(np.round(picture).astype(np.uint8)).reduce(2)
    buffer = io.BytesIO()
    image.quantize(256, method=Image.Quantize.MEDIANCUT).save(buffer, "PNG")
    return Picture(name, buffer.getvalue(), image.width, image.height)
