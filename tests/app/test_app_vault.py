"""Files and rows change together: what is cut off in the middle is undone, or finished at the next start."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from face3d.app.server import opened
from face3d.app.store import StaleError, Store, TakenError
from face3d.app.vault import Arrival, Vault
from face3d.batch.places import RECORD
from face3d.errors import OutputError


def arrived(vault: Vault, subject: str, visit: str = "") -> Arrival:
    folder = vault.receiving()
    (folder / "rest.ply").write_text("ply")
    (folder / "exam-1.json").write_text(json.dumps({"subject": subject, "scans": {"rest": "rest.ply"}}))
    return Arrival(folder, subject, visit, "2024-05-06")


def measured(vault: Vault, number: int, text: str = "x") -> None:
    """A result as a worker leaves it, and noted."""
    job = vault.store.claim("me")
    assert job is not None and job.exam == number
    folder = vault.result(job)
    folder.mkdir()
    (folder / RECORD).write_text(json.dumps({"status": "ok", "reason": "", "row": {"subject": text}}))
    vault.store.settle(job, "ok")
    vault.tidy()


def everything(folder: Path) -> set[str]:
    ours = ("app.db", "app.db-wal", "app.db-shm")
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name not in ours}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "data")


def test_an_exam_is_kept_whole_or_not_at_all(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    first = vault.add(arrived(vault, "p1"))
    with pytest.raises(TakenError) as taken:
        vault.add(arrived(vault, "p1"))
    assert taken.value.exam == first
    pages = vault.store._db.execute("PRAGMA page_count").fetchone()[0]
    vault.store._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own full disk
    with pytest.raises(sqlite3.OperationalError, match="full"):
        for number in range(200):
            vault.add(arrived(vault, f"q{number:0>150}"))
    kept = {s.name for s in vault.store.subjects()}
    vault.store._db.execute("PRAGMA max_page_count = 100000")
    vault.store.close()
    vault = Vault(vault.path)
    vault.recover()
    assert {s.name for s in vault.store.subjects()} == kept
    assert {p.name for p in (vault.path / "exams").iterdir()} == {
        str(e.id) for s in vault.store.subjects() for e in s.exams
    }
    assert not list((vault.path / "incoming").iterdir())
    assert vault.add(arrived(vault, "p2")) > first


def test_what_had_moved_before_its_rows_were_written_is_removed(vault: Vault) -> None:
    (vault.path / "incoming" / "kept-7").mkdir()
    (vault.path / "incoming" / "kept-7" / "rest.ply").write_text("somebody")
    vault.receiving()
    vault.recover()
    assert everything(vault.path) == set()


def test_what_was_kept_but_not_yet_in_its_place_is_put_there(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Vault, "_placed", cut)
    with pytest.raises(KeyboardInterrupt):
        vault.add(arrived(vault, "p1"))
    monkeypatch.undo()
    vault.recover()
    (subject,) = vault.store.subjects()
    assert vault.manifest(subject.exams[0])["subject"] == "p1"
    assert not list((vault.path / "incoming").iterdir())


def test_exams_that_an_older_database_does_not_know_are_not_touched(vault: Vault) -> None:
    vault.add(arrived(vault, "p1"))
    with vault.store.changing() as db:  # as in a copy that was made before
        for table in ("jobs", "exams", "subjects"):
            db.execute(f"DELETE FROM {table}")
    with pytest.raises(OutputError, match=r"exams/ holds 1, of which app.db knows nothing.*older copy"):
        vault.recover()
    assert everything(vault.path) == {"exams/1/rest.ply", "exams/1/exam-1.json"}


@pytest.mark.parametrize("status", ["ok", "refused"])
def test_a_result_that_nobody_noted_is_noted_and_not_made_again(vault: Vault, status: str) -> None:
    number = vault.add(arrived(vault, "p1"))
    job = vault.store.claim("a server that died")
    assert job is not None and vault.store.claim("another") is None
    vault.result(job).mkdir()
    (vault.result(job) / RECORD).write_text(json.dumps({"status": status, "reason": "why"}))
    vault.recover()
    exam = vault.store.exam(number)
    assert exam is not None and (exam.job.state, exam.job.reason) == (status, "why")
    assert vault.store.claim("me") is None


def test_a_job_without_a_result_waits_again(vault: Vault) -> None:
    vault.add(arrived(vault, "p1"))
    for _ in range(20):  # deaths of the server are not the exam's fault
        assert vault.store.claim("a server that died") is not None
        vault.recover()
    job = vault.store.claim("me")
    assert job is not None and job.tries == 1


def test_a_cut_off_result_is_made_again(vault: Vault) -> None:
    vault.add(arrived(vault, "p1"))
    job = vault.store.claim("a server that died")
    vault.result(job).mkdir()
    (vault.result(job) / RECORD).write_text('{"status": "o')
    vault.recover()
    assert vault.store.claim("me") is not None


def test_a_change_is_only_made_to_what_was_looked_at(vault: Vault) -> None:
    number = vault.add(arrived(vault, "p1"))
    exam = vault.store.exam(number)
    vault.revise(exam, {**vault.manifest(exam), "device": "a"})
    with pytest.raises(StaleError):
        vault.revise(exam, {**vault.manifest(exam), "device": "b"})
    now = vault.store.exam(number)
    assert vault.manifest(now)["device"] == "a" and now.revision == 2 and now.job.revision == 2
    assert [j.revision for j in vault.store.jobs()] == [2]  # the first was not begun yet
    measured(vault, number)
    assert vault.store.exam(number).shown == 2


def test_a_manifest_without_its_row_counts_for_nothing(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    number = vault.add(arrived(vault, "p1"))
    exam = vault.store.exam(number)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "add_job", cut)
    with pytest.raises(KeyboardInterrupt):
        vault.revise(exam, {**vault.manifest(exam), "device": "a"})
    monkeypatch.undo()
    vault.recover()
    now = vault.store.exam(number)
    assert now.revision == 1 and "device" not in vault.manifest(now)
    vault.revise(now, {**vault.manifest(now), "device": "b"})
    assert vault.manifest(vault.store.exam(number))["device"] == "b"


@pytest.mark.parametrize("cut_at", range(8))
def test_a_deletion_that_is_cut_off_is_finished_at_the_next_start(
    vault: Vault, cut_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = vault.add(arrived(vault, "gone-for-good", "pre")), vault.add(arrived(vault, "gone-for-good", "post"))
    other = vault.add(arrived(vault, "stays"))
    for number, text in ((one, "gone-for-good"), (two, "gone-for-good"), (other, "stays")):
        measured(vault, number, text)
    job = vault.compare(vault.store.exam(one), vault.store.exam(two))
    (vault.result(vault.store.jobs("id = ?", job)[0])).mkdir()
    (vault.path / "results" / "exams.csv").write_text("gone-for-good")
    left = [cut_at]

    def once(real: object, *given: object, **more: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt  # as good as a kill: nothing of ours goes on
        return real(*given, **more)  # type: ignore[operator]

    rename, rmtree = os.rename, shutil.rmtree
    monkeypatch.setattr("face3d.app.vault.os.rename", lambda *a: once(rename, *a))
    monkeypatch.setattr("face3d.app.vault.shutil.rmtree", lambda *a: once(rmtree, *a))
    (subject,) = (s for s in vault.store.subjects() if s.name == "gone-for-good")
    try:
        vault.forget(subject, lambda exams: None)
    except KeyboardInterrupt:
        assert [s.name for s in vault.store.subjects()] == ["stays"]  # nowhere to be seen from the first step on
    monkeypatch.undo()
    vault.store.close()
    again = Vault(vault.path)
    again.recover()
    assert [s.name for s in again.store.subjects()] == ["stays"] and not again.store.doomed()
    folder = f"results/{other}__exam-1.json"
    assert everything(vault.path) == {f"exams/{other}/rest.ply", f"exams/{other}/exam-1.json", f"{folder}/item.json"}
    for file in vault.path.rglob("*"):
        assert not file.is_file() or b"gone-for-good" not in file.read_bytes(), file
    assert again.add(arrived(again, "gone-for-good", "pre")) > other


def test_a_folder_of_something_else_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(OutputError, match="holds other files"):
        Vault(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.docx"]


def test_only_its_owner_may_look_in(vault: Vault) -> None:
    assert vault.path.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_said_and_nothing_else_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "thesis.docx").write_text("years of work")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("face3d.batch.places.Folder.workspace", full)
    with pytest.raises(OutputError, match="No space left"), opened(tmp_path / "data"):
        pass
    assert (tmp_path / "here" / "thesis.docx").exists()


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    other = opened(tmp_path / "data")
    with opened(tmp_path / "data"), pytest.raises(OutputError, match="another run writes into it"):
        other.__enter__()


def test_a_database_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "app.db").write_bytes(b"no database" * 1000)
    with pytest.raises(OutputError, match="cannot be used"):
        Vault(tmp_path / "data")
