"""What can be asked for, and what is answered. Each route calls one function of the vault, the checker or the pages."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from face3d.app import forms
from face3d.app.check import Checker, Parcel
from face3d.app.guard import Keys
from face3d.app.pages import STATIC, Pages, as_pdf, downloads, report_policy
from face3d.app.receive import Bounds, Form, RefusedError, received
from face3d.app.roots import Root
from face3d.app.runner import Runner
from face3d.app.store import ExamRow, Job, StaleError, SubjectRow, TakenError
from face3d.app.tables import tables
from face3d.app.vault import Vault, manifest_of
from face3d.io.landmark_files import LANDMARK_KINDS
from face3d.io.manifest import Fault
from face3d.report.folder import REPORT, REPORT_PDF

_FULL = (errno.ENOSPC, errno.EDQUOT)
_HEADINGS = {
    404: "Not found",
    408: "Too slow",
    409: "Changed in the meantime",
    413: "Too large",
    503: "Busy",
    507: "The disk is full",
}


class Desk:
    """Everything that routes need; `roots` the folders of this machine that exams may be added from."""

    def __init__(
        self, vault: Vault, runner: Runner, checker: Checker, keys: Keys, bounds: Bounds, roots: tuple[Root, ...] = ()
    ) -> None:
        self.vault, self.runner, self.checker, self.keys, self.bounds, self.roots = (
            *(vault, runner, checker),
            *(keys, bounds, roots),
        )
        self.pages = Pages(vault, runner, keys, bounds)
        self._places = asyncio.Semaphore(bounds.at_once)

    @asynccontextmanager
    async def form(self, request: Request) -> AsyncIterator[tuple[Form, Path]]:
        """What a request sends, and a folder for it that is gone afterwards."""
        try:
            await asyncio.wait_for(self._places.acquire(), self.bounds.patience)
        except TimeoutError:
            raise RefusedError(503, "Too much is being received at a time; try again in a moment.") from None
        folder = None
        try:
            folder = await run_in_threadpool(self.vault.receiving)
            yield await received(request.headers, request.receive, folder, self.bounds, self.keys.form), folder
        finally:
            self._places.release()
            if folder is not None:
                await run_in_threadpool(shutil.rmtree, folder, True)

    def url(self, path: str) -> str:
        """The address of a page."""
        return f"{self.keys.base}{path}"

    def exam(self, number: int) -> ExamRow:
        """Raises `RefusedError` where there is none."""
        if (found := self.vault.store.exam(number)) is None:
            raise RefusedError(404, "There is no such exam, or it was deleted.")
        return found

    def subject(self, number: int) -> SubjectRow:
        """Raises `RefusedError` where there is none."""
        if (found := self.vault.store.subject(number)) is None:
            raise RefusedError(404, "There is no such person, or it was deleted.")
        return found

    def comparison(self, number: int) -> Job:
        """Raises `RefusedError` where there is none."""
        if not (found := self.vault.store.jobs("id = ? AND other > 0", number)):
            raise RefusedError(404, "There is no such comparison; it goes when one of its exams is measured again.")
        return found[0]

    # ------------------------------------------------------------ what is done, off the server's own thread

    def keep(self, parcel: Parcel, form: Form) -> Response:
        """Looks at what came in and keeps it, or says what is wrong with it."""
        looked = self.checker.look(parcel)
        faults = [Fault(field, text) for field, text in looked.faults]
        if faults:
            return self.again(form, faults)
        try:
            number = self.vault.add(looked.arrival)
        except TakenError as error:
            if not error.exam:
                raise RefusedError(409, "This person is being deleted; add the exam again in a moment.") from None
            return HTMLResponse(self.pages.add(self._listed(), (), dict(form.fields), error.exam), 409)
        self.runner.wake()
        return self.to(f"/exams/{number}")

    def again(self, form: Form, faults: list[Fault] | tuple[Fault, ...]) -> Response:
        """The forms once more, with what is wrong."""
        return HTMLResponse(self.pages.add(self._listed(), faults, dict(form.fields)), 422)

    def revised(self, number: int, form: Form, change: Callable[[ExamRow], tuple[Any, Any, Any]]) -> Response:
        """An exam with another manifest. `change` gives manifest, new files and faults."""
        exam = self.exam(number)
        if form["revision"] != str(exam.revision):
            raise StaleError
        manifest, new, faults = change(exam)
        if faults:
            return HTMLResponse(self.pages.exam(exam, faults, dict(form.fields)), 422)
        self.vault.revise(exam, manifest, new)
        self.runner.wake()
        return self.to(f"/exams/{number}")

    def landmarks(self, exam: ExamRow, form: Form, folder: Path) -> tuple[Any, Any, tuple[Fault, ...]]:
        """The manifest with the landmarks that were given, once they fit their scan."""
        manifest, expression = self.vault.manifest(exam), form["expression"]
        where = f"landmarks.{expression}"[:60]
        if expression not in forms.landmarks_in(manifest):
            return None, None, (Fault(where, "this exam has no scan of that expression"),)
        if form["do"] == "automatic":
            return forms.with_landmarks(manifest, expression, None), None, ()
        upload = next((u for u in form.files if u.field == "file"), None)
        if (upload is None) == (not form["pasted"]):
            return None, None, (Fault(where, "give either a file or pasted text"),)
        if upload is not None:
            kind = next((k for k in LANDMARK_KINDS if upload.name.lower().endswith(k)), "")
            data = upload.path.read_bytes()
        else:
            kind, data = ".json" if form["pasted"][:1] in "{[" else ".csv", form["pasted"].encode()
        name = f"landmarks-{expression}-{secrets.token_hex(8)}{kind or '.unknown'}"
        # Looked at beside the exam's own files, by other names for these: nothing is changed where they don't fit.
        trial = folder / "trial"
        shutil.copytree(self.vault.folder(exam), trial, copy_function=_linked)
        (trial / name).write_bytes(data)
        changed = forms.with_landmarks(manifest, expression, name)
        (trial / manifest_of(0)).write_text(forms.as_text(changed), encoding="utf-8")
        looked = self.checker.landmarks(str(trial / manifest_of(0)), expression)
        return changed, {name: trial / name}, tuple(Fault(f, t) for f, t in looked.faults)

    def to(self, path: str) -> Response:
        """Another page, after something was done."""
        return RedirectResponse(self.url(path), 303)

    def listed(self) -> str:
        """The forms for a new exam."""
        return self.pages.add(self._listed())

    def _listed(self) -> list[dict[str, Any]]:
        return [root.listed() for root in self.roots]


def router(desk: Desk) -> APIRouter:
    """All routes."""
    routes = APIRouter(prefix=desk.keys.base, default_response_class=HTMLResponse)
    vault, pages, store = desk.vault, desk.pages, desk.vault.store

    @routes.get("/")
    def index() -> str:
        return pages.index()

    @routes.get("/static/{name}")
    def static(name: str) -> Response:
        there = {"page.css": "face3d.report", "app.css": "face3d.app", "app.js": "face3d.app", "icon.svg": "face3d.app"}
        if name not in there:
            raise RefusedError(404, "There is no such file.")
        kind = STATIC[name.rpartition(".")[2]]
        return Response((files(there[name]) / name).read_bytes(), media_type=kind)

    @routes.get("/queue.json")
    def queue() -> Response:
        jobs = {}
        for job in store.jobs("state IN ('queued', 'running')"):
            at = desk.runner.progress(job) if job.state == "running" else None
            step = at.step.replace("_", " ") if at else "being measured" if job.state == "running" else "waiting"
            jobs[str(job.id)] = {"done": at.done if at else 0, "total": at.total if at else 0, "step": step}
        return JSONResponse(jobs)

    @routes.get("/add")
    def add() -> str:
        return desk.listed()

    @routes.post("/add/archive")
    async def add_archive(request: Request) -> Response:
        async with desk.form(request) as (form, folder):
            upload = next((u for u in form.files if u.field == "archive"), None)
            if upload is None:
                return await run_in_threadpool(desk.again, form, [Fault("archive", "missing; choose a zip file")])
            parcel = Parcel(str(folder), str(_named(upload.path, "the zip file")), facts=forms.facts_of(form))
            return await run_in_threadpool(desk.keep, parcel, form)

    @routes.post("/add/files")
    async def add_files(request: Request) -> Response:
        async with desk.form(request) as (form, folder):
            scans, taken, faults = forms.scans_of(form.files)
            if faults or not scans["scans"].get("rest"):
                faults = faults or (Fault("scans.rest", "missing; every movement is measured from it"),)
                return await run_in_threadpool(desk.again, form, faults)
            (folder / "files").mkdir()
            for name, upload in taken.items():
                upload.path.rename(folder / "files" / name)
            parcel = Parcel(str(folder), facts={**forms.facts_of(form), **scans})
            return await run_in_threadpool(desk.keep, parcel, form)

    @routes.post("/add/folder")
    async def add_folder(request: Request) -> Response:
        async with desk.form(request) as (form, folder):
            number = int(form["root"]) if form["root"].isdecimal() and len(form["root"]) < 4 else len(desk.roots)
            root = desk.roots[number] if number < len(desk.roots) else None
            source = await run_in_threadpool(root.exam, form["exam"]) if root is not None else None
            if source is None:
                faults = [Fault("exam", "not an exam below a folder that was opened to the app")]
                return await run_in_threadpool(desk.again, form, faults)
            parcel = Parcel(str(folder), source=str(source), facts=forms.facts_of(form))
            return await run_in_threadpool(desk.keep, parcel, form)

    @routes.get("/exams/{number}")
    def exam(number: int) -> str:
        return pages.exam(desk.exam(number))

    @routes.post("/exams/{number}/again")
    async def again(number: int, request: Request) -> Response:
        async with desk.form(request) as (form, _):
            return await run_in_threadpool(desk.revised, number, form, lambda e: (vault.manifest(e), None, ()))

    @routes.post("/exams/{number}/landmarks")
    async def landmarks(number: int, request: Request) -> Response:
        async with desk.form(request) as (form, folder):
            return await run_in_threadpool(desk.revised, number, form, lambda e: desk.landmarks(e, form, folder))

    @routes.post("/exams/{number}/grades")
    async def grades(number: int, request: Request) -> Response:
        def change(e: ExamRow) -> tuple[Any, Any, Any]:
            manifest, faults = forms.graded(vault.manifest(e), form)
            return manifest, None, faults

        async with desk.form(request) as (form, _):
            return await run_in_threadpool(desk.revised, number, form, change)

    @routes.get("/exams/{number}/report")
    def report(number: int) -> Response:
        return _report(pages.folder(desk.exam(number)))

    @routes.get("/exams/{number}/files/{name}")
    def exam_file(number: int, name: str) -> Response:
        found = desk.exam(number)
        return _download(pages.folder(found), name, found.name)

    @routes.get("/subjects/{number}")
    def subject(number: int) -> str:
        desk.subject(number)
        return pages.subject(number) or ""

    @routes.post("/subjects/{number}/compare")
    async def compare(number: int, request: Request) -> Response:
        async with desk.form(request) as (form, _):
            exams = {str(e.id): e for e in desk.subject(number).exams}
            before, after = exams.get(form["before"]), exams.get(form["after"])
            if before is None or after is None or before is after:
                return HTMLResponse(pages.subject(number, [Fault("", "choose two different visits")]) or "", 422)
            job = await run_in_threadpool(vault.compare, before, after)
            desk.runner.wake()
            return desk.to(f"/comparisons/{job}")

    @routes.post("/subjects/{number}/delete")
    async def delete(number: int, request: Request) -> Response:
        async with desk.form(request) as (form, _):
            found = desk.subject(number)
            if form["name"] != found.name.strip():
                return HTMLResponse(
                    pages.subject(number, [Fault("name", "is another one; nothing is deleted")]) or "", 422
                )
            await run_in_threadpool(vault.forget, found, desk.runner.drop)
            return desk.to("/")

    @routes.get("/comparisons/{number}")
    def comparison(number: int) -> str:
        return pages.comparison(desk.comparison(number))

    @routes.get("/comparisons/{number}/report")
    def comparison_report(number: int) -> Response:
        return _report(vault.result(desk.comparison(number)))

    @routes.get("/comparisons/{number}/files/{name}")
    def comparison_file(number: int, name: str) -> Response:
        job = desk.comparison(number)
        return _download(vault.result(job), name, f"comparison {job.id}")

    @routes.get("/tables/{name}")
    def table(name: str) -> Response:
        if name not in ("exams.csv", "measures.csv"):
            raise RefusedError(404, "There is no such table.")
        data = tables(vault).get(name)
        if data is None:
            raise RefusedError(404, "Nothing has been measured yet.")
        return _attached(data, name)

    return routes


def say_errors(app: FastAPI, desk: Desk) -> None:
    """What goes wrong is said on a page, with the status that belongs to it."""

    def said(status: int, text: str) -> Response:
        page = desk.pages.message(_HEADINGS.get(status, "That did not work"), text)
        return HTMLResponse(page, status, headers={"connection": "close"} if status in (408, 413, 507) else None)

    @app.exception_handler(RefusedError)
    def refused(_: Request, error: RefusedError) -> Response:
        return said(error.status, error.text)

    @app.exception_handler(StaleError)
    def stale(_: Request, __: StaleError) -> Response:
        text = (
            "This was changed or removed since the page was loaded, perhaps in another tab. Nothing was changed now: "
        )
        return said(409, text + "load the page again.")

    @app.exception_handler(404)
    def missing(_: Request, __: Exception) -> Response:
        return said(404, "There is no such page.")

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(405)
    def odd(_: Request, __: Exception) -> Response:
        return said(404, "There is no such page.")

    @app.exception_handler(OSError)
    def disk(_: Request, error: OSError) -> Response:
        if isinstance(error, FileNotFoundError):  # a result that a newer one took the place of just now
            return said(404, "It has just been replaced or removed: load the page again.")
        if error.errno in _FULL:
            return said(507, "The disk is full: nothing was kept. Make room, then send it again.")
        raise error

    @app.exception_handler(sqlite3.OperationalError)
    def database(_: Request, error: sqlite3.OperationalError) -> Response:
        if "full" in str(error) or "disk I/O" in str(error):
            return said(507, "The disk is full: nothing was kept. Make room, then send it again.")
        raise error


def _linked(source: str, target: str) -> None:
    """The same file by another name, or a copy where the file system has no such names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _named(path: Path, name: str) -> Path:
    """The same file under a name that may stand in what is said of it."""
    return path.rename(path.with_name(name))


def _report(folder: Path | None) -> Response:
    try:
        page = b"" if folder is None else (folder / REPORT).read_bytes()
    except FileNotFoundError:
        page = b""
    if not page:
        raise RefusedError(404, "There is no report yet.")
    headers = {"content-security-policy": report_policy(page), "cross-origin-opener-policy": "unsafe-none"}
    return HTMLResponse(page, headers=headers)


def _download(folder: Path | None, name: str, of: str) -> Response:
    if name not in downloads(folder) or folder is None:
        raise RefusedError(404, "There is no such file.")
    made = (folder / name).read_bytes() if name != REPORT_PDF or (folder / name).is_file() else as_pdf(folder)
    return _attached(made, f"{of} {name}")


def _attached(data: bytes, name: str) -> Response:
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name)
    kind = "text/csv; charset=utf-8" if name.endswith(".csv") else "application/octet-stream"
    return Response(data, media_type=kind, headers={"content-disposition": f'attachment; filename="{plain}"'})
