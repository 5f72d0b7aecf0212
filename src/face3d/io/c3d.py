"""C3D, the file of motion-capture laboratories (Vicon, Qualisys, DI4D's landmarks): marker points over time.

After the C3D format's user guide (c3d.org): blocks of 512 bytes; a header, parameters in groups, then frames of points
and analog samples. Read by hand, and not by ezc3d, which waits for ever on a file that was cut short.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.scan import Floats

_BLOCK = 512
_INTEL, _DEC, _SGI = 84, 85, 86  # processors that wrote the numbers
_MOST_POINTS, _MOST_FRAMES = 10_000, 10_000_000


@dataclass(frozen=True, eq=False)
class C3D:
    """`labels` of the markers; `points` (T, M, 3) in the file's `unit`, NaN where a marker was hidden; `rate` frames a
    second; `first` number of the first frame; `notes`."""

    labels: tuple[str, ...]
    points: Floats
    rate: float
    unit: str
    first: int
    notes: tuple[str, ...] = ()


def read_c3d(name: str, data: bytes) -> C3D:
    """Parse a C3D file. Raises `ScanError` naming what is damaged; of a file that is cut short, the whole frames are
    read, with a note."""
    if len(data) < _BLOCK or data[1] != 0x50:
        raise ScanError(f"{name}: does not start as a C3D file does: damaged, or something else")
    at = (data[0] - 1) * _BLOCK
    if at < 0 or len(data) < at + 4:
        raise ScanError(f"{name}: its parameters should begin at byte {at}; there are {len(data)}: cut short")
    processor = data[at + 3]
    if processor not in (_INTEL, _DEC, _SGI):
        raise ScanError(f"{name}: written by processor {processor}; known are {_INTEL}, {_DEC} and {_SGI}: damaged")
    order = ">" if processor == _SGI else "<"
    count, analog, first, last = struct.unpack_from(f"{order}4H", data, 2)
    (start,) = struct.unpack_from(f"{order}H", data, 16)
    scale, rate = (_float(data, offset, processor) for offset in (12, 20))
    groups = _parameters(name, data, at, processor)
    point = groups.get("POINT", {})
    rate = _one(point.get("RATE"), rate)
    scale = _one(point.get("SCALE"), scale)
    start = int(_one(point.get("DATA_START"), start)) & 0xFFFF or start
    frames = int(_one(point.get("FRAMES"), 0))
    frames = frames & 0xFFFF if frames < 0 else frames
    declared = max(last - first + 1, frames if frames != 0xFFFF else 0, _trial(groups.get("TRIAL", {})))
    if not 0 < count <= _MOST_POINTS or not 0 < declared <= _MOST_FRAMES:
        raise ScanError(
            f"{name}: {count} markers in {declared} frames are declared; no recording of a face, or damaged"
        )
    floats = scale < 0
    item = 4 if floats else 2
    width = (4 * count + analog) * item
    body = (start - 1) * _BLOCK
    whole = min(declared, max(len(data) - body, 0) // width) if start > 0 else 0
    if whole < 1:
        raise ScanError(
            f"{name}: {declared} frames of {width} bytes are declared, {max(len(data) - body, 0)} are there"
        )
    raw = np.frombuffer(data, np.uint8, whole * width, body).reshape(whole, width)[:, : 4 * count * item]
    numbers = _numbers(np.ascontiguousarray(raw), floats, processor).reshape(whole, count, 4)
    hidden = (numbers[..., 3] < 0) | ~np.isfinite(numbers[..., :3]).all(axis=-1)
    points = numbers[..., :3] * (1.0 if floats else scale)
    points[hidden] = np.nan
    notes = (
        () if whole == declared else (f"{declared:,} frames are declared, {whole:,} whole ones are there: cut short",)
    )
    return C3D(_labels(point, count), points, rate, _text(point.get("UNITS")) or "mm", first, notes)


def _parameters(name: str, data: bytes, at: int, processor: int) -> dict[str, dict[str, Any]]:
    """group -> parameter -> its values. A record that leads out of the file, or backwards, ends the walk."""
    order = ">" if processor == _SGI else "<"
    names: dict[int, str] = {}
    found: dict[int, dict[str, Any]] = {}
    end = min(len(data), at + max(data[at + 2], 1) * _BLOCK)
    at += 4
    while at + 4 <= end and data[at] != 0:
        size, group = struct.unpack_from("bb", data, at)
        label = data[at + 2 : at + 2 + abs(size)].decode("latin-1").strip().upper()
        step_at = at + 2 + abs(size)
        if step_at + 2 > end:
            break
        (step,) = struct.unpack_from(f"{order}h", data, step_at)
        if group < 0:
            names[-group] = label
        else:
            found.setdefault(group, {})[label] = _parameter(data, step_at + 2, end, processor)
        if step <= 0:
            break
        at = step_at + step
    return {names.get(group, str(group)): values for group, values in found.items()}


def _parameter(data: bytes, at: int, end: int, processor: int) -> Any:
    """The values of one parameter, flat, texts as a list; None when they are not all there."""
    if at + 2 > end:
        return None
    kind, dimensions = struct.unpack_from("bB", data, at)
    shape = list(data[at + 2 : at + 2 + dimensions])
    at += 2 + dimensions
    count, size = math.prod(shape), abs(kind)
    if kind not in (-1, 1, 2, 4) or at + count * size > end:
        return None
    raw = data[at : at + count * size]
    if kind == -1:
        width = shape[0] if shape else 1
        return [raw[i : i + width].decode("latin-1").strip() for i in range(0, len(raw), width)] if width else []
    if kind == 1:
        return list(raw)
    return _numbers(np.frombuffer(raw, np.uint8), kind == 4, processor).tolist()


def _numbers(raw: NDArray[np.uint8], floats: bool, processor: int) -> Floats:
    """Numbers of the processor that wrote them. DEC's floats are IEEE's with words swapped and four times the size."""
    if not floats:
        return raw.view(">i2" if processor == _SGI else "<i2").astype(np.float64)
    if processor != _DEC:
        with np.errstate(invalid="ignore"):  # a signalling NaN is NaN
            return raw.view(">f4" if processor == _SGI else "<f4").astype(np.float64)
    words = raw.view("<u2").reshape(-1, 2)[:, ::-1]
    with np.errstate(invalid="ignore"):
        return np.ascontiguousarray(words).view("<f4").reshape((*raw.shape[:-1], -1)).astype(np.float64) / 4.0


def _float(data: bytes, at: int, processor: int) -> float:
    return float(_numbers(np.frombuffer(data, np.uint8, 4, at).copy(), True, processor)[0])


def _one(values: Any, otherwise: float) -> float:
    number = float(values[0]) if isinstance(values, list) and values and not isinstance(values[0], str) else math.nan
    return number if math.isfinite(number) else float(otherwise)


def _text(values: Any) -> str:
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else ""


def _trial(trial: dict[str, Any]) -> int:
    """Frames by TRIAL, which counts beyond the header's 65,535: two words each, the low one first."""
    ends = [trial.get(key) for key in ("ACTUAL_START_FIELD", "ACTUAL_END_FIELD")]
    if not all(
        isinstance(e, list) and len(e) == 2 and math.isfinite(_one(e, math.nan) + _one(e[1:], math.nan)) for e in ends
    ):
        return 0
    begin, end = ((int(e[0]) & 0xFFFF) + ((int(e[1]) & 0xFFFF) << 16) for e in ends if e is not None)
    return max(end - begin + 1, 0)


def _labels(point: dict[str, Any], count: int) -> tuple[str, ...]:
    """The markers' names, LABELS2 and so on behind LABELS; numbers where there are none. A subject's "Bob:" goes."""
    names: list[str] = []
    for key in ("LABELS", *(f"LABELS{i}" for i in range(2, 40))):
        names += [text for text in point.get(key) or [] if isinstance(text, str)]
    names = [n.rpartition(":")[2] or str(i + 1) for i, n in enumerate(names[:count])]
    names += [str(i + 1) for i in range(len(names), count)]
    return tuple(n if names.index(n) == i else f"{n}_{i + 1}" for i, n in enumerate(names))
