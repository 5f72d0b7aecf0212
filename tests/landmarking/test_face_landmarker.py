"""Standard error is everybody's: two detectors that start at once leave it as it was, and lose nobody's words."""

from __future__ import annotations

import os
import threading

from face3d.landmarking.face_landmarker import _quiet


def test_two_starts_leave_stderr_where_it_was(capfd) -> None:
    before = os.fstat(2).st_ino
    entered, go = threading.Event(), threading.Event()

    def first() -> None:
        with _quiet():
            entered.set()
            go.wait()
            os.write(2, b"W0000 00:00:1.2 3 inference_feedback_manager.cc:121] chatter\nanother thread's traceback\n")

    def second() -> None:
        with _quiet():
            os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    entered.wait()
    threads[1].start()
    go.set()
    for thread in threads:
        thread.join()
    assert os.fstat(2).st_ino == before
    assert capfd.readouterr().err == "another thread's traceback\n"


def test_a_failed_start_says_all_that_was_logged(capfd) -> None:
    try:
        with _quiet():
            os.write(2, b"E0000 00:00:1.2 3 task.cc:1] cannot open\n")
            raise RuntimeError
    except RuntimeError:
        pass
    assert "cannot open" in capfd.readouterr().err
