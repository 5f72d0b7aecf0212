"""What a page carries to be turned by hand: small, exact enough, and never a value that was not measured."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from face3d.errors import SchemaError
from face3d.geometry.colors import ASYMMETRY
from face3d.geometry.mesh import vertex_areas
from face3d.grading.explanation import Explanation
from face3d.landmarks import SIDES
from face3d.measuring.analysis import Analysis
from face3d.measuring.exam_measures import measure_vertices
from face3d.report import scenes
from face3d.report.faces import Faces, read_faces
from face3d.report.pictures import Drawn
from face3d.report.scenes import MOST_FRAMES, compare_scene, exam_scene, frames_scene, recording_scene, scan_scene
from face3d.report.viewer import STEPS, Layer, Scene, State, packed
from face3d.scan import FaceScan, Floats, Texture
from face3d.sequence.tracked import Tracked
from face3d.simulate.head import HeadModel
from face3d.template.template import FaceTemplate
from palsy import face

MODEL = HeadModel.load()
SYMBOLS = [chr(c) for c in range(32, 127) if chr(c) not in '"<\\']


def unpacked(text: str, digits: int = 2) -> np.ndarray:
    """The inverse of `packed`, written independently of it."""
    number = {symbol: k for k, symbol in enumerate(SYMBOLS)}
    groups = [text[i : i + digits] for i in range(0, len(text), digits)]
    return np.array([sum(number[c] * 92 ** (digits - 1 - k) for k, c in enumerate(group)) for group in groups])


def points(scene: dict, state: int) -> np.ndarray:
    raw = unpacked(scene["states"][state]["points"]).reshape(-1, 3)
    return np.array(scene["low"]) + raw * np.array(scene["step"])


def values(scene: dict, state: int, layer: str) -> np.ndarray:
    said = scene["states"][state]["values"][layer]
    if "as" in said:
        return values(scene, said["as"], layer)
    raw = unpacked(said["of"])
    return np.where(raw == 0, np.nan, said["low"] + (raw - 1) / (STEPS - 2) * (said["high"] - said["low"]))


def faces_of(function: float, seed: int = 1, left_out: Sequence[str] = ()) -> Faces:
    rest, moved = face(MODEL, np.random.default_rng(seed), function)
    m = measure_vertices(rest, {e: v for e, v in moved.items() if e not in left_out}, MODEL, "left", "p", "v")
    return Faces(
        MODEL, rest, {e: v.displacement for e, v in m.movements.items()}, {"rest": MODEL.landmark_points(rest)}
    )


def test_numbers_come_back_from_their_text() -> None:
    numbers = np.random.default_rng(0).integers(0, 92**3, 500)
    assert np.array_equal(unpacked(packed(numbers, 3), 3), numbers)
    assert np.array_equal(unpacked(packed([0, 91, 92, STEPS - 1])), [0, 91, 92, STEPS - 1])
    for wrong in ([-1], [STEPS]):
        with pytest.raises(ValueError, match="don't go into 2 digits"):
            packed(wrong)


def test_nothing_in_a_scene_ends_its_script() -> None:
    states, layers = (State("</script>", np.eye(3)),), (Layer("a", "<a>", ASYMMETRY),)
    scene = Scene("</script><b>", np.array([[0, 1, 2]]), states, ((0,),), layers, ("",), np.zeros(3, int))
    text = scene.to_json()
    assert "<" not in text and json.loads(text)["states"][0]["name"] == "</script>"


def test_the_scene_of_an_exam_holds_what_was_measured() -> None:
    faces = faces_of(0.3)
    unseen = MODEL.vertices[:, 1] > 40
    smile = np.where(unseen[:, None], np.nan, faces.displacements["open_smile"])
    faces = Faces(MODEL, faces.rest, {**faces.displacements, "open_smile": smile}, faces.marks)
    scene = json.loads(exam_scene(faces).to_json())
    names = [s["name"] for s in scene["states"]]
    k = names.index("open smile")
    # A step is 0.03 mm of a face's 250; half a step is lost in each direction.
    there = np.where(unseen[:, None], faces.rest, faces.rest + np.nan_to_num(smile))
    assert np.abs(points(scene, k) - there).max() < 0.04
    shown, expected = values(scene, k, "movement"), np.linalg.norm(smile, axis=1)
    assert np.array_equal(np.isnan(shown), unseen)
    assert np.nanmax(np.abs(shown - expected)) < 0.01
    odd = there - there[MODEL.opposite] * [-1, 1, 1]
    known = ~(unseen | unseen[MODEL.opposite])
    assert np.nanmax(np.abs(values(scene, k, "asymmetry") - np.linalg.norm(odd, axis=1))[known]) < 0.01
    assert "movement" not in scene["states"][0]["values"]
    assert scene["panes"][0]["states"] == [0] and scene["panes"][1]["states"][scene["first"]] == k
    corner = scene["places"]["names"][unpacked(scene["places"]["of"], 1)[MODEL.regions["commissure_left"].argmax()]]
    assert corner == "commissure, left"


def test_two_visits_are_compared_at_the_same_places() -> None:
    before, after = faces_of(0.3), faces_of(0.8, left_out=["snarl"])
    scene = json.loads(compare_scene(before, after, ("pre", "post")).to_json())
    left, right = (pane["states"] for pane in scene["panes"])
    assert len(left) == len(right) == len(before.displacements)  # rest, and all but the snarl
    for a, b in zip(left, right, strict=True):
        names = [scene["states"][k]["name"] for k in (a, b)]
        assert names[0].removeprefix("pre: ") == names[1].removeprefix("post: ") != "snarl"
    k = scene["first"]
    change = np.linalg.norm(after.displacements["open_smile"], axis=1) - np.linalg.norm(
        before.displacements["open_smile"], axis=1
    )
    for state in (left[k], right[k]):
        assert np.nanmax(np.abs(values(scene, state, "change") - change)) < 0.01
    assert [s["values"]["change"].get("as") for s in scene["states"] if "change" in s["values"]][-1] == left[-1]  # once
    corner = MODEL.regions["commissure_left"].argmax()
    assert change[corner] > 2 > abs(change[MODEL.opposite[corner]])


def test_a_scan_is_thinned_and_keeps_its_values(dome: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Drawn.of(dome)
    whole = json.loads(scan_scene(dome, drawn).to_json())
    assert np.nanmax(np.abs(values(whole, 0, "surface") - dome.signed_surface_distance_mm)) < 0.01
    monkeypatch.setattr(scenes, "MOST_VERTICES", 800)
    fewer = scan_scene(dome, drawn)
    assert 400 < len(fewer.places) <= 800 and f"{len(fewer.places):,} of its" in fewer.what
    assert fewer.faces.max() < len(fewer.places)
    # The bump stays where it is and as high, but for what a mean over some vertices takes away.
    top = fewer.states[0].vertices[np.nanargmax(fewer.states[0].values["surface"])]
    assert np.hypot(top[0] - 45, top[1] + 35) < 6
    assert np.nanmax(fewer.states[0].values["surface"]) == pytest.approx(
        np.nanmax(dome.signed_surface_distance_mm), abs=0.6
    )


def test_pages_stay_as_small_as_promised() -> None:
    t = FaceTemplate.load()
    rng = np.random.default_rng(0)
    moves = {f"e{k}": rng.normal(size=t.vertices.shape) for k in range(9)}
    assert len(exam_scene(Faces(t, t.vertices, moves)).to_json()) < 1.2e6  # a page has 2.5 MB, pictures included
    frames = [t.vertices + rng.normal(size=t.vertices.shape) for _ in range(60)]
    scene = frames_scene(t, t.vertices, frames, list(np.arange(60) / 30))
    assert len(scene.to_json()) < 5e6 and scene.pause == pytest.approx(1000 / 30)


def test_faces_are_kept_beside_a_result(tmp_path) -> None:
    t = FaceTemplate.load()
    rest = np.where(t.vertices[:, 1:2] > 60, np.nan, t.vertices)
    marks = {"rest": {f"ch_{side}": np.array([k, 2.0, 3.0]) for k, side in enumerate(SIDES)}}
    kept = Faces(t, rest, {"open_smile": np.full(t.vertices.shape, 1.234)}, marks)
    (tmp_path / "faces.npz").write_bytes(kept.to_bytes())
    again = read_faces(tmp_path / "faces.npz")
    assert np.array_equal(np.isnan(again.rest), np.isnan(rest))

    def off(a: Floats, b: Floats) -> float:
        return float(np.nanmax(np.abs(a - b)))

    assert off(again.rest, rest) < 0.006 and off(again.displacements["open_smile"], 1.234) < 0.006
    assert again.marks["rest"]["ch_right"].tolist() == pytest.approx([1, 2, 3])
    (tmp_path / "faces.npz").write_bytes(b"PK nothing")
    with pytest.raises(SchemaError, match=r"faces\.npz: not the faces"):
        read_faces(tmp_path / "faces.npz")
    (tmp_path / "faces.npz").write_bytes(Faces(MODEL, MODEL.vertices, {}).to_bytes())
    with pytest.raises(SchemaError, match="another template"):
        read_faces(tmp_path / "faces.npz")


def explanation(attribution: dict[str, Floats]) -> Explanation:
    none = pd.DataFrame({"expression": [], "region": [], "side": [], "attribution": []})
    return Explanation("severity", 0.64, 0.0, attribution, np.zeros((1, 1)), 0.0, none, none)


def test_what_made_the_grade_is_an_amount_on_each_square_centimetre() -> None:
    faces = faces_of(0.3)
    cm2 = vertex_areas(FaceScan(MODEL.vertices, MODEL.faces)) / 100
    even, place = 0.004 * cm2, np.zeros(len(cm2))
    corner = int(MODEL.regions["commissure_left"].argmax())
    place[corner] = -0.05
    amounts = {e: even if e == "open_smile" else place for e in ("rest", *faces.displacements)}
    scene = json.loads(exam_scene(faces, explanation(amounts)).to_json())
    names = [s["name"] for s in scene["states"]]
    layer = next(layer for layer in scene["layers"] if layer["key"] == "attribution")
    assert layer["unit"] == "% per cm²" and "64 %" in layer["note"] and layer["low"] < 0 < layer["high"]
    assert values(scene, names.index("open smile"), "attribution") == pytest.approx(np.full(len(cm2), 0.4), abs=0.01)
    spread = values(scene, names.index("snarl"), "attribution")
    assert spread.argmin() == corner or np.linalg.norm(MODEL.vertices[spread.argmin()] - MODEL.vertices[corner]) < 3
    # Nothing is added by spreading it: what there was at one place lies around it (the mesh is uneven there).
    assert (spread * cm2).sum() == pytest.approx(-5, rel=0.15) and spread[MODEL.opposite[corner]] == pytest.approx(
        0, abs=1e-3
    )
    assert "attribution" not in {layer["key"] for layer in json.loads(exam_scene(faces).to_json())["layers"]}


def test_colours_are_those_of_the_scanner_or_its_texture(dome: Analysis) -> None:
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, dome.scan.vertices.shape)
    painted = replace(dome, scan=dome.scan.replace(colors=colors))
    scene = json.loads(scan_scene(painted, Drawn.of(painted)).to_json())
    assert np.abs(unpacked(scene["colour"], 1).reshape(-1, 3) / 91 * 255 - colors).max() < 1.5
    assert scene["layers"][-1]["key"] == "colour" and scene["layers"][0]["key"] != "colour"  # off by default
    # A picture that is red on the left and blue on the right of it, laid on by x.
    image = np.zeros((4, 100, 3), np.uint8)
    image[:, :50, 0], image[:, 50:, 2] = 255, 255
    x = dome.scan.vertices[:, 0]
    uv = np.stack([0.02 + 0.96 * (x - x.min()) / np.ptp(x), np.full(len(x), 0.5)], axis=1)[dome.scan.faces]
    painted = replace(dome, scan=dome.scan.replace(texture=Texture(image, uv)))
    scene = json.loads(scan_scene(painted, Drawn.of(painted)).to_json())
    rgb = unpacked(scene["colour"], 1).reshape(-1, 3)
    assert (rgb[x < -5] == [91, 0, 0]).all() and (rgb[x > 5] == [0, 0, 91]).all()


def test_a_recording_keeps_its_frames_of_full_movement() -> None:
    t = FaceTemplate.load()
    n, lost = 200, np.zeros(200, bool)
    lost[40:80] = True
    frames = np.repeat(t.vertices[None].astype(np.float32), n, axis=0)
    frames[:, :, 1] += np.arange(n)[:, None] * 0.01
    frames[lost] = np.nan
    seen = np.ones((n, len(t.vertices)), bool)
    seen[150, :100] = False
    known = np.zeros(n)
    tracked = Tracked(t, "r", 60.0, t.vertices, np.arange(n) / 60, frames, seen, lost, known, known, {})
    scene = recording_scene(tracked, [150, 45, 13])
    assert scene is not None
    times = [s.time_s for s in scene.states[1:]]
    assert len(times) <= MOST_FRAMES and times == sorted(times)  # type: ignore[type-var]
    assert 150 / 60 in times and 13 / 60 in times and not any(40 / 60 <= v < 80 / 60 for v in times if v is not None)
    first = scene.states[scene.panes[1][scene.first]]
    assert first.time_s == 150 / 60
    moved = first.values["movement"]
    assert np.isnan(moved[:100]).all() and moved[100:] == pytest.approx(np.full(len(moved) - 100, 1.5), abs=1e-3)
    nothing = Tracked(
        t, "r", 60.0, t.vertices, np.zeros(1), frames[40:41], seen[:1], np.ones(1, bool), known[:1], known[:1], {}
    )
    assert recording_scene(nothing, []) is None
