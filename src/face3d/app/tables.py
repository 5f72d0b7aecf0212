"""The tables of everything that was measured, made as `face3d batch` makes those of a study."""

from __future__ import annotations

import shutil
import threading

from face3d.app.vault import Vault
from face3d.batch.tables import write_tables

_ONE = threading.Lock()


def tables(vault: Vault) -> dict[str, bytes]:
    """Name -> content: exams.csv has a row an exam, measures.csv a row a measure. Empty where nothing was measured."""
    with _ONE:
        items = [
            vault.item(job)
            for subject in vault.store.subjects()
            for exam in subject.exams
            if exam.shown
            for job in vault.store.jobs("exam = ? AND revision = ? AND other = 0", exam.id, exam.shown)
        ]
        work = vault.receiving()
        try:
            write_tables(vault.results, work, items, {}, {})
            return dict(vault.results.read_many(["exams.csv", "measures.csv"]))
        finally:
            shutil.rmtree(work, ignore_errors=True)
