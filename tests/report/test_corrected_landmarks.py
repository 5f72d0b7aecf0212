"""Landmarks that were corrected by hand in a page: where they are put is where measuring finds them."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.cli import run
from face3d.io import read_landmarks, write_scan
from face3d.measuring.analysis import Analysis, analyze
from face3d.report.faces import Faces
from face3d.report.outputs import report_of
from face3d.report.pictures import Drawn
from face3d.report.scan_result import Result, result_of
from face3d.report.scenes import exam_scene, scan_scene
from face3d.report.viewer import Scene, Source, program
from face3d.scan import FaceScan, Floats
from face3d.simulate.demo import demo_scan
from face3d.simulate.head import HeadModel
from pages import Opened
from palsy import face

MODEL = HeadModel.load()
#: As far from the head frame as scanners deliver faces.
POSE = RigidTransform.from_components([40.0, -15.0, 900.0], Rotation.from_euler("yxz", [160, 12, -20], degrees=True))


def page_of(scene: Scene) -> str:
    """The smallest page that holds a scene."""
    css = (files("face3d.report") / "page.css").read_text("utf-8")
    held = f'<div class="viewer" data-scene><script type="application/json">{scene.to_json()}</script></div>'
    return f"<!doctype html><style>{css}</style>{held}<script>{program()[0]}</script>"


def heard(made: Opened) -> list[dict[str, str]]:
    """What the page said of landmarks to whoever listens."""
    return made.page.evaluate("window.heard")


LISTEN = "window.heard = []; document.addEventListener('face3d:landmarks', (e) => window.heard.push(e.detail));"


def on_screen(made: Opened, point: Floats, pane: int = 0, panes: int = 1) -> tuple[float, float]:
    """Where a point of the head frame is seen from the front."""
    made.page.locator(".stage").scroll_into_view_if_needed()
    box = made.page.locator(".stage").bounding_box()
    across, down = (1, panes) if box["width"] < 260 * panes else (panes, 1)  # on a telephone one below the other
    width, height = box["width"] / across, box["height"] / down
    per_mm = min(width / 190, height / 250)
    x = box["x"] + ((pane if down == 1 else 0) + 0.5) * width + point[0] * per_mm
    return x, box["y"] + ((pane if across == 1 else 0) + 0.5) * height - (point[1] + 30) * per_mm


def correct(made: Opened) -> None:
    made.page.get_by_role("button", name="correct landmarks").click()


def drag(made: Opened, start: Floats, end: Floats, pane: int = 0, panes: int = 1) -> None:
    """By the mouse, in some steps."""
    a, b = (on_screen(made, p, pane, panes) for p in (start, end))
    made.page.mouse.move(*a)
    made.page.mouse.down()
    for share in np.linspace(0.2, 1, 5):
        made.page.mouse.move(a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))
    made.page.mouse.up()


def saved(made: Opened, name: str, folder: Path) -> Path:
    """The file that the page gives when its button is pressed."""
    with made.page.expect_download() as waiting:
        made.page.get_by_role("button", name=f"save {name}").click()
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    return file


def moved_exam() -> tuple[Faces, RigidTransform]:
    """A face whose smile was scanned in another place, and the way from the page to that scan."""
    rest, moved = face(MODEL, np.random.default_rng(1), 0.3, "left", posed=False)
    smile = moved["open_smile"]
    marks = {e: MODEL.landmark_points(v) for e, v in (("rest", rest), ("open_smile", smile))}
    sources = {"rest": Source("rest.ply", RigidTransform.identity()), "open_smile": Source("smile.obj.gz", POSE)}
    return Faces(MODEL, rest, {"open_smile": smile - rest}, marks, sources), POSE


def test_a_dragged_landmark_lies_on_the_skin_and_is_saved_in_its_scans_own_place(
    opened: Callable[..., Opened], tmp_path: Path
) -> None:
    faces, pose = moved_exam()
    made = opened(page_of(exam_scene(faces)), script=LISTEN)
    correct(made)
    smile = faces.rest + faces.displacements["open_smile"]
    start = faces.marks["open_smile"]["ch_left"]
    skin = smile[np.abs(smile[:, 2] - start[2]) < 25]
    end = skin[KDTree(skin[:, :2]).query(start[:2] + np.array([9.0, -6.0]))[1]]
    drag(made, start, end, pane=1, panes=2)
    file = saved(made, "smile.mrk.json", tmp_path)
    given = read_landmarks(file)
    assert list(given) == ["ch_left"]  # only what was moved: nothing else was looked at
    back = pose.inv().apply(given["ch_left"])
    # A pixel of the page is 0.4 mm, a vertex of the target lies on the surface.
    assert np.linalg.norm(back - end) < 0.8
    assert KDTree(smile).query(back)[0] < 4.0
    (said,) = heard(made)
    assert said["file"] == "smile.mrk.json" and said["expression"] == "open smile"
    assert json.loads(said["landmarks"]) == json.loads(file.read_text("utf-8"))
    # Beside it the face still turns, and nothing is moved by that.
    made.page.mouse.move(*on_screen(made, np.array([0.0, 60.0, 0.0]), 1, 2))
    made.page.mouse.down()
    made.page.mouse.move(*on_screen(made, np.array([30.0, 60.0, 0.0]), 1, 2))
    made.page.mouse.up()
    assert len(heard(made)) == 1
    assert (made.said, made.asked) == ([], [])


def test_keys_move_a_landmark_and_undo_it(opened: Callable[..., Opened]) -> None:
    faces, _ = moved_exam()
    made = opened(page_of(exam_scene(faces)), script=LISTEN)
    correct(made)
    made.page.get_by_label("choose a landmark").select_option(label="pronasale (prn)")
    for key in ("ArrowUp", "Shift+ArrowLeft", "Shift+ArrowLeft"):
        made.page.keyboard.press(key)
    points = [json.loads(h["landmarks"])["markups"][0]["controlPoints"] for h in heard(made)]
    start, end = faces.marks["rest"]["prn"], np.array(points[-1][0]["position"])
    assert [p[0]["label"] for p in points] == ["prn"] * 3
    assert end[:2] - start[:2] == pytest.approx([-4.0, 0.5], abs=0.05)
    for left in (1, 1, 0):
        made.page.keyboard.press("u")
        now = json.loads(heard(made)[-1]["landmarks"])["markups"][0]["controlPoints"]
        assert len(now) == left
    assert made.page.locator(".corrected button").count() == 0
    # Let go of, arrow keys turn the face and move nothing.
    made.page.keyboard.press("Escape")
    made.page.keyboard.press("ArrowRight")
    assert len(heard(made)) == 6
    # From the other side it is hidden, and stays where it is.
    for _ in range(8):
        made.page.keyboard.press("ArrowRight")
    made.page.get_by_label("choose a landmark").select_option(label="mouth corner right (ch)")
    made.page.keyboard.press("ArrowUp")
    assert len(heard(made)) == 6 and "hidden" in made.page.locator("output").inner_text()


def test_a_finger_drags_a_landmark_and_does_not_scroll(opened: Callable[..., Opened]) -> None:
    faces, _ = moved_exam()
    made = opened(page_of(exam_scene(faces)), 390, 844, script=LISTEN)
    correct(made)
    start = faces.marks["rest"]["prn"]
    a, b = (on_screen(made, p, 0, 2) for p in (start, start + np.array([0.0, 12.0, 0.0])))
    made.page.evaluate(
        """([a, b]) => {
          const canvas = document.querySelector("canvas");
          const finger = { pointerId: 1, pointerType: "touch", bubbles: true };
          const make = (type, [x, y]) => canvas.dispatchEvent(
            new PointerEvent(type, { ...finger, clientX: x + 4, clientY: y - 3 }));  // a finger is not exact
          canvas.setPointerCapture = () => {};
          make("pointerdown", a);
          make("pointermove", b);
          make("pointerup", b);
        }""",
        [a, b],
    )
    (said,) = heard(made)
    end = json.loads(said["landmarks"])["markups"][0]["controlPoints"][0]
    assert end["label"] == "prn"
    assert np.array(end["position"])[:2] - start[:2] == pytest.approx([0.0, 12.0], abs=0.3)
    assert made.page.evaluate("getComputedStyle(document.querySelector('canvas')).touchAction") == "none"


def test_what_was_given_before_is_saved_along(opened: Callable[..., Opened], dome: Analysis, tmp_path: Path) -> None:
    assert len(dome.scan.landmarks) > 5  # the dome's were all given
    made = opened(page_of(scan_scene(dome, Drawn.of(dome))))
    correct(made)
    start = dome.landmarks["prn"]
    drag(made, start, start + np.array([6.0, 0.0, 0.0]))
    given = read_landmarks(saved(made, "dome.mrk.json", tmp_path))
    assert set(given) == set(dome.scan.landmarks)
    away = {name: np.linalg.norm(given[name] - point) for name, point in dome.scan.landmarks.items()}
    assert away.pop("prn") >= 6 and max(away.values()) < 0.01


def test_the_corrected_place_is_what_is_measured(
    opened: Callable[..., Opened], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = demo_scan()
    write_scan(tmp_path / "smile.ply", scan)
    before = analyze(FaceScan(scan.vertices, scan.faces, name="smile.ply"))
    made = opened(report_of(before, result_of(before)))
    correct(made)
    start = before.head.apply(before.landmarks["pg"])
    drag(made, start, start + np.array([5.0, -3.0, 0.0]))
    file = saved(made, "smile.mrk.json", tmp_path)
    ((name, wanted),) = read_landmarks(file).items()
    assert name == "pg" and np.linalg.norm(wanted - before.landmarks["pg"]) > 5.0
    assert run(["analyze", str(tmp_path / "smile.ply"), "--landmarks", str(file), "--json"]) == 0
    after = Result.model_validate_json(capsys.readouterr().out)
    assert after.landmarks["pg"].source == "given"
    assert np.array(after.landmarks["pg"].position_mm) == pytest.approx(wanted, abs=1e-3)
    assert after.landmarks["prn"].source == "found"
