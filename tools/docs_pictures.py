"""Writes docs/images/: what the site and the README show. All faces are simulated.

    python tools/docs_pictures.py [NAME ...]

Reports are photographed as a reader meets them, in Chromium (Debian's) by playwright.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from face3d.geometry.colors import Scale

IMAGES = Path(__file__).parents[1] / "docs/images"
_QUALITY, _FONT = 82, ImageFont.load_default(17)


def exam(folder: Path) -> Image.Image:
    """The head of the demo's report."""
    return _photograph(_demo(folder), 1050)


def face(folder: Path) -> Image.Image:
    """The faces that can be turned in the demo's report, with the bar of their colours."""
    from face3d.geometry.colors import MOVEMENT

    return _with_bar(_photograph(_demo(folder), 700, "canvas"), MOVEMENT)


def _demo(folder: Path) -> Path:
    from face3d.cli import run

    assert run(["demo", "--out", str(folder)]) == 0
    return next(p for p in (folder / "exam" / "report.html", folder / "report.html") if p.exists())


def scan(folder: Path) -> Image.Image:
    """The head of a scan's report."""
    import face3d
    from face3d.cli import run
    from face3d.simulate.demo import demo_scan

    face3d.write_scan(folder / "smile.ply", demo_scan())
    assert run(["analyze", str(folder / "smile.ply"), "--units", "mm", "--out", str(folder / "scan")]) == 0
    return _photograph(folder / "scan" / "report.html", 1180)


def compare(folder: Path) -> Image.Image:
    """The head of a comparison before and after a reanimation of the smile."""
    from face3d.cli import run

    made = ["simulate", "--out", str(folder / "people"), "--subjects", "1", "--treatment", "reanimation", "--seed", "3"]
    assert run(made) == 0
    visits = [str(folder / "people/p0000" / visit) for visit in ("before", "after")]
    assert run(["compare", *visits, "--out", str(folder / "change")]) == 0
    return _photograph(folder / "change" / "report.html", 1330)


def two_distances(folder: Path) -> Image.Image:
    """One smile in both distances, each with its bar."""
    import face3d
    from face3d.geometry.colors import ASYMMETRY, SURFACE
    from face3d.report.pictures import pictures_of
    from face3d.simulate.demo import demo_scan

    pictures = pictures_of(face3d.analyze(demo_scan()))
    shown = ("surface distance", pictures.surface_distance, SURFACE), ("asymmetry", pictures.asymmetry, ASYMMETRY)
    panes = []
    for name, views, scale in shown:
        front = Image.open(io.BytesIO(next(v.png for v in views if v.name == "front"))).convert("RGB")
        pane = Image.new("RGB", (front.width + 40, front.height + 34), "white")
        pane.paste(front, (20, 34))
        draw = ImageDraw.Draw(pane)
        draw.text((20, 6), name, "black", _FONT)
        draw.text((24, front.height - 20), "R", "black", _FONT)
        draw.text((front.width + 2, front.height - 20), "L", "black", _FONT)
        panes.append(_with_bar(pane, scale))
    both = Image.new("RGB", (sum(p.width for p in panes), panes[0].height), "white")
    both.paste(panes[0], (0, 0))
    both.paste(panes[1], (panes[0].width, 0))
    return both


def _with_bar(picture: Image.Image, scale: Scale) -> Image.Image:
    """The picture with the bar of its colours below it."""
    whole = Image.new("RGB", (picture.width, picture.height + 62), "white")
    whole.paste(picture)
    draw, width, top = ImageDraw.Draw(whole), min(picture.width - 120, 600), picture.height + 8
    start = (picture.width - width) // 2
    bar = scale.colors(np.linspace(scale.low, scale.high, width))[None].repeat(14, 0)
    whole.paste(Image.fromarray(bar.astype(np.uint8)), (start, top))
    for at in np.arange(scale.low, scale.high + 0.1, scale.contour):  # where the lines on the face are
        x = start + width * (at - scale.low) / (scale.high - scale.low)
        draw.text((x, top + 18), f"{at:+g} mm" if scale.signed and at else f"{at:g} mm", "black", _FONT, "ma")
    return whole


def grades(folder: Path) -> Image.Image:
    """Rows I to VI of one person, columns rest and the nine expressions."""
    from gallery import gallery

    gallery(folder / "grades.png", "a", 3, None, "face", size=160)
    return Image.open(folder / "grades.png").convert("RGB")


def _photograph(page: Path, height: int, at: str = "", width: int = 1000) -> Image.Image:
    """A page as it stands in a window of that size once the face is drawn, or the element `at` of it."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        window = browser.new_page(viewport={"width": width, "height": height})
        window.goto(page.absolute().as_uri())
        window.wait_for_timeout(2500)
        if at:
            middle = "e => window.scrollTo(0, e.getBoundingClientRect().bottom + window.scrollY - innerHeight + 60)"
            window.locator(at).first.evaluate(middle)
            window.wait_for_timeout(1500)
        box = window.locator(at).first.bounding_box() if at else None
        if box is None:
            shot = window.screenshot()
        else:
            shot = window.screenshot(
                clip={"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}
            )
        browser.close()
    return Image.open(io.BytesIO(shot)).convert("RGB")


_PICTURES: dict[str, Callable[[Path], Image.Image]] = {
    p.__name__: p for p in (exam, face, scan, compare, two_distances, grades)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(_PICTURES)}; all without")
    IMAGES.mkdir(exist_ok=True)
    for name in parser.parse_args().names or _PICTURES:
        with tempfile.TemporaryDirectory() as folder:
            _PICTURES[name](Path(folder)).save(IMAGES / f"{name}.jpg", quality=_QUALITY, optimize=True)
        print(IMAGES / f"{name}.jpg")


if __name__ == "__main__":
    main()
