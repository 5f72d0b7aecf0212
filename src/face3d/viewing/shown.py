"""What there is to look at in a result, whatever it is: the same scene that its page shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d.errors import SchemaError
from face3d.geometry.colors import ASYMMETRY, SURFACE
from face3d.report.faces import Faces, read_faces
from face3d.report.folder import FACES, MESH, RESULT, TRACKED
from face3d.report.pictures import Drawn
from face3d.report.scenes import compare_scene, exam_scene, recording_scene, scan_scene
from face3d.report.viewer import COLOUR, Layer, Scene, State
from face3d.scan import FaceScan, Floats

if TYPE_CHECKING:
    from face3d.sequence.tracked import Tracked

#: Skin of which no colour is known.
_GREY = 205
_TAKEN = (
    "an Analysis, an Examination, a Tracked recording, a FaceScan, or the folder that analyze, exam or sequence wrote"
)


def scene_of(result: Any, after: Any = None) -> Scene:
    """The scene of a result (one of `_TAKEN`), or of two examinations beside each other. Raises `SchemaError` for
    anything else, and what reading raises."""
    if after is not None:
        first, second = _faces(result), _faces(after)
        if first is None or second is None:
            raise SchemaError("two visits are shown of two Examinations, or of two folders that face3d exam wrote")
        return compare_scene(first, second, _visits(result, after))
    if (faces := _faces(result)) is not None:
        return exam_scene(faces)
    if isinstance(result, FaceScan):
        return _plain(result)
    if hasattr(result, "vertices_mm") and hasattr(result, "times_s"):
        return _recording(result)
    if hasattr(result, "surface_distance_mm"):
        return scan_scene(result, Drawn.of(result))
    folder = Path(result) if isinstance(result, str | Path) else None
    if folder is not None and (folder / TRACKED).is_file():
        from face3d.sequence.tracked_files import read_tracked

        return _recording(read_tracked(folder / TRACKED))
    if folder is not None and (folder / MESH).is_file():
        return _stored_scan(folder)
    raise SchemaError(f"{result if folder else type(result).__name__}: nothing to look at; give {_TAKEN}")


def _faces(result: Any) -> Faces | None:
    if isinstance(result, Faces):
        return result
    if hasattr(result, "fitted") and hasattr(result, "measures"):
        return Faces.of(result)
    if isinstance(result, str | Path) and (Path(result) / FACES).is_file():
        return read_faces(Path(result) / FACES)
    return None


def _visits(before: Any, after: Any) -> tuple[str, str]:
    names = [_visit(result) for result in (before, after)]
    first, second = (name or otherwise for name, otherwise in zip(names, ("before", "after"), strict=True))
    return (first, second) if first != second else ("before", "after")


def _visit(result: Any) -> str | None:
    if hasattr(result, "measures"):
        return result.measures.visit
    try:
        return json.loads((Path(result) / RESULT).read_text("utf-8")).get("visit")
    except (OSError, ValueError, TypeError):
        return None


def _recording(tracked: Tracked) -> Scene:
    away = np.linalg.norm(tracked.vertices_mm - tracked.rest_mm.astype(np.float32), axis=2)
    furthest = np.where(tracked.lost, -1.0, np.nan_to_num(away).mean(axis=1))
    found = recording_scene(tracked, [int(furthest.argmax())])
    if found is None:
        raise SchemaError(f"{tracked.name}: all of its frames are lost; there is nothing to look at")
    return found


def _stored_scan(folder: Path) -> Scene:
    from face3d.report.reading import read_map

    scan, values = read_map(folder / MESH)
    maps = {"asymmetry": values["asymmetry_mm"], "surface": values["signed_surface_distance_mm"]}
    layers = (Layer("asymmetry", "asymmetry", ASYMMETRY), Layer("surface", "surface distance", SURFACE))
    there = {key: v for key, v in maps.items() if np.isfinite(v).any()}
    return _alone(scan, there, tuple(layer for layer in layers if layer.key in there))


def _plain(scan: FaceScan) -> Scene:
    if scan.colors is None:
        scan = scan.replace(colors=np.full(scan.vertices.shape, _GREY, np.uint8))
        return _alone(scan, {}, (Layer(COLOUR, "shape", None),))
    return _alone(scan, {}, (Layer(COLOUR, "colour as scanned", None),))


def _alone(scan: FaceScan, values: dict[str, Floats], layers: tuple[Layer, ...]) -> Scene:
    """A surface on its own, without points that have no coordinates."""
    of = np.cumsum(scan.present) - 1
    faces = of[scan.faces]
    state = State("", scan.vertices[scan.present], {key: v[scan.present] for key, v in values.items()})
    colors = None if scan.colors is None else scan.colors[scan.present]
    places = np.zeros(len(state.vertices), np.int64)
    return Scene("The scan’s own surface", faces, (state,), ((0,),), layers, ("",), places, colors)
