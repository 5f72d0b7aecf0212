"""Tracking against the truth, frame by frame: accuracy beside single fits, drift, excursion, speed, flat memory.

    python benchmarks/tracking.py [accuracy] [speed] [fixed] [follow] [flat] [--seed 72000] [--people 1]

accuracy: people of both movement sets, healthy and not, at a stereophotogrammetric scanner (60 fps) and a depth camera
(30 fps), heads turning by up to 20 degrees; the Vitruvian head blended from rest into whole expressions. Every template
vertex that lies on the true surface at rest has a true way; "median" is what it is off at all, mm, the head's motion
included, "lips" and "ch" (mouth corners) are means; "trend" is how the median grows over 100 frames, "drift" what the
frames fitted anew say (median), "peak" what the largest excursion of landmarks that move by 2.5 mm or more is off
(median, largest); "single", "s." fits of some frames by themselves, from the same rest.
speed: frames from PLY files, read and tracked; the peer is open3d's rigid point-to-plane ICP of the same template,
frame by frame, read in the same way: it knows no movement. fixed: the same of one .npz whose mesh keeps its vertices,
which are looked up; "sought" as if each frame had a mesh of its own. follow: from a frame's file being whole to its
face being drawn by `face3d view --follow`, off screen. flat: time and memory from frame 100 to frame 10,000.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import face3d
from face3d.errors import Face3DError
from face3d.geometry.rays import RayScene
from face3d.io.sequence import Frame, Sequence
from face3d.scan import Floats
from face3d.sequence.anchors import Rest, anew
from face3d.sequence.space import space_of
from face3d.sequence.track import Tracking
from memory import peak_mb
from moving_faces import MovingFace, blended, simulated
from shown import Shown, number, numbers

#: mm: a template vertex further off the true surface at rest has no true way; a landmark that moves less has no peak.
ON_SURFACE, MOVED = 2.0, 2.5
#: The first frames of a live view wait for the face at rest to be fitted and the window to be made.
START = 30
MARKS = ("ch_left", "ch_right", "li", "ls", "pg", "sci_left", "sci_right", "ps_left", "ps_right", "al_left", "al_right")
KEYS = ("median", "lips", "ch", "single", "s.lips", "s.ch", "trend", "drift", "peak", "worst", "lost", "CPU ms")


class Truth:
    """Where the template's places truly are in each frame of a recording, from what they lay on at rest."""

    def __init__(self, face: MovingFace, rest: Rest) -> None:
        self.face, self.fit = face, rest.fitted.fit
        t = self.template = self.fit.template
        at = face.poses[0].inv().apply(self.fit.to_head.inv().apply(self.fit.vertices_mm))
        hit = RayScene(face.shapes[0].astype(np.float64), face.faces).closest(at)
        near = np.linalg.norm(hit.points - at, axis=1) < ON_SURFACE
        self.good = near & self.fit.valid
        self._corners, self._weights, self._apart = face.faces[hit.faces], hit.weights, at - hit.points
        self.lips = near * sum(t.regions[f"{lip}_lip_{s}"] for lip in ("upper", "lower") for s in ("left", "right"))

    def at(self, k: int) -> Floats:
        """(N, 3) mm in the model's head frame."""
        shape = self.face.shapes[k].astype(np.float64)
        return np.einsum("nk,nki->ni", self._weights, shape[self._corners]) + self._apart

    def off(self, k: int, vertices: Floats, to_head, valid: np.ndarray) -> tuple[float, float, float]:
        """Median over the face, mean over the lips and over the mouth corners, mm."""
        at, true = self.face.poses[k].inv().apply(to_head.inv().apply(vertices)), self.at(k)
        off = np.linalg.norm(at - true, axis=1)
        here, there = self.template.landmark_points(at), self.template.landmark_points(true)
        corners = np.mean([np.linalg.norm(here[n] - there[n]) for n in ("ch_left", "ch_right")])
        return float(np.median(off[self.good & valid])), float(off @ self.lips / self.lips.sum()), float(corners)

    def ways(self, k: int) -> list[float]:
        """mm that each of MARKS has truly made from rest."""
        return _ways(self.template.landmark_points(self.at(0)), self.template.landmark_points(self.at(k)))


def _ways(before: dict[str, Floats], now: dict[str, Floats]) -> list[float]:
    return [float(np.linalg.norm(now[n] - before[n])) for n in MARKS]


