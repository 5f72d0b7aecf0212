"""Views outside of pages: the same scene, never a dead kernel, never a blank cell, small when saved."""

import base64
import io
import os
import re
import signal
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

import face3d
from face3d import cli
from face3d.errors import OutputError, SchemaError
from face3d.geometry.colors import CHANGE, MOVEMENT, UNMEASURED
from face3d.measuring.analysis import Analysis
from face3d.report.outputs import write_outputs
from face3d.report.scenes import exam_scene, frames_scene
from face3d.template.template import FaceTemplate
from face3d.viewing import notebook, window
from face3d.viewing.notebook import MOST_CHARACTERS, light
from face3d.viewing.probe import in_child
from face3d.viewing.shown import scene_of
from face3d.viewing.still import still
from planted_results import exam_result, faces

SEGFAULT = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"


def recording(frames: int) -> Any:
    t = FaceTemplate.load()
    ways = [t.vertices + np.array([0.0, 0.1 * k, 0.0]) for k in range(frames)]
    return frames_scene(t, t.vertices, ways, [k / 30 for k in range(frames)], first=frames - 3)


def picture(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), np.float64)


def test_everything_that_can_be_looked_at(dome: Analysis, tmp_path: Path) -> None:
    write_outputs(dome, tmp_path / "scan")
    exam = exam_result(tmp_path / "exam")
    stored, measured = scene_of(tmp_path / "scan"), scene_of(dome)
    furthest = [np.nanmax(np.abs(s.states[0].values["surface"])) for s in (stored, measured)]
    assert furthest[0] == pytest.approx(furthest[1], abs=1e-6)
    assert [s.name for s in scene_of(exam).states] == ["rest", "open smile"]
    assert [s.name for s in scene_of(exam, exam).states][:2] == ["before: rest", "before: open smile"]
    assert len(scene_of(dome.scan).layers) == 1
    for wrong in (7, tmp_path, "nowhere"):
        with pytest.raises(SchemaError, match="nothing to look at"):
            scene_of(wrong)
    with pytest.raises(SchemaError, match="two visits"):
        scene_of(exam, dome)


def test_the_picture_shows_the_map_and_its_scale() -> None:
    shown = picture(still(exam_scene(faces())).png)
    # The smile is planted on the subject's right, which is the left of the right view; there it is 5 mm.
    near = np.abs(shown - MOVEMENT.colors(5.0)).max(axis=2) < 25
    assert near[22:400, 300:450].sum() > 10 * max(near[22:400, 450:].sum(), 1) > 0
    for end in MOVEMENT.stops[[0, -1]]:
        assert (np.abs(shown - end).max(axis=2) < 1).any()  # the ends of the bar, to the number
    assert (np.abs(shown - UNMEASURED).max(axis=2) < 60).any()


def test_what_is_saved_is_small_and_of_a_recording_says_so() -> None:
    whole = recording(90)
    few = light(whole)
    assert len(notebook.page_of(few)) < MOST_CHARACTERS + 250_000 < len(notebook.page_of(whole))
    assert (
        "of 90 frames" in few.what and few.states[few.panes[-1][few.first]].name == whole.states[1 + whole.first].name
    )
    assert few.pause > whole.pause
    both = light(scene_of_two())
    assert both.layers and len(both.states) == 4


def scene_of_two() -> Any:
    from face3d.report.scenes import compare_scene

    return compare_scene(faces(1), faces(2), ("before", "after"))


def test_the_page_arrives_as_it_is(browser: Any, tmp_path: Path) -> None:
    shown = notebook.Shown(scene_of_two())
    assert unescape(re.search("srcdoc='([^']*)'", shown.frame).group(1)) == shown.page
    # The notebook around it is in another encoding: the page's policy would stop a program that was changed by it.
    (tmp_path / "n.html").write_text(f"<meta charset=latin1><body>{shown.frame}")
    page, said = browser.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    page.goto((tmp_path / "n.html").as_uri())
    page.frame_locator("iframe").locator(".viewer.live").wait_for(timeout=60_000)
    assert not said
    page.close()


def test_a_notebook_keeps_its_picture_and_its_kernel(tmp_path: Path) -> None:
    exam = exam_result(tmp_path / "exam")
    source = Path(face3d.__file__).parents[1]
    code = [
        f"import sys; sys.path.insert(0, {str(source)!r})\nimport face3d\nface3d.view({str(exam)!r})",
        # A graphics library that ends every process that draws with it.
        f"from face3d.viewing import window\nwindow.DRAWS = {SEGFAULT!r}\nface3d.view({str(exam)!r}, trame=True)",
        "print('alive')",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in code])
    NotebookClient(book, timeout=300, kernel_name="python3").execute()
    for cell in book.cells[:2]:
        kinds = [set(o.get("data", {})) for o in cell.outputs]
        assert any("image/png" in k for k in kinds) and any("text/html" in k for k in kinds)
        png = next(o["data"]["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
        assert picture(base64.b64decode(png)).std() > 10
        html = next(o["data"]["text/html"] for o in cell.outputs if "text/html" in o.get("data", {}))
        assert "<iframe sandbox='allow-scripts'" in html
    assert book.cells[2].outputs[0]["text"] == "alive\n"
    assert len(nbformat.writes(book)) < 2 * (MOST_CHARACTERS + 500_000)


def test_a_crash_is_told_and_tried_once() -> None:
    assert "SIGSEGV" in in_child(SEGFAULT)
    assert in_child("") == "" and in_child("raise ValueError('no')") == "ValueError: no"


def test_a_window_off_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyvista")
    if wrong := in_child(window.DRAWS):
        pytest.skip(f"PyVista draws nothing here: {wrong}")
    smile = faces().displacements["open_smile"]
    moves = {e: smile * k for k, e in enumerate(("snarl", "brow_raise", "open_smile"))}
    scene = exam_scene(replace(faces(), displacements=moves))
    shown = window.Window(scene, off_screen=True)
    before = picture(shown.picture(tmp_path / "a.png").read_bytes())
    shown.choose(0)
    other = picture(shown.picture(tmp_path / "b.png").read_bytes())
    shown.next_map()
    third = picture(shown.picture(tmp_path / "c.png").read_bytes())
    if "EGL" in shown.plotter.render_window.GetClassName():  # as where a display is named that nobody can open
        with pytest.raises(OutputError, match="cannot be opened"):
            shown.check_opens()
    shown.plotter.close()
    for one, two in ((before, other), (other, third)):
        assert np.abs(one - two).mean() > 0.5  # another expression, another map
    assert before[:, 620:].std() > 10
    with pytest.raises(OutputError, match="no display"):
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        monkeypatch.setattr("sys.platform", "linux")
        window.check_display()


def test_a_table_has_the_scales_own_colours() -> None:
    pytest.importorskip("pyvista")
    table = window.table(CHANGE)
    for value in (-8.0, -4.0, 0.0, 3.0, 8.0):
        assert np.abs(np.array(table.map_value(value)[:3]) * 255 - CHANGE.colors(value)).max() < 4


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    exam = str(exam_result(tmp_path / "exam"))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if os.name == "posix" and os.uname().sysname == "Linux":
        assert cli.run(["view", exam]) == 2
        assert "open report.html in a browser" in capsys.readouterr().err
    monkeypatch.setattr(window, "DRAWS", SEGFAULT)
    pytest.importorskip("pyvista")
    assert cli.run(["view", exam, "--picture", str(tmp_path / "a.png")]) == 2
    assert "SIGSEGV" in capsys.readouterr().err
