"""The app as its users meet it, in a real browser: by mouse and keyboard, in one tab and in two."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Server, exam_zip, ply, start, zipped

from face3d.io import write_scan
from face3d.scan import FaceScan
from face3d.template.template import FaceTemplate


@dataclass
class User:
    """A browser that was given the address, and all that its pages said or asked of others."""

    context: Any
    server: Server
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def tab(self, path: str = "/") -> Any:
        page = self.context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(f"http://{self.server.host}{self.server.base}{path}")
        return page

    def add(self, page: Any, subject: str, visit: str, files: dict[str, bytes] | bytes) -> None:
        """Sends a zip file by the form."""
        data = files if isinstance(files, bytes) else zipped(files)
        page.goto(f"http://{self.server.host}{self.server.base}/add")
        form = page.locator("form").filter(has=page.locator("input[name=archive]"))
        form.get_by_label("Subject").fill(subject)
        form.get_by_label("Visit").fill(visit)
        form.locator("input[name=archive]").set_input_files(
            {"name": "exam.zip", "mimeType": "application/zip", "buffer": data}
        )
        form.get_by_role("button", name="Add this zip file").click()
        page.wait_for_load_state()


@pytest.fixture(scope="module")
def server(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = start(tmp_path_factory.mktemp("app") / "data", module="planted_doing")
    yield started
    started.stop()


@pytest.fixture
def user(browser: Any, server: Server) -> Iterator[User]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    entering = context.new_page()
    entering.goto(server.address)
    assert "token" not in entering.url
    made = User(context, server)
    yield made
    context.close()
    own = f"http://{server.host}{server.base}/"
    assert not [url for url in made.asked if not url.startswith((own, "data:", "blob:"))]


def canvas(page: Any) -> np.ndarray:
    from PIL import Image

    page.wait_for_timeout(300)
    shot = page.locator("canvas").screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), float)[6:-6, 6:-6]


def test_from_upload_to_a_face_that_turns_and_two_visits_compared(user: User) -> None:
    page = user.tab("/add")
    user.add(page, "face1", "pre", exam_zip(1))
    page.get_by_role("link", name="Open the report").click()  # appears by itself when it is done
    page.wait_for_load_state()
    first = canvas(page)
    assert 0.005 < (np.abs(first[..., 0] - first[..., 2]) > 40).mean() < 0.6  # the map is in colour
    page.locator("canvas").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert np.abs(canvas(page) - first).max(axis=-1).mean() > 4
    user.add(page, "face1", "post", exam_zip(2))
    page.get_by_role("link", name="Open the report").wait_for()
    page.get_by_role("link", name="all visits of face1").click()
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("link", name="Open the comparison").click()
    page.wait_for_load_state()
    assert "Better: " in page.locator("main").inner_text()
    both = canvas(page)
    page.locator("canvas").focus()
    page.keyboard.press("ArrowLeft")
    moved = np.abs(canvas(page) - both).max(axis=-1)
    middle = moved.shape[1] // 2
    assert moved[:, :middle].mean() > 2 and moved[:, middle:].mean() > 2
    assert user.said == []


def test_a_report_cannot_reach_the_app(user: User) -> None:
    page = user.tab("/")
    user.add(page, "face2", "", exam_zip(3))
    page.get_by_role("link", name="Open the report").click()
    page.wait_for_load_state()
    assert page.evaluate("origin") == "null"
    tried = "fetch(location.href).then(() => 'reached', () => 'refused')"
    assert page.evaluate(tried) == "refused"
    assert page.evaluate("try { document.cookie } catch (error) { error.name }") == "SecurityError"


def test_landmarks_are_corrected_in_the_report_and_measured_again(user: User, tmp_path: Path) -> None:
    page = user.tab("/")
    template = FaceTemplate.load()
    write_scan(tmp_path / "rest.ply", FaceScan(template.vertices, template.faces))
    user.add(page, "face3", "", {"rest.ply": (tmp_path / "rest.ply").read_bytes()})
    page.get_by_role("link", name="Open the report").click()
    page.wait_for_load_state()
    page.get_by_role("button", name="correct landmarks").click()
    page.get_by_label("choose a landmark").select_option(label="pronasale (prn)")
    page.keyboard.press("ArrowUp")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="save rest.mrk.json").click()
    corrected = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(corrected)
    page.go_back()
    # Not what lies beside the face, by mistake in another unit or of another scan.
    page.get_by_label("Or paste it here").fill("name,x,y,z\nprn,0,0,300\n")
    page.get_by_role("button", name="Use these landmarks").click()
    alarm = page.get_by_role("alert")
    assert "landmarks.rest" in alarm.inner_text() and "do not lie on the scan" in alarm.inner_text()
    page.get_by_label("Or paste it here").fill("")
    page.get_by_label("Landmark file").set_input_files(corrected)
    page.get_by_role("button", name="Use these landmarks").click()
    page.get_by_role("button", name="Measure again").wait_for()
    assert "rest (given)" in page.get_by_label("Of the scan").inner_text()
    page.get_by_label("Or paste it here").fill(corrected.read_text("utf-8"))
    page.get_by_role("button", name="Use these landmarks").click()
    page.get_by_role("button", name="Measure again").wait_for()
    page.get_by_role("button", name="Go back to those found automatically").click()
    page.get_by_role("button", name="Measure again").wait_for()
    assert "rest (found automatically)" in page.get_by_label("Of the scan").inner_text()


def test_a_wrong_file_is_named_and_what_was_typed_stays(user: User) -> None:
    page = user.tab("/")
    user.add(page, "b4", "pre", {"rest.ply": ply(1), "snarl.ply": b"a letter, not a scan"})
    alarm = page.locator("#faults")
    assert "scans.snarl" in alarm.inner_text() and "snarl.ply" in alarm.inner_text()
    assert page.evaluate("document.activeElement.id") == "faults"  # read out first, and where Tab goes on from
    assert page.get_by_label("Subject").first.input_value() == "b4"
    page.goto(f"http://{user.server.host}{user.server.base}/")
    assert "b4" not in page.locator("main").inner_text()


def test_a_full_disk_is_said_and_loses_nothing(user: User) -> None:
    page = user.tab("/")
    full = user.server.data.parent / "full"
    full.touch()
    try:
        user.add(page, "b5", "pre", exam_zip(5))
        assert "disk is full" in page.locator("main").inner_text()
        assert not list((user.server.data / "incoming").iterdir())
    finally:
        full.unlink()
    page.go_back()
    user.add(page, "b5", "pre", exam_zip(5))
    page.get_by_role("link", name="Open the report").wait_for()
    full.touch()
    try:
        page.get_by_role("button", name="Measure again").click()
        page.get_by_text("result could not be written").wait_for()
        # The report that was there before still is.
        assert page.get_by_role("link", name="Open the report").is_visible()
    finally:
        full.unlink()
    page.get_by_role("button", name="Measure again").click()
    page.get_by_text("done", exact=True).wait_for()


def test_two_tabs_do_not_undo_each_other(user: User) -> None:
    one, two = user.tab("/"), user.tab("/")
    user.add(one, "b6", "pre", exam_zip(6))
    user.add(two, "b6", "pre", exam_zip(7))
    assert "there already" in two.get_by_role("alert").inner_text()
    one.get_by_role("link", name="Open the report").wait_for()
    two.get_by_role("link", name="there already").click()
    one.locator("[name='grades.house_brackmann']").select_option("IV")
    one.get_by_label("FaCE total").fill("60")
    two.locator("[name='grades.house_brackmann']").select_option("II")
    one.get_by_role("button", name="Save").click()
    one.get_by_role("button", name="Measure again").wait_for()
    two.get_by_role("button", name="Save").click()
    assert "perhaps in another tab" in two.locator("main").inner_text()
    two.go_back()
    two.reload()
    assert two.locator("[name='grades.house_brackmann']").input_value() == "4"
    # What one tab deletes, the other is told politely.
    one.get_by_role("link", name="all visits of b6").click()
    one.get_by_text("for good").first.click()
    one.get_by_label("to say so").fill("b6")
    one.get_by_role("button", name="Delete for good").click()
    assert "b6" not in one.locator("main").inner_text()
    two.reload()
    assert "was deleted" in two.locator("main").inner_text()


def test_all_can_be_done_by_keyboard(user: User) -> None:
    page = user.tab("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Add an exam"
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    page.locator("input[name=archive]").set_input_files(
        {"name": "exam.zip", "mimeType": "application/zip", "buffer": exam_zip(8)}
    )
    page.get_by_label("Subject").first.focus()
    page.keyboard.type("b7")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Open the report").wait_for()
    unnamed = """[...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a')]
        .filter((e) => !(e.labels && e.labels.length))
        .filter((e) => !e.getAttribute('aria-label') && !e.textContent.trim()).length"""
    for path in ("/", "/add", "/exams/1", "/subjects/1"):
        page.goto(f"http://{user.server.host}{user.server.base}{path}")
        assert page.evaluate(unnamed) == 0, path


@pytest.mark.parametrize("path", ["/", "/add", "/exams/1", "/subjects/1"])
def test_nothing_is_cut_off_on_a_telephone(user: User, path: str) -> None:
    page = user.tab(path)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert user.said == []
