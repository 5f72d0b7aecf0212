"""What tracking is held by: the face at rest, and frames that are fitted anew, independently of all others."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.errors import Face3DError, RegistrationError
from face3d.geometry.rigid import align
from face3d.landmarking.detect import POINTS, Detection
from face3d.scan import FaceScan, Floats
from face3d.template.exam_fit import Fitted, FittedExam, fit_expression, fit_rest, see_scan
from face3d.template.fit import TemplateFit
from face3d.template.quality import fit_quality
from face3d.template.stable import UNKNOWN, region_weights
from face3d.values import Value

if TYPE_CHECKING:
    from face3d.io.sequence import Sequence

#: So many usable frames are tried for the face at rest before the recording is given up.
RESTS_TRIED = 10


@dataclass(frozen=True, eq=False, repr=False)
class Rest(Value):
    """The face at rest: its fit; the index of the frame that it is, None where it was given; what to say about it."""

    fitted: Fitted
    index: int | None
    notes: tuple[str, ...] = ()


def rest_of(sequence: Sequence, given: FaceScan | TemplateFit | FittedExam | None) -> Rest:
    """The face at rest, as given or of the first frame on which a face can be fitted.

    Raises what fitting raises for a given scan, `RegistrationError` where no frame can be fitted.
    """
    if isinstance(given, FaceScan):
        return Rest(fit_rest(see_scan(given, at_rest=True)), None)
    if isinstance(given, FittedExam):
        return Rest(Fitted(given.fits["rest"], given.quality["rest"], given.seen["rest"].found), None, given.notes)
    if given is not None:
        return Rest(Fitted(given, fit_quality(given), _as_found(given)), None)
    tried, last = 0, "it has no frame with a surface"
    for index, frame in enumerate(sequence):
        if frame.scan is None:
            continue
        try:
            fitted = fit_rest(see_scan(frame.scan, at_rest=True))
        except Face3DError as error:
            tried, last = tried + 1, str(error)
            if tried == RESTS_TRIED:
                break
            continue
        said = (
            f"frame {frame.number} is taken for the face at rest: if it moves there, all movement is measured from that"
        )
        return Rest(fitted, index, (said,))
    raise RegistrationError(f"{sequence.name}: no face at rest in {tried} frames tried; give `rest`. The last: {last}")


def _as_found(fit: TemplateFit) -> Detection:
    """Landmarks as a fit has them, for one whose scan is not at hand."""
    t, back = fit.template, fit.to_head.inv()
    marks = {name: back.apply(p) for name, p in t.landmark_points(fit.vertices_mm).items()}
    dense = back.apply(np.einsum("lk,lki->li", t.dense_weights, fit.vertices_mm[t.dense_ids]))
    return Detection(marks, dict.fromkeys(marks, 1.0), dense, np.ones(POINTS), fit.to_head, 0)


@dataclass(frozen=True, eq=False, repr=False)
class Anew(Value):
    """A frame fitted by itself, from rest on: `vertices` (N, 3) mm laid on the face at rest where that stands still,
    `to_head` scan coordinates -> there, `valid` (N,)."""

    vertices: Floats
    to_head: RigidTransform
    valid: np.ndarray


def anew(scan: FaceScan, rest: Fitted) -> Anew:
    """Raises `Face3DError` where no face of this person can be fitted."""
    fit, still = fit_expression(see_scan(scan), rest).fit, rest.fit
    weight = region_weights(still.template, UNKNOWN) * fit.valid * still.valid
    back, _ = align(fit.vertices_mm, still.vertices_mm, weight)
    return Anew(back.apply(fit.vertices_mm), back * fit.to_head, fit.valid)


class Anchors:
    """Frames fitted anew in the background, one at a time; the result of each is asked for at a frame that its index
    decides, not when it happens to be done, so that tracking is the same in every run."""

    def __init__(self, rest: Fitted) -> None:
        self.rest = rest
        self._pool = ThreadPoolExecutor(1, "face3d-anchor")

    def begin(self, scan: FaceScan) -> Future[Anew]:
        """Starts to fit a frame."""
        return self._pool.submit(anew, scan, self.rest)

    def close(self) -> None:
        """Drops what is not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)
