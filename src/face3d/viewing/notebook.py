"""`face3d.view`: a result in a notebook. First a picture, which stays in the saved notebook whatever comes; below it
the same to turn by hand, in a frame that asks for nothing outside."""

from __future__ import annotations

import sys
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from face3d.errors import Face3DError, MissingExtraError
from face3d.extras import extra_of, require
from face3d.report.viewer import Scene
from face3d.values import Value
from face3d.viewing.probe import in_child
from face3d.viewing.shown import scene_of

if TYPE_CHECKING:
    from face3d.report.pictures import Picture

#: trame at work, in a process of its own, where it can do no harm.
_SERVES = "import pyvista, trame, trame_pyvista, ipywidgets"
_HEIGHT = 730
#: A view in a saved notebook has no more than this, beside its picture of some 100 kB.
MOST_CHARACTERS = 1_300_000


class Shown(Value):
    """What `view` gives: a notebook shows it, elsewhere `page` is HTML that opens in a browser. `picture` is None
    where open3d is missing."""

    def __init__(self, scene: Scene, trame: bool = False) -> None:
        self.scene, self.trame, self.picture = scene, trame, _picture(scene)
        self.page = page_of(light(scene))

    def _ipython_display_(self) -> None:
        from IPython.display import Image, display

        if self.picture is not None:
            display(Image(self.picture.png, alt=self.scene.what))
        live = served(self.scene) if self.trame else None
        if live is not None:
            display(live)
        else:
            display({"text/html": self.frame, "text/plain": self.scene.what}, raw=True)

    @property
    def frame(self) -> str:
        """The page in a frame that may run its program and nothing else."""
        inside = self.page.replace("&", "&amp;").replace("'", "&#39;")
        # The page's policy allows its program by a hash: whatever the text is encoded in, it must arrive as it is.
        inside = inside.encode("ascii", "xmlcharrefreplace").decode()
        what = escape(self.scene.what)
        return (
            f"<iframe sandbox='allow-scripts' loading='lazy' style='width:100%;height:{_HEIGHT}px;border:0' "
            f"title='{what}' srcdoc='{inside}'></iframe>"
        )


def view(result: Any, after: Any = None, *, trame: bool = False) -> Shown:
    """A result to look at in a notebook: an Analysis, an Examination, a Tracked recording, a FaceScan, or the folder
    that `analyze`, `exam` or `sequence` wrote; with `after` two examinations beside each other.

    A picture comes first, then the same to turn by hand. `trame`: a view of PyVista's instead, drawn by this kernel,
    where that works (it is tried in a process of its own); it listens on a port of this machine without a password, so
    on a computer of several people it shows them the face. Raises `SchemaError` for anything else, and what reading
    raises.
    """
    return Shown(scene_of(result, after), trame)


def light(scene: Scene) -> Scene:
    """The scene with so few maps, and of a recording so few frames, that a saved notebook stays small; the whole of it
    is on the result's own page."""
    vertices, states = len(scene.places), sum(len(pane) for pane in scene.panes)
    # Characters of a face: three coordinates and each map's values of two digits.
    layers = next((n for n in (len(scene.layers), 2) if states * vertices * (6 + 2 * n) <= MOST_CHARACTERS), 1)
    few = replace(scene, layers=scene.layers[: max(layers, 1)])
    keys = {layer.key for layer in few.layers}
    kept = [replace(s, values={k: v for k, v in s.values.items() if k in keys}) for s in scene.states]
    room = MOST_CHARACTERS // (vertices * (6 + 2 * len(keys))) - 1
    frames = scene.panes[-1]
    if scene.pause is None or len(frames) <= room:
        return replace(few, states=tuple(kept))
    chosen = np.unique(np.r_[scene.first, np.rint(np.linspace(0, len(frames) - 1, max(room - 1, 2)))]).astype(int)
    rest = [kept[k] for pane in scene.panes[:-1] for k in pane]
    return replace(
        few,
        what=f"{scene.what}; {len(chosen)} of {len(frames)} frames",
        states=(*rest, *(kept[frames[k]] for k in chosen)),
        panes=(*scene.panes[:-1], tuple(range(len(rest), len(rest) + len(chosen)))),
        pause=scene.pause * len(frames) / len(chosen),
        first=int(np.searchsorted(chosen, scene.first)),
    )


def page_of(scene: Scene) -> str:
    """The scene alone as a page that opens offline."""
    from face3d import __version__
    from face3d.report.frame import rendered
    from face3d.report.parts import NOTICE

    return rendered("view.html", {}, version=__version__, notice=NOTICE, scene=scene)


def served(scene: Scene) -> Any:
    """The scene as a widget of PyVista and trame, or None where that does not work here."""
    try:
        require("pyvista")
        require("trame_pyvista")
        if in_child(_SERVES):
            return None
        from face3d.viewing.window import Window

        window = Window(scene, notebook=True)
        # It would ask the network for a program of its own; without it pictures come from this kernel.
        with patch.dict(sys.modules, {"trame.widgets.vtklocal": None, "trame_vtklocal": None}):
            return window.plotter.show(jupyter_backend="server", return_viewer=True)
    except Face3DError:
        return None


def _picture(scene: Scene) -> Picture | None:
    from face3d.viewing.still import still

    try:
        return still(scene)
    except MissingExtraError:
        return None
    except ModuleNotFoundError as error:
        if extra_of(error.name or "") is None:
            raise
        return None
