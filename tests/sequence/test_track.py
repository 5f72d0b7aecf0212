"""A face followed through recordings whose truth is known."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

import face3d
from face3d.errors import RegistrationError
from face3d.geometry.rays import RayScene
from face3d.io.sequence import Frame, Sequence
from face3d.scan import FaceScan, Floats
from face3d.sequence.follow import Follower
from face3d.sequence.space import Projection, space_of
from face3d.sequence.state import State
from face3d.sequence.track import Tracking
from face3d.simulate import HeadModel, draw_healthy, scan_face
from face3d.simulate.motion import minimum_jerk
from face3d.simulate.scanners.simulated import SimulatedScan

FPS, FRAMES = 30.0, 12
#: Share of a smile in each frame; the head turns by 1.5 degrees and 1 mm a frame, as fast as heads do.
SMILE = minimum_jerk(np.r_[0.0, 0.0, np.linspace(0.0, 1.0, 8), 1.0, 1.0])


class Recording:
    """A person who smiles and turns: `scans` with truth, `shapes` in the head frame, `tracking` of them."""

    def __init__(self) -> None:
        rng = np.random.default_rng(4)
        self.model = HeadModel.load("a", "fine")
        person = draw_healthy(rng, self.model)
        self.shapes = [person.vertices("closed_smile", share) for share in SMILE]
        self.poses = [
            RigidTransform.from_components([1.0 * k, 0.5 * k, 0.0], Rotation.from_euler("y", 1.5 * k, degrees=True))
            for k in range(FRAMES)
        ]
        self.scans: list[SimulatedScan] = [
            scan_face(self.model, v, rng, points=8000, pose=p) for v, p in zip(self.shapes, self.poses, strict=True)
        ]
        self.sequence = Sequence.of([s.scan for s in self.scans], FPS)
        self.tracking = face3d.track(self.sequence, anchor_every=6)
        self.frames = list(self.tracking)
        fit = self.tracking.rest.fitted.fit
        at = self.poses[0].inv().apply(fit.to_head.inv().apply(fit.vertices_mm))
        hit = RayScene(self.shapes[0], self.model.faces).closest(at)
        self.on = (np.linalg.norm(hit.points - at, axis=1) < 2.0) & fit.valid
        self._corners, self._weights, self._apart = self.model.faces[hit.faces], hit.weights, at - hit.points

    @property
    def fit(self):
        return self.tracking.rest.fitted.fit

    def truth(self, k: int) -> Floats:
        """Where the template's places truly are in frame k, head frame of the model."""
        return np.einsum("nk,nki->ni", self._weights, self.shapes[k][self._corners]) + self._apart

    def error(self, k: int, vertices: Floats, to_head: RigidTransform, valid: np.ndarray) -> Floats:
        """mm that valid places are off, the head's motion included."""
        at = self.poses[k].inv().apply(to_head.inv().apply(vertices))
        return np.linalg.norm(at - self.truth(k), axis=1)[valid & self.on]


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording()


def test_planted_movement_is_found(recording: Recording) -> None:
    off = [np.median(recording.error(k, f.vertices_mm, f.to_head, f.valid)) for k, f in enumerate(recording.frames)]
    assert not any(f.lost for f in recording.frames)
    assert np.median(off) < 0.6, off  # mm, at a stereophotogrammetric scanner's noise
    t = recording.fit.template
    at_rest, apex = (t.landmark_points(v) for v in (recording.fit.vertices_mm, recording.frames[-1].vertices_mm))
    first, last = (t.landmark_points(recording.truth(k)) for k in (0, FRAMES - 1))
    for corner in ("ch_left", "ch_right"):
        true = np.linalg.norm(last[corner] - first[corner])
        assert true > 4.0
        assert np.linalg.norm(apex[corner] - at_rest[corner]) == pytest.approx(true, abs=1.0)


def test_collected_is_what_is_yielded_and_the_same_in_each_run(recording: Recording) -> None:
    tracked = recording.tracking.collect()  # also the second run, with frames fitted anew in the background
    assert len(tracked) == FRAMES
    assert np.array_equal(tracked.vertices_mm, np.array([f.vertices_mm for f in recording.frames], np.float32))
    assert np.array_equal(tracked.valid, [f.valid for f in recording.frames])
    assert not tracked.lost.any() and tracked.reasons == {}
    assert np.array_equal(np.flatnonzero(np.isfinite(tracked.drift_mm)), [5, 11])
    came = next(f for f in recording.frames if f.anchored)
    assert (came.number, came.anchor) == (8, 5)
    assert came.drift_mm == tracked.drift_mm[5] < 1.2
    assert any("frame 0 is taken for the face at rest" in note for note in tracked.notes)


def test_lost_frames_are_said_and_the_face_is_found_again(recording: Recording) -> None:
    scans: list[FaceScan | None] = [s.scan for s in recording.scans[:9]]
    scans[3] = None
    scans[4] = ball()
    tracked = face3d.track(Sequence.of(scans, FPS), rest=recording.fit).collect()
    assert list(np.flatnonzero(tracked.lost)) == [3, 4]
    assert "no surface" in tracked.reasons[3] and tracked.reasons[4]
    assert np.isnan(tracked.vertices_mm[3:5]).all() and not tracked.valid[3:5].any()
    way = np.linalg.norm(tracked.vertices_mm[8] - recording.frames[8].vertices_mm, axis=1)
    assert np.median(way) < 0.5


