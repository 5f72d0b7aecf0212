"""Kills at any moment, of the server and of its workers: nothing that was confirmed is lost, nothing is done twice."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import secrets
import signal
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from serving import Answer, exam_zip, start

from marked_processes import marked

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at /proc")


class Watch(threading.Thread):
    """Looks at results all the time: folder -> all reports that ever lay in it."""

    def __init__(self, results: Path) -> None:
        super().__init__(daemon=True)
        self.results, self.ended = results, threading.Event()
        self.seen: dict[str, set[str]] = {}

    def run(self) -> None:
        while not self.ended.wait(0.03):
            self.look()

    def look(self) -> None:
        for report in self.results.glob("*/report.html"):
            try:
                self.seen.setdefault(report.parent.name, set()).add(report.read_text())
            except OSError:
                continue


def survived(tmp_path: Path, kills: int, exams: int, seed: int, longest: float) -> Counter[str]:
    """Sends exams while server and workers are killed; what was killed."""
    rng, data, mark = random.Random(seed), tmp_path / "data", secrets.token_hex(16)
    told = {"TAKES": "0.4", "KILL_MARK": mark, "PUBLISHED": str(tmp_path / "published")}
    server = start(data, **told)
    watch = Watch(data / "results")
    watch.start()
    lock = threading.Lock()
    confirmed: dict[str, int] = {}

    def sent(name: str) -> Answer | None:
        with lock:
            now = server
        try:
            answer = now.post("/add/archive", {"subject": name, "archive": ("e.zip", exam_zip(len(name)))})
        except (OSError, http.client.HTTPException):
            return None
        return answer

    def send() -> None:
        for number in range(exams):
            name = f"k{number}"
            while name not in confirmed:
                answer = sent(name)
                if answer is not None and answer.status in (303, 409):
                    place = answer.headers.get("location", "") or answer.text
                    confirmed[name] = int(re.findall(r"/exams/(\d+)", place)[0])
                else:
                    time.sleep(0.1)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    killed: Counter[str] = Counter()
    for _ in range(kills):
        time.sleep(rng.uniform(0.0, longest))
        workers = [p for p in marked(mark) if p != server.process.pid]
        if workers and rng.random() < 0.5:
            try:
                os.kill(rng.choice(workers), signal.SIGKILL)
                killed["worker"] += 1
            except ProcessLookupError:
                pass
        else:
            server.kill()
            killed["server"] += 1
            with lock:
                server = start(data, **told)
    sender.join(120)
    assert len(confirmed) == exams, "not all exams were taken"
    server.settled(240)
    watch.ended.set()
    watch.join()
    watch.look()
    server.stop()
    end = time.monotonic() + 10
    while marked(mark) and time.monotonic() < end:
        time.sleep(0.1)
    assert not marked(mark), "processes were left behind"

    db = sqlite3.connect(data / "app.db")
    rows = db.execute("SELECT e.id, s.name FROM exams e JOIN subjects s ON s.id = e.subject ORDER BY e.id").fetchall()
    assert {name: number for number, name in rows} == confirmed and len(rows) == exams
    jobs = db.execute("SELECT exam, state, reason FROM jobs").fetchall()
    assert sorted(j[0] for j in jobs) == sorted(confirmed.values())
    assert {j[1:] for j in jobs} == {("ok", "")}, jobs
    folders = {f"{number}__exam-1.json" for number in confirmed.values()}
    assert {p.name for p in (data / "results").iterdir() if not p.name.startswith(".")} == folders
    assert {folder: len(reports) for folder, reports in watch.seen.items()} == dict.fromkeys(folders, 1)
    for name, number in confirmed.items():
        record = json.loads((data / "results" / f"{number}__exam-1.json" / "item.json").read_text())
        assert (record["status"], record["row"]["subject"]) == ("ok", name)
    published = Counter((tmp_path / "published").read_text().split())
    assert published.keys() <= folders and set(published.values()) == {1}
    assert not list((data / "incoming").iterdir())
    left = [
        p for p in (data / "results" / ".face3d-batch").rglob("*") if p.is_file() and p.suffix not in (".lock", ".json")
    ]
    assert not left
    return killed


def test_a_few_kills_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    assert survived(tmp_path, 3, 5, 1, 1.0).total() == 3


@pytest.mark.slow
def test_thirty_kills_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    killed = survived(tmp_path, 30, 60, 2, 3.0)
    print(f"killed: {dict(killed)}")
    assert killed.total() >= 28 and killed["server"] >= 8 and killed["worker"] >= 8
