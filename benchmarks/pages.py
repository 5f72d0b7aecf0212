"""What the pages cost a browser: bytes, time until they are ready, time to answer; requests and errors (none allowed).

    python benchmarks/pages.py [--repeats 5] [--keep FOLDER]

Headless Chromium draws by software (SwiftShader). Pages: one simulated scan of 20,000 vertices; the embedded exam of
ten expressions, with its landmarks' pictures and what made the grade; that exam's visit beside a second one; sixty
frames of a smile on the template. *ready*: from the navigation to the second frame after the page is there; *turn*,
*choose*: from a key or a step of the slider until the picture's pixels can be read. Wall clock (median) depends on what
else the machine does; CPU time of all of Chromium's processes does less so, and a machine that does nothing else needs
no longer than that. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from shown import Shown, numbers

SEED = 61_409
#: The bytes that are promised of each page.
PROMISED = {"scan": 1.0e6, "exam": 2.5e6, "compare": 2.5e6, "sequence": 5.0e6}
VIEWPORTS = ((1280, 800), (390, 844))
#: Turns, and choices, of each page.
ACTS = 9

READY = (
    """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"""
)
#: The viewer draws in the next frame; what is asked of that frame afterwards waits for its pixels. Without a pause
#: between, as when a face is turned: none is drawn finer meanwhile.
ANSWER = """async ([act, times]) => {
  const canvas = document.querySelector("canvas"), gl = canvas.getContext("webgl2"), took = [];
  const slider = document.querySelector(".viewer input[type=range]");
  for (let i = 0; i < times; i++) {
    const from = performance.now();
    if (act === "turn") canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
    else if (slider) {
      slider.value = (Number(slider.value) + 7) % (Number(slider.max) + 1);
      slider.dispatchEvent(new Event("input"));
    } else canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "]" }));
    await new Promise(requestAnimationFrame);
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    took.push(performance.now() - from);
  }
  return took;
}"""


def pages() -> dict[str, str]:
    """name -> HTML."""
    from face3d.grading.examination import examine
    from face3d.measuring.analysis import analyze
    from face3d.measuring.comparison import compare
    from face3d.report.compare_page import compare_page
    from face3d.report.compare_result import compare_result
    from face3d.report.exam_page import exam_page
    from face3d.report.exam_result import exam_result, examined_result
    from face3d.report.faces import Faces
    from face3d.report.movement_pictures import (
        change_pictures,
        frame_pictures,
        landmark_pictures,
        movement_pictures,
    )
    from face3d.report.outputs import report_of
    from face3d.report.scan_result import result_of
    from face3d.report.scenes import compare_scene, exam_scene, frames_scene
    from face3d.simulate import HeadModel, draw_patient, scan_face
    from face3d.simulate.demo import demo_exam

    model = HeadModel.load("b", "fine")
    who = draw_patient(np.random.default_rng(SEED), model, grade=4, side="left")
    scan = scan_face(who.model, who.vertices("open_smile"), np.random.default_rng(SEED), points=20_000).scan
    skin = np.random.default_rng(SEED).integers(120, 220, scan.vertices.shape)
    analysis = analyze(scan.replace(landmarks={}, name="open_smile.ply", colors=skin))
    made = {"scan": report_of(analysis, result_of(analysis))}

    x = examine(demo_exam())
    faces, why = Faces.of(x), x.explain()
    scene = exam_scene(faces, why)
    maps = movement_pictures(x.fitted.rest, x.measures.movements, x.fitted.template)
    result = exam_result(x.measures, grade=x.grade)
    made["exam"] = exam_page(result, maps, scene=scene, why=why, marks=landmark_pictures(scene))

    both = [examined_result(x)] * 2
    beside = compare_scene(faces, faces, ("before", "after"))
    changes = compare_result(compare(x.measures, x.measures, same_person=True), both)
    made["compare"] = compare_page(changes, beside, change_pictures(beside))

    smile = np.nan_to_num(faces.displacements["open_smile"])
    times = np.arange(60) / 30
    frames = [faces.rest + np.sin(np.pi * t / times[-1]) * smile for t in times]
    moving = frames_scene(faces.template, faces.rest, frames, times.tolist(), first=30)
    made["sequence"] = exam_page(result, frame_pictures(moving), scene=moving)
    return made


def cpu_ms(mark: str) -> float:
    """CPU time of the processes of the Chromium that was started with `mark` among its arguments, until now."""
    parents, times, first = {}, {}, 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if not first and mark.encode() in (entry / "cmdline").read_bytes():
                first = pid
        except (OSError, IndexError):
            continue  # it ended meanwhile
        parents[pid], times[pid] = int(fields[1]), int(fields[11]) + int(fields[12])

    def ours(pid: int) -> bool:
        while pid and pid != first:
            pid = parents.get(pid, 0)
        return pid == first != 0

    return 1000 * sum(t for pid, t in times.items() if ours(pid)) / os.sysconf("SC_CLK_TCK")


def measured(browser: Any, mark: str, file: Path, size: tuple[int, int], repeats: int) -> dict[str, Any]:
    """Of one page in a window of this size: name -> (median wall, mean CPU) in ms, and what it asked for and said."""
    found: dict[str, list[float]] = {"ready": [], "turn": [], "choose": []}
    spent = dict.fromkeys(found, 0.0)
    heard: list[str] = []
    for _ in range(repeats):
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.on("request", lambda request: heard.append(request.url))
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        before = cpu_ms(mark)
        page.goto(file.as_uri())
        heard.remove(file.as_uri())
        found["ready"].append(page.evaluate(READY))
        spent["ready"] += cpu_ms(mark) - before
        if page.locator(".viewer.live").count() != 1:
            heard.append("the viewer does not live")
        for act in ("turn", "choose"):
            before = cpu_ms(mark)
            found[act] += page.evaluate(ANSWER, [act, ACTS])
            spent[act] += (cpu_ms(mark) - before) / ACTS
        page.close()
    return {name: (float(np.median(found[name])), spent[name] / repeats) for name in found} | {"heard": heard}


def main() -> None:
    """Prints a row a page and window."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="folder in which the pages are kept; those that lie there are taken")
    wanted = parser.parse_args()
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        print("playwright is not installed: pages are not measured")
        return
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no chromium: pages are not measured")
        return
    arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
    mark = f"--of-face3d-{os.getpid()}"
    acts = ("ready", "turn", "choose")
    columns = [f"{act}, ms {of}" for act in acts for of in ("wall", "CPU")]
    table = Shown(
        "Pages in a browser that draws by software", "page, window", "MB", "promised", *columns, "said, asked for"
    )
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = wanted.keep or Path(scratch)
        files = {name: folder / f"{name}.html" for name in PROMISED}
        if not all(file.is_file() for file in files.values()):
            folder.mkdir(parents=True, exist_ok=True)
            for name, html in pages().items():
                files[name].write_text(html, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=[*arguments, mark])
        for name, file in files.items():
            for size in VIEWPORTS:
                m = measured(browser, mark, file.absolute(), size, wanted.repeats)
                sizes = (file.stat().st_size / 1e6, PROMISED[name] / 1e6)
                times = [v for act in acts for v in m[act]]
                heard = "; ".join(m["heard"]) or "nothing"
                table.row(f"{name}, {size[0]} x {size[1]}", *numbers(sizes), *numbers(times, 0), heard)
        browser.close()


if __name__ == "__main__":
    main()
