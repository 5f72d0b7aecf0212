"""The app's pages as HTML, and what may leave with a stored report."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

import face3d
from face3d.app.forms import FACTS, GROUPS, RATER, UNITS, boxes, landmarks_in
from face3d.app.guard import Keys
from face3d.app.receive import Bounds
from face3d.app.runner import Runner
from face3d.app.store import ExamRow, Job
from face3d.app.vault import Vault
from face3d.exam import AFFECTED, EXPRESSIONS
from face3d.io.exam import LANDMARK_SUFFIXES, SCAN_SUFFIXES
from face3d.io.manifest import Fault
from face3d.report.folder import CHANGES, MEASURES, REPORT, REPORT_PDF, RESULT, THIRDS
from face3d.report.frame import spoken

NOTICE = "Research use only. Not a medical device."
#: What can be downloaded of a result, beside a PDF where WeasyPrint is installed.
DOWNLOADS = (MEASURES, THIRDS, CHANGES, RESULT, REPORT)
#: Kinds of a page's own files.
STATIC = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
# A stored report runs its own program and nothing else, as a page without an origin: even a program that somebody
# smuggled in could neither ask the app for anything nor send anything away.
_SANDBOX = "sandbox allow-scripts allow-downloads; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
_ALLOWED = re.compile(r"script-src ('none'|'sha256-[A-Za-z0-9+/=]{44}')[;\"]")


class Pages:
    """Renders pages about what is in the vault."""

    def __init__(self, vault: Vault, runner: Runner, keys: Keys, bounds: Bounds) -> None:
        self._vault, self._runner, self._keys, self._bounds = vault, runner, keys, bounds
        folder = files("face3d.app")
        loader = jinja2.FunctionLoader(lambda name: (folder / name).read_text("utf-8"))
        self._templates = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader
        )
        self._templates.filters["spoken"] = spoken

    def index(self) -> str:
        """All exams."""
        subjects = self._vault.store.subjects()
        exams = [e for s in subjects for e in s.exams]
        waiting = sum(e.job.open for e in exams)
        return self._shown("index.html", [e.job for e in exams], subjects=subjects, count=len(exams), waiting=waiting)

    def add(
        self,
        roots: Sequence[dict[str, Any]],
        faults: Sequence[Fault] = (),
        values: dict[str, str] | None = None,
        there: int = 0,
    ) -> str:
        """The forms for a new exam; `there` the exam that is there already."""
        return self._shown(
            "add.html",
            [],
            roots=roots,
            faults=faults,
            marked=_marked(faults),
            values={k: v for k, v in (values or {}).items() if k in FACTS},
            there=there,
            most=self._bounds.body >> 20,
            expressions=EXPRESSIONS,
            sides=AFFECTED,
            units=UNITS,
            scans=",".join((*SCAN_SUFFIXES, ".gz")),
            landmarks=_accepted(),
        )

    def exam(self, exam: ExamRow, faults: Sequence[Fault] = (), values: dict[str, str] | None = None) -> str:
        """One exam; `values` what was typed, where it was not taken."""
        manifest = self._vault.manifest(exam)
        stated = {**boxes(manifest), "affected_side": manifest.get("affected_side") or ""}
        return self._shown(
            "exam.html",
            [exam.job],
            exam=exam,
            faults=faults,
            marked=_marked(faults),
            values={**stated, **(values or {})},
            given=landmarks_in(manifest),
            groups=GROUPS,
            rater=RATER,
            sides=AFFECTED,
            landmarks=_accepted(),
            files=downloads(self.folder(exam)),
        )

    def folder(self, exam: ExamRow) -> Path | None:
        """Where the report that is shown of an exam lies; None before the first."""
        if exam.shown is None:
            return None
        return self._vault.result(next(iter(self._vault.store.jobs(_OF_EXAM, exam.id, exam.shown))))

    def subject(self, number: int, faults: Sequence[Fault] = ()) -> str | None:
        """One person; None where there is none."""
        subject = self._vault.store.subject(number)
        if subject is None:
            return None
        numbers = {e.id for e in subject.exams}
        compared = [j for j in self._vault.store.jobs("other > 0") if j.exam in numbers]
        return self._shown(
            "subject.html",
            [*(e.job for e in subject.exams), *compared],
            subject=subject,
            faults=faults,
            measured=[e for e in subject.exams if e.shown],
            comparisons=[(j, self.compared(j)) for j in compared],
        )

    def comparison(self, job: Job) -> str:
        """One comparison."""
        exam = self._vault.store.exam(job.exam)
        assert exam is not None  # a job of nobody is not found
        found = downloads(self._vault.result(job) if job.state == "ok" else None)
        told = {"name": f"{exam.subject}: {self.compared(job)}", "subject": exam.subject, "subject_id": exam.subject_id}
        return self._shown("comparison.html", [job], job=job, files=found, **told)

    def compared(self, job: Job) -> str:
        """What a comparison is called."""
        rows = (self._vault.store.exam(number) for number in (job.exam, job.other))
        return " to ".join((row.visit or "unnamed") if row else "?" for row in rows)

    def message(self, heading: str, text: str, back: str | None = None) -> str:
        """A page that says one thing."""
        return self._shown("message.html", [], heading=heading, text=text, back=back or f"{self._keys.base}/")

    def _shown(self, template: str, jobs: Sequence[Job], **values: Any) -> str:
        return self._templates.get_template(template).render(
            base=self._keys.base,
            form=self._keys.form,
            notice=NOTICE,
            version=face3d.__version__,
            live=any(j.open for j in jobs),
            progress={j.id: self._runner.progress(j) for j in jobs if j.state == "running"},
            **values,
        )


_OF_EXAM = "exam = ? AND revision = ? AND other = 0"


def downloads(folder: Path | None) -> list[str]:
    """What there is to download of a result in its folder."""
    there = [] if folder is None else [name for name in DOWNLOADS if (folder / name).is_file()]
    return [*there, REPORT_PDF] if REPORT in there and importlib.util.find_spec("weasyprint") else there


def as_pdf(folder: Path) -> bytes:
    """A stored report as PDF, made when it is asked for."""
    from face3d.export import pdf

    return pdf.as_pdf(pdf.page_of(folder))


def report_policy(page: bytes) -> str:
    """The policy of a stored report: the one that it was written with, which names its program by a hash, in a sandbox.

    Looked for in the page's head only, which holds nothing that anybody gave.
    """
    found = _ALLOWED.search(page[:1500].decode("utf-8", "replace"))
    allowed = found.group(1) if found else "'none'"
    return f"{_SANDBOX}script-src {allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _marked(faults: Sequence[Fault]) -> set[str]:
    return {fault.field for fault in faults}


def _accepted() -> str:
    return ",".join((*(f".{s.rpartition('.')[2]}" for s in LANDMARK_SUFFIXES), ".tps", ".npy", ".txt"))
