"""A scene in a window of PyVista: its views linked, a slider over expressions, visits or frames, its maps by a key."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from face3d.errors import OutputError
from face3d.extras import require
from face3d.geometry.colors import UNMEASURED, Scale
from face3d.report.viewer import COLOUR, Layer, Scene, State
from face3d.viewing.probe import in_child

#: What must work before a window is opened in this process: VTK without a usable graphics library ends the process.
DRAWS = """
import pyvista
plotter = pyvista.Plotter(off_screen=True, window_size=(64, 64))
plotter.add_mesh(pyvista.Sphere(), color="red")
assert plotter.screenshot(return_img=True).std() > 1, "the picture of a sphere is empty"
"""
_SHADES = 256


class Window:
    """A scene as PyVista draws it; `plotter` is PyVista's own. Raises `OutputError` where nothing can be drawn here,
    said without ending the process, and `MissingExtraError` without PyVista."""

    def __init__(self, scene: Scene, off_screen: bool = False, notebook: bool = False) -> None:
        pyvista = require("pyvista")
        if wrong := in_child(DRAWS):
            raise OutputError(f"nothing can be drawn with PyVista here: {wrong}; face3d doctor says what mends it")
        if off_screen or notebook:
            from vtkmodules.vtkCommonCore import vtkLogger

            vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_ERROR)  # that there is no X server is no news
        self.scene, self._at, self._layer, self._opened = scene, scene.first, 0, False
        self.layers = [la for la in scene.layers if la.scale is not None or scene.colors is not None]
        columns = len(scene.panes)
        self.plotter = pyvista.Plotter(
            shape=(1, columns), off_screen=off_screen, notebook=notebook, window_size=(620 * columns, 720), border=False
        )
        triangles = np.column_stack([np.full(len(scene.faces), 3), scene.faces]).ravel()
        self.meshes = [pyvista.PolyData(self._state(k).vertices.copy(), triangles) for k in range(columns)]
        self._draw()
        if max(len(pane) for pane in scene.panes) > 1:
            self._slider()
        if len(self.layers) > 1:
            self.plotter.add_key_event("m", self.next_map)
        self.plotter.link_views()
        self.plotter.camera_position = [(0.0, -48.0, 700.0), (0.0, -48.0, -25.0), (0.0, 1.0, 0.0)]
        self.plotter.camera.parallel_projection = True
        self.plotter.camera.parallel_scale = 148.0
        if not any(s.values for s in scene.states):  # a scan that was not measured stands where it was put
            self.plotter.view_xy()

    def _state(self, pane: int) -> Any:
        states = self.scene.panes[pane]
        return self.scene.states[states[min(self._at, len(states) - 1)]]

    def choose(self, number: int) -> None:
        """Shows the `number`-th expression, or frame, of each view that has several."""
        self._at = number
        self._draw()

    def now(self, state: State, pane: int) -> None:
        """Draws another state in a view at once, as its maps are chosen; the window is opened by the first, without
        waiting. NaN vertices raise `ValueError`."""
        if not np.isfinite(state.vertices).all():
            raise ValueError("a state that is drawn has all its vertices")
        mesh, layer = self.meshes[pane], self.layers[self._layer]
        mesh.points = np.asarray(state.vertices, np.float64)
        if "shown" in mesh.point_data and layer.key in state.values:
            mesh["shown"] = np.asarray(state.values[layer.key], np.float64)
        self.plotter.subplot(0, pane)
        self.plotter.add_text(state.name, font_size=11, name=f"title {pane}", position="upper_edge", color="black")
        if self.plotter.off_screen:
            self.plotter.render()
        elif self._opened:
            self.plotter.update()
        else:
            check_display()
            self.check_opens()
            self.plotter.show(title="face3d", interactive_update=True, auto_close=False)
            self._opened = True

    @property
    def closed(self) -> bool:
        """Somebody has closed the window."""
        return self._opened and self.plotter.render_window is None

    def next_map(self) -> None:
        """Paints the next of the scene's maps."""
        self._layer = (self._layer + 1) % len(self.layers)
        self._draw()

    def _draw(self) -> None:
        layer = self.layers[self._layer] if self.layers else None
        for pane, mesh in enumerate(self.meshes):
            state = self._state(pane)
            self.plotter.subplot(0, pane)
            mesh.points = np.asarray(state.vertices, np.float64)
            look: dict[str, Any] = {"color": (225, 225, 225)}
            if layer is not None and layer.key == COLOUR and self.scene.colors is not None:
                mesh["shown"] = np.nan_to_num(np.asarray(self.scene.colors)).astype(np.uint8)
                look = {"scalars": "shown", "rgb": True}
            elif layer is not None and layer.scale is not None and layer.key in state.values:
                mesh["shown"] = np.asarray(state.values[layer.key], np.float64)
                look = {"scalars": "shown", "cmap": table(layer.scale), "scalar_bar_args": _bar(layer)}
                look["show_scalar_bar"] = pane == len(self.meshes) - 1
            look |= {"smooth_shading": True, "reset_camera": False, "ambient": 0.25, "diffuse": 0.85}
            self.plotter.add_mesh(mesh, name=f"face {pane}", **look)
            self.plotter.add_text(state.name, font_size=11, name=f"title {pane}", position="upper_edge", color="black")
        self.plotter.subplot(0, 0)
        hint = "the subject's right is on the left" + ("   m: next map" if len(self.layers) > 1 else "")
        self.plotter.add_text(hint, font_size=7, name="hint", position="lower_left", color="gray")

    def _slider(self) -> None:
        states = max(self.scene.panes, key=len)
        names = [self.scene.states[k].choice or self.scene.states[k].name for k in states]
        self.plotter.subplot(0, 0)
        self.plotter.add_slider_widget(
            lambda value: self.choose(round(value)),
            (0, len(names) - 1),
            value=self._at,
            title=f"{names[0]} to {names[-1]}",
            fmt="%.0f",
            pointa=(0.1, 0.1),
            pointb=(0.9, 0.1),
            color="black",
            title_height=0.018,
            slider_width=0.025,
            tube_width=0.004,
        )

    def picture(self, file: Path) -> Path:
        """A picture of what the window shows, PNG; returns its path. Raises `OutputError`."""
        try:
            self.plotter.screenshot(str(file))
        except (OSError, ValueError) as error:
            raise OutputError(f"{file}: cannot be written: {error}; give a .png in a folder that is there") from None
        return file

    def show(self) -> None:
        """Opens the window and waits until it is closed. Raises `OutputError` where there is no display."""
        check_display()
        self.check_opens()
        self.plotter.show(title="face3d")

    def check_opens(self) -> None:
        """Raises `OutputError` where VTK could not reach the display: it would draw out of sight, and say nothing."""
        kind = self.plotter.render_window.GetClassName()
        if "EGL" in kind or "OSOpenGL" in kind:
            where = os.environ.get("DISPLAY", "")
            raise OutputError(
                f"display {where} cannot be opened; give --picture FILE, or open report.html in a browser"
            )


def check_display() -> None:
    """Raises `OutputError` where there is no display to open a window on."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise OutputError("no display to open a window on; give --picture FILE, or open report.html in a browser")


def table(scale: Scale) -> Any:
    """The scale's colours as a table of VTK: the same as on every page, beyond its ends and where nothing is known."""
    pyvista = require("pyvista")
    shades = scale.colors(np.linspace(scale.low, scale.high, _SHADES)).round().astype(np.uint8)
    found = pyvista.LookupTable(
        values=np.column_stack([shades, np.full(_SHADES, 255, np.uint8)]), scalar_range=(scale.low, scale.high)
    )
    found.above_range_color = scale.above
    if scale.signed:
        found.below_range_color = scale.below
    found.nan_color = UNMEASURED
    return found


def _bar(layer: Layer) -> dict[str, Any]:
    return {
        "title": f"{layer.title}, {layer.unit}",
        "color": "black",
        "vertical": False,
        "position_x": 0.15,
        "position_y": 0.03,
        "width": 0.7,
        "height": 0.09,
        "n_labels": round((layer.scale.high - layer.scale.low) / layer.scale.contour) + 1 if layer.scale else 2,
        "fmt": "%.3g",
        "title_font_size": 14,
        "label_font_size": 13,
    }
