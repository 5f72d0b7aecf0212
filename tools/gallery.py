"""A picture of simulated patients: a row for each House-Brackmann grade, a column for each expression.

python tools/gallery.py gallery.png [--movement b] [--seed 3] [--state onset] [--close eyes]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from face3d.simulate import HeadModel, draw_patient
from face3d.simulate.expressions import RECIPES_A

SKIN = "#d8b59a"
VIEWS = {"face": ((0.0, -20.0, 0.0), 105.0), "eyes": ((0.0, 5.0, 0.0), 48.0), "mouth": ((0.0, -60.0, 0.0), 55.0)}


def gallery(out: Path, movement: str, seed: int, state: str | None, close: str, size: int = 260) -> None:
    """Writes the picture; the same person in every row, so that what differs is the palsy."""
    import pyvista as pv

    model = HeadModel.load(movement, "fine")
    names = list(RECIPES_A)
    plot = pv.Plotter(off_screen=True, shape=(6, len(names)), window_size=[size * len(names), size * 6], border=False)
    focus, scale = (np.array(VIEWS[close][0]), VIEWS[close][1])
    for grade in range(1, 7):
        kind = state if grade in (2, 3, 4, 5) else None
        patient = draw_patient(np.random.default_rng(seed), model, grade, side="left", state=kind, years=55.0)  # type: ignore[arg-type]
        for column, name in enumerate(names):
            plot.subplot(grade - 1, column)
            mesh = pv.PolyData.from_regular_faces(patient.vertices(name), model.faces)
            plot.add_mesh(mesh, color=SKIN, smooth_shading=True, specular=0.15)
            words = f"{('I', 'II', 'III', 'IV', 'V', 'VI')[grade - 1]} {name.replace('_', ' ')}"
            # A place in the viewport: text in a corner is scaled to its tile, each to another size.
            plot.add_text(words, (0.03, 0.91), font_size=5, color="black", viewport=True)
            plot.camera.parallel_projection = True
            plot.camera.focal_point = focus
            plot.camera.position = focus + np.array([0.0, 0.0, 500.0])
            plot.camera.up = (0, 1, 0)
            plot.camera.parallel_scale = scale
            plot.camera.clipping_range = (100, 1000)
    plot.screenshot(str(out))
    plot.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--movement", default="a", choices=["a", "b"])
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--state", choices=["onset", "recovered"])
    parser.add_argument("--close", default="face", choices=list(VIEWS))
    args = parser.parse_args()
    gallery(args.out, args.movement, args.seed, args.state, args.close)