def ball() -> FaceScan:
    """Something that is no face, near where the face was."""
    u, v = np.meshgrid(np.linspace(0.05, np.pi - 0.05, 60), np.linspace(0, 2 * np.pi, 120), indexing="ij")
    points = 15.0 * np.stack([np.sin(u) * np.cos(v), np.sin(u) * np.sin(v), np.cos(u)], axis=-1).reshape(-1, 3)
    k = (np.arange(59)[:, None] * 120 + np.arange(119)).ravel()
    faces = np.concatenate([np.stack([k, k + 120, k + 1], axis=1), np.stack([k + 1, k + 120, k + 121], axis=1)])
    return FaceScan(points, faces, name="ball")


def test_a_recording_without_a_surface_has_no_face_at_rest() -> None:
    with pytest.raises(RegistrationError, match="no face at rest"):
        next(iter(face3d.track(Sequence.of([None, None], FPS))))


def follow(recording: Recording, rest: Floats, scans: list[FaceScan], pose: RigidTransform) -> list[Floats]:
    space = space_of(recording.fit.template)
    follower = Follower(space, rest, np.ones(len(rest), bool))
    state, out = State.at(space, np.zeros(space.here.shape[2]), pose), []
    for scan in scans:
        found = follower.follow(scan, state)
        assert found is not None
        state = found.state
        out.append(found.vertices)
    return out


def test_rigid_motion_of_the_recording_changes_nothing(recording: Recording) -> None:
    scans = [s.scan for s in recording.scans[:6]]
    motion = RigidTransform.from_components([300.0, -50.0, 900.0], Rotation.from_euler("xyz", [20, -70, 130], True))
    fit = recording.fit
    one = follow(recording, fit.vertices_mm, scans, fit.to_head)
    other = follow(recording, fit.vertices_mm, [s.moved(motion) for s in scans], fit.to_head * motion.inv())
    assert np.abs(one[-1] - other[-1]).max() < 0.02  # mm: single precision of the steps


def test_the_mirrored_recording_gives_the_mirrored_movement(recording: Recording) -> None:
    fit, t = recording.fit, recording.fit.template
    scans = [s.scan.moved(fit.to_head) for s in recording.scans[:6]]
    one = follow(recording, fit.vertices_mm, scans, RigidTransform.identity())
    flipped = [s.replace(vertices=s.vertices * (-1.0, 1.0, 1.0), faces=s.faces[:, ::-1]) for s in scans]
    other = follow(recording, t.reflected(fit.vertices_mm), flipped, RigidTransform.identity())
    assert np.abs(t.reflected(one[-1]) - other[-1]).max() < 0.1
    assert np.abs(t.reflected(one[-1]) - other[-1]).mean() < 0.01


def test_fixed_topology_is_followed_by_its_vertices(recording: Recording) -> None:
    first = recording.scans[0]
    seen = first.face >= 0
    scans = []
    for shape, pose in zip(recording.shapes, recording.poses, strict=True):
        at = np.full(first.scan.vertices.shape, np.nan)
        at[seen] = pose.apply(first.carry(shape)[seen])
        scans.append(first.scan.replace(vertices=at))
    tracking = Tracking(Sequence.of(scans, FPS, same_topology=True), recording.fit, 100)
    off = [np.median(recording.error(k, f.vertices_mm, f.to_head, f.valid)) for k, f in enumerate(tracking)]
    assert max(off) < 0.6, off
    assert abs(off[-1] - off[0]) < 0.2  # what the first frame is off stays, and nothing comes to it


def test_memory_does_not_grow(recording: Recording) -> None:
    scan = recording.scans[0].scan

    def read(start: int) -> Iterator[Frame]:
        k = start
        while True:
            yield Frame(k, k / FPS, scan)
            k += 1

    frames = iter(face3d.track(Sequence("endless", FPS, read), rest=recording.fit, anchor_every=10_000))
    held = []
    tracemalloc.start()
    try:
        for count in (8, 24):
            for _ in islice(frames, count):
                pass
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        frames.close()  # type: ignore[attr-defined]
    assert abs(held[1] - held[0]) < 1e6  # bytes: a frame's result alone has a fifth of that


def test_an_eye_that_slid_up_its_fold_comes_back_and_one_that_is_wide_stays(recording: Recording) -> None:
    fit, t, space = recording.fit, recording.fit.template, space_of(recording.fit.template)
    follower = Follower(space, fit.vertices_mm, fit.valid)

    def opening(vertices: Floats) -> Floats:
        mark = t.landmark_points(vertices)
        return np.array([float(np.linalg.norm(mark[f"ps_{s}"] - mark[f"pi_{s}"])) for s in ("left", "right")])

    # As smiles were found to do at 30 frames a second: the lid's skin up by 5 mm, where nothing contradicts it.
    lifted = np.zeros_like(fit.vertices_mm)
    lifted[:, 1] = 5.0 * t.regions["upper_lid_left"]
    belief = np.where(t.regions["upper_lid_left"][space.rows] > 0, 40.0, 4.0)
    estimate = Projection(space, belief).estimate(lifted[space.rows])
    state = State.at(space, estimate, fit.to_head)
    assert opening(fit.vertices_mm + state.moved)[0] > opening(fit.vertices_mm)[0] + 2.0
    for k in range(3):
        found = follower.follow(recording.scans[k].scan, state)
        assert found is not None
        state = found.state
        off = opening(found.vertices) - opening(recording.truth(k))
        assert np.abs(off).max() < 2.0, (k, off)
