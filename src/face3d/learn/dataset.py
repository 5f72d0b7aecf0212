"""Examples on disk as a data set: found, made where they are not yet, and read when asked for."""

from __future__ import annotations

import glob
import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

import face3d
from face3d.errors import Face3DError, SchemaError
from face3d.grading.heads import targets_of
from face3d.grading.networks.batch import Batch, batch_of, joined
from face3d.io.scan_file import ScanFile
from face3d.learn.example_files import read_example, truth_file

if TYPE_CHECKING:
    from face3d.exam import Exam

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
        with path.open("rb") as file, np.load(file) as data:
            return json.loads(str(data["notes"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise SchemaError(f"{path}: not an example of an exam ({error}); delete it, it is made anew") from error


def example_files(
    folder: Path, cache: Path, step: Callable[[str], None] = lambda name: None, tests: bool = False
) -> list[Path]:
    """The examples of a folder: those that lie there (*.npz), or else one for each examination below it (a laboratory's
    own, or a benchmark of `face3d simulate`), fitted once and kept in `cache`; without those that a benchmark keeps for
    testing; `tests`: none but those, where it keeps any. An exam that cannot be read or fitted is said by `step` and
    left out. Raises `SchemaError` when there is none."""
    from face3d.io.exam import find_exams, read_exam, refusal
    from face3d.learn.example_files import example_from_exam, write_example

    if not folder.exists():
        raise SchemaError(f"{folder}: no such folder; `data` names folders with examples or exams")
    if not folder.is_dir():
        raise SchemaError(refusal(folder, "study"))
    if ready := sorted(folder.glob("*.npz")):
        return ready
    cache.mkdir(parents=True, exist_ok=True)
    out = []
    for path in find_exams(folder):
        try:
            place = f"{path.name}-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
            target = cache / f"{place}-{_fingerprint(path)}.npz"
            if not target.exists():
                for stale in cache.glob(f"{glob.escape(place)}-*.npz"):  # made before something of the exam changed
                    stale.unlink()
                step(f"fitting {path.name}")
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
    """Of the content of every file that an exam's example is made from, and of the version that makes it: when any of
    them changes, the exam is fitted anew."""
    from face3d.io.exam import read_exam

    exam = read_exam(path)
    digest = hashlib.sha256(f"{face3d.__version__} {exam.name}".encode())
    for name, file in _made_from(exam):
        digest.update(f"\n{name} ".encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def _made_from(exam: Exam) -> Iterator[tuple[str, Path]]:
    if exam.source is not None and exam.source.is_file():
        yield "manifest", exam.source
    if (truth := truth_file(exam)) is not None:
        yield "truth", truth
    for expression, scan in exam.scans.items():
        if isinstance(scan, ScanFile):
            yield expression, scan.path
            if scan.path.suffix.lower() == ".gltf":  # its numbers lie beside it
                yield from ((f"{expression} {p.name}", p) for p in sorted(scan.path.parent.glob("*.bin")))
            if scan.landmarks is not None:
                yield f"{expression} landmarks", scan.landmarks
