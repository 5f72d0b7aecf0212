"""Fits exams that were stored as seen (tools/seen_exams.py): what measuring is learned from and tried on.

    python tools/fitted_exams.py --seen FOLDER --out FOLDER

One npz an exam: fitted vertices and detected landmarks beside the true vertices. A run that was stopped goes on where
it was; several may run at a time, each with its own --part.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d.errors import Face3DError
from face3d.examine import fit_seen
from face3d.scan import Floats
from seen_exams import SHORT, load_one


@dataclass(frozen=True, eq=False)
class StoredFit:
    """`fitted` and `true` expression -> vertices mm, of the template (NaN unseen) and of the fine head model; `marks`
    expression -> landmark -> (3,) mm as detected, in the frame of the fit; `facts` as in `SeenExam`."""

    subject: int
    scan: int
    fitted: Mapping[str, Floats]
    marks: Mapping[str, Mapping[str, Floats]]
    true: Mapping[str, Floats]
    facts: Mapping[str, Any]

    @property
    def side(self) -> str:
        return self.facts["side"]


def make(seen: Path, out: Path, short: bool = False) -> Path | None:
    """Fits and stores one exam, or its `SHORT` expressions; None, and why, where its rest scan cannot be fitted."""
    target = out / seen.name
    if target.exists():
        return target
    exam = load_one(seen)
    try:
        found = fit_seen([e for e in exam.scans if e in SHORT or not short], exam.scans.__getitem__)
    except (Face3DError, KeyError) as error:
        print(f"{seen.name}: left out: {error}", flush=True)
        return None
    arrays: dict[str, Any] = {}
    for e, vertices in {"rest": found.rest, **found.expressions}.items():
        arrays[f"{e}.fitted"] = vertices.astype(np.float32)
        arrays[f"{e}.names"] = np.array(list(found.marks[e]))
        arrays[f"{e}.marks"] = np.array(list(found.marks[e].values()), np.float32)
        arrays[f"{e}.true"] = exam.true[e].astype(np.float32)
    half = target.with_suffix(f".{os.getpid()}.half")
    with half.open("wb") as file:
        np.savez(file, facts=np.array(json.dumps(dict(exam.facts))), **arrays)
    half.replace(target)
    return target


def read(file: Path) -> StoredFit:
    """One stored fit."""
    subject, scan = file.stem.split("_")
    parts: dict[str, dict[str, Any]] = {"fitted": {}, "names": {}, "marks": {}, "true": {}}
    with np.load(file) as data:
        facts = json.loads(str(data["facts"]))
        for name in data.files:
            expression, _, part = name.partition(".")
            if part:
                parts[part][expression] = data[name]
    wide = {k: {e: v.astype(np.float64) for e, v in parts[k].items()} for k in ("fitted", "marks", "true")}
    marks = {e: dict(zip(names.tolist(), wide["marks"][e], strict=True)) for e, names in parts["names"].items()}
    return StoredFit(int(subject), int(scan), wide["fitted"], marks, wide["true"], facts)


def stored(folder: Path) -> Iterator[StoredFit]:
    """All stored fits of a folder, in order."""
    return map(read, sorted(folder.glob("*.npz")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seen", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, help="no more than the first so many exams")
    parser.add_argument("--short", action="store_true", help="seven expressions instead of ten")
    parser.add_argument("--part", default="0/1", help="k/n: every n-th exam from the k-th")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    part, parts = (int(x) for x in a.part.split("/"))
    for seen in sorted(a.seen.glob("*.npz"))[part : a.most : parts]:
        make(seen, a.out, a.short)


if __name__ == "__main__":
    main()
