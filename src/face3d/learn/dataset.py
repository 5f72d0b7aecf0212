"""Examples on disk as a data set: found, made where they are not yet, and read when asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from face3d.errors import Face3DError, SchemaError
from face3d.grading.heads import targets_of
from face3d.grading.networks.batch import Batch, batch_of, joined
from face3d.learn.example_files import read_example

#: Bytes of examples that stay in memory once read; what comes after them is read from disk each time.
KEPT_BYTES = 1_500_000_000


class ExampleSet:
    """Stored examples. `subjects`, `grades` (0: not known) and `facts` of each are read at once, arrays when asked for.

    `points`: with the raw points, which are most of an example's bytes. Raises `SchemaError` for an empty set.
    """

    def __init__(self, paths: Sequence[Path], points: bool = True) -> None:
        if not paths:
            raise SchemaError("no examples to learn from; give folders with exams or examples")
        self.paths, self.points = list(paths), points
        notes = [_notes(path) for path in self.paths]
        self.facts: list[dict[str, Any]] = [n["facts"] for n in notes]
        self.subjects = [str(f.get("subject", "")) for f in self.facts]
        self.grades = [n["labels"]["house_brackmann"] or 0 for n in notes]
        self._kept: dict[int, tuple[Batch, dict[str, Tensor]]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.paths)

    def batch(self, indices: Sequence[int]) -> tuple[Batch, dict[str, Tensor]]:
        """Inputs and targets of some of them."""
        rows = [self._one(int(k)) for k in indices]
        return joined([r[0] for r in rows]), joined([r[1] for r in rows])

    def _one(self, k: int) -> tuple[Batch, dict[str, Tensor]]:
        if k in self._kept:
            return self._kept[k]
        example = [read_example(self.paths[k])]
        row = batch_of(example, self.points), targets_of(example)
        self._bytes += sum(t.nbytes for part in row for t in part.values())
        if self._bytes < KEPT_BYTES:
            self._kept[k] = row
        return row


def _notes(path: Path) -> dict[str, Any]:
    try:
        with np.load(path) as data:
            return json.loads(str(data["notes"]))
    except (OSError, ValueError, KeyError) as error:
        raise SchemaError(f"{path}: not an example of an exam ({error}); delete it, it is made anew") from error


def example_files(
    folder: Path, cache: Path, step: Callable[[str], None] = lambda name: None, tests: bool = False
) -> list[Path]:  # fmt: skip
    """The examples of a folder: those that lie there (*.npz), or else one for each examination below it (a laboratory's
    own, or a benchmark of `face3d simulate`), fitted once and kept in `cache`; without those that a benchmark keeps for
    testing; `tests`: none but those, where it keeps any. An exam that cannot be read or fitted is said by `step` and
    left out. Raises `SchemaError` when there is none."""
    from face3d.io.exam import find_exams, read_exam
    from face3d.learn.example_files import example_from_exam, write_example

    if not folder.is_dir():
        raise SchemaError(f"{folder}: no such folder; `data` names folders with examples or exams")
    if ready := sorted(folder.glob("*.npz")):
        return ready
    cache.mkdir(parents=True, exist_ok=True)
    out = []
    for path in find_exams(folder):
        target = cache / f"{path.name}-{_fingerprint(path)}.npz"
        if not target.exists():
            step(f"fitting {path.name}")
            try:
                write_example(target, example_from_exam(read_exam(path)))
            except Face3DError as error:
                step(f"left out: {error}")
                continue
        out.append(target)
    kept = [p for p in out if _notes(p)["facts"].get("split") == "test"]
    out = (kept or out) if tests else [p for p in out if p not in kept]
    if not out:
        raise SchemaError(f"{folder}: no exam to learn from; it needs exam.json manifests, or examples (*.npz)")
    return out


def _fingerprint(path: Path) -> str:
    """Of the exam's place and what its manifest says: an altered exam is fitted anew."""
    manifest = path if path.is_file() else path / "exam.json"
    text = manifest.read_bytes() if manifest.is_file() else b""
    return hashlib.sha256(str(path.resolve()).encode() + text).hexdigest()[:12]