def accuracy(face: MovingFace, singles: int) -> dict[str, float]:
    """The numbers of one recording; about `singles` of its frames are fitted by themselves as well."""
    tracking = face3d.track(Sequence.of(face.scans, face.fps, face.name))
    truth = Truth(face, tracking.rest)
    t = truth.template
    space_of(t)  # made once for all recordings: not what a frame costs
    start = time.process_time()
    marks = t.landmark_points(tracking.rest.fitted.fit.vertices_mm)
    rows, found, true, lost, checking = [], [], [], 0, 0.0
    for k, frame in enumerate(tracking):
        begin = time.process_time()
        lost += frame.lost
        if not frame.lost:
            rows.append((k, *truth.off(k, frame.vertices_mm, frame.to_head, frame.valid)))
            found.append(_ways(marks, t.landmark_points(frame.vertices_mm)))
            true.append(truth.ways(k))
        checking += time.process_time() - begin
    seconds = time.process_time() - start - checking
    alone = []
    for k in range(len(face) // (2 * singles), len(face), max(len(face) // singles, 1)):
        try:
            own = anew(face.scans[k], tracking.rest.fitted)
        except Face3DError as error:
            print(f"    {face.name}, frame {k} by itself: {error}")
            continue
        alone.append(truth.off(k, own.vertices, own.to_head, own.valid))
    numbers, peaks, goals = np.array(rows), np.max(found, axis=0), np.max(true, axis=0)
    off = np.abs(peaks - goals)[goals > MOVED]
    drift = list(tracking.drift.values())
    trend = 100 * np.polyfit(numbers[:, 0], numbers[:, 1], 1)[0] if len(numbers) > 100 else np.nan
    worst = f"{MARKS[int(np.argmax(np.abs(peaks - goals)))]}" if len(off) else ""
    print(f"    {face.name}: furthest off at its peak: {worst}")
    return dict(
        zip(
            KEYS,
            (
                *numbers[:, 1:].mean(axis=0),
                *(np.mean(alone, axis=0) if alone else [np.nan] * 3),
                trend,
                np.median(drift) if drift else np.nan,
                np.median(off) if len(off) else np.nan,
                off.max() if len(off) else np.nan,
                lost,
                1000 * seconds / len(face),
            ),
            strict=True,
        )
    )


def recordings(seed: int, people: int) -> Iterator[tuple[str, Callable[[], MovingFace]]]:
    """Domain and recording, made when it is asked for."""
    smiles, brows = ["open_smile", "lip_pucker"], ["brow_raise", "tight_eye_closure", "snarl"]
    for k in range(people):
        s = seed + 10 * k
        yield "stereo a, healthy", lambda s=s: simulated("a", s, smiles, fps=60)
        yield "stereo b, grade 4", lambda s=s: simulated("b", s + 1, smiles, fps=60, grade=4)
        yield "stereo a, brows", lambda s=s: simulated("a", s + 2, brows, fps=60, grade=2)
        yield "the same, colours", lambda s=s: simulated("a", s + 2, brows, fps=60, grade=2, colours=True)
        yield "depth a, grade 3", lambda s=s: simulated("a", s + 3, smiles, "depth_camera", grade=3)
        yield "depth b, healthy", lambda s=s: simulated("b", s + 4, smiles, "depth_camera")
        for n, name in enumerate(("Happy", "Mouth_Large_Opened", "Disgusted", "Kiss")):
            yield f"Vitruvian, {name}"[:22], lambda s=s, n=n, name=name: blended(s + 5 + n, name)


def speed(seed: int, frames: int = 60) -> None:
    """Frames a second, reading included, and the peer's."""
    shown = Shown(f"Tracking speed, {frames} frames, seed {seed}", "who", "frames a second", "CPU ms a frame")
    for points in (10_000, 50_000):
        face = simulated("a", seed + 100, ["closed_smile"], points=points, turns=0.5)
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for k, scan in enumerate(face.scans[:frames]):
                files.append(Path(folder) / f"{k:04d}.ply")
                face3d.write_scan(files[-1], scan)

            def read(start: int, files=files) -> Iterator[Frame]:
                for k, file in enumerate(files[start:], start):
                    yield Frame(k, k / 30, face3d.read_scan(file))

            tracking = face3d.track(Sequence("files", 30.0, read))
            fit = tracking.rest.fitted.fit
            next(found := iter(tracking))
            begin, cpu = time.perf_counter(), time.process_time()
            count = sum(not f.lost for f in found)
            ours = time.perf_counter() - begin, time.process_time() - cpu
            begin, cpu = time.perf_counter(), time.process_time()
            for frame in islice(read(1), count):
                assert frame.scan is not None
                _icp(fit.vertices_mm, frame.scan.vertices, fit.to_head)
            peer = time.perf_counter() - begin, time.process_time() - cpu
        for name, (wall, used) in (("face3d", ours), ("open3d ICP, rigid", peer)):
            rate, cost = count / wall, 1000 * used / count
            shown.row(f"{points} vertices, {name}", number(rate, 1), number(cost, 1))


def fixed(seed: int, frames: int = 90) -> None:
    """Frames a second of a mesh of fixed topology, read from one .npz, with and without the look-up."""
    shown = Shown(f"Fixed topology, {frames} frames, seed {seed}", "who", "frames a second", "CPU ms a frame")
    face = simulated("a", seed + 100, ["closed_smile"], points=2_000, turns=0.5)
    faces, shapes = face.faces, face.shapes[:frames]
    shapes = np.array([face.poses[k].apply(shape) for k, shape in enumerate(shapes)], np.float32)
    used, faces = np.unique(faces, return_inverse=True)
    faces, shapes = faces.reshape(-1, 3), shapes[:, used]
    for finer in (0, 1):
        if finer:
            faces, shapes = _quartered(faces, shapes)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "recording.npz"
            np.savez(file, vertices=shapes, faces=faces, fps=30.0)
            for name, same in (("looked up", True), ("sought", False)):
                read = face3d.read_sequence(file)
                tracking = face3d.track(replace(read, same_topology=same))
                next(found := iter(tracking))
                begin, cpu = time.perf_counter(), time.process_time()
                count = sum(not f.lost for f in found)
                wall, used_cpu = time.perf_counter() - begin, time.process_time() - cpu
                rate, cost = count / wall, 1000 * used_cpu / count
                shown.row(f"{shapes.shape[1]} vertices, {name}", number(rate, 1), number(cost, 1))


def _quartered(faces: np.ndarray, shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each triangle as four."""
    pairs = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, at = np.unique(pairs, axis=0, return_inverse=True)
    a, b, c = faces.T
    ab, bc, ca = (at.reshape(-1, 3) + shapes.shape[1]).T
    four = np.concatenate([np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return four, np.concatenate([shapes, (shapes[:, edges[:, 0]] + shapes[:, edges[:, 1]]) / 2], axis=1)


def _icp(template: Floats, vertices: Floats, to_head) -> None:
    import open3d as o3d

    clouds = []
    for points in (template, vertices):
        cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.copy()))
        clouds.append(cloud)
    clouds[1].estimate_normals(o3d.geometry.KDTreeSearchParamHybrid(6.0, 20))
    reg = o3d.pipelines.registration
    start = to_head.inv().as_matrix()
    reg.registration_icp(clouds[0], clouds[1], 5.0, start, reg.TransformationEstimationPointToPlane())


def flat(seed: int, last: int) -> None:
    """Milliseconds a frame and memory in use around frame 100 and around the last."""
    face = simulated("a", seed + 200, ["closed_smile"])

    def read(start: int) -> Iterator[Frame]:
        there_and_back = [*range(len(face)), *reversed(range(1, len(face) - 1))]
        k = start
        while True:
            yield Frame(k, k / 30, face.scans[there_and_back[k % len(there_and_back)]])
            k += 1

    shown = Shown(f"Tracking on and on, seed {seed}", "up to frame", "CPU ms a frame", "at most, MB")
    frames = iter(Tracking(Sequence("there and back", 30.0, read), None, 150))
    done = 0
    for until in (100, 200, last - 100, last):
        cpu = time.process_time()
        for _ in islice(frames, until - done):
            pass
        used, done = 1000 * (time.process_time() - cpu) / (until - done), until
        shown.row(until, number(used, 1), number(peak_mb(), 0))


def follow(seed: int, fps: float = 15.0) -> None:
    """From a frame being whole on disk to its face being drawn, off screen, while a thread writes the recording."""
    from face3d.viewing.live import Live

    face = simulated("a", seed + 300, ["closed_smile"], turns=0.5)
    shown = Shown(f"Live view, {fps:g} frames a second written, seed {seed}", "what", "median, ms", "95 %, ms", "drawn")
    with tempfile.TemporaryDirectory() as name:
        folder, there = Path(name), {}

        def write() -> None:
            for k, scan in enumerate(face.scans):
                begun = time.monotonic()
                face3d.write_scan(folder / f"{k:05d}.ply", scan)
                there[k] = time.monotonic()
                time.sleep(max(0.0, 1 / fps - (there[k] - begun)))
            (folder / "sequence.stop").touch()

        # The face at rest is known before: fitting it takes a second, which no later frame waits for.
        threading.Thread(target=write, daemon=True).start()
        live = Live(face3d.read_sequence(folder, fps=fps, follow=True), face.scans[0], off_screen=True)
        took = [time.monotonic() - there[frame.number] for frame in live if frame.number >= START]
    late = 1000 * np.array(took)
    shown.row("on disk to drawn", *numbers([float(np.median(late)), float(np.quantile(late, 0.95))], 0), len(late))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["flat", "accuracy", "speed", "fixed", "follow"])
    parser.add_argument("--seed", type=int, default=72000)
    parser.add_argument("--people", type=int, default=1)
    parser.add_argument("--singles", type=int, default=8)
    parser.add_argument("--only", default="", help="domains that begin so")
    parser.add_argument("--last", type=int, default=10_000)
    options = parser.parse_args()
    if "flat" in options.parts:  # first: memory is counted at its most, over all that ran before
        flat(options.seed, options.last)
    if "accuracy" in options.parts:
        shown = Shown(f"Tracking against the truth, seed {options.seed}", "recording", *KEYS)
        for domain, make in recordings(options.seed, options.people):
            if domain.startswith(options.only):
                found = accuracy(make(), options.singles)
                shown.row(domain, *numbers([found[k] for k in KEYS]))
    if "speed" in options.parts:
        speed(options.seed)
    if "fixed" in options.parts:
        fixed(options.seed)
    if "follow" in options.parts:
        follow(options.seed)


if __name__ == "__main__":
    main()
