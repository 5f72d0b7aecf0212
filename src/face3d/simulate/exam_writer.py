"""One subject's exam on disk: what a method may see, and beside it what is true."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from face3d.exam import EXPRESSIONS
from face3d.io.archive import pack_arrays
from face3d.io.write import write_bytes, write_scan
from face3d.simulate.scanners import SimulatedScan, scan_depth_camera, scan_face
from face3d.simulate.subjects import Subject
from face3d.simulate.truth import asymmetry_vectors

FPS = 60.0
TRUTH, TRUTH_ARRAYS = "truth.json", "truth.npz"


def write_exam(folder: Path, subject: Subject) -> None:
    """Write `exam.json`, one PLY an expression, `truth.json` and `truth.npz` (see the data card) into `folder`; with a
    depth camera the pictures as well (`depth/`), with sequences one archive an expression (`sequences/`)."""
    folder.mkdir(exist_ok=True)
    scans, arrays = {}, {}
    for expression in EXPRESSIONS:
        scan = _scan(folder, subject, expression)
        write_scan(folder / f"{expression}.ply", scan.scan)
        scans[expression] = scan
        vertices = subject.vertices(expression)
        asymmetry = scan.carry(asymmetry_vectors(subject.model, vertices))
        arrays |= {
            f"{expression}.face": scan.face.astype(np.int32),
            f"{expression}.weights": scan.weights.astype(np.float16),
            f"{expression}.model": vertices.astype(np.float32),
            f"{expression}.asymmetry": asymmetry.astype(np.float16),
        }
    manifest: dict[str, Any] = {
        "subject": subject.name,
        "units": "mm",
        "device": f"simulated {subject.definition.scanner.replace('_', ' ')}",
        "scans": {name: f"{name}.ply" for name in scans},
        **({"visit": subject.visit} if subject.definition.treatment else {}),
        "clinical": {"age_years": round(subject.patient.years, 1)},
    }
    if subject.definition.sequences:
        manifest["sequences"] = _write_sequences(folder, subject, arrays)
    arrays["faces"] = subject.model.faces.astype(np.int32)
    arrays["opposite"] = subject.model.opposite.astype(np.int32)
    _write_json(folder / "exam.json", manifest)
    _write_json(folder / TRUTH, _truth(subject, scans))
    write_bytes(folder / TRUTH_ARRAYS, pack_arrays(arrays))


def _scan(folder: Path, subject: Subject, expression: str) -> SimulatedScan:
    definition, head = subject.definition, subject.model
    vertices, rng = subject.vertices(expression), subject.stream(f"scan {expression}")
    if definition.scanner == "depth_camera":
        frame = scan_depth_camera(vertices, head.faces, rng, landmarks=head.landmark_points(vertices))
        (folder / "depth").mkdir(exist_ok=True)
        frame.write(folder / "depth", expression)
        return frame.scan()
    if definition.scanner == "fixed_mesh":
        return scan_face(head, vertices, rng, "fixed_mesh", bias_seed=_bias_seed(subject))
    return scan_face(head, vertices, rng, definition.scanner, skin=subject.skin, points=definition.points)


def _bias_seed(subject: Subject) -> int:
    return int(subject.own_stream("tracker").integers(2**31))


def _write_sequences(folder: Path, subject: Subject, arrays: dict[str, Any]) -> dict[str, Any]:
    """Each expression as a tracker of fixed topology sees it; the truth of every frame goes to `arrays`."""
    (folder / "sequences").mkdir(exist_ok=True)
    patient, bias = subject.patient, _bias_seed(subject)
    entries = {}
    for expression in EXPRESSIONS:
        if expression == "rest":
            continue
        motion, rng = subject.motion(expression, FPS), subject.stream(f"frames {expression}")
        seen, faces = [], None
        for k, vertices in enumerate(motion.shapes(patient.model, patient.identity, patient.asymmetry)):
            frame = scan_face(patient.model, vertices, rng, "fixed_mesh", bias_seed=bias, pose=motion.head[k])
            seen.append(frame.scan.vertices.astype(np.float32))
            faces = frame.scan.faces
        assert faces is not None
        archive = {"vertices": np.stack(seen), "faces": faces.astype(np.int32), "fps": np.float64(FPS)}
        write_bytes(folder / "sequences" / f"{expression}.npz", pack_arrays(archive))
        entries[expression] = {"path": f"sequences/{expression}.npz", "fps": FPS}
        arrays |= {
            f"{expression}.left": motion.left.astype(np.float32),
            f"{expression}.right": motion.right.astype(np.float32),
            f"{expression}.head": motion.head.as_matrix().astype(np.float32),
            f"{expression}.blinks": motion.blinks,
        }
    return entries


def _truth(subject: Subject, scans: dict[str, SimulatedScan]) -> dict[str, Any]:
    truth, patient = subject.truth, subject.patient
    assert truth.scales.sunnybrook is not None
    assert truth.scales.fngs2 is not None
    units = patient.model.units
    return {
        **subject.row(),
        "sunnybrook_items": asdict(truth.scales.sunnybrook),
        "fngs2_items": asdict(truth.scales.fngs2),
        "house_points": truth.scales.points,
        "house_points_absolute": truth.scales.points_absolute,
        "house_brackmann_descriptive": truth.scales.descriptive,
        "eface_items": asdict(truth.scales.eface),
        "synkinesis": asdict(patient.synkinesis),
        "lids": asdict(patient.lids),
        "droop": patient.droop,
        "contracture": patient.contracture,
        "overaction": patient.overaction,
        "intensities": {
            name: {side: _named(units, values) for side, values in zip(("left", "right"), both, strict=True)}
            for name, both in truth.intensities.items()
        },
        "scans": {name: _scan_truth(scan) for name, scan in scans.items()},
    }


def _named(units: tuple[str, ...], values: Any) -> dict[str, float]:
    return {unit: round(float(v), 6) for unit, v in zip(units, values, strict=True) if v != 0}


def _scan_truth(scan: SimulatedScan) -> dict[str, Any]:
    matrix = scan.pose.as_matrix()
    return {
        "head_to_scan": matrix.tolist(),
        "plane_normal": matrix[:3, 0].tolist(),
        "plane_point": matrix[:3, 3].tolist(),
        "landmarks": {name: point.tolist() for name, point in scan.landmarks.items()},
    }


def _write_json(path: Path, content: Any) -> None:
    write_bytes(path, (json.dumps(_plain(content), indent=1, sort_keys=True) + "\n").encode())


def _plain(value: Any) -> Any:
    """NaN (not judged) as null, and numbers short enough to read: a micrometre is more than is known."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return None if not np.isfinite(value) else round(float(value), 9)
    return int(value) if isinstance(value, np.integer) else value
