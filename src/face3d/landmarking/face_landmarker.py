"""MediaPipe's face landmarker: 478 points on a picture of a face; its weights checked, its chatter kept off stderr."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from face3d.errors import WeightsError
from face3d.extras import require
from face3d.scan import Floats, Ints


@functools.cache
def model_facts() -> tuple[Ints, Floats]:
    """(478,) each point's partner on the other side; (468, 3) mm the canonical face, head frame."""
    facts = json.loads(resources.files("face3d").joinpath("data/face_landmarker_v2.json").read_text())
    return np.array(facts["mirror"], np.int64), np.array(facts["canonical_mm"], np.float64)


@functools.cache
def _weights() -> bytes:
    """The landmarker's weight file, its checksum verified."""
    folder = resources.files("face3d").joinpath("data")
    try:
        weights = folder.joinpath("face_landmarker_v2.task").read_bytes()
    except OSError as error:
        raise WeightsError(f"face_landmarker_v2.task: cannot be read ({error}); reinstall face3d") from error
    expected = json.loads(folder.joinpath("face_landmarker_v2.json").read_text())["sha256"]
    found = hashlib.sha256(weights).hexdigest()
    if found != expected:
        raise WeightsError(f"face_landmarker_v2.task: SHA-256 is {found}, expected {expected}; reinstall face3d")
    return weights


class Detector:
    """MediaPipe's face landmarker; use it in a `with`, because left to the interpreter's exit it complains.

    Takes 0.1 s to start, 10-15 ms a picture.
    """

    def __enter__(self) -> Detector:
        require("mediapipe")
        with _quiet():
            from mediapipe.tasks.python import BaseOptions, vision

            options = vision.FaceLandmarkerOptions(base_options=BaseOptions(model_asset_buffer=_weights()), num_faces=1)
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
            self._look(np.zeros((64, 64, 3), np.uint8))  # the first call logs as well
        return self

    def __exit__(self, *_: object) -> None:
        self._landmarker.close()

    def pixels(self, picture: NDArray[np.uint8], flipped: bool = False) -> Floats | None:
        """(478, 2) pixel coordinates (whole numbers are pixel centres), or None without a face.

        `flipped`: look at the mirror image, and bring its points back under their own side's index.
        """
        if not flipped:
            return self._look(picture)
        points = self._look(picture[:, ::-1])
        if points is None:
            return None
        points = points[model_facts()[0]]
        points[:, 0] = picture.shape[1] - 1 - points[:, 0]
        return points

    def _look(self, picture: NDArray[np.uint8]) -> Floats | None:
        import mediapipe

        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        found = self._landmarker.detect(image).face_landmarks
        if not found:
            return None
        height, width = picture.shape[:2]
        # MediaPipe's coordinates run 0..1 from the picture's edge.
        return np.array([(p.x * width - 0.5, p.y * height - 0.5) for p in found[0]])


#: One start at a time: standard error belongs to the whole process.
_starting = threading.Lock()
#: What MediaPipe and what it stands on write at their start (glog's and absl's lines, TensorFlow's note).
_CHATTER = re.compile(
    rb"^(?:[WIE]\d{4} |[WIE]0000 |INFO: |WARNING: (?:All log messages before absl|Logging before InitGoogle))"
)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the C++ logs of MediaPipe's start off stderr. What others wrote there meanwhile is printed after it, and
    all of it if the start fails."""
    with _starting:
        try:
            kept = os.dup(2)
        except OSError:  # a process without a standard error: nothing to keep quiet
            yield
            return
        with tempfile.TemporaryFile() as log:
            os.dup2(log.fileno(), 2)
            failed = True
            try:
                yield
                failed = False
            finally:
                os.dup2(kept, 2)
                os.close(kept)
                log.seek(0)
                for line in log:
                    if failed or not _CHATTER.match(line):
                        os.write(2, line)
