"""Jobs done in a moment: small results of the right form, each with a mark that no other run makes."""

from __future__ import annotations

import json
import os
import secrets
import time
from pathlib import Path

from face3d.batch.item import Measured, Outcome, Task, run
from face3d.errors import ScanError
from face3d.report.folder import CHANGES, MEASURES, REPORT, RESULT

HEADER = "subject,visit,measure,expression,region,side,value,unit,uncertainty,status,source\n"


def measured(task: Task, path: Path, build: Path) -> Measured:
    """Takes TAKES seconds. What the manifest calls its `device` may happen: "refuse", "crash", "hang"."""
    time.sleep(float(os.environ.get("TAKES", "0")))
    if task.item.kind == "comparison":
        (build / REPORT).write_text("<!doctype html><p>compared</p>")
        (build / CHANGES).write_text("measure,change\n")
        return Measured({}, {RESULT: "{}"})
    said = json.loads(path.read_text())
    if said.get("device") == "refuse":
        raise ScanError(f"{path}: no face in it")
    if said.get("device") == "crash":
        os._exit(3)
    if said.get("device") == "hang":
        time.sleep(600)
    subject, visit = said["subject"], said.get("visit") or ""
    (build / REPORT).write_text(f"<!doctype html><p>{secrets.token_hex(16)}</p>")
    rows = f"{HEADER}{subject},{visit},m,rest,eye,left,1.0,mm,,ok,face3d\n"
    row = {"subject": subject, "visit": visit, "date": said.get("date"), "expressions": len(said["scans"])}
    return Measured(row, {RESULT: json.dumps(said), MEASURES: rows})


def work(task: Task) -> Outcome:
    outcome = run(task, measured)
    if outcome.status == "ok" and "PUBLISHED" in os.environ:
        with open(os.environ["PUBLISHED"], "a", encoding="utf-8") as log:
            log.write(f"{task.item.folder}\n")
    return outcome
